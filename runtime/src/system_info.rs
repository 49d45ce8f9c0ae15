//! The runtime as a whole, seen from outside.

use std::time::Duration;

use crate::blocking::pool::BlockingStats;
use crate::clock;
use crate::scheduler::{self, Shared};

/// What a runtime has done and has to do, from [`system_info`] or
/// [`Handle::system_info`](crate::Handle::system_info) (OTP:
/// `erlang:system_info/1` and `statistics/1`).
///
/// It is put together without stopping anything, so the figures need not fit each
/// other exactly. They come from counters that exist anyway: asking costs little,
/// and having asked nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemInfo {
    /// Processes alive.
    pub processes: u64,
    /// How many there may be.
    pub max_processes: u64,
    /// Processes born so far.
    pub spawned: u64,
    /// Registered names.
    pub names: usize,
    /// Timers armed, sleeps and timeouts included. Each worker may still have a few of waits that
    /// are over, as long as it is busy.
    pub timers: usize,
    /// Sockets and other sources of I/O that are open.
    pub sources: usize,
    /// Who gets events: processes that subscribe, and streams.
    pub event_subscribers: usize,
    /// Processes that are ready to run and wait for their turn.
    pub queued: usize,
    /// The threads for [`blocking`](crate::blocking()) work.
    pub blocking: BlockingStats,
    /// Turns that took so long that they were noticed; see
    /// [`Builder::spare_workers`](crate::Builder::spare_workers).
    pub long_turns: u64,
    /// Threads that there are now because processes took long turns.
    pub spares: usize,
    /// How often such a thread was started.
    pub spares_started: u64,
    /// How long the runtime has existed.
    pub uptime: Duration,
    /// Each worker, and each thread that was started to replace one.
    pub workers: Vec<WorkerInfo>,
}

impl SystemInfo {
    /// Workers that sleep because there is nothing to do.
    pub fn sleeping_workers(&self) -> usize {
        self.workers.iter().filter(|worker| worker.sleeping).count()
    }
}

/// What one worker has done and has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Turns run so far.
    pub turns: u64,
    /// How often it took processes from another worker.
    pub thefts: u64,
    /// How often it went to sleep.
    pub parks: u64,
    /// Processes born on it.
    pub births: u64,
    /// Processes that ended on it.
    pub deaths: u64,
    /// Processes in its queue.
    pub queued: usize,
    /// Whether it sleeps.
    pub sleeping: bool,
    /// Whether another thread has taken its place, because a turn was too long.
    pub surplus: bool,
}

impl Shared {
    pub(crate) fn info(&self) -> SystemInfo {
        SystemInfo {
            processes: self.alive(),
            max_processes: self.max_processes,
            spawned: self.spawned(),
            names: self.names.len(),
            timers: self.timers_armed(),
            sources: self.sources(),
            event_subscribers: self.events.subscribers(),
            queued: self.queued(),
            blocking: self.pool.stats(),
            long_turns: self.long_turns(),
            spares: self.spares(),
            spares_started: self.spares_started(),
            uptime: Duration::from_millis(clock::now().saturating_sub(self.started)),
            workers: self.worker_infos(),
        }
    }
}

/// What the runtime of the current process has done and has to do.
///
/// # Panics
///
/// Outside a process; [`Handle::system_info`](crate::Handle::system_info) works anywhere.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// let info = regrow_runtime::system_info();
/// assert_eq!((info.processes, info.spawned), (1, 1));
/// assert_eq!(info.workers.iter().map(|worker| worker.deaths).sum::<u64>(), 0);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn system_info() -> SystemInfo {
    scheduler::with_current("system_info", |shared| shared.info())
}
