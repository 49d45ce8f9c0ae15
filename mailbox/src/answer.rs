//! One answer, from one sender to one receiver, in one allocation that both share.
//!
//! # States
//!
//! | state | meaning | who may touch what |
//! |---|---|---|
//! | `EMPTY` | no answer, nobody waits | the sender: the value |
//! | `WAITING` | no answer; a waker is stored | the sender: the value; the waker is at rest |
//! | `BUSY` | the waker is being taken or replaced | whoever set it: the waker. The other waits, for a few instructions |
//! | `DONE` | the value is there; the sender is gone | the receiver: everything, it frees the cell |
//! | `GONE` | the receiver is gone | the sender: everything, it frees the cell |
//!
//! # Who may change what
//!
//! | who | from -> to | ordering | pairs with |
//! |---|---|---|---|
//! | receiver stores its waker | `EMPTY` -> `WAITING` | CAS Release | the sender's acquire of `WAITING` (the waker) |
//! | receiver or sender takes the waker | `WAITING` -> `BUSY` | CAS Acquire | whoever stored it |
//! | receiver replaces it | `BUSY` -> `WAITING` | store Release | as above |
//! | sender answers, nobody waits | `EMPTY` -> `DONE` | CAS AcqRel | the receiver's loads (the value) |
//! | sender answers, having taken the waker | `BUSY` -> `DONE` | store Release | as above |
//! | receiver leaves | `EMPTY` -> `GONE`, or `BUSY` -> `GONE` having taken the waker | CAS AcqRel, store Release | the sender's loads (it frees) |
//!
//! # Invariants
//!
//! - A1: the cell lives until the side that finds the other gone frees it: the
//!   receiver in `DONE`, the sender in `GONE`. After its last transition a side
//!   touches the cell no more; so the sender moves the waker out *before* `DONE`.
//! - A2: the value is written by the sender before `DONE` and read after it.
//! - A3: the waker slot is written and read only in `BUSY` by whoever set that, or
//!   by the receiver in `EMPTY`; it is full exactly in `WAITING`. No user code
//!   runs in `BUSY`: wakers are moved, not cloned or dropped.

use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use crate::primitive::{AtomicU32, Ordering, UnsafeCell, spin};

const EMPTY: u32 = 0;
const WAITING: u32 = 1;
const BUSY: u32 = 2;
const DONE: u32 = 3;
const GONE: u32 = 4;

struct Cell<T> {
    state: AtomicU32,
    waker: UnsafeCell<MaybeUninit<Waker>>,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Cell<T> {
    /// Moves a waker into the slot.
    ///
    /// # Safety
    /// A3, and the slot is empty.
    unsafe fn store_waker(&self, waker: Waker) {
        // SAFETY: exclusive by A3.
        self.waker.with_mut(|slot| unsafe { (*slot).write(waker) });
    }

    /// Moves the waker out of the slot.
    ///
    /// # Safety
    /// A3, and the slot is full.
    unsafe fn take_waker(&self) -> Waker {
        // SAFETY: exclusive and initialized by A3.
        self.waker
            .with_mut(|slot| unsafe { (*slot).assume_init_read() })
    }

    /// Moves the value out.
    ///
    /// # Safety
    /// A2: in `DONE`, by the receiver, once.
    unsafe fn take_value(&self) -> T {
        // SAFETY: exclusive and initialized by A2.
        self.value
            .with_mut(|slot| unsafe { (*slot).assume_init_read() })
    }

    fn change(&self, from: u32, to: u32) -> Result<(), u32> {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
    }
}

/// Makes both ends of a cell for one answer.
///
/// ```
/// use std::task::{Context, Poll, Waker};
///
/// let (sender, mut receiver) = regrow_mailbox::answer::<u32>();
/// let mut cx = Context::from_waker(Waker::noop());
/// assert_eq!(receiver.poll(&mut cx), Poll::Pending);
/// sender.send(5).map(Waker::wake);
/// assert_eq!(receiver.poll(&mut cx), Poll::Ready(Some(5)));
/// ```
pub fn answer<T: Send>() -> (AnswerSender<T>, AnswerReceiver<T>) {
    let cell = Box::new(Cell {
        state: AtomicU32::new(EMPTY),
        waker: UnsafeCell::new(MaybeUninit::uninit()),
        value: UnsafeCell::new(MaybeUninit::uninit()),
    });
    let cell = NonNull::from(Box::leak(cell));
    (
        AnswerSender {
            cell,
            owns: PhantomData,
        },
        AnswerReceiver {
            cell: Some(cell),
            owns: PhantomData,
        },
    )
}

/// The end that answers, once. Dropping it instead leaves the receiver waiting
/// for ever; its user must not do that.
pub struct AnswerSender<T> {
    cell: NonNull<Cell<T>>,
    owns: PhantomData<T>,
}

// SAFETY: the two ends hand the value over by the protocol above; `T` goes from
// one thread to another, wakers may be woken and dropped anywhere.
unsafe impl<T: Send> Send for AnswerSender<T> {}
// SAFETY: `&AnswerSender` only reads the atomic state.
unsafe impl<T: Send> Sync for AnswerSender<T> {}

impl<T: Send> AnswerSender<T> {
    fn cell(&self) -> &Cell<T> {
        // SAFETY: A1: we have not made our last transition, so the cell lives.
        unsafe { self.cell.as_ref() }
    }

