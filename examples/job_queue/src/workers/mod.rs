//! The workers of this program: one process for each job, under job_worker_sup.
//!
//! The process does the job and hands in what became of it; it ends when the scheduler has that on
//! disk, so that nothing is lost if the scheduler crashes meanwhile. If it crashes itself,
//! job_worker_sup starts it again, and then it hands in that it has crashed.
//!
//! | file | what it is |
//! |---|---|
//! | `worker.rs` | the process |
//! | `registry.rs` | handlers by kind of job |
//! | `kinds.rs` | `sha256`, `word_count`, `sleep` |
//! | `chaos.rs` | with `--chaos`: `panic`, `spin`, `crash`, `tree` |

mod chaos;
mod kinds;
mod registry;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use regrow::{Backoff, ChildSpec, ExitReason, Pid, Restart, Shutdown, exit};

use crate::protocol::{JobId, TubeName};
use crate::queue::ClientId;
use crate::shared::Shared;

pub(crate) use registry::Registry;

/// How long the place of a worker that has crashed rests. So jobs that crash at once cost little,
/// and job_worker_sup knows how many crashes are no reason to give up.
const REST: Duration = Duration::from_millis(100);

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is done; the result, if somebody wants it, is a job for this tube.
    Done {
        result: Option<(TubeName, Arc<[u8]>)>,
    },
    /// It may succeed another time.
    Failed(String),
    /// It will never succeed.
    Impossible(String),
}

/// Where a worker is with its job.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    New,
    /// A worker that begins here has crashed before.
    Running,
    Ended(Outcome),
}

/// A job that a client of the pool has, and what is known of it.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) client: ClientId,
    pub(crate) job: JobId,
    body: Arc<[u8]>,
    phase: Mutex<Phase>,
    worker: Mutex<Option<Pid>>,
    called_off: AtomicBool,
}

impl Assignment {
    pub(crate) fn new(client: ClientId, job: JobId, body: Arc<[u8]>) -> Assignment {
        Assignment {
            client,
            job,
            body,
            phase: Mutex::new(Phase::New),
            worker: Mutex::new(None),
            called_off: AtomicBool::new(false),
        }
    }

    /// Nobody waits for the outcome any more.
    pub(crate) fn call_off(&self) {
        self.called_off.store(true, Ordering::Relaxed);
        let worker = *self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(worker) = worker {
            // It is started again, and finds that it is called off. Asking the supervisor to stop
            // it would hold that up while the worker spins.
            exit(worker, ExitReason::Kill);
        }
    }

    fn is_called_off(&self) -> bool {
        self.called_off.load(Ordering::Relaxed)
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_worker(&self, pid: Pid) {
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
    }
}

/// How job_worker_sup starts a worker for this, and starts it again.
pub(crate) fn spec(assignment: &Arc<Assignment>, shared: &Arc<Shared>) -> ChildSpec {
    let (assignment, shared) = (Arc::clone(assignment), Arc::clone(shared));
    ChildSpec::new(format!("job {}", assignment.job), move || {
        worker::start(Arc::clone(&assignment), Arc::clone(&shared))
    })
    .restart(Restart::Transient)
    .shutdown(Shutdown::BrutalKill)
    .backoff(Backoff::exponential(REST, REST))
}

/// Restarts a second that so many workers may need.
pub(crate) fn intensity(workers: u16) -> u32 {
    let per_second = 1_000 / REST.as_millis() as u32;
    2 * per_second * u32::from(workers.max(1))
}
