//! The ledger: what clients have sent and been answered, and so what must be true of every job.
//!
//! It is plain data. A job is known by the serial number in its body, since a put that was not
//! answered has no id. What is certain of it:
//!
//! ```text
//! put sent ──INSERTED──> there ──delete sent──> in doubt ──DELETED──> gone
//! ```
//!
//! A server that is killed leaves a job whose put was sent, or whose deletion was sent, in doubt
//! until somebody looks. Beside that each job has the states in which it may stand on disk: one
//! after an answer, two while an answer to a release, bury or kick is awaited. A reservation is no
//! state on disk: the job is what it was before.
//!
//! Reservations are held by a client from its RESERVED until it sends what ends it, closes, or its
//! time is over. Nobody knows when the server gave the job, but it was not before the client asked:
//! so until the time of asking plus the TTR nobody else may have it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::violation::{Kind, Violation};

/// Where a job stands on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    /// Until then, on the clock of the ledger; ready after it.
    Delayed(Duration),
    Buried,
}

/// A state and the priority that the job has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) state: State,
    pub(crate) pri: u32,
}

/// What a job is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) tube: u32,
    pub(crate) ttr: u32,
    pub(crate) place: Place,
}

/// What is certain of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    PutSent,
    There,
    DeleteSent,
    Gone,
}

/// One job.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: Option<u64>,
    pub(crate) known: Known,
    pub(crate) tube: u32,
    pub(crate) ttr: u32,
    pub(crate) places: Vec<Place>,
    /// How many deletions are not answered.
    deleting: u32,
    /// How many changes were sent: an answer is certain only if nothing was sent after it.
    changes: u64,
}

/// A change that was sent and is not answered yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    number: u64,
    place: Place,
}

/// A client's connection: another one after each reconnect.
pub(crate) type Client = u64;

struct Hold {
    client: Client,
    /// Nobody else may have the job before.
    until: Duration,
}

/// Sums for the report.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Counts {
    pub(crate) put: u64,
    pub(crate) inserted: u64,
    pub(crate) reserved: u64,
    pub(crate) deleted: u64,
    pub(crate) released: u64,
    pub(crate) buried: u64,
    pub(crate) kicked: u64,
    /// Changes that were refused because the TTR was over.
    pub(crate) too_late: u64,
}

/// Everything.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<u64, Entry>,
    holds: HashMap<u64, Hold>,
    ids: HashMap<u64, u64>,
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<Violation>,
}

impl Ledger {
    fn violation(&mut self, kind: Kind, serial: u64, detail: String) {
        let id = self.entries.get(&serial).and_then(|entry| entry.id);
        self.violations.push(Violation {
            kind,
            serial,
            id,
            detail,
        });
    }

    /// A put is about to be sent.
    pub(crate) fn put_sent(&mut self, serial: u64, job: Job) {
        self.counts.put += 1;
        self.entries.insert(
            serial,
            Entry {
                id: None,
                known: Known::PutSent,
                tube: job.tube,
                ttr: job.ttr,
                places: vec![job.place],
                deleting: 0,
                changes: 0,
            },
        );
    }

    /// The put was answered with this id.
    pub(crate) fn inserted(&mut self, serial: u64, id: u64) {
        self.counts.inserted += 1;
        self.has_id(serial, id);
        if let Some(entry) = self.entries.get_mut(&serial)
            && entry.known == Known::PutSent
        {
            entry.known = Known::There;
        }
    }

    /// The job was seen with this id.
    fn has_id(&mut self, serial: u64, id: u64) {
        if let Some(other) = self.ids.insert(id, serial)
            && other != serial
        {
            let detail = format!("{id} was given to the job {other} before");
            self.violation(Kind::IdTwice, serial, detail);
        }
        if let Some(entry) = self.entries.get_mut(&serial) {
            match entry.id {
                Some(known) if known != id => {
                    let detail = format!("it had {known} and now has {id}");
                    self.violation(Kind::IdTwice, serial, detail);
                }
                _ => entry.id = Some(id),
            }
        }
    }

