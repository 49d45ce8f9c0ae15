//! How one worker sleeps: in the reactor if that is free, else on its own lock.
//!
//! | state | meaning |
//! |---|---|
//! | `AWAKE` | running |
//! | `IN_LOCK` | waits on the condition variable |
//! | `IN_REACTOR` | waits, or is about to wait, in the reactor |
//! | `NOTIFIED` | was unparked; the next park returns at once |
//!
//! `unpark` swaps to `NOTIFIED` and then rings where the old state says. A ring
//! cannot be missed: the lock is taken to ring the condition variable, and the
//! reactor remembers a notification for whoever is in it or enters it next. That
//! may be another worker, which then gets up for nothing; whoever enters looks at
//! its own state first, so that it does not sleep over a ring used up so.

use std::time::Duration;

use crate::primitive::{AtomicU8, Condvar, Mutex, Ordering, lock, wait};

const AWAKE: u8 = 0;
const IN_LOCK: u8 = 1;
const IN_REACTOR: u8 = 2;
const NOTIFIED: u8 = 3;

/// What a worker may sleep in besides its own lock.
pub(crate) trait Bed {
    /// Sleeps until `timeout`, an event, or a ring; false at once if occupied.
    /// Once it is ours, and before sleeping, `is_rung` must be asked: it is true
    /// if we were unparked, for the occupant before may have used up the ring.
    fn lie_down(&self, timeout: Option<Duration>, is_rung: impl FnOnce() -> bool) -> bool;
    /// Wakes whoever is in it, or the next one to enter.
    fn ring(&self);
}

/// Parks and unparks one worker.
#[derive(Debug)]
pub(crate) struct Parker {
    state: AtomicU8,
    lock: Mutex<()>,
    condvar: Condvar,
}

impl Parker {
    /// An awake worker.
    pub(crate) fn new() -> Self {
        Parker {
            state: AtomicU8::new(AWAKE),
            lock: Mutex::new(()),
            condvar: Condvar::new(),
        }
    }

    /// Sleeps until unparked, until `timeout`, or until the reactor has events.
    pub(crate) fn park(&self, bed: &impl Bed, timeout: Option<Duration>) {
        if !self.enter(IN_REACTOR) {
            return;
        }
        let is_rung = || self.state.load(Ordering::Acquire) == NOTIFIED;
        let slept = bed.lie_down(timeout, is_rung);
        if self.state.swap(AWAKE, Ordering::AcqRel) == NOTIFIED || slept {
            return;
        }
        let mut guard = lock(&self.lock);
        if !self.enter(IN_LOCK) {
            return;
        }
        while self.state.load(Ordering::Acquire) == IN_LOCK {
            let (again, timed_out) = wait(&self.condvar, guard, timeout);
            guard = again;
            if timed_out {
                break;
            }
        }
        self.state.swap(AWAKE, Ordering::AcqRel);
    }

    /// Ends the present park, or the next.
    pub(crate) fn unpark(&self, bed: &impl Bed) {
        match self.state.swap(NOTIFIED, Ordering::AcqRel) {
            IN_REACTOR => bed.ring(),
            IN_LOCK => {
                // Taken so that the ring does not fall between the sleeper's look
                // at the state and its wait.
                drop(lock(&self.lock));
                self.condvar.notify_one();
            }
            _ => {}
        }
    }

    /// Marks where we are about to wait; false if there was a notification, which
    /// is consumed.
    fn enter(&self, place: u8) -> bool {
        let entered =
            self.state
                .compare_exchange(AWAKE, place, Ordering::AcqRel, Ordering::Acquire);
        if entered.is_err() {
            self.state.swap(AWAKE, Ordering::AcqRel);
        }
        entered.is_ok()
    }
}
