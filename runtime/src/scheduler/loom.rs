//! Searching, sleeping, parking, the next-process slot and the queues of the priorities under
//! the model checker.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p regrow-runtime --lib loom
//! ```
//!
//! In each model every worker must get the work that is there for it: a lost
//! wake-up leaves a thread parked for ever, which loom reports as a deadlock.

use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::idle::{Idle, Workplace};
use super::nap::Nap;
use super::next::NextProcess;
use super::parker::{Bed, Parker};
use super::ranks::{Queue, Ranks};
use crate::process::priority::Priority;

/// A place to sleep in like the reactor: for one, remembering a ring.
struct OneBed {
    /// Whether it is occupied, and whether it has been rung.
    state: Mutex<(bool, bool)>,
    rung: Condvar,
}

impl Bed for OneBed {
    fn lie_down(&self, _timeout: Option<Duration>, is_rung: impl FnOnce() -> bool) -> bool {
        let mut state = self.state.lock().unwrap();
        if state.0 {
            return false;
        }
        state.0 = true;
        if is_rung() {
            state.0 = false;
            return true;
        }
        while !state.1 {
            state = self.rung.wait(state).unwrap();
        }
        *state = (false, false);
        true
    }

    fn ring(&self) {
        self.state.lock().unwrap().1 = true;
        self.rung.notify_one();
    }
}

struct Pool {
    idle: Idle,
    nap: Nap,
    parkers: Vec<Parker>,
    bed: OneBed,
    /// A queue of which only the length matters, with no more ordering than the
    /// protocol itself brings.
    queue: AtomicUsize,
    halted: AtomicBool,
    /// The first worker has lost its seat.
    is_first_surplus: AtomicBool,
}

impl Pool {
    fn new(workers: usize) -> Arc<Self> {
        Arc::new(Pool {
            idle: Idle::new(),
            nap: Nap::new(),
            parkers: (0..workers).map(|_| Parker::new()).collect(),
            bed: OneBed {
                state: Mutex::new((false, false)),
                rung: Condvar::new(),
            },
            queue: AtomicUsize::new(0),
            halted: AtomicBool::new(false),
            is_first_surplus: AtomicBool::new(false),
        })
    }

    fn push(&self) {
        self.queue.fetch_add(1, Ordering::Relaxed);
        if let Some(sleeper) = self.idle.work_was_pushed() {
            self.parkers[sleeper].unpark(&self.bed);
        }
    }

    fn halt(&self) {
        self.halted.store(true, Ordering::SeqCst);
        for parker in &self.parkers {
            parker.unpark(&self.bed);
        }
    }
}

/// One worker of the pool.
struct At(Arc<Pool>, usize);

impl Workplace for At {
    type Work = ();