    /// A client that asked at `asked` was given the job at `now`.
    pub(crate) fn reserved(
        &mut self,
        client: Client,
        serial: u64,
        id: u64,
        asked: Duration,
        now: Duration,
    ) {
        self.counts.reserved += 1;
        self.has_id(serial, id);
        let Some(entry) = self.entries.get_mut(&serial) else {
            self.violation(Kind::Unknown, serial, "nobody has put it".into());
            return;
        };
        let ttr = Duration::from_secs(entry.ttr.into());
        let until = asked + ttr;
        match entry.known {
            // It is there, though nobody had an answer.
            Known::PutSent => entry.known = Known::There,
            // An answer that was read so late says nothing about the present.
            Known::Gone if now < until => {
                self.violation(Kind::CameBack, serial, "it was reserved".into());
            }
            _ => {}
        }
        if now >= until {
            return;
        }
        let hold = Hold { client, until };
        if let Some(other) = self.holds.insert(serial, hold)
            && other.client != client
            && now < other.until
        {
            let left = other.until - now;
            let detail = format!(
                "client {client} was given it {left:?} before the time of client {} was over",
                other.client
            );
            self.violation(Kind::TwoHolders, serial, detail);
        }
    }

    /// The client touches the job; its time begins again when it asks for that.
    pub(crate) fn touched(&mut self, client: Client, serial: u64, asked: Duration) {
        if let Some(entry) = self.entries.get(&serial)
            && let Some(hold) = self.holds.get_mut(&serial)
            && hold.client == client
        {
            hold.until = asked + Duration::from_secs(entry.ttr.into());
        }
    }

    /// Until when the job is this client's for sure, if it is.
    pub(crate) fn held_until(&self, client: Client, serial: u64) -> Option<Duration> {
        let hold = self.holds.get(&serial)?;
        (hold.client == client).then_some(hold.until)
    }

    /// The client is about to send what ends its reservation; until when it had the job for
    /// sure, if it did.
    pub(crate) fn lets_go(&mut self, client: Client, serial: u64) -> Option<Duration> {
        let until = self.held_until(client, serial)?;
        self.holds.remove(&serial);
        Some(until)
    }

    /// The client was told NOT_FOUND at `now` for a job that was its own until `until`.
    pub(crate) fn refused(&mut self, serial: u64, until: Option<Duration>, now: Duration) {
        self.counts.too_late += 1;
        if let Some(until) = until
            && now < until
        {
            let detail = format!("NOT_FOUND {:?} before its time was over", until - now);
            self.violation(Kind::TakenEarly, serial, detail);
        }
    }

    /// The client's connection is gone, or will be in a moment.
    pub(crate) fn client_gone(&mut self, client: Client) {
        self.holds.retain(|_, hold| hold.client != client);
    }

    /// A deletion is about to be sent.
    pub(crate) fn delete_sent(&mut self, serial: u64) {
        if let Some(entry) = self.entries.get_mut(&serial) {
            entry.deleting += 1;
            if entry.known == Known::There {
                entry.known = Known::DeleteSent;
            }
        }
    }

    /// It was answered.
    pub(crate) fn deleted(&mut self, serial: u64) {
        self.counts.deleted += 1;
        if let Some(entry) = self.entries.get_mut(&serial) {
            entry.deleting = entry.deleting.saturating_sub(1);
            if entry.known == Known::Gone {
                self.violation(Kind::CameBack, serial, "it was deleted twice".into());
            } else {
                entry.known = Known::Gone;
            }
        }
    }

    /// It was refused: the job is as it was, unless another deletes it.
    pub(crate) fn not_deleted(&mut self, serial: u64) {
        if let Some(entry) = self.entries.get_mut(&serial) {
            entry.deleting = entry.deleting.saturating_sub(1);
            if entry.known == Known::DeleteSent && entry.deleting == 0 {
                entry.known = Known::There;
            }
        }
    }

    /// A change of place is about to be sent: from now on the job may be in either.
    pub(crate) fn change_sent(&mut self, serial: u64, place: Place) -> Change {
        let mut number = 0;
        if let Some(entry) = self.entries.get_mut(&serial) {
            entry.places.push(place);
            entry.changes += 1;
            number = entry.changes;
        }
        Change { number, place }
    }

