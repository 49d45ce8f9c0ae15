//! The end of a process that somebody waits for.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use crate::local;
use crate::pid::Pid;
use crate::process::cell::Flag;
use crate::process::links::with_header;
use crate::process::monitors::{demonitor_flush, monitor};
use crate::process::receive_end::receive_down;
use crate::process::wait_site::waiting_at;
use crate::process::{drop_dead_letter, push_new, signal, try_self_pid};
use crate::reason::ExitReason;

/// Asks its receiver to end, with a reason: what [`stop`] sends. It is an ordinary
/// message that waits for its turn (OTP: the system message `{terminate, Reason}`).
///
/// Behaviours handle it; a process of one's own that wants to be stopped in this
/// way receives it and ends with the reason.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Terminate {
    /// What the process should end with.
    pub reason: ExitReason,
}

/// Sends a message past any [limit](crate::mailbox_limit) of the receiver's mailbox: whoever
/// has too much to do must hear of this (OTP: system messages, which a behaviour answers beside
/// its own). Everything else is as for [`send`](crate::send()): it waits behind the messages
/// sent before.
///
/// For those who look after processes, and not for their work: what has no limit can fill the
/// memory.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{MailboxPolicy, SpawnOptions, proc_lib, receive, self_pid, send};
///
/// struct HowAreYou;
///
/// let me = self_pid();
/// let options = SpawnOptions::new().mailbox_limit(1, MailboxPolicy::Refuse);
/// let busy = options.spawn(async move {
///     let HowAreYou = receive().await;
///     send(me, "busy");
/// });
/// let busy = busy.unwrap().pid;
/// send(busy, "work"); // now it is full
/// proc_lib::send_system(busy, HowAreYou);
/// assert_eq!(receive::<&str>().await, "busy");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// In a [simulation](crate::simulation), if `pid` is not of it.
pub fn send_system<M: Send + 'static>(pid: Pid, message: M) {
    local::try_with(|local| {
        local.check_receiver(pid);
        local.spend(1);
    });
    if let Err(dead) = push_new(pid, signal::MESSAGE, message) {
        drop_dead_letter(dead);
    }
}

/// The current process is about to end: calls whose reply handles it has dropped in this turn,
/// or drops from now on, are told what it ends with, and not that the handle was dropped.
///
/// For behaviours, whose callers get the reason of the end (OTP: `gen_server:call` monitors
/// the server) though something is left to do between the last request and that.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{
///     ExitReason, ReplyError, ReplyTo, proc_lib, receive, reply_channel, send, spawn, yield_now,
/// };
///
/// let server = spawn(async {
///     let request: ReplyTo<u8> = receive().await;
///     drop(request);
///     proc_lib::about_to_end();
///     yield_now().await; // cleans up
///     ExitReason::Shutdown
/// });
/// let (reply_to, reply) = reply_channel::<u8>();
/// send(server, reply_to);
/// assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::Shutdown)));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// Outside a process.
#[track_caller]
pub fn about_to_end() {
    with_header("about_to_end", |header| header.set(Flag::FailsAtEnd, true));
}

/// Why [`stop`] did not see the process end as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// There was no such process, or nobody had the name.
    #[error("no such process")]
    NoProc,
    /// The process was still running when the time was over. It will stop when it
    /// comes to the request.
    #[error("the process did not stop in time")]
    Timeout,
    /// The process ended, but with another reason.
    #[error("the process ended with another reason: {0}")]
    Exit(ExitReason),
    /// A process cannot wait for its own end.
    #[error("a process cannot stop itself this way")]
    CallingSelf,
}

/// Asks a process to end as [`ExitReason::Normal`] and waits until it has (OTP:
/// `proc_lib:stop/1`).
///
/// # Errors
///
/// As [`stop_with`].
///
/// # Panics
///
/// When awaited outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::proc_lib::{self, Terminate};
/// use regrow_runtime::{receive, spawn};
///
/// let obedient = spawn(async { receive::<Terminate>().await.reason });
/// assert_eq!(proc_lib::stop(obedient).await, Ok(()));
/// assert_eq!(proc_lib::stop(obedient).await, Err(proc_lib::StopError::NoProc));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn stop(pid: Pid) -> impl Future<Output = Result<(), StopError>> + Send {
    stop_with(pid, ExitReason::Normal, None)
}

/// Asks a process to end with a reason and waits until it has, or for a time (OTP:
/// `proc_lib:stop/3`). The request is a [`Terminate`], behind the messages sent
/// before.
///
/// # Errors
///
/// If there is no such process, it ends with another reason, or does not end in
/// time; the request then stays in its mailbox.
///
/// # Panics
///
/// When awaited outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{ExitReason, proc_lib, spawn};
/// use std::time::Duration;
///
/// let deaf = spawn(std::future::pending::<()>());
/// let limit = Some(Duration::from_millis(5));
/// let stopped = proc_lib::stop_with(deaf, ExitReason::Shutdown, limit).await;
/// assert_eq!(stopped, Err(proc_lib::StopError::Timeout));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn stop_with(
    pid: Pid,
    reason: ExitReason,
    timeout: Option<Duration>,
) -> impl Future<Output = Result<(), StopError>> + Send {
    stop_from(pid, reason, timeout, Location::caller())
}

async fn stop_from(
    pid: Pid,
    reason: ExitReason,
    timeout: Option<Duration>,
    place: &'static Location<'static>,
) -> Result<(), StopError> {
    if try_self_pid() == Some(pid) {
        return Err(StopError::CallingSelf);
    }
    let reference = monitor(pid);
    let request = Terminate {
        reason: reason.clone(),
    };
    // Past any limit of its mailbox: whoever has too much to do must hear of this. And
    // if it is dead, the monitor tells.
    let _ = push_new(pid, signal::MESSAGE, request);
    let down = receive_down(reference);
    waiting_at(place);
    let ended = match timeout {
        None => down.await,
        Some(timeout) => match down.timeout(timeout).await {
            Ok(ended) => ended,
            Err(_) => {
                demonitor_flush(reference);
                return Err(StopError::Timeout);
            }
        },
    };
    match ended.reason {
        actual if actual == reason => Ok(()),
        ExitReason::NoProc => Err(StopError::NoProc),
        actual => Err(StopError::Exit(actual)),
    }
}

/// Waits for a process's end, and returns the reason.
pub(super) async fn has_ended(pid: Pid) -> ExitReason {
    receive_down(monitor(pid)).await.reason
}
