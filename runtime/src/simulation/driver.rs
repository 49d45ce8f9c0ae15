//! The driver of a simulation: one thread, chance from a seed, and time that jumps.
//!
//! It takes the place of the workers: the process code is the same, and what it asks of
//! its worker comes here. Four things differ. A process that must run is put into one
//! bag; which one is drawn from the bag next is up to the seed; the time is a number,
//! which grows by [`TURN_NANOS`] in each turn; and when the bag is empty the time
//! jumps to the next timer's. If there is none, nothing will ever happen again.
//!
//! The bag is in [`Driver`], which the [`Worker`] of the thread has; the loop is
//! [`Loop`]. The token of a process is its entry in the bag, as elsewhere in a queue.

use std::cell::{Cell, RefCell};

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

use super::report::Crashes;
use super::trace::{Recorder, Trace, text_of};
use crate::clock;
use crate::local::{self, Local};
use crate::pid::Pid;
use crate::process::{links, table, turn};
use crate::reason::ExitReason;
use crate::scheduler::{Shared, Worker};

/// The time that a turn takes. So a process that waits by yielding, until something
/// happens at a certain time, comes to that time.
const TURN_NANOS: u64 = 1_000;

/// At the end: so often the processes that are left are killed, which may have others
/// spawned by their drops.
const ROUNDS: usize = 10_000;

/// What the worker of a simulation has instead of queues.
pub(crate) struct Driver {
    pub(super) seed: u64,
    /// The processes that have something to do, in no order.
    bag: RefCell<Vec<u32>>,
    chance: RefCell<Pcg64Mcg>,
    recorder: RefCell<Option<Recorder>>,
    pub(super) crashes: Crashes,
    main: Cell<Option<Pid>>,
    main_has_ended: Cell<bool>,
}

impl Driver {
    pub(super) fn new(seed: u64, keeps_trace: bool) -> Self {
        Driver {
            seed,
            bag: RefCell::default(),
            chance: RefCell::new(Pcg64Mcg::seed_from_u64(seed)),
            recorder: RefCell::new(Some(Recorder::new(keeps_trace))),
            crashes: Crashes::default(),
            main: Cell::new(None),
            main_has_ended: Cell::new(false),
        }
    }

    /// Puts a process into the bag. The caller holds its token.
    pub(crate) fn push(&self, index: u32) {
        self.bag.borrow_mut().push(index);
    }

    /// A number below `bound`, which is not zero.
    pub(super) fn below(&self, bound: u64) -> u64 {
        let drawn = self.chance.borrow_mut().next_u64();
        // The upper half of the product; the bias is less than `bound` in 2^64.
        ((u128::from(drawn) * u128::from(bound)) >> 64) as u64
    }

    /// Takes a process out of the bag: any.
    pub(super) fn draw(&self) -> Option<u32> {
        let count = self.bag.borrow().len();
        let at = match count {
            0 => return None,
            1 => 0,
            _ => self.below(count as u64) as usize,
        };
        Some(self.bag.borrow_mut().swap_remove(at))
    }

    /// The processes in the bag.
    pub(super) fn runnable(&self) -> Vec<u32> {
        self.bag.borrow().clone()
    }

    fn record(&self, event: impl FnOnce(&mut Recorder, u64)) {
        if let Some(recorder) = &mut *self.recorder.borrow_mut() {
            event(recorder, clock::virtual_time().unwrap_or(0));
        }
    }

    /// A process was born.
    pub(crate) fn born(&self, index: u32, parent: Option<Pid>) {
        let Some(pid) = pid_at(index) else { return };
        self.record(|recorder, at| recorder.spawn(at, pid, parent));
        if self.main.get().is_none() {
            self.main.set(Some(pid));
        }
    }

    /// A process ends, for this reason.
    pub(crate) fn dies(&self, pid: Pid, reason: &ExitReason) {
        let text = text_of(reason);
        self.record(|recorder, at| recorder.exit(at, pid, &text));
        if self.main.get() == Some(pid) {
            self.main_has_ended.set(true);
        } else if self.recorder.borrow().is_some() {
            self.crashes.note(pid, reason);
        }
    }
}

/// The process in a slot.
fn pid_at(index: u32) -> Option<Pid> {
    let slot = table::slot(index)?;
    Some(Pid::local(index, slot.inbox.generation()))
}

