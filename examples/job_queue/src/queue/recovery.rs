//! How a queue comes back: from the rows on disk, and from the leases that outlived it.

use std::time::Duration;

use crate::protocol::JobId;
use crate::queue::client::{ClientId, ClientKind};
use crate::queue::clock::Moment;
use crate::queue::effect::{Row, RowState};
use crate::queue::job::{Job, State};
use crate::queue::tube::Pause;
use crate::queue::{Effect, PausedTube, Queue};

/// A client has a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Which.
    pub job: JobId,
    /// Who.
    pub client: ClientId,
    /// How long, by the queue's clock.
    pub until: Duration,
}

impl Queue {
    /// Takes a job from disk. Jobs whose delay is over become ready by the next
    /// [`advance`](Queue::advance).
    pub fn restore(&mut self, row: Row) {
        if self.jobs.get(row.id).is_some() {
            return;
        }
        let id = row.id;
        self.next_id = self.next_id.max(id.saturating_add(1));
        let tube = self.tubes.find_or_make(&row.tube);
        self.jobs.insert(Job {
            id,
            body: row.body,
            created: Moment::from_millis(row.created),
            state: State::Ready,
            tally: row.tally,
            tube,
            pri: row.pri,
            delay: row.delay,
            ttr: row.ttr.max(1),
        });
        if let Some(note) = row.note {
            self.notes.insert(id, note);
        }
        match row.state {
            RowState::Ready => self.make_ready(id),
            RowState::Delayed(until) => {
                self.make_delayed(id, Moment::from_millis(until));
            }
            RowState::Buried(ticket) => {
                self.next_ticket = self.next_ticket.max(ticket);
                if let Some(job) = self.jobs.get_mut(id) {
                    job.state = State::Buried { ticket };
                }
                self.tubes[tube].buried.insert((ticket, id));
                self.counters.buried += 1;
            }
        }
    }

    /// The id that the next job gets.
    pub fn next_id(&self) -> JobId {
        self.next_id
    }

    /// New jobs get ids from `id` on: so that those of deleted jobs are not given again.
    pub fn ids_from(&mut self, id: JobId) {
        self.next_id = self.next_id.max(id);
    }

    /// Gives a job back to the client that had it before the queue was lost. The client need not
    /// have joined yet; if it does not come back, it is to be reported [gone](Queue::client_gone).
    /// Says whether there is such a job and nobody has it.
    pub fn relet(&mut self, lease: Lease, effects: &mut Vec<Effect>) -> bool {
        let state = self.jobs.get(lease.job).map(|job| job.state);
        if matches!(state, None | Some(State::Reserved { .. })) {
            return false;
        }
        if self.clients.get(lease.client).is_none() {
            self.client_joined(lease.client, &ClientKind::Connection);
        }
        self.leave_state(lease.job, effects);
        if let Some(job) = self.jobs.get_mut(lease.job) {
            job.tally.reserves += 1;
        }
        self.make_reserved(lease.job, lease.client, Moment::new(lease.until));
        true
    }

    /// Pauses a tube again. A tube that nobody needs yet is there until the pause ends.
    pub fn repause(&mut self, paused: &PausedTube) {
        let key = self.tubes.find_or_make(&paused.tube);
        self.end_pause(key);
        self.start_pause(
            key,
            Pause {
                seconds: paused.seconds,
                until: Moment::new(paused.until),
            },
        );
    }

    /// Who has which jobs.
    pub fn leases(&self) -> impl Iterator<Item = Lease> + '_ {
        self.clock
            .expiries
            .iter()
            .filter_map(|&(until, id)| match self.jobs.get(id)?.state {
                State::Reserved { by, .. } => Some(Lease {
                    job: id,
                    client: by,
                    until: until.to_duration(),
                }),
                _ => None,
            })
    }

    /// A new job could not be stored: it is no job. Whoever has it already will be told
    /// `NOT_FOUND`. Nobody is answered and nothing is written.
    pub fn forget(&mut self, id: JobId, effects: &mut Vec<Effect>) {
        self.leave_state(id, effects);
        self.notes.remove(&id);
        if let Some(job) = self.jobs.remove(id) {
            self.release_tube(job.tube);
        }
    }
}
