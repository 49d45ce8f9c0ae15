//! The scheduler: one worker per core, each with its own run queue.
//!
//! [`Shared`] is what the workers of one runtime have in common; [`Worker`] is
//! one of them, on its thread, which has a core and sits in a seat (`cores.rs`). What runs is a slot index: whoever takes it from
//! a queue holds the token of that slot's inbox.

mod admission;
mod alert;
mod census;
mod cores;
mod hogs;
mod idle;
#[cfg(all(test, loom))]
mod loom;
mod monitor;
mod nap;
mod next;
mod os;
mod parker;
mod pinned;
mod queue;
mod ranks;
mod reports;
mod runner;
mod threads;
mod worker;

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};
use rustc_hash::FxHashMap;

use self::cores::{Cores, Seat};
use self::hogs::Hogs;
use self::idle::{Idle, THREADS_MAX};
use self::nap::Nap;
use self::parker::Bed;
use self::queue::Inlet;
use self::ranks::Ranks;
use self::reports::Reports;
pub(crate) use self::worker::Worker;
use crate::beside::Beside;
use crate::blocking::pool::{self, Pool};
use crate::clock;
use crate::events::Events;
use crate::extensions::Extensions;
use crate::labels::Labels;
use crate::local::{self, Local};
use crate::names::Names;
use crate::panic::contain;
use crate::pid::Pid;
use crate::process::cell::{Flag, Header};
use crate::process::long_queue::LongQueue;
use crate::process::owner;
use crate::process::priority::Priority;
use crate::reactor::Reactor;
use crate::simulation::Driver;
use crate::timer::Timers;

/// What a runtime is built with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) workers: usize,
    /// Threads that may be started besides.
    pub(crate) spare_workers: usize,
    pub(crate) blocking_threads: usize,
    pub(crate) max_processes: u64,
    pub(crate) long_queue: LongQueue,
    pub(crate) beside: Beside,
}

/// What all workers of one runtime share.
pub(crate) struct Shared {
    pub(crate) id: u32,
    cores: Cores,
    seats: Box<[Seat]>,
    inlet: Inlet,
    /// Processes of any but normal priority.
    ranks: Alone<Ranks>,
    hogs: Hogs,
    idle: Idle,
    /// Where the monitor sleeps.
    nap: Nap,
    reports: Reports,
    reactor: Arc<Reactor>,
    /// The tick at which it was made.
    pub(crate) started: u64,
    pub(crate) names: Names,
    pub(crate) labels: Labels,
    pub(crate) extensions: Extensions,
    pub(crate) long_queue: LongQueue,
    /// What its threads enter.
    pub(crate) beside: Beside,
    /// The threads for blocking work.
    pub(crate) pool: Arc<Pool>,
    pub(crate) events: Events,
    pub(crate) max_processes: u64,
    /// Held by whoever adds up what room there is (`admission.rs`).
    asking: Mutex<()>,
    /// Counts the local births that may go to any seat.
    next_seat: AtomicUsize,
    /// Births on threads that are no workers of ours.
    foreign_births: AtomicU64,
    /// No births from outside any more.
    stopped: AtomicBool,
    halted: AtomicBool,
    spares_started: AtomicU64,
    /// The threads that run, and the handles of all.
    threads: Mutex<usize>,
    thread_ended: Condvar,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

/// On cache lines of its own.
#[repr(align(128))]
struct Alone<T>(T);

/// The runtimes that exist, by number: how a wake from any thread finds the
/// queues of the process that it wakes.
static RUNTIMES: RwLock<Option<FxHashMap<u32, Weak<Shared>>>> = RwLock::new(None);

impl Shared {
    /// A runtime without threads yet.
    pub(crate) fn new(settings: Settings) -> std::io::Result<Arc<Self>> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let id = owner::id_from_counter(COUNTER.fetch_add(1, Ordering::Relaxed));
        let shared = Shared::assemble(id, settings)?;
        let mut runtimes = RUNTIMES.write();
        let runtimes = runtimes.get_or_insert_default();
        runtimes.insert(id, Arc::downgrade(&shared));
        Ok(shared)
    }

    /// What the processes of a simulation share, which no other thread can find, and the
    /// worker of its only thread.
    pub(crate) fn simulated(driver: Driver) -> std::io::Result<Worker> {
        let settings = Settings {
            workers: 1,
            spare_workers: 0,
            blocking_threads: pool::MAX_THREADS,
            max_processes: u64::MAX,
            long_queue: LongQueue::default(),
            beside: Beside::default(),
        };
        let shared = Shared::assemble(owner::SIMULATION, settings)?;
        let Some(core) = shared.cores.take() else {
            return Err(std::io::Error::other("every core has a thread already"));
        };
        Ok(Worker::simulated(shared, core, driver))
    }

