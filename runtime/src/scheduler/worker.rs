//! One worker: what it runs next, and what it does when there is nothing.

use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::cores::{Core, Counters, FreeCore};
use super::idle::Workplace;
use super::queue::RunQueue;
use super::ranks::{Ranks, URGENT};
use super::runner::Stopwatch;
use super::{ReactorBed, Shared, os};
use crate::clock;
use crate::local::{self, Local};
use crate::process::priority::Priority;
use crate::process::turn;
use crate::simulation::Driver;
use crate::timer::{Dormant, Timers};

/// Turns between two looks at the timers: a clock reading costs as much as half
/// a turn of a very short process.
const TIMER_TURNS: u32 = 32;
/// Turns between two looks at the inlet, so that local work does not starve it; a
/// multiple of the former, as the next one, so that most turns ask only once.
const INLET_TURNS: u32 = 64;
/// Turns between two of processes of low priority, while there are others (OTP:
/// `RESCHEDULE_LOW`).
const LOW_TURNS: u32 = 8;
/// Turns between two looks at sockets while there is other work: a system call.
const IO_TURNS: u32 = 256;
/// How many a spare thread looks at before it begins.
const LINE_MAX: usize = 64;
/// How often in a row the next-process slot may pass the queue by.
const STREAK_MAX: u32 = 16;
/// Within one turn, another worker is called for each so many pushes.
const PUSHES_PER_CALL: u32 = 16;

