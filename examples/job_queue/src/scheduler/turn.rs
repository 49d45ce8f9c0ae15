//! What one turn of the scheduler comes to: carried out all at once at its end.
//!
//! The order matters. First the leases, so that whoever is told of a reservation keeps it if the
//! scheduler crashes; then the records go to the store, which outlives the scheduler; then people
//! are told. If the scheduler crashes before, nothing of the turn has happened for anybody, and
//! what was asked in it can be asked again.

use regrow::{Pid, self_pid, send};

use super::Left;
use crate::answer::{Asker, Waiting};
use crate::protocol::{JobId, Response};
use crate::queue::{PausedTube, Record};
use crate::shared::{Let, Shared};
use crate::store::{Batch, StoreRef};

#[derive(Debug, Default)]
pub(super) struct Turn {
    leases: Vec<(JobId, Option<Let>)>,
    records: Vec<Record>,
    stored: Vec<Waiting>,
    told: Vec<Waiting>,
    left: Vec<Pid>,
    paused: Vec<PausedTube>,
}

impl Turn {
    pub(super) fn is_empty(&self) -> bool {
        self.leases.is_empty()
            && self.records.is_empty()
            && self.stored.is_empty()
            && self.told.is_empty()
            && self.left.is_empty()
            && self.paused.is_empty()
    }

    /// `None`: nobody has the job.
    pub(super) fn lease(&mut self, job: JobId, lease: Option<Let>) {
        self.leases.push((job, lease));
    }

    pub(super) fn store(&mut self, record: Record) {
        self.records.push(record);
    }

    /// To be told when the records of this turn are on disk.
    pub(super) fn tell_when_stored(&mut self, asker: Asker, response: Response) {
        self.stored.push(Waiting { asker, response });
    }

    pub(super) fn tell(&mut self, asker: Asker, response: Response) {
        self.told.push(Waiting { asker, response });
    }

    pub(super) fn pause(&mut self, paused: PausedTube) {
        self.paused.push(paused);
    }

    /// The client of this connection has left.
    pub(super) fn left(&mut self, connection: Pid) {
        self.left.push(connection);
    }

    pub(super) fn carry_out(&mut self, shared: &Shared, store: &StoreRef, next_id: JobId) {
        if !self.leases.is_empty() {
            let mut leases = shared.leases();
            for (job, lease) in self.leases.drain(..) {
                match lease {
                    Some(lease) => leases.insert(job, lease),
                    None => leases.remove(&job),
                };
            }
        }
        for paused in self.paused.drain(..) {
            shared.pauses().insert(paused.tube.clone(), paused);
        }
        shared.set_next_job(next_id);
        if !self.records.is_empty() || !self.stored.is_empty() {
            store.write(Batch {
                records: std::mem::take(&mut self.records),
                waiting: std::mem::take(&mut self.stored),
                next_id,
                scheduler: self_pid(),
            });
        }
        self.told.drain(..).for_each(Waiting::tell);
        for connection in self.left.drain(..) {
            send(connection, Left);
        }
    }
}