    fn look(&self) -> Option<()> {
        let mut length = self.0.queue.load(Ordering::Relaxed);
        while length > 0 {
            let taken = self.0.queue.compare_exchange(
                length,
                length - 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match taken {
                Ok(_) => return Some(()),
                Err(now) => length = now,
            }
        }
        None
    }

    fn is_there_more(&self) -> bool {
        self.0.queue.load(Ordering::Relaxed) > 0
    }

    fn is_over(&self) -> bool {
        self.0.halted.load(Ordering::SeqCst)
            || self.1 == 0 && self.0.is_first_surplus.load(Ordering::Relaxed)
    }

    fn got_up(&self) {
        self.0.nap.somebody_got_up();
    }

    fn park(&self) {
        self.0.parkers[self.1].park(&self.0.bed, None);
    }

    fn unpark(&self, worker: usize) {
        self.0.parkers[worker].unpark(&self.0.bed);
    }
}

impl At {
    fn search(&self) -> Option<()> {
        self.0.idle.search(self.1, self)
    }
}

#[test]
fn a_push_reaches_a_worker_that_is_going_to_sleep() {
    loom::model(|| {
        let pool = Pool::new(1);
        let worker = At(pool.clone(), 0);
        let worker = thread::spawn(move || worker.search());
        pool.push();
        assert_eq!(worker.join().unwrap(), Some(()));
    });
}

#[test]
fn two_pushes_reach_two_workers() {
    loom::model(|| {
        let pool = Pool::new(2);
        let workers = [0, 1].map(|index| {
            let worker = At(pool.clone(), index);
            thread::spawn(move || worker.search())
        });
        pool.push();
        pool.push();
        for worker in workers {
            assert_eq!(worker.join().unwrap(), Some(()));
        }
    });
}

#[test]
fn pushes_of_two_threads_reach_a_worker_that_comes_twice() {
    loom::model(|| {
        let pool = Pool::new(1);
        let worker = At(pool.clone(), 0);
        let worker = thread::spawn(move || {
            assert_eq!(worker.search(), Some(()));
            assert_eq!(worker.search(), Some(()));
        });
        let pusher = {
            let pool = pool.clone();
            thread::spawn(move || pool.push())
        };
        pool.push();
        pusher.join().unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn a_halt_sends_everybody_home() {
    loom::model(|| {
        let pool = Pool::new(2);
        let workers = [0, 1].map(|index| {
            let worker = At(pool.clone(), index);
            thread::spawn(move || worker.search())
        });
        pool.halt();
        for worker in workers {
            assert_eq!(worker.join().unwrap(), None);
        }
    });
}

#[test]
fn an_unpark_before_the_park_is_remembered() {
    loom::model(|| {
        let pool = Pool::new(2);
        let occupant = {
            let pool = pool.clone();
            thread::spawn(move || pool.parkers[0].park(&pool.bed, None))
        };
        let other = {
            let pool = pool.clone();
            thread::spawn(move || pool.parkers[1].park(&pool.bed, None))
        };
        pool.parkers[0].unpark(&pool.bed);
        pool.parkers[1].unpark(&pool.bed);
        occupant.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_worker_that_loses_its_seat_takes_no_wake_up_with_it() {
    loom::model(|| {
        let pool = Pool::new(2);
        let loser = At(pool.clone(), 0);
        let loser = thread::spawn(move || loser.search());
        // The monitor marks it, unparks it, and lets another search.
        pool.is_first_surplus.store(true, Ordering::Relaxed);
        pool.parkers[0].unpark(&pool.bed);
        let heir = At(pool.clone(), 1);
        let heir = thread::spawn(move || heir.search());
        pool.push();
        let lost = loser.join().unwrap();
        if lost.is_some() {
            // It came before the mark; the heir still waits.
            pool.push();
        }
        assert_eq!(heir.join().unwrap(), Some(()));
    });
}

#[test]
fn the_monitor_does_not_sleep_while_a_worker_is_up() {
    loom::model(|| {
        let pool = Pool::new(1);
        let monitor = {
            let pool = pool.clone();
            thread::spawn(move || {
                // As long as it has not seen the worker, which never ends its turn.
                let is_seen = || pool.idle.sleeping() < 1;
                while !is_seen() {
                    pool.nap.sleep(|| pool.idle.sleeping() == 1);
                }
            })
        };
        let worker = At(pool.clone(), 0);
        let worker = thread::spawn(move || worker.search());
        pool.push();
        assert_eq!(worker.join().unwrap(), Some(()));
        monitor.join().unwrap();
    });
}

/// A next-process slot, and processes of which the model checker sees who touches
/// them.
struct Slot {
    next: NextProcess,
    processes: [UnsafeCell<u32>; 3],
    /// How often each came out.
    taken: [AtomicUsize; 3],
}

impl Slot {
    fn new() -> Arc<Self> {
        Arc::new(Slot {
            next: NextProcess::new(),
            processes: [(); 3].map(|()| UnsafeCell::new(0)),
            taken: [(); 3].map(|()| AtomicUsize::new(0)),
        })
    }

    /// Puts a process in, having worked on it; what that displaces runs.
    fn replace(&self, index: u32) {
        // SAFETY: before it is put in, only the owner knows it; the checker watches.
        self.processes[index as usize - 1].with_mut(|it| unsafe { *it += 1 });
        if let Some(displaced) = self.next.replace(index) {
            self.run(displaced);
        }
    }

    fn take(&self) {
        if let Some(index) = self.next.take() {
            self.run(index);
        }
    }

    fn run(&self, index: u32) {
        let at = index as usize - 1;
        // SAFETY: whoever took it out is the only one; the checker watches.
        self.processes[at].with_mut(|it| unsafe { *it += 1 });
        self.taken[at].fetch_add(1, Ordering::Relaxed);
    }

    /// Afterwards: each process has come out once.
    fn check(&self, processes: usize) {
        self.take();
        let counts: Vec<_> = self
            .taken
            .iter()
            .map(|it| it.load(Ordering::Relaxed))
            .collect();
        assert_eq!(counts[..processes], [1, 1, 1][..processes]);
        assert!(self.next.is_empty());
    }
}

#[test]
fn what_is_put_into_the_next_process_slot_comes_out_once_and_as_it_was() {
    loom::model(|| {
        let slot = Slot::new();
        let thieves = [(); 2].map(|()| {
            let slot = slot.clone();
            thread::spawn(move || slot.take())
        });
        slot.replace(1);
        slot.replace(2);
        slot.take();
        slot.replace(3);
        for thief in thieves {
            thief.join().unwrap();
        }
        slot.check(3);
    });
}

#[test]
fn a_thief_that_comes_again_and_again_doubles_nothing() {
    loom::model(|| {
        let slot = Slot::new();
        let thief = {
            let slot = slot.clone();
            thread::spawn(move || (0..3).for_each(|_| slot.take()))
        };
        (1..=3).for_each(|index| slot.replace(index));
        thief.join().unwrap();
        slot.check(3);
    });
}

/// A queue of which only the length matters, with no ordering of its own: what is seen of it
/// is what the word brings.
struct Length(AtomicUsize);

impl Queue for Length {
    fn new() -> Self {
        Length(AtomicUsize::new(0))
    }

    fn push(&self, _: u32) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> Option<u32> {
        let mut length = self.len();
        while length > 0 {
            let order = Ordering::Relaxed;
            match self.0.compare_exchange(length, length - 1, order, order) {
                Ok(_) => return Some(1),
                Err(now) => length = now,
            }
        }
        None
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One was there and has been taken, so that the bit is set and the queue empty: then
/// `pushers` push one each while `takers` look, and what those have not found the word still
/// shows.
fn nothing_is_hidden(pushers: usize, takers: usize) {
    let ranks = Arc::new(Ranks::<Length>::new());
    ranks.push(1, Priority::High);
    assert!(ranks.take(Priority::High).is_some());
    let pushers: Vec<_> = (0..pushers)
        .map(|_| {
            let ranks = ranks.clone();
            thread::spawn(move || ranks.push(1, Priority::High))
        })
        .collect();
    let takers: Vec<_> = (0..takers)
        .map(|_| {
            let ranks = ranks.clone();
            thread::spawn(move || ranks.take(Priority::High))
        })
        .collect();
    let mut left = pushers.len();
    for pusher in pushers {
        pusher.join().unwrap();
    }
    for taker in takers {
        left -= usize::from(taker.join().unwrap().is_some());
    }
    for _ in 0..left {
        assert!(ranks.take(Priority::High).is_some(), "it is hidden");
    }
    assert!(ranks.take(Priority::High).is_none());
    assert!(!ranks.may_have_any());
}

#[test]
fn a_push_to_a_rank_that_is_found_empty_is_not_hidden() {
    loom::model(|| nothing_is_hidden(1, 1));
}

#[test]
fn a_push_to_a_rank_that_two_find_empty_is_not_hidden() {
    loom::model(|| nothing_is_hidden(1, 2));
}

#[test]
fn two_pushes_to_a_rank_that_is_found_empty_are_not_hidden() {
    loom::model(|| nothing_is_hidden(2, 1));
}