/// The part of a worker that only its own thread touches.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    /// The number of its seat, and of its wheel.
    pub(crate) seat: usize,
    /// The number of its core.
    index: usize,
    pub(super) core: Arc<Core>,
    pub(super) queue: RunQueue,
    turns: Cell<u32>,
    /// Next-process slots run in a row.
    streak: Cell<u32>,
    /// For which priorities, as bits, it is the local processes' turn to be first.
    local_first: Cell<u8>,
    /// Pushes since the turn began, or since another worker was last called.
    pushed: Cell<u32>,
    /// In a simulation: what decides in place of the queues.
    driver: Option<Box<Driver>>,
    /// Of a hog runner: measures the present turn.
    pub(super) stopwatch: Cell<Option<Stopwatch>>,
    /// Of a spare: where the process was spawned that its seat was lost to.
    offender: Option<&'static Location<'static>>,
    /// Timers that nobody waits for.
    dormant: Box<Dormant>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, seat: usize, core: FreeCore) -> Self {
        Worker {
            shared,
            seat,
            index: core.index,
            core: core.core,
            queue: core.queue,
            turns: Cell::new(0),
            streak: Cell::new(0),
            local_first: Cell::new(0),
            pushed: Cell::new(0),
            driver: None,
            stopwatch: Cell::new(None),
            offender: None,
            dormant: Box::new(Dormant::new()),
        }
    }

    /// The worker of a spare thread.
    pub(super) fn spare(
        shared: Arc<Shared>,
        seat: usize,
        core: FreeCore,
        offender: &'static Location<'static>,
    ) -> Self {
        let mut worker = Worker::new(shared, seat, core);
        worker.offender = Some(offender);
        worker
    }

    /// The worker of a simulation, whose thread does not `run` it.
    pub(super) fn simulated(shared: Arc<Shared>, core: FreeCore, driver: Driver) -> Self {
        let mut worker = Worker::new(shared, 0, core);
        worker.driver = Some(Box::new(driver));
        worker
    }

    /// What drives the simulation that the worker belongs to.
    #[inline]
    pub(crate) fn driver(&self) -> Option<&Driver> {
        self.driver.as_deref()
    }

    #[inline]
    pub(crate) fn dormant(&self) -> &Dormant {
        &self.dormant
    }

    /// Whether another thread has our seat.
    #[inline]
    pub(crate) fn is_surplus(&self) -> bool {
        self.core.is_surplus()
    }

    /// The turn of a process begins.
    #[inline]
    pub(crate) fn turn_begins(&self, index: u32, spawned_at: &'static Location<'static>) {
        self.core.turn_begins(index, spawned_at);
    }

    pub(crate) fn timers(&self) -> &Timers {
        self.shared.timers(self.seat)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.core.counters
    }

    /// Queues a process that was woken: as the next one if a process woke it,
    /// else (timers, I/O) at the end.
    pub(super) fn push(&self, index: u32, by_process: bool) {
        if let Some(driver) = &self.driver {
            return driver.push(index);
        }
        if !by_process || self.is_surplus() {
            self.push_back(index);
        } else if let Some(displaced) = self.core.next.replace(index) {
            self.push_back(displaced);
        }
    }

    /// Queues a process at the end.
    pub(crate) fn push_back(&self, index: u32) {
        if let Some(driver) = &self.driver {
            return driver.push(index);
        }
        if self.is_surplus() {
            // Whatever it is, it must not wait for the hog that we run.
            self.shared.inject(index);
            return;
        }
        self.queue.push(index);
        self.count_push();
    }

    /// Queues a process of any but normal priority, or a local one.
    pub(super) fn push_special(&self, index: u32, priority: Priority, home: Option<usize>) {
        if let Some(driver) = &self.driver {
            return driver.push(index);
        }
        match home {
            Some(home) if home == self.index => {
                return self.core.pinned.queues.push(index, priority);
            }
            Some(home) => return self.shared.push_pinned(index, priority, home),
            None => {}
        }
        self.shared.ranks.0.push(index, priority);
        if self.is_surplus() {
            self.shared.wake_another();
            return;
        }
        self.count_push();
    }

    /// Counts a local process that is being born here, and says where that is.
    pub(super) fn admit_local(&self) -> Option<usize> {
        self.core.pinned.admit().then_some(self.index)
    }

    /// One of our local processes has ended.
    pub(crate) fn local_has_ended(&self) {
        self.core.pinned.leave();
    }

    fn count_push(&self) {
        let pushed = self.pushed.get() + 1;
        self.pushed.set(pushed);
        if pushed >= PUSHES_PER_CALL {
            self.call_for_help();
        }
    }

    fn call_for_help(&self) {
        self.pushed.set(0);
        self.shared.wake_another();
    }

    /// The thread of the worker.
    pub(super) fn run(self) {
        self.core.moves_in(os::this_thread());
        // From here on we see each timer, or are woken for it (`monitor.rs`).
        self.timers().see_all();
        local::with(|local| {
            // Looked up afresh: what `get_or_init` returns comes from an exclusive
            // borrow, which the shared ones of others would end.
            drop(local.worker.set(self));
            let Some(worker) = local.worker.get() else {
                return;
            };
            if let Some(place) = worker.offender {
                worker.let_others_pass(place);
            }
            worker.run_processes(local);
            if worker.is_surplus() {
                worker.run_hogs(local);
            }
        });
    }

    /// Processes of one kind often stand in line behind each other, and each would
    /// hold up the rest: those spawned where the offender was go behind the others,
    /// once.
    #[cold]
    fn let_others_pass(&self, place: &'static Location<'static>) {
        let is_kin = |index| turn::look(index, |_, header| header.spawned_at == place);
        let mut kin = Vec::new();
        let mut others = Vec::new();
        while kin.len() + others.len() < LINE_MAX
            && let Some(index) = self.next_in_line()
        {
            match is_kin(index) {
                Some(true) => kin.push(index),
                _ => others.push(index),
            }
        }
        // What is left of the line is behind what was taken out of it.
        while let Some(index) = self.queue.pop() {
            others.push(index);
        }
        for index in others.into_iter().chain(kin) {
            self.queue.push(index);
        }
    }

    /// Of those who wait for everybody, or for a thread that is stuck.
    fn next_in_line(&self) -> Option<u32> {
        let mut stuck = self.shared.cores.iter().filter(|core| core.is_surplus());
        self.queue
            .pop()
            .or_else(|| stuck.find_map(|core| core.thief.steal_into(&self.queue)))
            .or_else(|| self.shared.inlet.steal_into(&self.queue))
    }

    /// Until the seat is lost, or everything is over.
    fn run_processes(&self, local: &Local) {
        while let Some(index) = self.next().or_else(|| self.search()) {
            // More than this one to run, and nobody was told: somebody else
            // may take it. A lone process is not worth a wake-up.
            if self.pushed.get() > 0 && self.has_more() {
                self.call_for_help();
            }
            self.pushed.set(0);
            turn::run(local, self, index);
            if self.is_surplus() {
                return;
            }
        }
    }

    /// The next process of our own.
    fn next(&self) -> Option<u32> {
        let turns = self.turns.get().wrapping_add(1);
        self.turns.set(turns);
        self.counters().turns.add(1);
        if turns.is_multiple_of(TIMER_TURNS) {
            self.look_around(turns);
        }
        if (self.shared.ranks.0.may_have_any() || self.pinned().may_have_any())
            && let Some(index) = self.next_special(turns)
        {
            return Some(index);
        }
        if turns.is_multiple_of(INLET_TURNS)
            && let Some(index) = self.shared.inlet.steal_into(&self.queue)
        {
            return Some(index);
        }
        let streak = self.streak.get();
        if let Some(index) = self.core.next.take() {
            // The cap counts only when it lets somebody else through.
            if streak < STREAK_MAX || self.queue.is_empty() {
                self.streak.set(streak + 1);
                return Some(index);
            }
            self.push_back(index);
        }
        self.streak.set(0);
        self.queue
            .pop()
            .or_else(|| self.pinned().take(Priority::Normal))
    }

    pub(super) fn pinned(&self) -> &Ranks {
        &self.core.pinned.queues
    }

    /// What a busy worker looks at now and then, whatever it runs.
    #[cold]
    fn look_around(&self, turns: u32) {
        // Many timers may take long: nobody's turn is that.
        self.core.has_nothing();
        self.fire_timers();
        if turns.is_multiple_of(IO_TURNS) {
            self.look_at_io();
        }
    }

    /// Who is before the ordinary processes: the urgent ones always, local ones every
    /// second time, those of low priority now and then.
    #[cold]
    fn next_special(&self, turns: u32) -> Option<u32> {
        self.urgent().or_else(|| match turns {
            _ if turns.is_multiple_of(LOW_TURNS) => self.low(),
            _ if turns.is_multiple_of(2) => None,
            _ => self.pinned().take(Priority::Normal),
        })
    }

    fn urgent(&self) -> Option<u32> {
        URGENT.into_iter().find_map(|priority| self.of(priority))
    }

    fn low(&self) -> Option<u32> {
        self.of(Priority::Low)
    }

    /// The local processes and those of everybody are served by turns.
    fn of(&self, priority: Priority) -> Option<u32> {
        let mut queues = [&self.shared.ranks.0, self.pinned()];
        let (which, bits) = (1 << priority as u32, self.local_first.get());
        if bits & which != 0 {
            queues.reverse();
        }
        let taken = queues.into_iter().find_map(|queues| queues.take(priority));
        if taken.is_some() {
            self.local_first.set(bits ^ which);
        }
        taken
    }

    /// Whether there is something that another worker could run.
    fn has_more(&self) -> bool {
        !self.queue.is_empty() || self.shared.ranks.0.has_any()
    }

    /// Work from elsewhere. None when the runtime has been halted, or the seat is
    /// lost.
    fn search(&self) -> Option<u32> {
        self.core.has_nothing();
        self.shared.idle.search(self.index, self)
    }

    fn fire_timers(&self) {
        if self.timers().next().is_some() {
            self.timers().fire(clock::now(), &self.shared);
        }
    }

    fn look_at_io(&self) {
        if !self.shared.reactor.is_empty() {
            // An error shows, and is reported, when a worker sleeps there.
            let _ = self.shared.reactor.poll(Some(Duration::ZERO));
        }
    }

    fn steal(&self) -> Option<u32> {
        let others = || self.shared.cores.others(self.index);
        let stolen = others().find_map(|other| other.thief.steal_into(&self.queue));
        // What a worker woke for itself comes last: it is hot in its cache.
        let stolen = stolen.or_else(|| others().find_map(|other| other.next.take()));
        if stolen.is_some() {
            self.counters().thefts.add(1);
            return stolen;
        }
        // A worker in a long turn does not look at its wheel.
        let now = clock::now();
        let seats = self.shared.seats.iter();
        let fired: usize = seats
            .map(|seat| seat.timers.fire_if_free(now, &self.shared))
            .sum();
        let woken = || {
            self.urgent()
                .or_else(|| self.core.next.take())
                .or_else(|| self.queue.pop())
                .or_else(|| self.pinned().take(Priority::Normal))
        };
        (fired > 0).then(woken).flatten()
    }
}

