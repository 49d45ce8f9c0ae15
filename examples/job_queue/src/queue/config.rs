//! What a queue is told about the world, once.

use std::time::Duration;

/// What a queue is told about the world.
#[derive(Debug, Clone)]
pub struct Config {
    /// The largest body that the connections accept: shown in the statistics.
    pub job_size_max: usize,
    /// When the program was started, by the queue's clock.
    pub started: Duration,
    /// The program and the machine.
    pub host: Host,
}

/// The program and the machine, as the statistics show them.
#[derive(Debug, Clone)]
pub struct Host {
    /// The process id.
    pub pid: u32,
    /// The version of the program.
    pub version: String,
    /// Drawn by lot at each start of the program.
    pub id: String,
    /// The machine's name.
    pub hostname: String,
    /// The version of its operating system.
    pub os: String,
    /// Its kind of processor.
    pub platform: String,
    /// Asks for the processor time used so far.
    pub usage: fn() -> Usage,
}

/// Processor time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Used by the program itself.
    pub user: Duration,
    /// Used by the system on its behalf.
    pub system: Duration,
}
