//! What each command of the protocol does.

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{Command, JobId, Response, TubeName, yaml};
use crate::queue::client::ClientId;
use crate::queue::clock::Moment;
use crate::queue::effect::{Record, Row, RowState, Tally};
use crate::queue::job::{Job, State};
use crate::queue::tube::{Pause, TubeKey};
use crate::queue::{Effect, PausedTube, Queue};

impl Queue {
    /// Does what a client asks for. It is answered once: at once, when the records are stored,
    /// or, if it waits for a job, by a later call.
    ///
    /// The client must have [joined](Queue::client_joined): others get `INTERNAL_ERROR`. If it
    /// waits for a job already, that ends with `TIMED_OUT` first.
    pub fn execute(
        &mut self,
        client: ClientId,
        command: Command,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(known) = self.clients.get(client) else {
            effects.push(Effect::Reply(client, Response::InternalError));
            return;
        };
        if known.wait.is_some() {
            self.client_half_closed(client, effects);
        }
        self.counters.count(&command);
        let at = Moment::new(now);
        let response = match command {
            Command::Put {
                pri,
                delay,
                ttr,
                body,
            } => {
                return self.put(client, (pri, delay, ttr), body, at, effects);
            }
            Command::Reserve { timeout } => return self.reserve(client, timeout, at, effects),
            Command::ReserveJob(id) => return self.reserve_job(client, id, at, effects),
            Command::Delete(id) => return self.delete(client, id, effects),
            Command::Release { id, pri, delay } => {
                return self.release(client, id, (pri, delay), at, effects);
            }
            Command::Bury { id, pri } => return self.bury(client, id, pri, effects),
            Command::Kick(bound) => return self.kick(client, bound, at, effects),
            Command::KickJob(id) => return self.kick_job(client, id, at, effects),
            Command::Touch(id) => self.touch(client, id, at, effects),
            Command::Use(name) => self.use_tube(client, &name),
            Command::Watch(name) => {
                let tube = self.tubes.find_or_make(&name);
                Response::Watching(self.watch(client, tube))
            }
            Command::Ignore(name) => self.ignore(client, &name),
            Command::Peek(id) => self.found(Some(id)),
            Command::PeekReady => {
                let tube = &self.tubes[self.tube_used(client)];
                self.found(tube.ready.first().map(|entry| entry.1))
            }
            Command::PeekDelayed => {
                let tube = &self.tubes[self.tube_used(client)];
                self.found(tube.delayed.first().map(|entry| entry.1))
            }
            Command::PeekBuried => {
                let tube = &self.tubes[self.tube_used(client)];
                self.found(tube.buried.first().map(|entry| entry.1))
            }
            Command::StatsJob(id) => self.stats_job(id, at),
            Command::StatsTube(name) => self.stats_tube(&name, at),
            Command::Stats => self.stats(at),
            Command::ListTubes => {
                Response::Ok(yaml::list(self.tubes.iter().map(|tube| tube.name.as_str())))
            }
            Command::ListTubeUsed => {
                Response::Using(self.tubes[self.tube_used(client)].name.clone())
            }
            Command::ListTubesWatched => self.list_watched(client),
            Command::PauseTube { tube, delay } => self.pause_tube(&tube, delay, at, effects),
        };
        effects.push(Effect::Reply(client, response));
    }

