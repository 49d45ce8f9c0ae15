//! A process: one allocation with its private state and its future.
//!
//! # Invariants
//!
//! - C1: a `ProcessPtr` that is in a slot points to a live `Process`, made by
//!   `Box` in [`ProcessPtr::new`] and freed once, by [`ProcessPtr::free`].
//! - C2: the body is touched only through [`ProcessPtr::poll`],
//!   [`ProcessPtr::size`] and [`ProcessPtr::clear`], by the holder of the token, and never from within
//!   itself (the runtime does not run a process inside its own turn).
//! - C3: the header is read by shared reference on the thread that holds the
//!   token; its fields are cells, so this needs no exclusiveness.
//! - C4: the body never moves: it stays in its box until it is dropped in place.
//! - C5: the body is cleared exactly once, at the process's end, and neither polled
//!   nor touched afterwards; freeing the process drops the rest.
//! - C6: `queue` and `relations` are reached only through `with_queue` and
//!   `with_relations`, each on the thread that holds the token (C3), and lent once
//!   at a time: the flag (`QueueIsLent`, `RelationsAreLent`) is up as long as a
//!   reference exists.
//! - C8: a body that is not `Send` is one of `process/pinned.rs`: made, polled and
//!   dropped by one thread, which is looked at each time. All others are `Send`.
//! - C9: `origin` holds the ancestry exactly if the flag `ProcLib` is up; both are set
//!   when the header is made, before anybody else sees it, and never changed.

use std::cell::{Cell, UnsafeCell};
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll};

use regrow_mailbox::SaveQueue;

use super::ancestry::Ancestry;
use super::pinned::PinnedBody;
use super::relations::Relations;
use crate::pid::Pid;
use crate::reason::{ExitReason, IntoExitReason};

/// The private state of a process.
pub(crate) struct Header {
    queue: UnsafeCell<SaveQueue>,
    relations: UnsafeCell<Relations>,
    origin: Origin,
    pub(crate) spawned_at: &'static Location<'static>,
    /// Where the body last began to wait for something of ours.
    pub(crate) waits_at: Cell<Option<&'static Location<'static>>>,
    reductions: Cell<u64>,
    /// The last id of a link request of ours.
    last_link_id: Cell<u32>,
    /// In single bytes: what was written as one is slow to read as part of more.
    flags: [Cell<u8>; 2],
    /// How many turns the process has had (wrapping): tells one from the next.
    pub(crate) turns: Cell<u8>,
    /// Not 0: it was caught in a long turn, and is apart until so many short ones.
    pub(crate) hog: Cell<u8>,
}

/// Where a process comes from (C9).
union Origin {
    /// Of a plain process: the packed pid of its parent; 0 is none.
    parent: u64,
    /// Of one that knows its ancestors.
    ancestry: ManuallyDrop<Option<Arc<Ancestry>>>,
}

/// Yes or no about a process; packed, because every process pays for its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Flag {
    TrapsExits = 1 << 0,
    /// From the moment that the reason is fixed.
    Ending = 1 << 1,
    /// Wakers wait in `relations` for the next turn.
    HasForeign = 1 << 2,
    /// The body wants another turn, whatever its inbox says. At birth it does.
    WantsTurn = 1 << 3,
    /// Somebody is at work in `queue` (C6).
    QueueIsLent = 1 << 4,
    /// Somebody is at work in `relations` (C6).
    RelationsAreLent = 1 << 5,
    /// The runtime's tables know something of the process that its end must take
    /// back: a label, a subscription.
    Listed = 1 << 6,
    /// It was spawned as by OTP's `proc_lib` (C9).
    ProcLib = 1 << 7,
    /// The alarm for a long mailbox has been sounded, and is not armed again yet.
    HasLongQueue = 1 << 8,
    /// It has ended itself, by `exit`, whatever becomes of the unwinding.
    HasLeft = 1 << 9,
    /// Calls whose reply handles it drops hear of its end, and not of that.
    FailsAtEnd = 1 << 10,
}

impl Header {
    pub(crate) fn new(parent: Option<Pid>, spawned_at: &'static Location<'static>) -> Self {
        Header {
            queue: UnsafeCell::default(),
            relations: UnsafeCell::default(),
            origin: Origin {
                parent: parent.map_or(0, Pid::pack),
            },
            spawned_at,
            waits_at: Cell::new(None),
            reductions: Cell::new(0),
            last_link_id: Cell::new(0),
            flags: [Cell::new(Flag::WantsTurn as u8), Cell::new(0)],
            turns: Cell::new(0),
            hog: Cell::new(0),
        }
    }

    /// Of a process that knows its ancestors, if it has any.
    pub(crate) fn proc_lib(
        ancestry: Option<Arc<Ancestry>>,
        spawned_at: &'static Location<'static>,
    ) -> Self {
        let mut header = Header::new(None, spawned_at);
        header.origin.ancestry = ManuallyDrop::new(ancestry);
        header.set(Flag::ProcLib, true);
        header
    }

