//! What all parts of the program know, and what outlives each of them.
//!
//! The leases are here so that they survive the scheduler: its next incarnation lets each reserved
//! job to the client that has it. Only the scheduler writes them, at the end of each turn, before
//! anybody is told of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use regrow::Pid;
use rustc_hash::FxHashMap;

use crate::protocol::{JobId, TubeName};
use crate::queue::{ClientId, PausedTube};
use crate::store::Location;
use crate::workers::{Assignment, Registry};

/// The settings, all of them checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) job_size_max: usize,
    pub(crate) database: Location,
    pub(crate) max_connections: usize,
    pub(crate) pool: Pool,
    pub(crate) chaos: bool,
    pub(crate) verbose: bool,
}

/// The workers of this program.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) workers: u16,
    pub(crate) tube: TubeName,
    /// A job that has failed so often is buried.
    pub(crate) tries: u32,
    /// Seconds that a job rests after its first failure.
    pub(crate) backoff: u32,
}

/// Who has a reserved job.
#[derive(Debug, Clone)]
pub(crate) enum Holder {
    Connection(Pid),
    Worker(Arc<Assignment>),
}

/// A reserved job.
#[derive(Debug, Clone)]
pub(crate) struct Let {
    pub(crate) client: ClientId,
    pub(crate) holder: Holder,
    /// By the clock of [`Shared::now`].
    pub(crate) until: Duration,
}

/// One running program.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// What the workers can do.
    pub(crate) registry: Registry,
    /// Where the listener really listens (the system chooses if the port is 0); a restarted
    /// listener takes the same.
    pub(crate) address: OnceLock<SocketAddr>,
    /// The time since the Unix epoch, and the moment when it was that.
    started: (Duration, Instant),
    next_client: AtomicU64,
    next_job: AtomicU64,
    draining: AtomicBool,
    leases: Mutex<FxHashMap<JobId, Let>>,
    pauses: Mutex<FxHashMap<TubeName, PausedTube>>,
}

impl Shared {
    /// For a program that is about to start.
    pub(crate) fn new(settings: Settings) -> Shared {
        Shared {
            registry: Registry::new(settings.chaos),
            settings,
            address: OnceLock::new(),
            started: (
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
                Instant::now(),
            ),
            next_client: AtomicU64::new(1),
            next_job: AtomicU64::new(1),
            draining: AtomicBool::new(false),
            leases: Mutex::default(),
            pauses: Mutex::default(),
        }
    }

    /// The clock of the queue: the time since the Unix epoch, as if nobody set the machine's clock
    /// while the program runs. So it never goes back, and means the same to the next program.
    pub(crate) fn now(&self) -> Duration {
        self.started.0 + self.started.1.elapsed()
    }

    /// When the program was started, by the same clock.
    pub(crate) fn started(&self) -> Duration {
        self.started.0
    }

    /// A name for a client that has none yet.
    pub(crate) fn next_client(&self) -> ClientId {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    /// No new jobs from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Jobs with smaller ids have been given out.
    pub(crate) fn next_job(&self) -> JobId {
        self.next_job.load(Ordering::Relaxed)
    }

    pub(crate) fn set_next_job(&self, id: JobId) {
        self.next_job.store(id, Ordering::Relaxed);
    }

    /// The reserved jobs.
    pub(crate) fn leases(&self) -> MutexGuard<'_, FxHashMap<JobId, Let>> {
        // Every change of it is one insertion or removal, so it is whole after a panic.
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tubes that were paused last, some of them no longer.
    pub(crate) fn pauses(&self) -> MutexGuard<'_, FxHashMap<TubeName, PausedTube>> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The workers of the pool have all ended: what they had is free.
    pub(crate) fn forget_workers(&self) {
        self.leases()
            .retain(|_, lease| matches!(lease.holder, Holder::Connection(_)));
    }
}
