//! What the parts of a running system share.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use crate::chaos::Kills;
use crate::http::gate::Gate;
use crate::repo::Location;

/// Restarts that a supervisor allows, and in which time.
const INTENSITY: (u32, Duration) = (10, Duration::from_secs(60));
/// The same where things are killed on purpose.
const CHAOS_INTENSITY: (u32, Duration) = (1_000_000, Duration::from_secs(60));

/// Settings, and what outlives the processes that use it.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) database: Location,
    /// The address of the bank.
    pub(crate) bank: String,
    /// Orders that are worked on at a time.
    pub(crate) max_processing: usize,
    /// How long a bank that does not answer is asked.
    pub(crate) payment_patience: Duration,
    /// How long the program waits for those who work when it ends.
    pub(crate) drain: Duration,
    /// Anybody may kill things.
    pub(crate) chaos: bool,
    /// So many are killed a second.
    pub(crate) chaos_rate: f64,
    pub(crate) restart_intensity: Option<u32>,
    /// The socket outlives the endpoint: while that is being started again, clients wait in line.
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) gate: Arc<Gate>,
    pub(crate) kills: Arc<Kills>,
}

impl Config {
    pub(crate) fn intensity(&self) -> (u32, Duration) {
        let usual = match self.chaos || self.chaos_rate > 0.0 {
            true => CHAOS_INTENSITY,
            false => INTENSITY,
        };
        (self.restart_intensity.unwrap_or(usual.0), usual.1)
    }
}