    #[inline]
    pub(crate) fn is(&self, flag: Flag) -> bool {
        let (byte, bit) = self.flag(flag);
        byte.get() & bit != 0
    }

    #[inline]
    pub(crate) fn set(&self, flag: Flag, on: bool) {
        let (byte, bit) = self.flag(flag);
        byte.set(byte.get() & !bit | if on { bit } else { 0 });
    }

    /// Where a flag is kept.
    #[inline]
    fn flag(&self, flag: Flag) -> (&Cell<u8>, u8) {
        let [low, high] = (flag as u16).to_le_bytes();
        match low {
            0 => (&self.flags[1], high),
            _ => (&self.flags[0], low),
        }
    }

    /// Sets a flag and returns what it was.
    #[inline]
    pub(crate) fn replace(&self, flag: Flag, on: bool) -> bool {
        let before = self.is(flag);
        self.set(flag, on);
        before
    }

    /// An id for a link request: never 0, which stands for none.
    pub(crate) fn fresh_link_id(&self) -> u32 {
        let id = self.last_link_id.get().wrapping_add(1).max(1);
        self.last_link_id.set(id);
        id
    }

    pub(crate) fn parent(&self) -> Option<Pid> {
        if self.is(Flag::ProcLib) {
            return self.ancestry().map(|it| it.parent());
        }
        // SAFETY: C9.
        Pid::unpack(unsafe { self.origin.parent })
    }

    /// The ancestors of a process of `proc_lib`.
    pub(crate) fn ancestry(&self) -> Option<&Arc<Ancestry>> {
        if !self.is(Flag::ProcLib) {
            return None;
        }
        // SAFETY: C9.
        unsafe { &self.origin.ancestry }.as_ref()
    }

    pub(crate) fn reductions(&self) -> u64 {
        self.reductions.get()
    }

    pub(crate) fn count_reductions(&self, spent: u32) {
        self.reductions
            .set(self.reductions.get() + u64::from(spent));
    }

    /// Works on the links and monitors. `work` must not come back here: no user
    /// code may run in it.
    #[inline]
    pub(crate) fn with_relations<T>(&self, work: impl FnOnce(&mut Relations) -> T) -> T {
        let lent = self.replace(Flag::RelationsAreLent, true);
        assert!(!lent, "lent already");
        let _lent = Lent(self, Flag::RelationsAreLent);
        // SAFETY: C6: the flag was down, so nobody else has a reference.
        work(unsafe { &mut *self.relations.get() })
    }

    /// Works on the mailbox. `work` may run user code (a predicate), to which the
    /// mailbox looks empty.
    #[inline]
    pub(crate) fn with_queue<T>(&self, work: impl FnOnce(&mut SaveQueue) -> T) -> T {
        if self.replace(Flag::QueueIsLent, true) {
            return work(&mut SaveQueue::new());
        }
        let _lent = Lent(self, Flag::QueueIsLent);
        // SAFETY: C6: the flag was down, so nobody else has a reference.
        work(unsafe { &mut *self.queue.get() })
    }
}

impl Drop for Header {
    #[inline]
    fn drop(&mut self) {
        if self.is(Flag::ProcLib) {
            // SAFETY: C9; nobody uses the header any more.
            unsafe { ManuallyDrop::drop(&mut self.origin.ancestry) }
        }
    }
}

/// Puts a flag down again, however the work ends.
struct Lent<'a>(&'a Header, Flag);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.set(self.1, false);
    }
}

/// What a process runs, without its type.
pub(super) trait Body {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExitReason>;
    /// Drops the future in place.
    ///
    /// # Safety
    /// C5: once, and no poll afterwards.
    unsafe fn clear(self: Pin<&mut Self>);
    /// The core that it must run on, if not any.
    fn home(&self) -> Option<usize> {
        None
    }
}

/// A future that is dropped on its own, before its process. (An `Option` would
/// cost a word in each process.)
struct FutureBody<F>(ManuallyDrop<F>);

impl<F> Body for FutureBody<F>
where
    F: Future + Send,
    F::Output: IntoExitReason,
{
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExitReason> {
        // SAFETY: the projection of a pin to a field that is never moved (C4).
        let future = unsafe { self.map_unchecked_mut(|body| &mut *body.0) };
        future.poll(cx).map(IntoExitReason::into_exit_reason)
    }

    unsafe fn clear(self: Pin<&mut Self>) {
        // SAFETY: dropped in place, as pinning demands, and once by the caller's C5.
        unsafe { ManuallyDrop::drop(&mut self.get_unchecked_mut().0) }
    }
}

struct Process<B: ?Sized> {
    header: Header,
    body: B,
}

