//! Where a process waits, as `process_info` tells it.
//!
//! A process keeps one place: that of the last of our awaits that its body has
//! made. It is noted when the future is made, by one store, because a future that
//! carried it would make every waiting process larger.

use std::panic::Location;

use crate::local;

/// Notes where in the source the current process is about to wait, for
/// [`ProcessInfo::waiting_at`](crate::ProcessInfo::waiting_at).
///
/// Every function of this crate that makes something to wait for does so by itself,
/// for the place of its caller. This one is for libraries whose functions wait on behalf of
/// their callers: with `#[track_caller]` they learn that place, and pass it on here
/// after they have made what they wait for. Outside a process it does nothing.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::panic::Location;
/// use regrow_runtime::{receive, waiting_at};
///
/// /// Not an `async fn`: the place would be that of the first poll, in here.
/// #[track_caller]
/// fn next_job() -> impl Future<Output = u32> {
///     let place = Location::caller();
///     async move {
///         let job = receive::<u32>(); // notes this very line ...
///         waiting_at(place); // ... which says less than the caller's
///         job.await
///     }
/// }
/// # let _ = next_job();
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn waiting_at(place: &'static Location<'static>) {
    local::try_with(|local| {
        if let Some(header) = local.current.get() {
            header.waits_at.set(Some(place));
        }
    });
}
