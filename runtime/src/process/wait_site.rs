//! Where a process waits, as `process_info` tells it.
//!
//! A process keeps one place: that of the last of our awaits that its body has
//! made. It is noted when the future is made, by one store, because a future that
//! carried it would make every waiting process larger. Only futures that make
//! others carry it ([`wait_at`]): the place of those would be in our own code.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::local;

/// Notes where in the source the current process is about to wait.
pub(crate) fn waiting_at(place: &'static Location<'static>) {
    local::try_with(|local| {
        if let Some(header) = local.current.get() {
            header.waits_at.set(Some(place));
        }
    });
}

pin_project! {
    /// The future of [`wait_at`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct WaitAt<F> {
        place: &'static Location<'static>,
        #[pin]
        future: F,
    }
}

/// Awaits a future, and lets [`ProcessInfo::waiting_at`](crate::ProcessInfo::waiting_at) say that
/// this is done at `place`.
///
/// Every function of this crate that makes something to wait for notes the place of its caller by
/// itself. This is for functions of libraries that wait on behalf of *their* callers. It notes
/// the place whenever the future is pending.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::panic::Location;
/// use regrow_runtime::{process_info, receive, send, spawn, wait_at, yield_now};
///
/// struct Job(u32);
///
/// #[track_caller] // which has no effect on an `async fn`
/// fn next_job() -> impl Future<Output = u32> {
///     wait_at(Location::caller(), async {
///         let Job(number) = receive().await; // not of interest
///         number
///     })
/// }
///
/// let line = line!() + 1;
/// let worker = spawn(async { assert_eq!(next_job().await, 5) });
/// yield_now().await;
/// let waiting_at = process_info(worker).await.unwrap().waiting_at;
/// # // Another worker may not have run it yet.
/// # if waiting_at.is_some() {
/// assert_eq!(waiting_at.unwrap().line(), line);
/// # }
/// send(worker, Job(5));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn wait_at<F: Future>(place: &'static Location<'static>, future: F) -> WaitAt<F> {
    WaitAt { place, future }
}

/// As [`wait_at`], for the place of the caller.
#[track_caller]
pub(crate) fn wait_here<F: Future>(future: F) -> WaitAt<F> {
    wait_at(Location::caller(), future)
}

impl<F: Future> Future for WaitAt<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.future.poll(cx);
        // Each time: what was awaited in there before may have given way to another.
        if polled.is_pending() {
            waiting_at(this.place);
        }
        polled
    }
}
