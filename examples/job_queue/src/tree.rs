//! The supervision tree.
//!
//! ```text
//! job_queue_sup (one_for_one, no restarts)
//! ├── job_queue_app_sup (rest_for_one, 5 in 60 s)
//! │   ├── job_store
//! │   ├── job_worker_sup (dynamic: transient workers, one job each)
//! │   └── job_scheduler
//! └── job_queue_net_sup (rest_for_one, 5 in 60 s)
//!     ├── connection_sup (dynamic: temporary connections, at most --max-connections)
//!     ├── listener
//!     ├── drain_signal
//!     └── progress (with --verbose)
//! ```
//!
//! The network side survives a restart of the queue, and the other way round. It stops in reverse
//! order: nobody new comes in, what was asked is answered, then the queue ends, and the store last.

use std::sync::Arc;
use std::time::Duration;

use regrow::{
    ChildSpec, DynamicSupervisor, DynamicSupervisorRef, GenServer, Shutdown, StartError, Strategy,
    Supervisor, SupervisorRef,
};

use crate::scheduler::{SCHEDULER, Scheduler};
use crate::shared::Shared;
use crate::store::{DRAIN, STORE, Store};
use crate::{drain_signal, listener, progress, workers};

/// The names of the supervisors, and of the listener.
pub(crate) const TOP_SUP: &str = "job_queue_sup";
pub(crate) const APP_SUP: &str = "job_queue_app_sup";
pub(crate) const WORKER_SUP: &str = "job_worker_sup";
pub(crate) const NET_SUP: &str = "job_queue_net_sup";
pub(crate) const CONNECTION_SUP: &str = "connection_sup";
pub(crate) const LISTENER: &str = "listener";

const MINUTE: Duration = Duration::from_secs(60);

/// Starts everything, linked to the calling process.
pub(crate) async fn start(shared: Arc<Shared>) -> Result<SupervisorRef, StartError> {
    let (queue, net) = (Arc::clone(&shared), shared);
    // A side that could not be helped by its restarts is not helped by more of them.
    Supervisor::new(Strategy::OneForOne)
        .name(TOP_SUP)
        .intensity(0, MINUTE)
        .child(ChildSpec::supervisor(APP_SUP, move || {
            app_sup(Arc::clone(&queue))
        }))
        .child(ChildSpec::supervisor(NET_SUP, move || {
            net_sup(Arc::clone(&net))
        }))
        .start_link()
        .await
}

async fn app_sup(shared: Arc<Shared>) -> Result<SupervisorRef, StartError> {
    let location = shared.settings.database.clone();
    let store = ChildSpec::new(STORE.as_str(), move || {
        Store::start_link(location.clone()).name(STORE)
    });
    let pool = Arc::clone(&shared);
    Supervisor::new(Strategy::RestForOne)
        .name(APP_SUP)
        .intensity(5, MINUTE)
        // What has been accepted is written before the store ends.
        .child(store.shutdown(Shutdown::Timeout(DRAIN + Duration::from_secs(2))))
        .child(ChildSpec::supervisor(WORKER_SUP, move || {
            worker_sup(Arc::clone(&pool))
        }))
        .child(ChildSpec::new(SCHEDULER.as_str(), move || {
            Scheduler::start_link(Arc::clone(&shared))
                .name(SCHEDULER)
                .trap_exit(true)
        }))
        .start_link()
        .await
}

async fn worker_sup(shared: Arc<Shared>) -> Result<DynamicSupervisorRef, StartError> {
    // Those of the supervisor before have ended with it.
    shared.forget_workers();
    let workers = shared.settings.pool.workers;
    DynamicSupervisor::new()
        .name(WORKER_SUP)
        .intensity(workers::intensity(workers), Duration::from_secs(1))
        .start_link()
        .await
}

async fn net_sup(shared: Arc<Shared>) -> Result<SupervisorRef, StartError> {
    let [for_connections, for_listener, for_drain, for_progress] =
        std::array::from_fn(|_| Arc::clone(&shared));
    let mut supervisor = Supervisor::new(Strategy::RestForOne)
        .name(NET_SUP)
        .intensity(5, MINUTE)
        .child(ChildSpec::supervisor(CONNECTION_SUP, move || {
            connection_sup(Arc::clone(&for_connections))
        }))
        .child(ChildSpec::new(LISTENER, move || {
            listener::start(Arc::clone(&for_listener))
        }))
        .child(ChildSpec::new("drain_signal", move || {
            drain_signal::start(Arc::clone(&for_drain))
        }));
    if shared.settings.verbose {
        supervisor = supervisor.child(ChildSpec::new("progress", move || {
            progress::start(Arc::clone(&for_progress))
        }));
    }
    supervisor.start_link().await
}

async fn connection_sup(shared: Arc<Shared>) -> Result<DynamicSupervisorRef, StartError> {
    // Temporary children never count for the intensity.
    DynamicSupervisor::new()
        .name(CONNECTION_SUP)
        .max_children(shared.settings.max_connections)
        .start_link()
        .await
}
