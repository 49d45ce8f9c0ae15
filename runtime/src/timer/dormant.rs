//! Timers of waits that are over, kept for the next wait of the same process.
//!
//! A call has a timeout that nearly never comes. To arm a timer for each and to disarm it costs
//! more than anything else in a call, so a worker keeps some that nobody wants any more where they
//! are, in the wheel. If their process waits again, for longer, one that is due before that does as
//! well: it wakes the process, which finds that its time is not over and arms another. So a process
//! that makes many calls arms one timer in each of their timeouts.
//!
//! Whoever has taken one out of here may rely on it only as far as [`Alarm`](super::Alarm) does: it
//! looks again whenever it is polled, and everybody is polled when it fires.
//!
//! They belong to the thread alone, which disarms them before it sleeps. So where nothing happens
//! nothing is left behind, and a simulation never jumps to a timer that nobody waits for.

use std::cell::Cell;

use super::TimerRef;
use crate::local;

/// As many as processes take turns at making calls, without a second look for a place.
const PLACES: usize = 32;

/// What one worker keeps.
#[derive(Debug)]
pub(crate) struct Dormant {
    places: [Cell<Option<Kept>>; PLACES],
    /// Which places are taken.
    taken: Cell<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    /// The process that it wakes, packed.
    wakes: u64,
    /// When.
    due: u64,
    timer: TimerRef,
}

impl Dormant {
    pub(crate) fn new() -> Self {
        Dormant {
            places: [const { Cell::new(None) }; PLACES],
            taken: Cell::new(0),
        }
    }

    /// Disarms all of them.
    pub(crate) fn disarm(&self) {
        if self.taken.replace(0) != 0 {
            let kept = self.places.iter().filter_map(Cell::take);
            kept.for_each(|kept| drop(kept.timer.disarm()));
        }
    }

    fn place(&self, wakes: u64) -> (&Cell<Option<Kept>>, u32) {
        // The index of a pid, which is in its lower half, is dense.
        let place = wakes as usize % PLACES;
        (&self.places[place], 1 << place)
    }
}

/// A timer that will wake this process after `now` and not after `deadline`, and when.
#[inline]
pub(super) fn take(wakes: u64, now: u64, deadline: u64) -> Option<(TimerRef, u64)> {
    local::try_with(|local| {
        let dormant = local.worker.get()?.dormant();
        let (place, bit) = dormant.place(wakes);
        let kept = place.get()?;
        if kept.wakes != wakes || kept.due <= now || kept.due > deadline {
            return None;
        }
        place.set(None);
        dormant.taken.set(dormant.taken.get() & !bit);
        Some((kept.timer, kept.due))
    })?
}

/// Nobody wants the timer any more, but its process may want another.
#[inline]
pub(super) fn keep(wakes: u64, due: u64, timer: TimerRef) {
    let kept = Kept { wakes, due, timer };
    let instead = local::try_with(|local| {
        let worker = local.worker.get()?;
        // Another runtime's may be gone any time, with all its timers.
        if !timer.is_of(&worker.shared) {
            return None;
        }
        let dormant = worker.dormant();
        let (place, bit) = dormant.place(wakes);
        dormant.taken.set(dormant.taken.get() | bit);
        Some(place.replace(Some(kept)))
    });
    // Who is no worker of its runtime disarms it.
    if let Some(unwanted) = instead.flatten().unwrap_or(Some(kept)) {
        drop(unwanted.timer.disarm());
    }
}
