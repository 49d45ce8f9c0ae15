//! Clients: who uses and watches which tubes, who waits, who has which jobs.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::protocol::{JobId, Response, TubeName};
use crate::queue::clock::{MARGIN, Moment};
use crate::queue::tube::{TubeKey, Tubes};
use crate::queue::{Effect, Queue};

/// Names a client. Given by the caller, never twice while the program runs.
pub type ClientId = u64;

/// What kind of client joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientKind {
    /// One that speaks the protocol.
    Connection,
    /// A worker of the program itself, which watches this tube alone.
    Worker(TubeName),
}

/// What a connection was to a queue that is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejoin {
    /// The tube that it uses.
    pub using: TubeName,
    /// The tubes that it watches: at least one.
    pub watching: Vec<TubeName>,
    /// It has put a job.
    pub produces: bool,
    /// It has asked for a job.
    pub works: bool,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) is_connection: bool,
    pub(super) using: TubeKey,
    /// In the order in which clients are told.
    pub(super) watching: Vec<TubeKey>,
    pub(super) reserved: BTreeSet<(Moment, JobId)>,
    pub(super) wait: Option<Wait>,
    /// It has put a job.
    pub(super) produces: bool,
    /// It has asked for a job.
    pub(super) works: bool,
}

/// It waits for a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) ticket: u64,
    /// When one of its jobs has a second left.
    pub(super) margin: Option<Moment>,
    /// When it gives up, if ever: not after the margin.
    pub(super) until: Option<Moment>,
}

impl Client {
    /// Whether one of its jobs is in the last second of its TTR.
    pub(super) fn deadline_is_soon(&self, now: Moment) -> bool {
        self.margin().is_some_and(|at| at <= now)
    }

    /// When the last second of one of its jobs begins.
    pub(super) fn margin(&self) -> Option<Moment> {
        self.reserved.first().map(|&(until, _)| until.minus(MARGIN))
    }
}

/// All clients.
#[derive(Debug, Default)]
pub(super) struct Clients {
    clients: FxHashMap<ClientId, Client>,
    pub(super) connections: u64,
    pub(super) connections_total: u64,
    pub(super) producers: u64,
    pub(super) workers: u64,
    pub(super) waiting: u64,
}

impl Clients {
    pub(super) fn get(&self, id: ClientId) -> Option<&Client> {
        self.clients.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.get_mut(&id)
    }

    pub(super) fn note_producer(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get_mut(&id)
            && !std::mem::replace(&mut client.produces, true)
        {
            self.producers += 1;
        }
    }

    pub(super) fn note_worker(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get_mut(&id)
            && !std::mem::replace(&mut client.works, true)
        {
            self.workers += 1;
        }
    }
}

impl Queue {
    /// A client is there. One that is known already, for it holds a [lease](Queue::relet), keeps
    /// its jobs.
    pub fn client_joined(&mut self, id: ClientId, kind: &ClientKind) {
        let is_connection = *kind == ClientKind::Connection;
        if self.clients.get(id).is_none() {
            let client = Client {
                is_connection,
                using: Tubes::DEFAULT,
                watching: vec![Tubes::DEFAULT],
                reserved: BTreeSet::new(),
                wait: None,
                produces: false,
                works: false,
            };
            self.clients.clients.insert(id, client);
            let tube = &mut self.tubes[Tubes::DEFAULT];
            tube.users += 1;
            tube.watching += 1;
            if is_connection {
                tube.using += 1;
                self.clients.connections += 1;
                self.clients.connections_total += 1;
            }
        }
        if let ClientKind::Worker(tube) = kind {
            self.becomes_worker(id);
            let tube = self.tubes.find_or_make(tube);
            self.watch(id, tube);
            self.watch_only(id, vec![tube]);
        }
    }

    /// A connection is there that was there before the queue was lost.
    pub fn client_rejoined(&mut self, id: ClientId, was: &Rejoin) {
        self.client_joined(id, &ClientKind::Connection);
        self.use_tube(id, &was.using);
        for tube in &was.watching {
            let tube = self.tubes.find_or_make(tube);
            self.watch(id, tube);
        }
        // The list is in the order in which it was.
        let watching = was
            .watching
            .iter()
            .filter_map(|tube| self.tubes.find(tube))
            .collect();
        self.watch_only(id, watching);
        if was.produces {
            self.clients.note_producer(id);
        }
        if was.works {
            self.clients.note_worker(id);
        }
    }

