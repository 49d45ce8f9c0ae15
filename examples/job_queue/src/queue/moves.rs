//! Jobs on their way from one state to another, and to those who wait for them.
//!
//! Every change is `leave_state`, then one of the `make_` functions; `dispatch` follows when all
//! jobs of a call are where they belong.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::protocol::{JobId, Response};
use crate::queue::client::ClientId;
use crate::queue::clock::Moment;
use crate::queue::effect::{Record, RowState, RowUpdate};
use crate::queue::job::State;
use crate::queue::tube::{Pause, TubeKey};
use crate::queue::{Effect, Queue};

impl Queue {
    /// Takes a job out of the state that it is in: out of all lists but that of all jobs.
    pub(super) fn leave_state(&mut self, id: JobId, effects: &mut Vec<Effect>) {
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        let tube = &mut self.tubes[job.tube];
        match job.state {
            State::Ready => {
                tube.ready.remove(&(job.pri, id));
                if job.is_urgent() {
                    tube.urgent -= 1;
                    self.counters.urgent -= 1;
                }
                self.counters.ready -= 1;
            }
            State::Delayed { until } => {
                let key = job.tube;
                let first = tube.delayed.first().copied();
                tube.delayed.remove(&(until, id));
                self.counters.delayed -= 1;
                if first == Some((until, id)) {
                    self.clock.delays.remove(&(until, key));
                    if let Some(&(next, _)) = self.tubes[key].delayed.first() {
                        self.clock.delays.insert((next, key));
                    }
                }
            }
            State::Reserved { by, until } => {
                tube.reserved -= 1;
                self.counters.reserved -= 1;
                self.clock.expiries.remove(&(until, id));
                if let Some(client) = self.clients.get_mut(by) {
                    client.reserved.remove(&(until, id));
                }
                effects.push(Effect::LeaseEnded(id));
            }
            State::Buried { ticket } => {
                tube.buried.remove(&(ticket, id));
                self.counters.buried -= 1;
            }
        }
    }

    /// Puts a job that is in no state into the ready ones of its tube.
    pub(super) fn make_ready(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        job.state = State::Ready;
        let tube = &mut self.tubes[job.tube];
        tube.ready.insert((job.pri, id));
        if job.is_urgent() {
            tube.urgent += 1;
            self.counters.urgent += 1;
        }
        self.counters.ready += 1;
        if !tube.waiting.is_empty() && self.dirty.last() != Some(&job.tube) {
            self.dirty.push(job.tube);
        }
    }

    /// Puts a job that is in no state into the delayed ones of its tube.
    pub(super) fn make_delayed(&mut self, id: JobId, until: Moment) {
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        job.state = State::Delayed { until };
        let key = job.tube;
        let tube = &mut self.tubes[key];
        let first = tube.delayed.first().copied();
        tube.delayed.insert((until, id));
        if first.is_none_or(|first| (until, id) < first) {
            if let Some((at, _)) = first {
                self.clock.delays.remove(&(at, key));
            }
            self.clock.delays.insert((until, key));
        }
        self.counters.delayed += 1;
    }

    /// Puts a job that is in no state behind the buried ones of its tube.
    pub(super) fn make_buried(&mut self, id: JobId) {
        let ticket = self.ticket();
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        job.state = State::Buried { ticket };
        job.tally.buries += 1;
        self.tubes[job.tube].buried.insert((ticket, id));
        self.counters.buried += 1;
    }

    /// Gives a job, whatever its state, to a client.
    pub(super) fn reserve_for(
        &mut self,
        client: ClientId,
        id: JobId,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        self.leave_state(id, effects);
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        job.tally.reserves += 1;
        let until = now.plus(job.ttr);
        let body = Arc::clone(&job.body);
        self.make_reserved(id, client, until);
        effects.push(Effect::Leased {
            job: id,
            client,
            until: until.to_duration(),
        });
        effects.push(Effect::Reply(client, Response::Reserved(id, body)));
    }

    /// Puts a job that is in no state into the hands of a client.
    pub(super) fn make_reserved(&mut self, id: JobId, client: ClientId, until: Moment) {
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        job.state = State::Reserved { by: client, until };
        self.tubes[job.tube].reserved += 1;
        self.counters.reserved += 1;
        self.clock.expiries.insert((until, id));
        if let Some(client) = self.clients.get_mut(client) {
            client.reserved.insert((until, id));
        }
    }

    /// Gives jobs that became ready to those who wait for them: the most urgent job first, to
    /// who has waited longest.
    pub(super) fn dispatch(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.dirty.is_empty() {
            return;
        }
        let mut dirty = std::mem::take(&mut self.dirty);
        let offers = dirty
            .drain(..)
            .filter_map(|tube| Some((self.tubes[tube].next_ready()?, tube)));
        let mut offers: BTreeSet<((u32, JobId), TubeKey)> = offers.collect();
        self.dirty = dirty;
        while let Some(((_, id), tube)) = offers.pop_first() {
            let Some(&(_, client)) = self.tubes[tube].waiting.first() else {
                continue;
            };
            self.stop_waiting(client);
            self.reserve_for(client, id, now, effects);
            if let Some(next) = self.tubes[tube].next_ready() {
                offers.insert((next, tube));
            }
        }
    }

    /// Lets no client reserve from a tube that is not paused.
    pub(super) fn start_pause(&mut self, key: TubeKey, pause: Pause) {
        self.tubes[key].pause = Some(pause);
        self.clock.pauses.insert((pause.until, key));
    }

    /// Lets clients reserve from the tube again. [`dispatch`](Queue::dispatch) is to follow.
    pub(super) fn end_pause(&mut self, key: TubeKey) {
        let tube = &mut self.tubes[key];
        if let Some(pause) = tube.pause.take() {
            self.clock.pauses.remove(&(pause.until, key));
        }
        if !tube.waiting.is_empty() {
            self.dirty.push(key);
        }
    }

    /// Somebody does not need the tube any more.
    pub(super) fn release_tube(&mut self, key: TubeKey) {
        if let Some(pause) = self.tubes.release(key) {
            self.clock.pauses.remove(&(pause.until, key));
        }
    }

    /// Has the present state of a job written.
    pub(super) fn store_state(&mut self, id: JobId, effects: &mut Vec<Effect>) {
        let Some(job) = self.jobs.get(id) else { return };
        let state = match job.state {
            State::Ready | State::Reserved { .. } => RowState::Ready,
            State::Delayed { until } => RowState::Delayed(until.to_millis()),
            State::Buried { ticket } => RowState::Buried(ticket),
        };
        let update = RowUpdate {
            id,
            pri: job.pri,
            delay: job.delay,
            state,
            tally: job.tally,
            note: self.notes.get(&id).cloned(),
        };
        self.store(Record::State(update), effects);
    }

    pub(super) fn store(&mut self, record: Record, effects: &mut Vec<Effect>) {
        self.counters.records += 1;
        effects.push(Effect::Store(record));
    }
}