    fn assemble(id: u32, settings: Settings) -> std::io::Result<Arc<Self>> {
        if settings.workers > THREADS_MAX {
            let why = format!("a runtime has at most {THREADS_MAX} workers");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, why));
        }
        let threads = settings.workers.saturating_add(settings.spare_workers);
        Ok(Arc::new(Shared {
            id,
            cores: Cores::new(threads.min(THREADS_MAX)),
            seats: (0..settings.workers).map(|_| Seat::new()).collect(),
            inlet: Inlet::new(),
            ranks: Alone(Ranks::new()),
            hogs: Hogs::default(),
            idle: Idle::new(),
            nap: Nap::new(),
            reports: Reports::default(),
            reactor: Arc::new(Reactor::new()?),
            started: clock::now(),
            names: Names::new(id),
            labels: Labels::default(),
            extensions: Extensions::default(),
            long_queue: settings.long_queue,
            pool: Pool::new(
                id,
                settings.blocking_threads,
                pool::IDLE,
                settings.beside.clone(),
            ),
            beside: settings.beside,
            events: Events::default(),
            max_processes: settings.max_processes,
            asking: Mutex::new(()),
            next_seat: AtomicUsize::new(0),
            foreign_births: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            halted: AtomicBool::new(false),
            spares_started: AtomicU64::new(0),
            threads: Mutex::new(0),
            thread_ended: Condvar::new(),
            handles: Mutex::new(Vec::new()),
        }))
    }

    /// Whether a simulation's driver runs it, and not threads of its own.
    pub(crate) fn is_simulated(&self) -> bool {
        self.id == owner::SIMULATION
    }

    /// Whether this thread is outside of it, and one of both is a simulation: then neither
    /// may reach into the other.
    pub(crate) fn is_beyond(&self, local: &Local) -> bool {
        self.worker_in(local).is_none() && (self.is_simulated() || local.is_simulated())
    }

    /// Queues a process to run, from a thread that is no worker of ours.
    fn inject(&self, index: u32) {
        self.inlet.push(index);
        self.wake_another();
    }

    /// Queues a local process on its core, from another thread.
    fn push_pinned(&self, index: u32, priority: Priority, home: usize) {
        if let Some(core) = self.cores.get(home) {
            core.pinned.queues.push(index, priority);
            core.parker.unpark(&ReactorBed(&self.reactor));
            if core.is_surplus() {
                self.hogs.disturb();
            }
        }
    }

    /// After a push: wakes a worker if that is needed.
    fn wake_another(&self) {
        if let Some(sleeper) = self.idle.work_was_pushed() {
            self.unpark(sleeper);
        }
    }

    /// Ends the present or next park of a core's thread.
    fn unpark(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            core.parker.unpark(&ReactorBed(&self.reactor));
        }
    }

    /// Makes whoever turns that wheel look at it.
    pub(crate) fn wheel_has_changed(&self, wheel: usize) {
        self.unpark(self.seats[wheel].occupant());
    }

    /// The wheel of a seat.
    pub(crate) fn timers(&self, wheel: usize) -> &Timers {
        &self.seats[wheel].timers
    }

    /// How many workers there are, and wheels.
    pub(crate) fn workers(&self) -> usize {
        self.seats.len()
    }

    /// Whether every worker sleeps, and nobody asks the monitor for anything.
    fn is_quiet(&self) -> bool {
        self.idle.sleeping() >= self.seats.len() && !self.pool.is_short()
    }

    /// The label of a process whose token the caller holds.
    pub(crate) fn label_of(&self, header: &Header, pid: Pid) -> Option<Arc<str>> {
        header.is(Flag::Listed).then(|| self.labels.get(pid))?
    }

    /// The end of a process that is [listed](Flag::Listed).
    #[cold]
    pub(crate) fn unlist(&self, pid: Pid) {
        self.labels.remove(pid);
        self.events.forget(pid);
    }

    /// Refuses births from outside from now on.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// After the end: whoever waits for a timer of ours must look elsewhere.
    pub(crate) fn give_up_timers(&self) {
        for seat in &self.seats {
            seat.timers.close();
        }
    }

    fn worker_in<'a>(&self, local: &'a Local) -> Option<&'a Worker> {
        local
            .worker
            .get()
            .filter(|worker| ptr::eq(&*worker.shared, self))
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::SeqCst)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A simulation is not among them, and so takes nobody's place away.
        if let Some(runtimes) = RUNTIMES.write().as_mut() {
            runtimes.remove(&self.id);
        }
    }
}

/// The reactor as a place to sleep in.
struct ReactorBed<'a>(&'a Reactor);

impl Bed for ReactorBed<'_> {
    fn lie_down(&self, timeout: Option<Duration>, is_rung: impl FnOnce() -> bool) -> bool {
        match self.0.poll_unless(timeout, is_rung) {
            Ok(polled) => polled.is_some(),
            Err(error) => {
                contain("a report", || {
                    tracing::error!(target: "regrow::scheduler", %error, "polling for I/O failed");
                });
                false
            }
        }
    }

    fn ring(&self) {
        self.0.notify();
    }
}