    /// The change was answered: if nothing was sent after it, the job is in this place only.
    pub(crate) fn changed(&mut self, serial: u64, change: Change) {
        match change.place.state {
            State::Buried => self.counts.buried += 1,
            _ => self.counts.released += 1,
        }
        if let Some(entry) = self.entries.get_mut(&serial)
            && entry.changes == change.number
        {
            entry.places = vec![change.place];
        }
    }

    /// A job that rests, buried or delayed for long, as its serial, id and priority: the one after
    /// this serial, or the first.
    pub(crate) fn resting(&self, after: u64) -> Option<(u64, u64, u32)> {
        let rests = |(&serial, entry): (&u64, &Entry)| match entry.places[..] {
            [place] if entry.known == Known::There && place.state != State::Ready => {
                Some((serial, entry.id?, place.pri))
            }
            _ => None,
        };
        let mut later = self.entries.range(after..);
        later
            .find_map(rests)
            .or_else(|| self.entries.iter().find_map(rests))
    }

    /// The server is about to be ended: nobody holds anything any more.
    pub(crate) fn server_gone(&mut self) {
        self.holds.clear();
    }

    /// All jobs, by serial number.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.iter().map(|(&serial, entry)| (serial, entry))
    }

    /// What a look at the job, while no client is there, has shown: `None` if it is not there.
    pub(crate) fn seen(&mut self, serial: u64, seen: Option<Seen>, now: Duration) {
        let Some(entry) = self.entries.get_mut(&serial) else {
            return;
        };
        entry.deleting = 0;
        match (entry.known, seen) {
            (Known::There, None) => {
                entry.known = Known::Gone;
                self.violation(Kind::Lost, serial, "NOT_FOUND after the restart".into());
            }
            (Known::DeleteSent, None) => entry.known = Known::Gone,
            (Known::PutSent | Known::Gone, None) => {}
            (Known::Gone, Some(_)) => {
                self.violation(
                    Kind::CameBack,
                    serial,
                    "it is there after the restart".into(),
                );
            }
            (_, Some(seen)) => {
                entry.known = Known::There;
                let expected = entry.places.clone();
                let possible = expected.iter().copied().find(|place| seen.is(place, now));
                match possible {
                    Some(place) => entry.places = vec![place],
                    None => {
                        entry.places = vec![seen.place(now)];
                        let detail = format!("{seen:?} and should be one of {expected:?}");
                        self.violation(Kind::WrongState, serial, detail);
                    }
                }
                let entry = &self.entries[&serial];
                let same = entry.tube == seen.tube && entry.ttr == seen.ttr && seen.body_is_right;
                if !same {
                    let detail = format!("{seen:?}, put as {entry:?}");
                    self.violation(Kind::Changed, serial, detail);
                }
            }
        }
    }
}

/// What a look at a job has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) state: SeenState,
    pub(crate) pri: u32,
    pub(crate) tube: u32,
    pub(crate) ttr: u32,
    pub(crate) body_is_right: bool,
}

/// The states that `stats-job` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeenState {
    Ready,
    Delayed,
    Buried,
    Reserved,
}

impl Seen {
    fn is(&self, place: &Place, now: Duration) -> bool {
        let state = match place.state {
            State::Ready => self.state == SeenState::Ready,
            State::Buried => self.state == SeenState::Buried,
            // It is delayed until its time has come; how long exactly after a restart, each server
            // decides for itself.
            State::Delayed(until) => {
                self.state == SeenState::Delayed
                    || (self.state == SeenState::Ready && now + Duration::from_secs(1) >= until)
            }
        };
        state && place.pri == self.pri
    }

    fn place(&self, now: Duration) -> Place {
        let state = match self.state {
            SeenState::Ready | SeenState::Reserved => State::Ready,
            SeenState::Buried => State::Buried,
            SeenState::Delayed => State::Delayed(now),
        };
        Place {
            state,
            pri: self.pri,
        }
    }
}