impl Workplace for Worker {
    type Work = u32;

    fn look(&self) -> Option<u32> {
        self.fire_timers();
        self.urgent()
            .or_else(|| self.core.next.take())
            .or_else(|| self.queue.pop())
            .or_else(|| self.pinned().take(Priority::Normal))
            .or_else(|| self.shared.inlet.steal_into(&self.queue))
            .or_else(|| self.steal())
            // Only now: what others have not come to yet is before it.
            .or_else(|| self.low())
    }

    fn is_there_more(&self) -> bool {
        let has_work = |core: &Arc<Core>| !core.thief.is_empty();
        self.shared.ranks.0.has_any()
            || !self.shared.inlet.is_empty()
            || self.shared.cores.iter().any(has_work)
    }

    fn is_over(&self) -> bool {
        self.shared.is_halted() || self.is_surplus()
    }

    fn park(&self) {
        self.counters().parks.add(1);
        self.counters().grant.set(0);
        self.dormant.disarm();
        let timeout = self.timers().next().map(clock::until);
        let bed = ReactorBed(&self.shared.reactor);
        self.core.parker.park(&bed, timeout);
    }

    fn got_up(&self) {
        self.shared.nap.somebody_got_up();
    }

    fn unpark(&self, worker: usize) {
        self.shared.unpark(worker);
    }
}

impl Drop for Worker {
    /// Runs when the thread has ended for all that the scheduler knows: nobody can
    /// reach this queue by the thread any more, and another may have it.
    fn drop(&mut self) {
        self.counters().grant.set(0);
        self.shared.cores.give_back(FreeCore {
            index: self.index,
            core: self.core.clone(),
            queue: std::mem::replace(&mut self.queue, RunQueue::new().0),
        });
    }
}
