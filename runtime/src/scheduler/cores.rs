//! Cores and seats: what of a worker outlives its thread.
//!
//! A *core* is what others may touch of one thread that runs processes: its queue,
//! its next-process slot, its parker, its counters. A *seat* is a place among the
//! workers, with a timer wheel; there are as many as the runtime has workers, and
//! in each sits the core of one thread. When a thread is stuck, the core of another
//! takes over its seat; the core of a thread that ends is used again.
//!
//! Cores are made on demand, in the order of their indices, and never freed, so
//! whoever walks over them needs no lock: `made` counts those that may exist.

use std::panic::Location;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_utils::atomic::AtomicCell;
use parking_lot::Mutex;

use super::next::NextProcess;
use super::parker::Parker;
use super::pinned::Pinned;
use super::queue::{RunQueue, Thief};
use super::reports::Finding;
use crate::pid::Pid;
use crate::process::table;
use crate::timer::Timers;

/// What others may touch of a thread that runs processes. On cache lines of its own.
#[repr(align(128))]
pub(super) struct Core {
    pub(super) next: NextProcess,
    pub(super) pinned: Pinned,
    pub(super) thief: Thief,
    pub(super) parker: Parker,
    pub(super) counters: Counters,
    pulse: Pulse,
    /// The number of the turn in which the thread was found stuck and lost its
    /// seat; 0 if it has its seat. Written by the monitor, read by the thread.
    caught: AtomicU64,
    /// What the thread must report when that turn ends.
    pub(super) finding: Mutex<Option<Finding>>,
    /// The thread, as the operating system names it.
    thread: AtomicU32,
}

/// What runs on a core. The thread writes it with plain stores in each turn, and
/// nobody but the monitor reads it: what it shows belongs together if the number
/// of turns (`counters.turns`) is the same before and after.
#[derive(Debug, Default)]
struct Pulse {
    /// The slot of the process whose turn it is; 0 for none.
    running: AtomicU32,
    /// Where that was spawned.
    place: AtomicCell<Option<&'static Location<'static>>>,
}

impl Core {
    fn new(thief: Thief) -> Self {
        Core {
            next: NextProcess::new(),
            pinned: Pinned::new(),
            thief,
            parker: Parker::new(),
            counters: Counters::default(),
            pulse: Pulse::default(),
            caught: AtomicU64::new(0),
            finding: Mutex::new(None),
            thread: AtomicU32::new(0),
        }
    }

    /// A thread begins to work with this core.
    pub(super) fn moves_in(&self, thread: u32) {
        self.caught.store(0, Ordering::Relaxed);
        self.thread.store(thread, Ordering::Relaxed);
    }

    pub(super) fn thread(&self) -> u32 {
        self.thread.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn turn_begins(&self, index: u32, spawned_at: &'static Location<'static>) {
        self.pulse.running.store(index, Ordering::Relaxed);
        self.pulse.place.store(Some(spawned_at));
    }

    /// The thread has nothing to run, until the next turn.
    pub(super) fn has_nothing(&self) {
        self.pulse.running.store(0, Ordering::Relaxed);
    }

    /// The number of the present turn, and whether it is one.
    pub(super) fn turn(&self) -> Option<u64> {
        let turn = self.counters.turns.get();
        (self.pulse.running.load(Ordering::Relaxed) != 0).then_some(turn)
    }

    /// The process whose turn it is, and where it was spawned.
    pub(super) fn running(&self) -> Option<(Pid, &'static Location<'static>)> {
        let turn = self.counters.turns.get();
        let index = self.pulse.running.load(Ordering::Acquire);
        let place = self.pulse.place.load()?;
        let slot = table::slot(index).filter(|_| index != 0)?;
        let pid = Pid::local(index, slot.inbox.generation());
        (self.counters.turns.get() == turn).then_some((pid, place))
    }

    /// The thread was found stuck in that turn: its seat is given to another.
    pub(super) fn catch(&self, turn: u64, finding: Finding) {
        *self.finding.lock() = Some(finding);
        self.caught.store(turn, Ordering::Release);
    }

    /// Whether the thread has lost its seat.
    #[inline]
    pub(super) fn is_surplus(&self) -> bool {
        self.caught.load(Ordering::Relaxed) != 0
    }

    /// Whether the thread was found stuck in this very turn.
    pub(super) fn was_caught_now(&self) -> bool {
        self.caught.load(Ordering::Relaxed) == self.counters.turns.get()
    }

    /// Whether processes wait in this core.
    pub(super) fn has_work(&self) -> bool {
        !self.next.is_empty() || !self.thief.is_empty()
    }
}

/// Counted by the thread of one core, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) births: Count,
    /// Births that need no asking (`admission.rs`).
    pub(crate) grant: Count,
    /// Processes past the point of death.
    pub(crate) deaths: Count,
    /// Those whose end is over.
    pub(crate) finished: Count,
    pub(crate) turns: Count,
    pub(crate) thefts: Count,
    pub(crate) parks: Count,
}

