//! Local processes: bodies that are not `Send`, and stay on one thread.
//!
//! The owner word of such a process is marked, and whoever queues it puts it into the
//! queue of its core (`scheduler/pinned.rs`), which only that core's thread takes from.
//! So all its turns, and with them its end, are on that thread. The body does not rely
//! on that: it remembers its thread, and looks at it whenever it is touched.
//!
//! # Invariant
//!
//! - L1: the future is made (or arrives with its birth), polled and dropped on the
//!   thread with the number `thread`. Elsewhere `home` is read and nothing else. If
//!   the process is never ended, because its thread was left behind stuck, the
//!   future is never dropped.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::cell::Body;
use super::owner;
use super::table::Slot;
use crate::local;
use crate::reason::{ExitReason, IntoExitReason};
use crate::scheduler;

/// The body of a local process.
pub(crate) struct PinnedBody<M, F> {
    /// The core whose thread runs it.
    home: usize,
    /// The number of that thread; 0 until it has made the future.
    thread: Cell<u64>,
    state: State<M, F>,
}

enum State<M, F> {
    /// To be made by the first poll.
    Seed(M),
    Live(F),
    /// Dropped, or lost to a panic of the seed.
    Gone,
}

impl<F> PinnedBody<fn() -> F, F> {
    /// A future of this thread, which is that of the core.
    pub(crate) fn here(home: usize, future: F) -> Self {
        PinnedBody {
            home,
            thread: Cell::new(local::with(|local| local.thread())),
            state: State::Live(future),
        }
    }
}

impl<M: FnOnce() -> F + Send, F> PinnedBody<M, F> {
    /// A future that the core's thread will make.
    pub(crate) fn seed(home: usize, make: M) -> Self {
        PinnedBody {
            home,
            thread: Cell::new(0),
            state: State::Seed(make),
        }
    }
}

impl<M, F> PinnedBody<M, F> {
    /// Whether this is the thread of the future, or nobody's yet and now this one's.
    fn is_here(&self) -> bool {
        let here = local::with(|local| local.thread());
        if self.thread.get() == 0 {
            self.thread.set(here);
        }
        self.thread.get() == here
    }

    fn check(&self) {
        if !self.is_here() {
            // To go on, or to unwind, would be to touch it.
            eprintln!("regrow: a local process has left its thread; please report this");
            std::process::abort();
        }
    }
}

impl<M, F> Body for PinnedBody<M, F>
where
    M: FnOnce() -> F + Send,
    F: Future,
    F::Output: IntoExitReason,
{
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExitReason> {
        self.check();
        // SAFETY: the body stays where it is (C4), and a future is moved only into
        // its place, before it is pinned.
        let body = unsafe { self.get_unchecked_mut() };
        if let State::Seed(_) = body.state
            && let State::Seed(make) = std::mem::replace(&mut body.state, State::Gone)
        {
            body.state = State::Live(make());
        }
        let State::Live(future) = &mut body.state else {
            unreachable!("a process is not polled after its end");
        };
        // SAFETY: pinned with the body; L1 was checked above.
        let future = unsafe { Pin::new_unchecked(future) };
        future.poll(cx).map(IntoExitReason::into_exit_reason)
    }

    unsafe fn clear(self: Pin<&mut Self>) {
        if !matches!(self.state, State::Seed(_)) {
            self.check();
        }
        // SAFETY: the assignment drops the future in place, as pinning demands (L1
        // was checked; a seed is `Send`).
        unsafe { self.get_unchecked_mut() }.state = State::Gone;
    }

    fn home(&self) -> Option<usize> {
        Some(self.home)
    }
}

/// Queues a process that does not go to the ordinary queues, because of its priority
/// or because it is local. For the holder of its token, who passes that on.
#[cold]
pub(crate) fn schedule_special(index: u32, slot: &Slot, owner: u32) {
    let (runtime, priority) = (owner::runtime(owner), owner::priority(owner));
    let mut home = None;
    if owner::is_pinned(owner) {
        // SAFETY: the caller holds the token (T2, C2).
        home = unsafe { slot.process().and_then(|process| process.home()) };
    }
    scheduler::schedule_special(index, runtime, priority, home);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_future_knows_the_thread_that_it_belongs_to() {
        let here = PinnedBody::here(0, async {});
        assert!(here.is_here());
        let seed = PinnedBody::seed(0, || async {});
        let elsewhere = std::thread::spawn(move || {
            assert!(!here.is_here());
            assert!(seed.is_here(), "it was nobody's");
            seed
        });
        let seed = elsewhere.join().unwrap();
        assert!(!seed.is_here());
    }
}
