//! How the monitor sleeps while every worker sleeps.
//!
//! An idle runtime must not be woken now and then, so the monitor, too, sleeps
//! until a worker gets up.
//!
//! | who | does |
//! |---|---|
//! | monitor | 1. `asleep` := 1; 2. fence; 3. are all workers asleep? 4. if so, wait until `asleep` is 0 |
//! | worker that gets up | 1. is counted as awake, by itself or its waker; 2. fence; 3. read `asleep`; 4. if 1: set it to 0 and notify, under the lock |
//!
//! Whoever else wants the monitor to look does as a worker that gets up, and what it
//! looks for counts as a worker that is awake.
//!
//! Whichever fence is first, the other side sees what came before it: the monitor
//! a worker that is awake, or the worker that the monitor sleeps. The lock, held
//! by the monitor from 1 on, keeps the notification from falling between its look
//! and its wait. The models in `loom.rs` fail without either fence.

use std::time::Duration;

use crate::primitive::{AtomicU8, Condvar, Mutex, Ordering, fence, lock, wait};

/// Where the monitor waits.
#[derive(Debug)]
pub(super) struct Nap {
    asleep: AtomicU8,
    /// Whether it is to end.
    over: Mutex<bool>,
    condvar: Condvar,
}

impl Nap {
    pub(super) fn new() -> Self {
        Nap {
            asleep: AtomicU8::new(0),
            over: Mutex::new(false),
            condvar: Condvar::new(),
        }
    }

    /// Waits for a time, or for the end. False at the end.
    pub(super) fn pause(&self, period: Duration) -> bool {
        let over = lock(&self.over);
        if *over {
            return false;
        }
        let (over, _) = wait(&self.condvar, over, Some(period));
        !*over
    }

    /// Waits until a worker gets up, unless one is up; or for the end. False at
    /// the end.
    pub(super) fn sleep(&self, all_asleep: impl FnOnce() -> bool) -> bool {
        let mut over = lock(&self.over);
        self.asleep.store(1, Ordering::Relaxed);
        // Partner: `somebody_got_up`.
        fence(Ordering::SeqCst);
        if all_asleep() {
            while !*over && self.asleep.load(Ordering::Relaxed) == 1 {
                (over, _) = wait(&self.condvar, over, None);
            }
        }
        self.asleep.store(0, Ordering::Relaxed);
        !*over
    }

    /// A worker is counted as awake: wakes the monitor if that sleeps.
    pub(super) fn somebody_got_up(&self) {
        self.disturb();
    }

    /// Wakes the monitor if it sleeps: there is something that keeps it from sleeping.
    pub(super) fn disturb(&self) {
        // Partner: `sleep`.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) == 1 {
            let over = lock(&self.over);
            self.asleep.store(0, Ordering::Relaxed);
            drop(over);
            self.condvar.notify_one();
        }
    }

    /// Ends every wait, for good.
    pub(super) fn end(&self) {
        *lock(&self.over) = true;
        self.condvar.notify_one();
    }
}