    /// Whether the receiver still wants an answer.
    pub fn is_wanted(&self) -> bool {
        self.cell().state.load(Ordering::Relaxed) != GONE
    }

    /// Answers. Returns the waker of whoever waits, for the caller to wake. If the
    /// receiver is gone the value is dropped.
    pub fn send(self, value: T) -> Option<Waker> {
        let cell = self.cell();
        // SAFETY: A2: only we touch the value before `DONE`.
        cell.value.with_mut(|slot| unsafe { (*slot).write(value) });
        loop {
            match cell.change(EMPTY, DONE) {
                Ok(()) => return None,
                Err(WAITING) if cell.change(WAITING, BUSY).is_ok() => {
                    // SAFETY: A3: we set `BUSY`, and the slot was full.
                    let waker = unsafe { cell.take_waker() };
                    cell.state.store(DONE, Ordering::Release);
                    return Some(waker);
                }
                Err(GONE) => {
                    // SAFETY: A1: the receiver is gone, the cell is ours; A2: the
                    // value was written above. The slot is empty (A3).
                    let value = unsafe { cell.take_value() };
                    // SAFETY: A1.
                    drop(unsafe { Box::from_raw(self.cell.as_ptr()) });
                    drop(value);
                    return None;
                }
                Err(_) => spin(),
            }
        }
    }
}

impl<T> fmt::Debug for AnswerSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerSender").finish_non_exhaustive()
    }
}

/// The end that waits. Dropping it gives the answer up.
pub struct AnswerReceiver<T> {
    /// None once the answer was taken.
    cell: Option<NonNull<Cell<T>>>,
    owns: PhantomData<T>,
}

// SAFETY: as for the sender.
unsafe impl<T: Send> Send for AnswerReceiver<T> {}
// SAFETY: `&AnswerReceiver` gives access to nothing.
unsafe impl<T: Send> Sync for AnswerReceiver<T> {}

impl<T> Unpin for AnswerReceiver<T> {}

impl<T> AnswerReceiver<T> {
    /// Takes the answer, or sees to it that the waker of `cx` is woken when it
    /// comes. `Ready(None)` if it was taken before.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_if(cx, |_| true)
    }

    /// The same, if `may_take` allows it when the answer is there: what the sender did before
    /// is seen in it. If not it is pending, and whoever polls must see to the next poll.
    #[inline]
    pub fn poll_if(
        &mut self,
        cx: &mut Context<'_>,
        may_take: impl FnOnce(&mut Context<'_>) -> bool,
    ) -> Poll<Option<T>> {
        let Some(pointer) = self.cell else {
            return Poll::Ready(None);
        };
        // SAFETY: A1: `self.cell` is set, so we have not made our last transition.
        let cell = unsafe { pointer.as_ref() };
        loop {
            match cell.state.load(Ordering::Acquire) {
                DONE => {
                    return match may_take(cx) {
                        true => Poll::Ready(Some(self.finish(pointer))),
                        false => Poll::Pending,
                    };
                }
                EMPTY => {
                    // SAFETY: A3: in `EMPTY` the slot is empty, and ours.
                    unsafe { cell.store_waker(cx.waker().clone()) };
                    if cell.change(EMPTY, WAITING).is_ok() {
                        return Poll::Pending;
                    }
                    // Only `DONE` can have come, and the sender saw no waker.
                    // SAFETY: A1: in `DONE` the cell is ours; the slot was just filled.
                    drop(unsafe { cell.take_waker() });
                }
                WAITING if cell.change(WAITING, BUSY).is_ok() => {
                    // SAFETY: A3: we set `BUSY`, and the slot was full.
                    let old = unsafe { cell.take_waker() };
                    if old.will_wake(cx.waker()) {
                        // SAFETY: A3: still `BUSY`, and just emptied.
                        unsafe { cell.store_waker(old) };
                        cell.state.store(WAITING, Ordering::Release);
                        return Poll::Pending;
                    }
                    cell.state.store(EMPTY, Ordering::Release);
                    drop(old);
                }
                _ => spin(),
            }
        }
    }

    /// Takes the value and frees the cell.
    fn finish(&mut self, pointer: NonNull<Cell<T>>) -> T {
        self.cell = None;
        // SAFETY: A1: seen in `DONE`, so the cell is ours to free; A2: the value is there.
        let cell = unsafe { Box::from_raw(pointer.as_ptr()) };
        // SAFETY: A2.
        unsafe { cell.take_value() }
    }
}

impl<T> Drop for AnswerReceiver<T> {
    fn drop(&mut self) {
        let Some(pointer) = self.cell else { return };
        // SAFETY: A1, as in `poll`.
        let cell = unsafe { pointer.as_ref() };
        loop {
            match cell.change(EMPTY, GONE) {
                Ok(()) => return,
                Err(WAITING) if cell.change(WAITING, BUSY).is_ok() => {
                    // SAFETY: A3: we set `BUSY`, and the slot was full.
                    let waker = unsafe { cell.take_waker() };
                    cell.state.store(GONE, Ordering::Release);
                    drop(waker);
                    return;
                }
                Err(DONE) => {
                    drop(self.finish(pointer));
                    return;
                }
                Err(_) => spin(),
            }
        }
    }
}

impl<T> fmt::Debug for AnswerReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerReceiver").finish_non_exhaustive()
    }
}
