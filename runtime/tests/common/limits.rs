//! Processes with a limit for their mailbox, and what becomes of it.

use std::future::{Future, pending};
use std::time::Duration;

use regrow_runtime::{
    MailboxLimit, MailboxPolicy, Pid, SpawnOptions, process_info, receive_any, try_send,
};

pub(crate) const ZERO: Duration = Duration::ZERO;

/// A process with a limit that never receives anything.
pub(crate) fn full(max: u32, policy: MailboxPolicy) -> Pid {
    let pid = with_limit(max as usize, policy, pending::<()>());
    for n in 0..max {
        assert_eq!(try_send(pid, n), Ok(()));
    }
    pid
}

pub(crate) fn with_limit(
    max: usize,
    policy: MailboxPolicy,
    body: impl Future<Output = ()> + Send + 'static,
) -> Pid {
    let options = SpawnOptions::new().mailbox_limit(max, policy);
    options.spawn(body).unwrap().pid
}

pub(crate) async fn limit_of(pid: Pid) -> MailboxLimit {
    process_info(pid).await.unwrap().mailbox_limit.unwrap()
}

/// Messages in the mailbox, places taken, messages lost.
pub(crate) async fn counts(pid: Pid) -> (usize, usize, u64) {
    let info = process_info(pid).await.unwrap();
    let limit = info.mailbox_limit.unwrap();
    (info.message_queue_len, limit.taken, limit.dropped)
}

/// The rest of the own mailbox, in order; only `u32`s.
pub(crate) async fn rest() -> Vec<u32> {
    let mut rest = Vec::new();
    while let Ok(message) = receive_any().timeout(ZERO).await {
        rest.push(message.downcast::<u32>().expect("only numbers"));
    }
    rest
}
