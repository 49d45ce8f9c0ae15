//! Stopping a child so that it never counts as a crash.

use std::time::Duration;

use regrow_runtime::{
    Down, Exit, ExitReason, Pid, exit, monitor, receive, try_receive_matching, unlink,
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
    let reference = monitor(pid);
    let down = move || receive::<Down>().matching(move |down| down.reference == reference);
    let ended = match shutdown {
        Shutdown::BrutalKill => {
            exit(pid, ExitReason::Kill);
            down().await
        }
        Shutdown::Infinity => {
            exit(pid, ExitReason::Shutdown);
            down().await
        }
        Shutdown::Timeout(time) => {
            exit(pid, ExitReason::Shutdown);
            match down().timeout(time).await {
                Ok(ended) => ended,
                Err(_) => {
                    exit(pid, ExitReason::Kill);
                    down().await
                }
            }
        }
    };
    // A child that had died before was monitored too late; its link knows why it died.
    unlink_and_flush(pid).unwrap_or(ended.reason)
}

/// Ends the link to a child, so that its end cannot be taken for a crash any more. Returns the
/// reason of an exit that had already arrived.
fn unlink_and_flush(pid: Pid) -> Option<ExitReason> {
    unlink(pid);
    try_receive_matching::<Exit>(move |exit| exit.pid == pid).map(|exit| exit.reason)
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