/// A counter with one writer, who needs no read-modify-write.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.set(self.0.load(Ordering::Relaxed).wrapping_add(n));
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Release);
    }

    /// Takes one back that was counted too early.
    pub(crate) fn take_back(&self) {
        self.add(u64::MAX);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// A core that no thread has, and its queue.
pub(super) struct FreeCore {
    pub(super) index: usize,
    pub(super) core: Arc<Core>,
    pub(super) queue: RunQueue,
}

/// The cores of a runtime.
pub(super) struct Cores {
    cores: Box<[OnceLock<Arc<Core>>]>,
    made: AtomicUsize,
    /// Those without a thread, and the lock of whoever makes one.
    free: Mutex<Vec<FreeCore>>,
}

impl Cores {
    /// Room for so many.
    pub(super) fn new(room: usize) -> Self {
        Cores {
            cores: (0..room).map(|_| OnceLock::new()).collect(),
            made: AtomicUsize::new(0),
            free: Mutex::new(Vec::new()),
        }
    }

    /// A core for a new thread: one that was given back, else a new one. None if
    /// all that there is room for have threads.
    pub(super) fn take(&self) -> Option<FreeCore> {
        let mut free = self.free.lock();
        if let Some(core) = free.pop() {
            core.core.pinned.open();
            return Some(core);
        }
        let index = self.made.load(Ordering::Relaxed);
        let place = self.cores.get(index)?;
        let (queue, thief) = RunQueue::new();
        let core = place.get_or_init(|| Arc::new(Core::new(thief)));
        self.made.store(index + 1, Ordering::Release);
        Some(FreeCore {
            index,
            core: core.clone(),
            queue,
        })
    }

    /// Whether there may be one more thread.
    pub(super) fn has_room(&self) -> bool {
        self.made().len() < self.cores.len() || !self.free.lock().is_empty()
    }

    /// Takes back the core of a thread that ends. If local processes are left, no other
    /// thread may have it: they stay where they are, for ever.
    pub(super) fn give_back(&self, core: FreeCore) {
        if core.core.pinned.close() {
            self.free.lock().push(core);
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Arc<Core>> {
        self.cores.get(index)?.get()
    }

    /// Every core that exists.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Core>> {
        self.made().iter().filter_map(OnceLock::get)
    }

    /// The same; a core that is made later is made by somebody who sees what the
    /// caller did before.
    pub(super) fn every(&self) -> impl Iterator<Item = &Arc<Core>> {
        drop(self.free.lock());
        self.iter()
    }

    /// Every core that exists but one: first those behind it.
    pub(super) fn others(&self, than: usize) -> impl Iterator<Item = &Arc<Core>> {
        let (before, after) = self.made().split_at(than);
        after[1..].iter().chain(before).filter_map(OnceLock::get)
    }

    fn made(&self) -> &[OnceLock<Arc<Core>>] {
        &self.cores[..self.made.load(Ordering::Acquire)]
    }
}

/// A place among the workers. On cache lines of its own.
#[repr(align(128))]
pub(super) struct Seat {
    pub(super) timers: Timers,
    /// The index of the core that sits here.
    occupant: AtomicUsize,
}

impl Seat {
    pub(super) fn new() -> Self {
        Seat {
            timers: Timers::new(),
            occupant: AtomicUsize::new(usize::MAX),
        }
    }

    /// Whoever turns the wheel.
    pub(super) fn occupant(&self) -> usize {
        self.occupant.load(Ordering::Acquire)
    }

    pub(super) fn seat(&self, core: usize) {
        self.occupant.store(core, Ordering::Release);
    }
}
