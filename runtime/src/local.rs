//! What a thread knows: the process it is running, and the worker that it is.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::panic::Place;
use crate::pid::Pid;
use crate::process::cell::Current;
use crate::process::reply::{Fail, Undelivered};
use crate::process::table;
use crate::reason::ExitReason;
use crate::scheduler::Worker;
use crate::simulation::outside;
use crate::simulation::slots::Slots;

pub(crate) struct Local {
    /// The process whose turn it is.
    pub(crate) current: Current,
    /// Its packed pid.
    pub(crate) pid: Cell<u64>,
    /// The reductions left in this turn.
    pub(crate) budget: Cell<u32>,
    /// The process wants another turn, whatever its inbox says.
    pub(crate) again: Cell<bool>,
    /// Messages that are dropped now were not delivered, and why.
    pub(crate) undelivered: Cell<Option<Undelivered>>,
    /// Reply handles dropped unanswered in this turn, and whether by a panic.
    dropped: RefCell<Vec<(Box<dyn Fail>, bool)>>,
    /// Where the panic that is under way started.
    pub(crate) panic: Cell<Option<Place>>,
    /// The runtime whose blocking work this thread is there for; 0 is none.
    pub(crate) pool: Cell<u32>,
    /// It is doing such work: a panic is not the thread's, but the work's.
    pub(crate) works: Cell<bool>,
    /// The process is being ended by unwinding, without a panic.
    pub(crate) unwinds: Cell<bool>,
    /// Why the process has ended itself, from then until its turn is over.
    pub(crate) last_word: Cell<Option<ExitReason>>,
    /// Indices of free slots, for births on this thread.
    pub(crate) free: RefCell<Vec<u32>>,
    /// The slots of the simulation that this thread drives.
    pub(crate) slots: Slots,
    references: Cell<(u64, u64)>,
    /// Tells simulations apart, which number their processes alike; 0 outside one.
    pub(crate) simulation: Cell<u64>,
    /// On the thread of a simulation: its time, in nanoseconds.
    pub(crate) virtual_time: Cell<Option<u64>>,
    /// 0 until it is asked for.
    thread: Cell<u64>,
    pub(crate) worker: OnceCell<Worker>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            current: Current::none(),
            pid: Cell::new(0),
            budget: Cell::new(0),
            again: Cell::new(false),
            undelivered: Cell::new(None),
            dropped: RefCell::new(Vec::new()),
            panic: Cell::new(None),
            pool: Cell::new(0),
            works: Cell::new(false),
            unwinds: Cell::new(false),
            last_word: Cell::new(None),
            free: RefCell::new(Vec::new()),
            slots: Slots::new(),
            references: Cell::new((0, 0)),
            simulation: Cell::new(0),
            virtual_time: Cell::new(None),
            thread: Cell::new(0),
            worker: OnceCell::new(),
        }
    };
}

/// This thread's state.
pub(crate) fn with<T>(work: impl FnOnce(&Local) -> T) -> T {
    LOCAL.with(work)
}

/// This thread's state, unless the thread is ending and has dropped it.
pub(crate) fn try_with<T>(work: impl FnOnce(&Local) -> T) -> Option<T> {
    LOCAL.try_with(work).ok()
}

impl Local {
    /// The pid of the current process.
    pub(crate) fn self_pid(&self) -> Option<Pid> {
        self.current
            .is_some()
            .then(|| Pid::unpack(self.pid.get()))?
    }

    /// The number of this thread, which no other thread has, has had or will have.
    pub(crate) fn thread(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.thread.get() == 0 {
            self.thread.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        self.thread.get()
    }

    /// This thread drives a simulation from now on, in which all numbers begin afresh.
    pub(crate) fn begin_simulation(&self) {
        self.references.set((1, u64::MAX));
        self.virtual_time.set(Some(0));
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.simulation.set(NEXT.fetch_add(1, Ordering::Relaxed));
    }

    /// The simulation is over, and all its processes have ended.
    pub(crate) fn end_simulation(&self) {
        self.free.borrow_mut().clear();
        self.slots.give_back();
    }

    /// Panics if this is a simulated process and `to` is not of its simulation.
    #[inline]
    #[track_caller]
    pub(crate) fn check_receiver(&self, to: Pid) {
        if self.is_simulated() && !to.is_simulated() {
            outside::refuse(to);
        }
    }

    /// Whether this thread drives a simulation.
    #[inline]
    pub(crate) fn is_simulated(&self) -> bool {
        self.virtual_time.get().is_some()
    }

    /// A number never given before in this OS process, or in this simulation.
    pub(crate) fn fresh_reference(&self) -> u64 {
        const LOT: u64 = 1024;
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (mut next, mut end) = self.references.get();
        if next == end {
            next = NEXT.fetch_add(LOT, Ordering::Relaxed);
            end = next + LOT;
        }
        self.references.set((next + 1, end));
        next
    }

    /// Keeps a reply handle that was dropped unanswered until the turn is over.
    pub(crate) fn keep_dropped(&self, sender: Box<dyn Fail>, by_panic: bool) {
        self.dropped.borrow_mut().push((sender, by_panic));
    }

    /// The reply handles dropped in this turn, and whether by a panic.
    pub(crate) fn take_dropped(&self) -> Vec<(Box<dyn Fail>, bool)> {
        self.dropped.take()
    }

    pub(crate) fn has_dropped(&self) -> bool {
        !self.dropped.borrow().is_empty()
    }

    /// Spends reductions of the turn.
    pub(crate) fn spend(&self, reductions: u32) {
        self.budget
            .set(self.budget.get().saturating_sub(reductions));
    }

    /// An index for a new process, unless the table is full.
    pub(crate) fn free_index(&self) -> Option<u32> {
        let mut free = self.free.borrow_mut();
        if free.is_empty() {
            self.reserve_indices(&mut free);
        }
        free.pop()
    }

    #[cold]
    fn reserve_indices(&self, free: &mut Vec<u32>) {
        if self.is_simulated() {
            self.slots.reserve(free);
        } else {
            table::reserve(free);
        }
    }

    /// Takes back the index of a closed slot.
    pub(crate) fn release_index(&self, index: u32) {
        let mut free = self.free.borrow_mut();
        free.push(index);
        table::give_back(&mut free, false);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        table::give_back(self.free.get_mut(), true);
    }
}
