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
use crate::simulation::slots::{self as simulated, is_simulated};

/// Slots of one segment, a quarter of a megabyte. The first lot is never used, so
/// that index 0 can stand for none.
const SEGMENT: u32 = 1 << 13;
/// Enough for 134 million processes, at eight bytes for each segment not used.
const SEGMENTS: usize = 1 << 14;
/// Processes that there is room for.
pub(crate) const CAPACITY: u64 = SEGMENTS as u64 * SEGMENT as u64 - LOT as u64;
/// Free indices move between threads in lots of this size.
const LOT: usize = 64;

pub(crate) struct Slot {
    pub(crate) inbox: Inbox,
    process: UnsafeCell<Option<ProcessPtr>>,
}

// SAFETY: `inbox` is made for sharing; `process` is guarded by the token (T2).
unsafe impl Sync for Slot {}

impl Slot {
    pub(crate) fn new() -> Self {
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

struct Table<const SEGMENTS: usize> {
    segments: [AtomicPtr<Slot>; SEGMENTS],
    /// The indices below this have been handed out at least once.
    fresh: AtomicU32,
    /// Indices given back, in lots.
    free: Mutex<Vec<Vec<u32>>>,
}

static TABLE: Table<SEGMENTS> = Table::new();

/// Where an index lives: its segment, and the place in it.
fn place(index: u32) -> (usize, usize) {
    ((index / SEGMENT) as usize, (index % SEGMENT) as usize)
}

/// A segment's slots, unless there is no memory for so many.
fn new_segment(len: usize) -> Option<Box<[Slot]>> {
    let mut slots = Vec::new();
    slots.try_reserve_exact(len).ok()?;
    slots.extend((0..len).map(|_| Slot::new()));
    Some(slots.into_boxed_slice())
}

impl<const SEGMENTS: usize> Table<SEGMENTS> {
    const fn new() -> Self {
        Table {
            segments: [const { AtomicPtr::new(ptr::null_mut()) }; SEGMENTS],
            fresh: AtomicU32::new(LOT as u32),
            free: Mutex::new(Vec::new()),
        }
    }

    fn reserve(&self, indices: &mut Vec<u32>) {
        if let Some(lot) = self.free.lock().pop() {
            indices.extend(lot);
            return;
        }
        let fresh = |first: u32| {
            let next = first.checked_add(LOT as u32)?;
            // Made before its indices are handed out: if that fails, none is lost.
            self.publish(place(first).0).then_some(next)
        };
        let order = Ordering::Relaxed;
        if let Ok(first) = self.fresh.fetch_update(order, order, fresh) {
            // Reversed, so that indices are taken from the end in their order.
            indices.extend((first..first + LOT as u32).rev());
        }
    }

    fn give_back(&self, indices: &mut Vec<u32>, all: bool) {
        while indices.len() > 2 * LOT || (all && !indices.is_empty()) {
            let lot = indices.split_off(indices.len().saturating_sub(LOT));
            self.free.lock().push(lot);
        }
    }

    /// Makes sure that a segment exists. False if there is no room or memory for it.
    fn publish(&self, segment: usize) -> bool {
        let Some(cell) = self.segments.get(segment) else {
            return false;
        };
        if !cell.load(Ordering::Acquire).is_null() {
            return true;
        }
        // The lock only keeps two threads from making the same segment.
        let _making = self.free.lock();
        if cell.load(Ordering::Acquire).is_null() {
            let Some(slots) = new_segment(SEGMENT as usize) else {
                return false;
            };
            cell.store(Box::leak(slots).as_mut_ptr(), Ordering::Release);
        }
        true
    }
}

/// The slot of an index that was handed out at some time.
pub(crate) fn slot(index: u32) -> Option<&'static Slot> {
    let (segment, at) = place(index);
    let Some(segment) = TABLE.segments.get(segment) else {
        // No index of ours: perhaps one of a simulation.
        return simulated::slot(index);
    };
    let slots = segment.load(Ordering::Acquire);
    // SAFETY: T1: a segment that is published has all its slots, for ever.
    (!slots.is_null()).then(|| unsafe { &*slots.add(at) })
}

/// Reserves free indices for a thread: from those given back, else new ones.
/// Nothing is added when the table is full, or there is no memory for more of it.
pub(crate) fn reserve(indices: &mut Vec<u32>) {
    TABLE.reserve(indices);
}

/// Gives indices of free slots back when a thread has too many, or `all`. Those of a
/// simulation stay with it.
pub(crate) fn give_back(indices: &mut Vec<u32>, all: bool) {
    if !indices.last().is_some_and(|&it| is_simulated(it)) {
        TABLE.give_back(indices, all);
    }
}

/// Every live process of a runtime.
pub(crate) fn pids_of(runtime: u32) -> Vec<Pid> {
    if runtime == super::owner::SIMULATION {
        return simulated::pids();
    }
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
    use std::collections::HashSet;

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
    fn a_table_that_is_full_gives_nothing_until_something_comes_back() {
        static SMALL: Table<2> = Table::new();
        let mut all = Vec::new();
        loop {
            let before = all.len();
            SMALL.reserve(&mut all);
            if all.len() == before {
                break;
            }
        }
        assert_eq!(all.len(), 2 * SEGMENT as usize - LOT);
        let distinct: HashSet<u32> = all.iter().copied().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(!distinct.contains(&0), "0 stands for none");

        let mut back = all.split_off(all.len() - LOT);
        SMALL.give_back(&mut back, true);
        assert!(back.is_empty());
        SMALL.reserve(&mut back);
        assert_eq!(back.len(), LOT);
        let mut none = Vec::new();
        SMALL.reserve(&mut none);
        assert!(none.is_empty());
    }

    #[test]
    fn a_segment_without_memory_is_no_abort() {
        assert!(new_segment(usize::MAX / 4).is_none());
        assert_eq!(new_segment(3).map(|slots| slots.len()), Some(3));
    }

    #[test]
    fn a_slot_is_half_a_cache_line() {
        #[cfg(not(loom))]
        assert_eq!(size_of::<Slot>(), 32);
    }
}