/// Why the loop has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The main process has ended.
    MainEnded,
    /// Nothing can happen any more.
    Deadlock,
    /// The turns are spent.
    TooLong,
}

/// The loop of a simulation, on its thread.
pub(super) struct Loop<'a> {
    pub(super) local: &'a Local,
    pub(super) worker: &'a Worker,
    pub(super) driver: &'a Driver,
    pub(super) turns: u64,
}

impl Loop<'_> {
    /// Runs until there is a reason to stop, or for so many turns.
    pub(super) fn run(&mut self, turns_max: u64) -> Stopped {
        loop {
            if self.driver.main_has_ended.get() {
                return Stopped::MainEnded;
            }
            self.fire_timers();
            let Some(index) = self.driver.draw() else {
                if !self.jump() {
                    return Stopped::Deadlock;
                }
                continue;
            };
            if self.turns == turns_max {
                self.driver.push(index);
                return Stopped::TooLong;
            }
            self.turn(index);
        }
    }

    fn turn(&mut self, index: u32) {
        self.turns += 1;
        if let Some(pid) = pid_at(index) {
            self.driver.record(|recorder, at| recorder.turn(at, pid));
        }
        self.worker.counters().turns.add(1);
        turn::run(self.local, self.worker, index);
        self.set_time(self.time().saturating_add(TURN_NANOS));
    }

    fn time(&self) -> u64 {
        self.local.virtual_time.get().unwrap_or(0)
    }

    fn set_time(&self, nanos: u64) {
        self.local.virtual_time.set(Some(nanos));
    }

    fn fire_timers(&self) {
        let fired = self.worker.timers().fire(clock::now(), &self.worker.shared);
        if fired > 0 {
            self.driver
                .record(|recorder, at| recorder.timers(at, fired));
        }
    }

    /// Jumps to the time of the next timer. False if there is none.
    fn jump(&self) -> bool {
        self.worker.dormant().disarm();
        let begin = self.worker.timers().next().map(clock::begin_of);
        let Some(begin) = begin.filter(|begin| *begin != u64::MAX) else {
            return false;
        };
        self.set_time(self.time().max(begin));
        true
    }

    /// Stops to write the trace.
    pub(super) fn end_trace(&self) -> Trace {
        let recorder = self.driver.recorder.take();
        recorder.map_or_else(Trace::empty, Recorder::into_trace)
    }

    /// Kills every process that is left, as the drop of a runtime does. False if some
    /// would not end.
    pub(super) fn clear(&mut self) -> bool {
        self.worker.shared.stop();
        for _ in 0..ROUNDS {
            let left = super::slots::pids();
            if left.is_empty() {
                return true;
            }
            for pid in left {
                links::exit(pid, ExitReason::Kill);
            }
            let runnable = self.driver.bag.borrow().len();
            for _ in 0..runnable {
                if let Some(index) = self.driver.draw() {
                    turn::run(self.local, self.worker, index);
                }
            }
        }
        false
    }
}

/// Makes this thread the driver of a simulation, does `work` in it and cleans up.
pub(super) fn with_loop<T>(
    seed: u64,
    keeps_trace: bool,
    work: impl FnOnce(&mut Loop<'_>) -> T,
) -> std::io::Result<T> {
    local::with(|local| {
        local.begin_simulation();
        let worker = Shared::simulated(Driver::new(seed, keeps_trace))?;
        drop(local.worker.set(worker));
        let Some((worker, driver)) = local.worker.get().and_then(|w| Some((w, w.driver()?))) else {
            unreachable!("the thread is fresh, and its worker a simulation's");
        };
        let mut turns = Loop {
            local,
            worker,
            driver,
            turns: 0,
        };
        let result = work(&mut turns);
        drop(turns.end_trace());
        if !turns.clear() {
            let processes = super::slots::pids();
            crate::panic::contain("a report", || {
                tracing::error!(
                    target: "regrow::runtime",
                    ?processes,
                    "a process of a simulation would not end: it is left behind"
                );
            });
        }
        worker.shared.give_up_timers();
        driver.crashes.forget();
        local.end_simulation();
        Ok(result)
    })
}

/// The driver of the simulation that this thread runs.
pub(super) fn with_driver<T>(work: impl FnOnce(&Driver) -> T) -> Option<T> {
    local::try_with(|local| Some(work(local.worker.get()?.driver()?)))?
}
