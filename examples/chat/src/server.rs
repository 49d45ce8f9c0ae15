//! What all parts of the server know: the settings, and the counter that names connections.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock;
use crate::db::schema::Location;
use crate::room::protocol::Uid;

/// What the server calls itself; clients know a server name by its dot.
pub(crate) const SERVER_NAME: &str = "chat.regrow";
/// The software and its version.
pub(crate) const VERSION: &str = concat!("regrow-chat-", env!("CARGO_PKG_VERSION"));

/// The settings, all of them checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) database: Location,
    pub(crate) max_connections: usize,
    /// Rooms that may run at the same time.
    pub(crate) max_rooms: usize,
    pub(crate) chaos: bool,
    /// Replaces the restart intensity of every supervisor.
    pub(crate) restart_intensity: Option<u32>,
    pub(crate) ping_interval: Duration,
    pub(crate) registration_timeout: Duration,
    /// Bytes that may wait for one client.
    pub(crate) send_queue: usize,
    /// How long messages wait for the database.
    pub(crate) history_wait: Duration,
    /// How many messages of a room wait for the database.
    pub(crate) history_queue: usize,
    /// How long an empty room stays.
    pub(crate) room_idle: Duration,
    pub(crate) flood_burst: u32,
    /// Lines a second.
    pub(crate) flood_rate: f64,
}

/// One running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) config: Config,
    /// In microseconds since 1970.
    pub(crate) started: i64,
    /// Where the listener really listens (the system chooses if the port is 0); a restarted
    /// listener takes the same.
    pub(crate) address: OnceLock<SocketAddr>,
    next_uid: AtomicI64,
}

impl Server {
    /// A server that is about to start.
    pub(crate) fn new(config: Config) -> Server {
        let started = clock::now_micros();
        // Milliseconds in the upper bits: later servers count from higher numbers, so a number
        // in the database is never given out again.
        let next_uid = AtomicI64::new((started / 1_000) << 20);
        Server {
            config,
            started,
            address: OnceLock::new(),
            next_uid,
        }
    }

    /// A name for a new connection.
    pub(crate) fn next_uid(&self) -> Uid {
        self.next_uid.fetch_add(1, Ordering::Relaxed)
    }
}
