//! A hierarchical timing wheel: arming and cancelling a timer are O(1), whatever the deadline.
//!
//! Time is a `u64` count of ticks that the caller passes in; the wheel never looks at a clock.
//!
//! There are eleven levels of 64 slots. A slot of level 0 is one tick wide, a slot of level `n`
//! is 64^n ticks wide, and together they span all of `u64`. The level of an entry is the highest
//! group of six bits in which its deadline differs from the wheel's time, and its slot is that
//! group of the deadline. Two things follow, and everything here rests on them:
//!
//! - An entry of a lower level is due before every entry of a higher one, and within a level the
//!   lower slot comes first. So the earliest slot is two `trailing_zeros` away.
//! - Where an entry is can be computed from its deadline and the wheel's time, as long as every
//!   slot that begins at or before that time has been emptied. `advance` keeps this so: it steps
//!   from slot to slot, hands out what is due and moves the rest down. Hence an entry stores no
//!   position, and entries with equal deadlines are always in one list, in order of insertion.
//!
//! What is already past when it is inserted goes to a list of its own and is due at the next
//! `advance`.
//!
//! Entries that are aimed at a process are also in a list of that process, newest first, so that
//! all of them can be taken out when it dies. A map leads to the newest; so arming costs one look
//! into the map, and whatever is not the newest goes without any. Entries without an aim pay nothing.

use rustc_hash::FxHashMap;
use slab::Slab;

use crate::pid::Pid;

#[cfg(test)]
mod tests;

/// Bits of the deadline that one level looks at.
const BITS: u32 = 6;
/// Slots of one level.
const SLOTS: usize = 1 << BITS;
/// Levels needed for the 64 bits of a deadline.
const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;
/// The index of the list with the entries that were past when they came.
const OVERDUE: usize = LEVELS * SLOTS;
/// No entry: the head of an empty list.
const NONE: u32 = u32::MAX;
/// How many entries of a wide slot `next_deadline` looks at for the exact answer. A few lone
/// timers, which is what an idle program has, then cost no wake-up but their own.
const EXACT: usize = 8;

/// Names one entry of a [`Wheel`], for ever: the key of an entry that is gone fits no other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Key {
    index: u32,
    /// The number of the insertion, modulo 2^32.
    generation: u32,
}

/// What a wheel can hold.
pub(crate) trait Load: Sized {
    /// The process that the entry is aimed at, and goes with.
    fn aim(&self) -> Option<Pid> {
        None
    }

    /// For an entry that stays when it is due: what to hand out in its place, and after how
    /// many ticks, at least one, it is due again. No user code may run in it.
    fn again(&self) -> Option<(Self, u64)> {
        None
    }
}

struct Entry<T> {
    deadline: u64,
    /// The neighbours in the list of the slot, which is a ring.
    next: u32,
    previous: u32,
    /// The neighbours in the list of the process that the entry is aimed at, if any.
    newer: u32,
    older: u32,
    generation: u32,
    value: T,
}

/// The wheel; see the head of this file.
pub(crate) struct Wheel<T> {
    /// The wheel's time: everything with a deadline up to here is in the overdue list.
    elapsed: u64,
    /// The generation of the next key.
    generation: u32,
    /// One bit for each level that has an entry.
    levels: u32,
    /// One bit for each slot that has an entry.
    occupied: [u64; LEVELS],
    /// The oldest entry of each slot, level by level, and of the overdue list.
    heads: [u32; OVERDUE + 1],
    entries: Slab<Entry<T>>,
    /// The newest entry aimed at each process, by packed pid.
    aims: FxHashMap<u64, u32>,
    /// Room to sort the overdue entries in.
    scratch: Vec<u32>,
    /// How many entries there is room for.
    room: usize,
}

impl<T: Load> Wheel<T> {
    /// An empty wheel whose time is `now`.
    pub(crate) fn new(now: u64) -> Self {
        Wheel::with_room(now, NONE as usize)
    }

    /// A wheel for at most `room` entries.
    fn with_room(now: u64, room: usize) -> Self {
        Wheel {
            elapsed: now,
            generation: 0,
            levels: 0,
            occupied: [0; LEVELS],
            heads: [NONE; OVERDUE + 1],
            entries: Slab::new(),
            aims: FxHashMap::default(),
            scratch: Vec::new(),
            room: room.min(NONE as usize),
        }
    }