/// Queues a process to run. The caller holds its token and passes it on.
pub(crate) fn schedule(index: u32, runtime: u32) {
    let mine = local::try_with(|local| match local.worker.get() {
        Some(worker) if worker.shared.id == runtime => {
            worker.push(index, local.current.is_some());
            true
        }
        _ => false,
    });
    if mine != Some(true) {
        inject(index, runtime);
    }
}

#[cold]
fn inject(index: u32, runtime: u32) {
    // The runtime exists: it outlives its processes, and this one lives.
    with_registered(runtime, |shared| shared.inject(index));
}

/// As [`schedule`], for a process that does not go to the ordinary queues.
/// A local one must run on its `home`.
pub(crate) fn schedule_special(index: u32, runtime: u32, priority: Priority, home: Option<usize>) {
    let mine = local::try_with(|local| match local.worker.get() {
        Some(worker) if worker.shared.id == runtime => {
            worker.push_special(index, priority, home);
            true
        }
        _ => false,
    });
    if mine != Some(true) {
        with_registered(runtime, |shared| {
            if let Some(home) = home {
                return shared.push_pinned(index, priority, home);
            }
            shared.ranks.0.push(index, priority);
            shared.wake_another();
        });
    }
}

/// Queues a newborn process to run.
pub(crate) fn schedule_newborn(index: u32, shared: &Shared) {
    let mine = local::with(|local| match local.worker.get() {
        Some(worker) if ptr::eq(&*worker.shared, shared) => {
            if let Some(driver) = worker.driver() {
                driver.born(index, local.self_pid());
            }
            worker.push_back(index);
            true
        }
        _ => false,
    });
    if !mine {
        shared.inject(index);
    }
}

fn with_registered<T>(id: u32, work: impl FnOnce(&Arc<Shared>) -> T) -> Option<T> {
    let shared = {
        let runtimes = RUNTIMES.read();
        runtimes.as_ref()?.get(&id)?.upgrade()?
    };
    Some(work(&shared))
}

/// Works with the runtime of that number, if it still exists.
pub(crate) fn with_runtime<T>(id: u32, work: impl FnOnce(&Arc<Shared>) -> T) -> Option<T> {
    let mut work = Some(work);
    let mine = local::try_with(|local| {
        let worker = local.worker.get().filter(|worker| worker.shared.id == id)?;
        work.take().map(|work| work(&worker.shared))
    });
    match mine.flatten() {
        Some(result) => Some(result),
        None => with_registered(id, work?),
    }
}

/// Works with the runtime of this thread, or else with any that runs.
pub(crate) fn any_runtime<T>(work: impl FnOnce(&Arc<Shared>) -> T) -> Option<T> {
    let mut work = Some(work);
    let mine = local::try_with(|local| {
        let worker = local.worker.get()?;
        work.take().map(|work| work(&worker.shared))
    });
    if let Some(result) = mine.flatten() {
        return Some(result);
    }
    // Collected first: the last reference to a runtime must not be dropped under
    // the lock, which its drop takes.
    let all: Vec<_> = {
        let runtimes = RUNTIMES.read();
        runtimes
            .as_ref()?
            .values()
            .filter_map(Weak::upgrade)
            .collect()
    };
    let running = all.iter().find(|shared| !shared.is_stopped())?;
    Some(work?(running))
}

/// Works with the runtime of the current process.
///
/// # Panics
///
/// Outside a process, saying that `what` needs one.
#[track_caller]
pub(crate) fn with_current<T>(what: &str, work: impl FnOnce(&Arc<Shared>) -> T) -> T {
    let mut work = Some(work);
    let result = local::with(|local| {
        let worker = local.worker.get().filter(|_| local.current.is_some())?;
        work.take().map(|work| work(&worker.shared))
    });
    match result {
        Some(result) => result,
        None => panic!(
            "`{what}` must be called inside a regrow process; elsewhere use a `Handle` \
             (`Runtime::handle`)"
        ),
    }
}

/// The runtime of the current process.
pub(crate) fn current() -> Option<Arc<Shared>> {
    local::try_with(|local| {
        let worker = local.worker.get().filter(|_| local.current.is_some())?;
        Some(worker.shared.clone())
    })?
}

/// Whether this thread is a worker whose place another has taken.
pub(crate) fn has_lost_seat() -> bool {
    local::try_with(|local| local.worker.get().is_some_and(Worker::is_surplus)) == Some(true)
}

/// The monitor of that runtime must look at what the caller has just done.
#[cold]
pub(crate) fn wake_monitor(runtime: u32) {
    with_runtime(runtime, |shared| shared.nap.disturb());
}

/// The reactor of the current process's runtime.
pub(crate) fn current_reactor() -> Option<Arc<Reactor>> {
    current().map(|shared| shared.reactor.clone())
}
