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

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::parker::Parker;
use super::pinned::Pinned;
use super::queue::{NextProcess, RunQueue, Thief};
use crate::timer::Timers;

/// What others may touch of a thread that runs processes. On cache lines of its own.
#[repr(align(128))]
pub(super) struct Core {
    pub(super) next: NextProcess,
    pub(super) pinned: Pinned,
    pub(super) thief: Thief,
    pub(super) parker: Parker,
    pub(super) counters: Counters,
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
        let core = place.get_or_init(|| {
            Arc::new(Core {
                next: NextProcess::new(),
                pinned: Pinned::new(),
                thief,
                parker: Parker::new(),
                counters: Counters::default(),
            })
        });
        self.made.store(index + 1, Ordering::Release);
        Some(FreeCore {
            index,
            core: core.clone(),
            queue,
        })
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
