//! Tubes, jobs and clients: what each command does, without clock and without I/O.
//!
//! A [`Queue`] is told what clients want and what time it is, and says what is to be done about
//! it: a list of [`Effect`]s, in order. It is the only one who changes the state of a job:
//!
//! | state | entered by | left by |
//! |---|---|---|
//! | ready | put, release, kick, the end of a delay or TTR, a client that is gone | reserve, reserve-job, delete |
//! | delayed | put or release with a delay, a failure | the end of the delay, kick, reserve-job, delete |
//! | reserved | reserve, reserve-job | delete, release, bury and failure by its client, the end of the TTR, a client that is gone |
//! | buried | bury, too many failures | kick, reserve-job, delete |
//!
//! What holds between two calls:
//!
//! * No client waits for a job of a tube that is not paused and has a ready one.
//! * A job is reserved by one client at most, and that client knows it.
//! * A tube exists as long as it has jobs, or a client uses or watches it; `default` always does.
//!
//! Its clock is given with each call: the time since the Unix epoch when the program started, and
//! what passed since then by a clock that is never set. So it agrees from one run to the next.
//!
//! The caller keeps three rules. It calls [`advance`](Queue::advance) when
//! [`next_due`](Queue::next_due) says so, and before commands that it has at a later time. A client
//! that waits for a job sends nothing more until it is answered. Effects are carried out in order;
//! answers to one client reach it in the order of its requests.

mod client;
mod clock;
mod commands;
mod config;
mod effect;
mod job;
mod moves;
mod recovery;
mod stats;
mod tube;
mod work;

use rustc_hash::FxHashMap;

pub use client::{ClientId, ClientKind, Rejoin};
pub use config::{Config, Host, Usage};
pub use effect::{Effect, PausedTube, Record, Row, RowState, RowUpdate, Tally};
pub use recovery::Lease;
pub use stats::Summary;
pub use work::{Failed, Retry};

use crate::protocol::JobId;
use client::Clients;
use clock::Clock;
use effect::Notes;
use job::Jobs;
use stats::Counters;
use tube::{TubeKey, Tubes};

/// The state of everything: see the [module](self).
#[derive(Debug)]
pub struct Queue {
    config: Config,
    jobs: Jobs,
    tubes: Tubes,
    clients: Clients,
    clock: Clock,
    /// Why jobs failed: few have such a note.
    notes: Notes,
    counters: Counters,
    draining: bool,
    next_id: JobId,
    /// Orders the buried jobs, and those who wait.
    next_ticket: u64,
    /// Tubes in which a job became ready that somebody may be waiting for.
    dirty: Vec<TubeKey>,
}

impl Queue {
    /// An empty queue.
    pub fn new(config: Config) -> Queue {
        Queue {
            config,
            jobs: Jobs::default(),
            tubes: Tubes::new(),
            clients: Clients::default(),
            clock: Clock::default(),
            notes: FxHashMap::default(),
            counters: Counters::default(),
            draining: false,
            next_id: 1,
            next_ticket: 0,
            dirty: Vec::new(),
        }
    }

    /// From now on no new jobs are taken.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }
}

#[cfg(test)]
mod tests;
