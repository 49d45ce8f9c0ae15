//! Making a task end.

use std::future::Future;
use std::time::Duration;

use regrow_runtime::{
    ExitReason, ReceiveExit, exit, monitor, receive_down, receive_exit, timeout, unlink,
};

use super::{Task, outcome};
use crate::Shutdown;
use crate::call::wait_here;

impl<T: Send + 'static> Task<T> {
    /// Makes the task end, and waits until it has (Elixir: `Task.shutdown`).
    ///
    /// The link is removed first, so this never ends the caller. Then the task gets an exit
    /// signal: [`Shutdown`](ExitReason::Shutdown), followed by a kill if it has not ended when the
    /// time is up, or a kill at once with [`Shutdown::BrutalKill`].
    ///
    /// | the task | the outcome |
    /// |---|---|
    /// | has given a result, before or just now | `Some(Ok(value))` |
    /// | ended as it was asked to: `Shutdown`, or `Killed` with `BrutalKill` | `None` |
    /// | ended with any other reason, before or now | `Some(Err(reason))` |
    /// | had to be killed when the time was up | `Some(Err(Killed))` |
    ///
    /// Of a task whose result was taken before, there is `None`. Nothing of the task is left in
    /// the mailbox.
    ///
    /// # Panics
    ///
    /// Outside a process; and if the task is linked, in any other process than the one linked to
    /// it, as only that one can remove the link.
    ///
    /// ```
    /// # use regrow_supervisor::{Shutdown, Task};
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let endless = Task::spawn(std::future::pending::<u8>());
    /// assert_eq!(endless.shutdown(Shutdown::default()).await, None);
    /// # });
    /// ```
    #[track_caller]
    pub fn shutdown(
        mut self,
        how: Shutdown,
    ) -> impl Future<Output = Option<Result<T, ExitReason>>> + Send {
        self.check_owner("shutdown");
        wait_here(async move { self.stop(how).await })
    }

    pub(super) async fn stop(&mut self, how: Shutdown) -> Option<Result<T, ExitReason>> {
        let mut reply = self.reply.take()?;
        let Some(pid) = self.pid else {
            return Some(outcome(reply.await));
        };
        // Without a wait in between: one that dies here must not leave the task alone.
        let unlinked = self.unlink();
        let (reason, time) = match how {
            Shutdown::BrutalKill => (ExitReason::Kill, None),
            Shutdown::Timeout(time) => (ExitReason::Shutdown, Some(time)),
            Shutdown::Infinity => (ExitReason::Shutdown, None),
        };
        exit(pid, reason);
        let answer = match time {
            None => reply.await,
            Some(time) => match timeout(time, &mut reply).await {
                Ok(answer) => answer,
                Err(_) => {
                    exit(pid, ExitReason::Kill);
                    reply.await
                }
            },
        };
        // A result comes a moment before the end.
        receive_down(monitor(pid)).await;
        flush(unlinked).await;
        after_shutdown(how, outcome(answer))
    }

    /// Removes the link; what is returned finds its `Exit`, if that has come already.
    pub(super) fn unlink(&mut self) -> Option<ReceiveExit> {
        let pid = self.pid?;
        self.linked_to.take()?;
        // Made while there is a link, it need not look at what is in the mailbox.
        let exit = receive_exit(pid);
        unlink(pid);
        Some(exit)
    }
}

/// Takes the `Exit` of a link that was removed out of the mailbox.
pub(super) async fn flush(unlinked: Option<ReceiveExit>) {
    if let Some(exit) = unlinked {
        let _ = exit.timeout(Duration::ZERO).await;
    }
}

/// What to say of a task that was made to end: pure.
fn after_shutdown<T>(
    how: Shutdown,
    outcome: Result<T, ExitReason>,
) -> Option<Result<T, ExitReason>> {
    match (&outcome, how) {
        (Err(ExitReason::Killed), Shutdown::BrutalKill) => None,
        (Err(ExitReason::Shutdown), Shutdown::Timeout(_) | Shutdown::Infinity) => None,
        _ => Some(outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_or_an_end_that_was_not_asked_for_is_told() {
        let timeout = Shutdown::Timeout(Duration::from_secs(5));
        let hows = [Shutdown::BrutalKill, timeout, Shutdown::Infinity];
        let reasons = [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::shutdown_with("x"),
            ExitReason::Killed,
            ExitReason::NoProc,
            ExitReason::error("x"),
        ];
        for how in hows {
            assert_eq!(after_shutdown(how, Ok(1)), Some(Ok(1)));
            for reason in &reasons {
                let asked_for = match how {
                    Shutdown::BrutalKill => ExitReason::Killed,
                    _ => ExitReason::Shutdown,
                };
                let told = after_shutdown::<()>(how, Err(reason.clone()));
                let expected = (*reason != asked_for).then(|| Err(reason.clone()));
                assert_eq!(told, expected, "{how}, {reason}");
            }
        }
    }
}