    fn put(
        &mut self,
        client: ClientId,
        (pri, delay, ttr): (u32, u32, u32),
        body: Arc<[u8]>,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        self.clients.note_producer(client);
        if self.draining {
            effects.push(Effect::Reply(client, Response::Draining));
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        let tube = self.tube_used(client);
        // A client that is given no time at all could not even delete the job.
        let ttr = ttr.max(1);
        let tally = Tally::default();
        self.jobs.insert(Job {
            id,
            body: Arc::clone(&body),
            created: now,
            state: State::Ready,
            tally,
            tube,
            pri,
            delay,
            ttr,
        });
        self.counters.jobs += 1;
        self.tubes[tube].total += 1;
        let state = if delay > 0 {
            let until = now.plus(delay);
            self.make_delayed(id, until);
            RowState::Delayed(until.to_millis())
        } else {
            self.make_ready(id);
            RowState::Ready
        };
        let row = Row {
            id,
            tube: self.tubes[tube].name.clone(),
            pri,
            delay,
            ttr,
            created: now.to_millis(),
            state,
            tally,
            note: None,
            body,
        };
        self.store(Record::Put(row), effects);
        effects.push(Effect::ReplyWhenStored(client, Response::Inserted(id)));
        self.dispatch(now, effects);
    }

    fn reserve(
        &mut self,
        client: ClientId,
        timeout: Option<u32>,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        self.clients.note_worker(client);
        let Some(state) = self.clients.get(client) else {
            return;
        };
        let ready = state
            .watching
            .iter()
            .filter_map(|tube| self.tubes[*tube].next_ready());
        if let Some((_, id)) = ready.min() {
            self.reserve_for(client, id, now, effects);
        } else if state.deadline_is_soon(now) {
            effects.push(Effect::Reply(client, Response::DeadlineSoon));
        } else if timeout == Some(0) {
            effects.push(Effect::Reply(client, Response::TimedOut));
        } else {
            self.start_waiting(client, timeout.map(|seconds| now.plus(seconds)));
        }
    }

    fn reserve_job(&mut self, client: ClientId, id: JobId, now: Moment, effects: &mut Vec<Effect>) {
        self.clients.note_worker(client);
        match self.jobs.get(id).map(|job| job.state) {
            None | Some(State::Reserved { .. }) => {
                effects.push(Effect::Reply(client, Response::NotFound));
            }
            Some(State::Ready) => self.reserve_for(client, id, now, effects),
            Some(State::Delayed { .. } | State::Buried { .. }) => {
                // On disk it is ready from now on, as all reserved jobs.
                self.reserve_for(client, id, now, effects);
                self.store_state(id, effects);
            }
        }
    }

    fn delete(&mut self, client: ClientId, id: JobId, effects: &mut Vec<Effect>) {
        let may = self.jobs.get(id).is_some_and(|job| match job.state {
            State::Reserved { by, .. } => by == client,
            _ => true,
        });
        if !may {
            effects.push(Effect::Reply(client, Response::NotFound));
            return;
        }
        self.leave_state(id, effects);
        if let Some(job) = self.jobs.remove(id) {
            self.tubes[job.tube].deletes += 1;
            self.release_tube(job.tube);
        }
        self.notes.remove(&id);
        self.store(Record::Delete(id), effects);
        effects.push(Effect::ReplyWhenStored(client, Response::Deleted));
    }

    fn release(
        &mut self,
        client: ClientId,
        id: JobId,
        (pri, delay): (u32, u32),
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        if !self.has(client, id) {
            effects.push(Effect::Reply(client, Response::NotFound));
            return;
        }
        self.leave_state(id, effects);
        if let Some(job) = self.jobs.get_mut(id) {
            job.pri = pri;
            job.delay = delay;
            job.tally.releases += 1;
        }
        if delay > 0 {
            self.make_delayed(id, now.plus(delay));
        } else {
            self.make_ready(id);
        }
        self.store_state(id, effects);
        effects.push(Effect::ReplyWhenStored(client, Response::Released));
        self.dispatch(now, effects);
    }

    fn bury(&mut self, client: ClientId, id: JobId, pri: u32, effects: &mut Vec<Effect>) {
        if !self.has(client, id) {
            effects.push(Effect::Reply(client, Response::NotFound));
            return;
        }
        self.leave_state(id, effects);
        if let Some(job) = self.jobs.get_mut(id) {
            job.pri = pri;
        }
        self.make_buried(id);
        self.store_state(id, effects);
        effects.push(Effect::ReplyWhenStored(client, Response::Buried));
    }

    fn kick(&mut self, client: ClientId, bound: u64, now: Moment, effects: &mut Vec<Effect>) {
        let key = self.tube_used(client);
        let only_buried = !self.tubes[key].buried.is_empty();
        let mut kicked = 0;
        while kicked < bound {
            let tube = &self.tubes[key];
            let next = if only_buried {
                tube.buried.first().map(|entry| entry.1)
            } else {
                tube.delayed.first().map(|entry| entry.1)
            };
            let Some(id) = next else { break };
            self.kick_out(id, effects);
            kicked += 1;
        }
        let response = Response::Kicked(kicked);
        if kicked == 0 {
            effects.push(Effect::Reply(client, response));
        } else {
            effects.push(Effect::ReplyWhenStored(client, response));
        }
        self.dispatch(now, effects);
    }

    fn kick_job(&mut self, client: ClientId, id: JobId, now: Moment, effects: &mut Vec<Effect>) {
        let state = self.jobs.get(id).map(|job| job.state);
        if !matches!(state, Some(State::Delayed { .. } | State::Buried { .. })) {
            effects.push(Effect::Reply(client, Response::NotFound));
            return;
        }
        self.kick_out(id, effects);
        effects.push(Effect::ReplyWhenStored(client, Response::KickedJob));
        self.dispatch(now, effects);
    }

    fn kick_out(&mut self, id: JobId, effects: &mut Vec<Effect>) {
        self.leave_state(id, effects);
        if let Some(job) = self.jobs.get_mut(id) {
            job.tally.kicks += 1;
            job.tally.failures = 0;
        }
        self.make_ready(id);
        self.store_state(id, effects);
    }

    fn touch(
        &mut self,
        client: ClientId,
        id: JobId,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) -> Response {
        let Some(job) = self.jobs.get_mut(id) else {
            return Response::NotFound;
        };
        let (Some(holder), State::Reserved { by, until: old }) =
            (self.clients.get_mut(client), job.state)
        else {
            return Response::NotFound;
        };
        if by != client {
            return Response::NotFound;
        }
        let until = now.plus(job.ttr);
        job.state = State::Reserved { by, until };
        holder.reserved.remove(&(old, id));
        holder.reserved.insert((until, id));
        self.clock.expiries.remove(&(old, id));
        self.clock.expiries.insert((until, id));
        effects.push(Effect::Leased {
            job: id,
            client,
            until: until.to_duration(),
        });
        Response::Touched
    }

    pub(super) fn use_tube(&mut self, client: ClientId, name: &TubeName) -> Response {
        let tube = self.tubes.find_or_make(name);
        if let Some(state) = self.clients.get_mut(client) {
            let before = std::mem::replace(&mut state.using, tube);
            let counted = u64::from(state.is_connection);
            self.tubes[tube].users += 1;
            self.tubes[tube].using += counted;
            self.tubes[before].users -= 1;
            self.tubes[before].using -= counted;
            self.release_tube(before);
        }
        Response::Using(name.clone())
    }

    fn ignore(&mut self, client: ClientId, name: &TubeName) -> Response {
        let left = match self.tubes.find(name) {
            Some(tube) => self.unwatch(client, tube),
            None => self.clients.get(client).map(|client| client.watching.len()),
        };
        left.map_or(Response::NotIgnored, Response::Watching)
    }

    fn list_watched(&self, client: ClientId) -> Response {
        let watching = self
            .clients
            .get(client)
            .map_or(&[][..], |client| &client.watching);
        Response::Ok(yaml::list(
            watching.iter().map(|tube| self.tubes[*tube].name.as_str()),
        ))
    }

    fn pause_tube(
        &mut self,
        name: &TubeName,
        seconds: u32,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) -> Response {
        let Some(key) = self.tubes.find(name) else {
            return Response::NotFound;
        };
        self.tubes[key].pauses += 1;
        self.end_pause(key);
        let until = now.plus(seconds);
        if seconds > 0 {
            self.start_pause(key, Pause { seconds, until });
        }
        effects.push(Effect::Paused(PausedTube {
            tube: name.clone(),
            seconds,
            until: until.to_duration(),
        }));
        self.dispatch(now, effects);
        Response::Paused
    }

    fn found(&self, id: Option<JobId>) -> Response {
        match id.and_then(|id| self.jobs.get(id)) {
            Some(job) => Response::Found(job.id, Arc::clone(&job.body)),
            None => Response::NotFound,
        }
    }

    fn tube_used(&self, client: ClientId) -> TubeKey {
        self.clients
            .get(client)
            .map_or(crate::queue::tube::Tubes::DEFAULT, |client| client.using)
    }

    /// Whether the client has reserved the job.
    pub(super) fn has(&self, client: ClientId, id: JobId) -> bool {
        let state = self.jobs.get(id).map(|job| job.state);
        matches!(state, Some(State::Reserved { by, .. }) if by == client)
    }
}