    /// How many entries wait.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds an entry that is due at `deadline`, or at the next `advance` if that is past, and
    /// tells the value its key.
    ///
    /// # Errors
    ///
    /// Gives the value back if there is no room: 2^32 - 1 entries wait, for which no machine
    /// that we know has the memory.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        deadline: u64,
        value: T,
        tell: impl FnOnce(&mut T, Key),
    ) -> Result<Key, T> {
        if self.entries.len() >= self.room {
            return Err(value);
        }
        let generation = self.generation;
        self.generation = generation.wrapping_add(1);
        let vacant = self.entries.vacant_entry();
        let index = vacant.key() as u32;
        let key = Key { index, generation };
        let older = value
            .aim()
            .and_then(|aim| self.aims.insert(aim.pack(), index));
        // A ring of one, until `push` links it.
        let entry = vacant.insert(Entry {
            deadline,
            next: index,
            previous: index,
            newer: NONE,
            older: older.unwrap_or(NONE),
            generation,
            value,
        });
        tell(&mut entry.value, key);
        if let Some(older) = older {
            self.entries[older as usize].newer = index;
        }
        self.push(position(self.elapsed, deadline), index);
        Ok(key)
    }

    /// Takes an entry out, with its deadline. `None`: it is gone already.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<(u64, T)> {
        self.remove_if(key, |_| true)
    }

    /// Takes an entry out, with its deadline, if `wanted` says so. `None`: it stays, or is gone
    /// already.
    #[inline]
    pub(crate) fn remove_if(
        &mut self,
        key: Key,
        wanted: impl FnOnce(&T) -> bool,
    ) -> Option<(u64, T)> {
        let entry = self.entries.get(key.index as usize)?;
        let fits = entry.generation == key.generation && wanted(&entry.value);
        fits.then(|| self.unlink(key.index))
    }

    /// Takes out up to `most` of the entries aimed at `aim`, the newest first. Returns whether
    /// there are more.
    pub(crate) fn remove_aimed(&mut self, aim: Pid, most: usize, removed: &mut Vec<T>) -> bool {
        for _ in 0..most {
            let Some(&newest) = self.aims.get(&aim.pack()) else {
                return false;
            };
            removed.push(self.unlink(newest).1);
        }
        self.aims.contains_key(&aim.pack())
    }

    /// Takes an entry out of its slot and of the wheel.
    #[inline]
    fn unlink(&mut self, index: u32) -> (u64, T) {
        let entry = &self.entries[index as usize];
        let (deadline, next, previous) = (entry.deadline, entry.next, entry.previous);
        let list = position(self.elapsed, deadline);
        if next == index {
            self.heads[list] = NONE;
            self.set_vacant(list);
        } else {
            self.entries[previous as usize].next = next;
            self.entries[next as usize].previous = previous;
            if self.heads[list] == index {
                self.heads[list] = next;
            }
        }
        (deadline, self.take(index))
    }

    /// Takes an entry that is in no slot any more out of the wheel, and out of the list of the
    /// process that it was aimed at.
    #[inline]
    fn take(&mut self, index: u32) -> T {
        let entry = &self.entries[index as usize];
        if let Some(aim) = entry.value.aim() {
            self.forget(aim, entry.newer, entry.older);
        }
        self.entries.remove(index as usize).value
    }

    /// Takes an entry between these two, which is gone, out of the list of `aim`.
    #[inline(never)]
    fn forget(&mut self, aim: Pid, newer: u32, older: u32) {
        if older != NONE {
            self.entries[older as usize].newer = newer;
        }
        if newer != NONE {
            self.entries[newer as usize].older = older;
        } else if older != NONE {
            self.aims.insert(aim.pack(), older);
        } else {
            self.aims.remove(&aim.pack());
        }
    }

    /// Hands out an entry that is due and in no slot any more. One that stays goes to the slot
    /// of its next deadline.
    fn hand_out(&mut self, index: u32, due: &mut Vec<T>) {
        let entry = &mut self.entries[index as usize];
        let again = entry
            .value
            .again()
            .and_then(|(value, ticks)| Some((value, entry.deadline.checked_add(ticks)?)));
        let Some((value, deadline)) = again else {
            due.push(self.take(index));
            return;
        };
        due.push(value);
        entry.next = index;
        entry.previous = index;
        entry.deadline = deadline;
        self.push(position(self.elapsed, deadline), index);
    }

    /// Takes everything out, in no order.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        self.levels = 0;
        self.occupied = [0; LEVELS];
        self.heads = [NONE; OVERDUE + 1];
        self.aims.clear();
        self.entries.drain().map(|entry| entry.value).collect()
    }

    /// The entry and its deadline. `None`: it is gone.
    pub(crate) fn get(&self, key: Key) -> Option<(u64, &T)> {
        let entry = self.entries.get(key.index as usize)?;
        (entry.generation == key.generation).then_some((entry.deadline, &entry.value))
    }

    /// Moves the wheel's time to `now` and appends everything that is due by then to `due`: in
    /// order of the deadlines, equal ones in order of insertion. A `now` before the wheel's time
    /// counts as that time.
    pub(crate) fn advance(&mut self, now: u64, due: &mut Vec<T>) {
        while self.heads[OVERDUE] != NONE {
            self.take_overdue(due);
        }
        while let Some((level, slot)) = self.first() {
            let start = start(self.elapsed, level, slot);
            if start > now {
                break;
            }
            self.elapsed = start;
            let list = level * SLOTS + slot;
            let mut index = std::mem::replace(&mut self.heads[list], NONE);
            self.set_vacant(list);
            let last = self.entries[index as usize].previous;
            loop {
                let entry = &mut self.entries[index as usize];
                let next = entry.next;
                if entry.deadline == start {
                    self.hand_out(index, due);
                } else {
                    entry.next = index;
                    entry.previous = index;
                    let deadline = entry.deadline;
                    self.push(position(start, deadline), index);
                }
                if index == last {
                    break;
                }
                index = next;
            }
        }
        self.elapsed = self.elapsed.max(now);
    }

    /// When to call `advance` next; `None`: nothing waits.
    ///
    /// Never later than the first deadline, unless that is past, and always later than the last
    /// `advance` if nothing overdue came since. It is earlier than the first deadline only if
    /// that is far and not alone: then it is the time at which a wide slot must be spread, which
    /// happens at most once a level.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        if self.heads[OVERDUE] != NONE {
            return Some(self.elapsed);
        }
        let (level, slot) = self.first()?;
        let start = start(self.elapsed, level, slot);
        if level == 0 {
            return Some(start);
        }
        let head = self.heads[level * SLOTS + slot];
        let mut earliest = u64::MAX;
        let mut index = head;
        for _ in 0..EXACT {
            let entry = &self.entries[index as usize];
            earliest = earliest.min(entry.deadline);
            index = entry.next;
            if index == head {
                return Some(earliest);
            }
        }
        Some(start)
    }

    /// The earliest slot that has entries.
    fn first(&self) -> Option<(usize, usize)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    /// Appends an entry, linked to itself only, to a list.
    #[inline]
    fn push(&mut self, list: usize, index: u32) {
        let head = self.heads[list];
        if head == NONE {
            self.heads[list] = index;
            if list != OVERDUE {
                self.occupied[list / SLOTS] |= 1 << (list % SLOTS);
                self.levels |= 1 << (list / SLOTS);
            }
        } else {
            let last = std::mem::replace(&mut self.entries[head as usize].previous, index);
            self.entries[last as usize].next = index;
            let entry = &mut self.entries[index as usize];
            entry.next = head;
            entry.previous = last;
        }
    }

    /// Records that a list has become empty.
    #[inline]
    fn set_vacant(&mut self, list: usize) {
        if list != OVERDUE {
            let level = list / SLOTS;
            self.occupied[level] &= !(1 << (list % SLOTS));
            if self.occupied[level] == 0 {
                self.levels &= !(1 << level);
            }
        }
    }

    /// Hands out the overdue entries, which came in any order.
    fn take_overdue(&mut self, due: &mut Vec<T>) {
        let head = std::mem::replace(&mut self.heads[OVERDUE], NONE);
        let mut index = head;
        loop {
            self.scratch.push(index);
            index = self.entries[index as usize].next;
            if index == head {
                break;
            }
        }
        let mut overdue = std::mem::take(&mut self.scratch);
        overdue.sort_by_key(|&index| self.entries[index as usize].deadline);
        for index in overdue.drain(..) {
            self.hand_out(index, due);
        }
        self.scratch = overdue;
    }
}

/// The list of an entry, given the wheel's time.
fn position(elapsed: u64, deadline: u64) -> usize {
    if deadline <= elapsed {
        return OVERDUE;
    }
    let level = (elapsed ^ deadline).ilog2() / BITS;
    let slot = (deadline >> (level * BITS)) as usize % SLOTS;
    level as usize * SLOTS + slot
}

/// The first tick of a slot, given the wheel's time.
fn start(elapsed: u64, level: usize, slot: usize) -> u64 {
    let shift = level as u32 * BITS;
    // In two steps: the top level reaches beyond 64 bits.
    let above = elapsed >> shift >> BITS;
    (above << BITS | slot as u64) << shift
}
