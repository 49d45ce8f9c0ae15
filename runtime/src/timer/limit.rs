//! A time for any future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::Alarm;
use crate::local;
use crate::process::budget::{Refused, poll_budget};
use crate::process::receive::Timeout;

pin_project! {
    /// The future of [`timeout`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct TimeLimit<F> {
        #[pin]
        future: F,
        refused: Refused,
        // None: no time at all.
        alarm: Option<Alarm>,
    }
}

/// Gives a future a time, rounded up to milliseconds and counted from the first poll.
///
/// The future is polled first: what is ready in the same moment in which the time is up
/// counts as in time. With [`Duration::ZERO`] it is polled once, and does not wait. When
/// the time is up the future is dropped with the `TimeLimit`; pin it and pass `&mut` to
/// go on with it. If the future is cancel safe, so is this.
///
/// [`receive`](crate::receive()), replies and calls have time-outs of their own, which know
/// more: a receive with a zero time-out sees all that has arrived by now, and this only
/// what had arrived when the turn began.
///
/// It works outside of processes too, with the timers of whichever runtime there is;
/// without one nothing could wake it, and a future that is not ready times out at once.
///
/// # Errors
///
/// [`Timeout`] if the future was not ready in time.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::future::{pending, ready};
/// use std::time::Duration;
/// use regrow_runtime::{Timeout, timeout};
///
/// assert_eq!(timeout(Duration::from_millis(1), pending::<()>()).await, Err(Timeout));
/// assert_eq!(timeout(Duration::ZERO, ready(5)).await, Ok(5));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn timeout<F: Future>(after: Duration, future: F) -> TimeLimit<F> {
    TimeLimit {
        future,
        refused: Refused::default(),
        alarm: (!after.is_zero()).then(|| Alarm::new(after)),
    }
}

impl<F: Future> Future for TimeLimit<F> {
    type Output = Result<F::Output, Timeout>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Turned away here or let in: a future that did not look for want of reductions
        // would miss its time for no reason.
        ready!(poll_budget(0, this.refused, cx));
        local::with(|local| local.budget.set(local.budget.get().max(1)));
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        match this.alarm {
            Some(alarm) => alarm.poll(cx).map(|()| Err(Timeout)),
            None => Poll::Ready(Err(Timeout)),
        }
    }
}
