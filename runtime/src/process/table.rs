//! The process table: slots that are never freed and never move.
//!
//! One table serves the whole OS process, because wakers are pids and may outlive
//! the runtime that made them. A slot belongs to no runtime while it is free.
//!
//! # Invariants
//!
//! - T1: a segment, once published, lives for ever and is never moved.
//! - T2: `Slot::process` is accessed by the holder of the inbox's token only (see
//!   `regrow-mailbox`), or by the owner of the free slot.
//! - T3: the process pointer is set exactly from birth until the token holder
//!   has closed the inbox and takes it out.
//! - T4: an index is on at most one free list, and only while its inbox is closed.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use parking_lot::Mutex;
use regrow_mailbox::Inbox;

use super::cell::ProcessPtr;
use crate::pid::Pid;

/// Slots of one segment, a quarter of a megabyte. The first lot is never used, so
/// that index 0 can stand for none.
const SEGMENT: u32 = 1 << 13;
/// Enough for 134 million processes, at eight bytes for each segment not used.
const SEGMENTS: usize = 1 << 14;
/// Free indices move between threads in lots of this size.
const LOT: usize = 64;

pub(crate) struct Slot {
    pub(crate) inbox: Inbox,
    process: UnsafeCell<Option<ProcessPtr>>,
}

// SAFETY: `inbox` is made for sharing; `process` is guarded by the token (T2).
unsafe impl Sync for Slot {}

impl Slot {
    fn new() -> Self {
        Slot {
            inbox: Inbox::new(),
            process: UnsafeCell::new(None),
        }
    }

    /// The process of the slot.
    ///
    /// # Safety
    /// The caller holds the token, or owns the free slot (T2).
    pub(crate) unsafe fn process(&self) -> Option<ProcessPtr> {
        // SAFETY: exclusive by T2.
        unsafe { *self.process.get() }
    }

    /// Puts the process of the slot in or takes it out.
    ///
    /// # Safety
    /// As for [`Slot::process`].
    pub(crate) unsafe fn set_process(&self, process: Option<ProcessPtr>) {
        // SAFETY: exclusive by T2.
        unsafe { *self.process.get() = process }
    }
}

struct Table {
    segments: [AtomicPtr<Slot>; SEGMENTS],
    /// The indices below this have been handed out at least once.
    fresh: AtomicU32,
    /// Indices given back, in lots.
    free: Mutex<Vec<Vec<u32>>>,
}

static TABLE: Table = Table {
    segments: [const { AtomicPtr::new(ptr::null_mut()) }; SEGMENTS],
    fresh: AtomicU32::new(LOT as u32),
    free: Mutex::new(Vec::new()),
};

/// Where an index lives: its segment, and the place in it.
fn place(index: u32) -> (usize, usize) {
    ((index / SEGMENT) as usize, (index % SEGMENT) as usize)
}

/// The slot of an index that was handed out at some time.
pub(crate) fn slot(index: u32) -> Option<&'static Slot> {
    let (segment, at) = place(index);
    let slots = TABLE.segments.get(segment)?.load(Ordering::Acquire);
    // SAFETY: T1: a segment that is published has all its slots, for ever.
    (!slots.is_null()).then(|| unsafe { &*slots.add(at) })
}

/// Reserves free indices for a thread: from those given back, else new ones.
/// Nothing is added when the table is full.
pub(crate) fn reserve(indices: &mut Vec<u32>) {
    if let Some(lot) = TABLE.free.lock().pop() {
        indices.extend(lot);
        return;
    }
    let first = TABLE
        .fresh
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |first| {
            let next = first.checked_add(LOT as u32)?;
            (place(next).0 < SEGMENTS).then_some(next)
        });
    let Ok(first) = first else { return };
    publish(place(first).0);
    // Reversed, so that indices are taken from the end in their order.
    indices.extend((first..first + LOT as u32).rev());
}

/// Gives indices of free slots back when a thread has too many, or `all`.
pub(crate) fn give_back(indices: &mut Vec<u32>, all: bool) {
    while indices.len() > 2 * LOT || (all && !indices.is_empty()) {
        let lot = indices.split_off(indices.len().saturating_sub(LOT));
        TABLE.free.lock().push(lot);
    }
}

/// Makes sure that a segment exists.
fn publish(segment: usize) {
    let cell = &TABLE.segments[segment];
    if !cell.load(Ordering::Acquire).is_null() {
        return;
    }
    // The lock only keeps two threads from making the same segment.
    let _making = TABLE.free.lock();
    if cell.load(Ordering::Acquire).is_null() {
        let slots: Box<[Slot]> = (0..SEGMENT).map(|_| Slot::new()).collect();
        cell.store(Box::leak(slots).as_mut_ptr(), Ordering::Release);
    }
}

/// Every live process of a runtime.
pub(crate) fn pids_of(runtime: u32) -> Vec<Pid> {
    let end = TABLE.fresh.load(Ordering::Acquire);
    let mut pids = Vec::new();
    for index in LOT as u32..end {
        let Some(slot) = slot(index) else { continue };
        let generation = slot.inbox.generation();
        let owner = slot.inbox.owner().load(Ordering::Acquire);
        if !slot.inbox.is_closed()
            && super::owner::runtime(owner) == runtime
            && slot.inbox.generation() == generation
        {
            pids.push(Pid::local(index, generation));
        }
    }
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_one_place_and_reserving_ends_at_the_last() {
        assert_eq!(place(0), (0, 0));
        assert_eq!(place(SEGMENT - 1), (0, SEGMENT as usize - 1));
        assert_eq!(place(SEGMENT), (1, 0));
        assert!(slot(u32::MAX).is_none());
        assert_eq!(SEGMENT as usize % LOT, 0, "a lot lies in one segment");
    }

    #[test]
    fn a_slot_is_half_a_cache_line() {
        #[cfg(not(loom))]
        assert_eq!(size_of::<Slot>(), 32);
    }
}
