//! Stopping a child so that it never counts as a crash.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use regrow_runtime::{
    ExitReason, Pid, ReceiveDown, ReceiveExit, exit, monitor, receive_down, receive_exit, sleep,
    unlink,
};

use super::Restart;

/// How a child is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// Killed at once, without a chance to clean up.
    BrutalKill,
    /// Asked with [`ExitReason::Shutdown`]; killed if it has not ended after this time.
    Timeout(Duration),
    /// Asked with [`ExitReason::Shutdown`] and waited for without limit. For supervisors; for
    /// other children only if they are certain to end.
    Infinity,
}

impl Default for Shutdown {
    /// OTP's default for workers, 5 seconds.
    fn default() -> Self {
        Shutdown::Timeout(Duration::from_secs(5))
    }
}

impl std::fmt::Display for Shutdown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shutdown::BrutalKill => f.write_str("brutal_kill"),
            Shutdown::Timeout(time) => write!(f, "{time:?}"),
            Shutdown::Infinity => f.write_str("infinity"),
        }
    }
}

/// Stops one child, waits for its end and returns the reason it ended with.
///
/// The wait is for a `Down`, not for the link's `Exit`: a naughty child may have unlinked
/// itself, and its supervisor must not hang on it.
pub(crate) async fn stop_one(pid: Pid, shutdown: Shutdown) -> ExitReason {
    let mut end = End::of(pid);
    match shutdown {
        Shutdown::BrutalKill => exit(pid, ExitReason::Kill),
        Shutdown::Infinity => exit(pid, ExitReason::Shutdown),
        Shutdown::Timeout(time) => {
            exit(pid, ExitReason::Shutdown);
            let mut time = pin!(sleep(time));
            let in_time = poll_fn(|cx| match end.poll(cx) {
                Poll::Ready(reason) => Poll::Ready(Some(reason)),
                Poll::Pending => time.as_mut().poll(cx).map(|()| None),
            });
            match in_time.await {
                Some(reason) => return reason,
                None => exit(pid, ExitReason::Kill),
            }
        }
    }
    poll_fn(|cx| end.poll(cx)).await
}

/// The end of one process: its `Down`, and the `Exit` if it is linked. Neither wait looks at the
/// messages that are in the mailbox, so stopping many costs no more when the mailbox is long.
struct End {
    pid: Pid,
    down: ReceiveDown,
    exit: ReceiveExit,
    /// Why it died, if its link knows. A child that had died before was monitored too late.
    known: Option<ExitReason>,
}

impl End {
    fn of(pid: Pid) -> Self {
        End {
            pid,
            down: receive_down(monitor(pid)),
            exit: receive_exit(pid),
            known: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ExitReason> {
        // Each time, so that it never has to catch up.
        if self.known.is_none()
            && let Poll::Ready(exit) = Pin::new(&mut self.exit).poll(cx)
        {
            self.known = Some(exit.reason);
        }
        let down = ready!(Pin::new(&mut self.down).poll(cx));
        // An exit that is still under way counts for nothing any more.
        unlink(self.pid);
        Poll::Ready(self.known.take().unwrap_or(down.reason))
    }
}

/// Whether a child that was told to stop ended as it should have; anything else is worth a
/// report.
pub(crate) fn is_expected(restart: Restart, shutdown: Shutdown, reason: &ExitReason) -> bool {
    match reason {
        ExitReason::Killed => shutdown == Shutdown::BrutalKill,
        ExitReason::Shutdown => shutdown != Shutdown::BrutalKill || restart != Restart::Permanent,
        ExitReason::Normal | ExitReason::ShutdownWith(_) => restart != Restart::Permanent,
        _ => false,
    }
}