    /// It was taken for a connection, for it held a lease.
    fn becomes_worker(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get_mut(id)
            && std::mem::replace(&mut client.is_connection, false)
        {
            self.tubes[client.using].using -= 1;
            self.clients.connections -= 1;
            self.clients.connections_total -= 1;
        }
    }

    /// A client is gone: what it had is given back at once.
    pub fn client_gone(
        &mut self,
        id: ClientId,
        now: std::time::Duration,
        effects: &mut Vec<Effect>,
    ) {
        self.stop_waiting(id);
        let Some(client) = self.clients.clients.get(&id) else {
            return;
        };
        let jobs: Vec<JobId> = client.reserved.iter().map(|&(_, job)| job).collect();
        for job in jobs {
            self.leave_state(job, effects);
            self.make_ready(job);
        }
        let Some(client) = self.clients.clients.remove(&id) else {
            return;
        };
        self.clients.connections -= u64::from(client.is_connection);
        self.clients.producers -= u64::from(client.produces);
        self.clients.workers -= u64::from(client.works);
        let tube = &mut self.tubes[client.using];
        tube.users -= 1;
        tube.using -= u64::from(client.is_connection);
        self.release_tube(client.using);
        for key in client.watching {
            self.tubes[key].watching -= 1;
            self.release_tube(key);
        }
        self.dispatch(Moment::new(now), effects);
    }

    /// A client will send nothing more, but may still be told something: if it waits for a job,
    /// that ends with `TIMED_OUT`.
    pub fn client_half_closed(&mut self, id: ClientId, effects: &mut Vec<Effect>) {
        if self.stop_waiting(id).is_some() {
            effects.push(Effect::Reply(id, Response::TimedOut));
        }
    }

    /// Adds a tube to those that a client watches, and says how many these are.
    pub(super) fn watch(&mut self, id: ClientId, tube: TubeKey) -> usize {
        let Some(client) = self.clients.get_mut(id) else {
            return 0;
        };
        if !client.watching.contains(&tube) {
            client.watching.push(tube);
            self.tubes[tube].watching += 1;
        }
        client.watching.len()
    }

    /// Takes a tube from those that a client watches, and says how many are left; nothing if it
    /// would be the last.
    pub(super) fn unwatch(&mut self, id: ClientId, tube: TubeKey) -> Option<usize> {
        let client = self.clients.get_mut(id)?;
        let Some(place) = client.watching.iter().position(|key| *key == tube) else {
            return Some(client.watching.len());
        };
        if client.watching.len() == 1 {
            return None;
        }
        client.watching.swap_remove(place);
        let left = client.watching.len();
        self.tubes[tube].watching -= 1;
        self.release_tube(tube);
        Some(left)
    }

    /// Of all tubes that a client watches, these are left, in this order.
    fn watch_only(&mut self, id: ClientId, tubes: Vec<TubeKey>) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        if tubes.is_empty() {
            return;
        }
        let before = std::mem::replace(&mut client.watching, tubes);
        let client = &self.clients.clients[&id];
        for tube in before {
            if !client.watching.contains(&tube) {
                self.tubes[tube].watching -= 1;
                if let Some(pause) = self.tubes.release(tube) {
                    self.clock.pauses.remove(&(pause.until, tube));
                }
            }
        }
    }

    /// From now on the client waits for a job of any tube that it watches.
    pub(super) fn start_waiting(&mut self, id: ClientId, until: Option<Moment>) {
        let ticket = self.ticket();
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        let margin = client.margin();
        let until = [until, margin].into_iter().flatten().min();
        client.wait = Some(Wait {
            ticket,
            margin,
            until,
        });
        for tube in &client.watching {
            self.tubes[*tube].waiting.insert((ticket, id));
        }
        if let Some(at) = until {
            self.clock.patience.insert((at, id));
        }
        self.clients.waiting += 1;
    }

    /// How it waited, if it did.
    pub(super) fn stop_waiting(&mut self, id: ClientId) -> Option<Wait> {
        let client = self.clients.get_mut(id)?;
        let wait = client.wait.take()?;
        for tube in &client.watching {
            self.tubes[*tube].waiting.remove(&(wait.ticket, id));
        }
        if let Some(at) = wait.until {
            self.clock.patience.remove(&(at, id));
        }
        self.clients.waiting -= 1;
        Some(wait)
    }
}
