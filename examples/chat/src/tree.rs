//! The supervision tree.
//!
//! ```text
//! chat_app_sup (one_for_one, 3 in 60 s)
//! ├── chat_db_sup (rest_for_one, 5 in 30 s)
//! │   ├── db_pool
//! │   └── cache
//! ├── chat_room_sup (dynamic: transient rooms, 10 in 60 s, at most --max-rooms)
//! ├── chat_conn_sup (dynamic: temporary connections)
//! └── listener
//! ```
//!
//! It stops in reverse order: nobody new comes in, the clients get their goodbye, then the rooms
//! end, and the database last.

use std::sync::Arc;
use std::time::Duration;

use regrow::{
    ChildSpec, DynamicSupervisor, DynamicSupervisorRef, GenServer, Shutdown, StartError, Strategy,
    Supervisor, SupervisorRef,
};

use crate::cache::{CACHE, Cache};
use crate::db::DB_POOL;
use crate::db::pool::{DRAIN, Pool};
use crate::listener;
use crate::server::Server;

/// The names of the supervisors.
pub(crate) const APP_SUP: &str = "chat_app_sup";
pub(crate) const DB_SUP: &str = "chat_db_sup";
pub(crate) const ROOM_SUP: &str = "chat_room_sup";
pub(crate) const CONN_SUP: &str = "chat_conn_sup";

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Starts everything, linked to the calling process.
pub(crate) async fn start(server: Arc<Server>) -> Result<SupervisorRef, StartError> {
    let [for_db, for_rooms, for_connections, for_listener] =
        std::array::from_fn(|_| Arc::clone(&server));
    Supervisor::new(Strategy::OneForOne)
        .name(APP_SUP)
        .intensity(server.config.restart_intensity.unwrap_or(3), seconds(60))
        .child(ChildSpec::supervisor(DB_SUP, move || {
            db_sup(Arc::clone(&for_db))
        }))
        .child(ChildSpec::supervisor(ROOM_SUP, move || {
            room_sup(Arc::clone(&for_rooms))
        }))
        .child(ChildSpec::supervisor(CONN_SUP, move || {
            conn_sup(Arc::clone(&for_connections))
        }))
        .child(ChildSpec::new("listener", move || {
            listener::start(Arc::clone(&for_listener))
        }))
        .start_link()
        .await
}

async fn db_sup(server: Arc<Server>) -> Result<SupervisorRef, StartError> {
    let location = server.config.database.clone();
    let pool = ChildSpec::new(DB_POOL.as_str(), move || {
        Pool::start_link(location.clone()).name(DB_POOL)
    });
    Supervisor::new(Strategy::RestForOne)
        .name(DB_SUP)
        .intensity(server.config.restart_intensity.unwrap_or(5), seconds(30))
        // What has been accepted is written before the pool ends.
        .child(pool.shutdown(Shutdown::Timeout(DRAIN + seconds(2))))
        .child(ChildSpec::new(CACHE.as_str(), || {
            Cache::start_link(()).name(CACHE)
        }))
        .start_link()
        .await
}

async fn room_sup(server: Arc<Server>) -> Result<DynamicSupervisorRef, StartError> {
    DynamicSupervisor::new()
        .name(ROOM_SUP)
        .intensity(server.config.restart_intensity.unwrap_or(10), seconds(60))
        .max_children(server.config.max_rooms)
        .start_link()
        .await
}

async fn conn_sup(server: Arc<Server>) -> Result<DynamicSupervisorRef, StartError> {
    // Temporary children never count for the intensity.
    DynamicSupervisor::new()
        .name(CONN_SUP)
        .max_children(server.config.max_connections)
        .start_link()
        .await
}