/// A pointer to a process, as its slot holds it.
#[derive(Clone, Copy)]
pub(crate) struct ProcessPtr(NonNull<Process<dyn Body>>);

impl ProcessPtr {
    pub(crate) fn new<F>(header: Header, future: F) -> Self
    where
        F: Future + Send + 'static,
        F::Output: IntoExitReason,
    {
        Self::with_body(header, FutureBody(ManuallyDrop::new(future)))
    }

    /// A process that runs on one core only (C8).
    pub(crate) fn new_pinned<M, F>(header: Header, body: PinnedBody<M, F>) -> Self
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: IntoExitReason,
    {
        Self::with_body(header, body)
    }

    fn with_body(header: Header, body: impl Body + 'static) -> Self {
        let process: Box<Process<dyn Body>> = Box::new(Process { header, body });
        ProcessPtr(NonNull::from(Box::leak(process)))
    }

    /// The core that the process must run on, if not any.
    ///
    /// # Safety
    /// C2.
    pub(crate) unsafe fn home(self) -> Option<usize> {
        // SAFETY: nobody else touches the body (C2). What is looked at is `Send` (C8).
        unsafe { &(*self.0.as_ptr()).body }.home()
    }

    /// # Safety
    /// C1, and the reference must not outlive the caller's token.
    pub(crate) unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: C1, C3. Only the header is borrowed, so this may overlap with
        // the exclusive borrow of the body in `poll`.
        unsafe { &(*self.0.as_ptr()).header }
    }

    /// Polls the body once.
    ///
    /// # Safety
    /// C2.
    pub(crate) unsafe fn poll(self, cx: &mut Context<'_>) -> Poll<ExitReason> {
        // SAFETY: C2 makes the borrow of the body exclusive; C4 pins it.
        unsafe { Pin::new_unchecked(&mut (*self.0.as_ptr()).body) }.poll(cx)
    }

    /// Bytes of the process, without what its future points to.
    ///
    /// # Safety
    /// C2, also in that nobody is within a poll.
    pub(crate) unsafe fn size(self) -> usize {
        // SAFETY: C2. Only the body is borrowed: the header may be in use.
        size_of::<Header>() + size_of_val(unsafe { &(*self.0.as_ptr()).body })
    }

    /// Drops the future in place.
    ///
    /// # Safety
    /// C2 and C5.
    pub(crate) unsafe fn clear(self) {
        // SAFETY: as in `poll`; C5 is passed on by the caller.
        unsafe { Pin::new_unchecked(&mut (*self.0.as_ptr()).body).clear() }
    }

    /// Frees the process.
    ///
    /// # Safety
    /// C1: called once, after the pointer was taken out of its slot.
    pub(crate) unsafe fn free(self) {
        // SAFETY: C1.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// Remembers which process a thread is running, without a lifetime.
///
/// - C7: the pointer is set by [`Current::enter`] for as long as its guard lives,
///   and the guard lives within a turn, whose token keeps the header alive.
pub(crate) struct Current(Cell<Option<NonNull<Header>>>);

impl Current {
    pub(crate) const fn none() -> Self {
        Current(Cell::new(None))
    }

    /// Makes `header` the current process of this thread until the guard drops.
    pub(crate) fn enter<'a>(&'a self, header: Option<&'a Header>) -> CurrentGuard<'a> {
        CurrentGuard {
            cell: self,
            before: self.0.replace(header.map(NonNull::from)),
        }
    }

    pub(crate) fn is_some(&self) -> bool {
        self.0.get().is_some()
    }

    /// The current process of this thread.
    pub(crate) fn get(&self) -> Option<&Header> {
        // SAFETY: C7: set means that a guard, and with it the token, is alive
        // below us on this very stack; `&self` is of this thread and does not
        // outlive the turn, as it comes from a `with` of the thread-local.
        self.0.get().map(|header| unsafe { header.as_ref() })
    }
}

pub(crate) struct CurrentGuard<'a> {
    cell: &'a Current,
    before: Option<NonNull<Header>>,
}

impl Drop for CurrentGuard<'_> {
    fn drop(&mut self) {
        self.cell.0.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_link_requests_start_again_after_the_last_one_and_skip_none() {
        let header = Header::new(None, Location::caller());
        header.last_link_id.set(u32::MAX - 1);
        assert_eq!(header.fresh_link_id(), u32::MAX);
        assert_eq!(header.fresh_link_id(), 1, "0 stands for none");
    }

    #[test]
    fn a_process_that_waits_for_a_message_fits_two_cache_lines() {
        fn size_with<F>(_: F) -> usize {
            size_of::<Process<FutureBody<F>>>()
        }
        let waiting = async {
            crate::receive::<u64>().await;
        };
        assert!(size_with(waiting) <= 128);
    }
}
