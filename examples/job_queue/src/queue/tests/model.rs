//! The rules once more, as plainly as possible: all jobs in one vector, looked through from end
//! to end. Nothing is shared with the queue but the words of the protocol.

mod stats;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::protocol::{Command, JobId, Response};
use crate::queue::{ClientId, Retry};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Delayed(u64),
    Reserved(ClientId, u64),
    Buried(u64),
}

#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) tube: String,
    pub(super) pri: u32,
    pub(super) delay: u32,
    pub(super) ttr: u32,
    pub(super) created: u64,
    pub(super) state: State,
    /// Reserves, timeouts, releases, buries, kicks.
    pub(super) tally: [u32; 5],
    pub(super) failures: u32,
    pub(super) note: Option<String>,
    pub(super) body: Arc<[u8]>,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) using: String,
    pub(super) watching: Vec<String>,
    /// Ticket, timeout and margin.
    wait: Option<(u64, Option<u64>, Option<u64>)>,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: u64,
    pub(super) jobs: Vec<Job>,
    pub(super) clients: BTreeMap<ClientId, Client>,
    /// Until when, and for how many seconds.
    pub(super) pauses: BTreeMap<String, (u64, u32)>,
    next_id: JobId,
    tickets: u64,
    pub(super) answers: Vec<(ClientId, Response)>,
}

impl Model {
    pub(super) fn at(now: u64) -> Model {
        Model {
            now,
            ..Model::default()
        }
    }

    pub(super) fn join(&mut self, id: ClientId) {
        let default = String::from("default");
        let client = Client {
            using: default.clone(),
            watching: vec![default],
            wait: None,
        };
        self.clients.entry(id).or_insert(client);
    }

    pub(super) fn gone(&mut self, id: ClientId) {
        self.clients.remove(&id);
        for job in &mut self.jobs {
            if matches!(job.state, State::Reserved(by, _) if by == id) {
                job.state = State::Ready;
            }
        }
        self.settle();
    }

    pub(super) fn half_closed(&mut self, id: ClientId) {
        if self
            .clients
            .get_mut(&id)
            .and_then(|client| client.wait.take())
            .is_some()
        {
            self.answers.push((id, Response::TimedOut));
        }
    }

    pub(super) fn fail(&mut self, id: ClientId, job: JobId, note: &str, retry: Retry) {
        self.tickets += 1;
        let (now, ticket) = (self.now, self.tickets);
        if let Some(job) = self.held(id, job) {
            job.failures += 1;
            job.note = Some(note.to_string());
            if job.failures >= retry.tries {
                job.tally[3] += 1;
                job.state = State::Buried(ticket);
            } else {
                job.delay = (retry.first * 2_u32.pow(job.failures - 1)).min(retry.longest);
                job.tally[2] += 1;
                job.state = later(now, job.delay);
            }
        }
        self.settle();
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        let jobs = self.jobs.iter().filter_map(|job| match job.state {
            State::Delayed(until) | State::Reserved(_, until) => Some(until),
            _ => None,
        });
        let waits = self.clients.values().filter_map(|client| client.wait);
        let waits = waits
            .flat_map(|(_, timeout, margin)| [timeout, margin])
            .flatten();
        jobs.chain(waits)
            .chain(self.pauses.values().map(|pause| pause.0))
            .min()
    }

    pub(super) fn advance(&mut self, now: u64) {
        self.now = now;
        for job in &mut self.jobs {
            match job.state {
                State::Delayed(until) if until <= now => job.state = State::Ready,
                State::Reserved(_, until) if until <= now => {
                    job.state = State::Ready;
                    job.tally[1] += 1;
                }
                _ => {}
            }
        }
        self.pauses.retain(|_, pause| pause.0 > now);
        self.settle();
        let mut late: Vec<(u64, ClientId, bool)> = Vec::new();
        for (id, client) in &mut self.clients {
            let Some((_, timeout, margin)) = client.wait else {
                continue;
            };
            let first = [timeout, margin].into_iter().flatten().min();
            if let Some(at) = first.filter(|at| *at <= now) {
                client.wait = None;
                late.push((at, *id, margin.is_some_and(|at| at <= now)));
            }
        }
        late.sort_unstable();
        for (_, id, soon) in late {
            let response = if soon {
                Response::DeadlineSoon
            } else {
                Response::TimedOut
            };
            self.answers.push((id, response));
        }
    }

    pub(super) fn execute(&mut self, id: ClientId, command: Command) {
        self.half_closed(id);
        if let Some(response) = self.response(id, command) {
            self.answers.push((id, response));
        }
        self.settle();
    }

    fn response(&mut self, id: ClientId, command: Command) -> Option<Response> {
        let now = self.now;
        self.tickets += 1;
        let ticket = self.tickets;
        let using = self.clients[&id].using.clone();
        Some(match command {
            Command::Put {
                pri,
                delay,
                ttr,
                body,
            } => {
                self.next_id += 1;
                self.jobs.push(Job {
                    id: self.next_id,
                    tube: using,
                    pri,
                    delay,
                    ttr: ttr.max(1),
                    created: now,
                    state: later(now, delay),
                    tally: [0; 5],
                    failures: 0,
                    note: None,
                    body,
                });
                Response::Inserted(self.next_id)
            }
            Command::Reserve { timeout } => {
                let client = &self.clients[&id];
                let best = self.best(|tube| client.watching.contains(tube));
                if let Some(job) = best {
                    return Some(self.give(id, job));
                }
                let mine = self.jobs.iter().filter_map(|job| match job.state {
                    State::Reserved(by, until) if by == id => Some(until - 1_000.min(until)),
                    _ => None,
                });
                let margin = mine.min();
                if margin.is_some_and(|at| at <= now) {
                    return Some(Response::DeadlineSoon);
                }
                if timeout == Some(0) {
                    return Some(Response::TimedOut);
                }
                let timeout = timeout.map(|seconds| now + 1_000 * u64::from(seconds));
                self.clients.get_mut(&id)?.wait = Some((ticket, timeout, margin));
                return None;
            }
            Command::ReserveJob(job) => {
                let there = self.jobs.iter().any(|j| j.id == job && !is_reserved(j));
                if there {
                    self.give(id, job)
                } else {
                    Response::NotFound
                }
            }
            Command::Delete(job) => {
                let may = |j: &Job| match j.state {
                    State::Reserved(by, _) => by == id,
                    _ => true,
                };
                let before = self.jobs.len();
                self.jobs.retain(|j| j.id != job || !may(j));
                if self.jobs.len() < before {
                    Response::Deleted
                } else {
                    Response::NotFound
                }
            }
            Command::Release {
                id: job,
                pri,
                delay,
            } => match self.held(id, job) {
                Some(job) => {
                    (job.pri, job.delay) = (pri, delay);
                    job.tally[2] += 1;
                    job.state = later(now, delay);
                    Response::Released
                }
                None => Response::NotFound,
            },
            Command::Bury { id: job, pri } => match self.held(id, job) {
                Some(job) => {
                    job.pri = pri;
                    job.tally[3] += 1;
                    job.state = State::Buried(ticket);
                    Response::Buried
                }
                None => Response::NotFound,
            },
            Command::Touch(job) => match self.held(id, job) {
                Some(job) => {
                    job.state = State::Reserved(id, now + 1_000 * u64::from(job.ttr));
                    Response::Touched
                }
                None => Response::NotFound,
            },
            Command::Use(tube) => {
                self.clients.get_mut(&id)?.using = tube.to_string();
                Response::Using(tube)
            }
            Command::Watch(tube) => {
                let watching = &mut self.clients.get_mut(&id)?.watching;
                if !watching.contains(&tube.to_string()) {
                    watching.push(tube.to_string());
                }
                Response::Watching(watching.len())
            }
            Command::Ignore(tube) => {
                let watching = &mut self.clients.get_mut(&id)?.watching;
                match watching.iter().position(|name| *name == tube.as_str()) {
                    Some(_) if watching.len() == 1 => return Some(Response::NotIgnored),
                    Some(place) => drop(watching.swap_remove(place)),
                    None => {}
                }
                Response::Watching(watching.len())
            }
            Command::Peek(job) => found(self.jobs.iter().find(|j| j.id == job)),
            Command::PeekReady => {
                let ready = self.within(&using).filter(|job| job.state == State::Ready);
                found(ready.min_by_key(|job| (job.pri, job.id)))
            }
            Command::PeekDelayed => found(self.first_delayed(&using)),
            Command::PeekBuried => found(self.first_buried(&using)),
            Command::Kick(bound) => {
                let buried = self.first_buried(&using).is_some();
                let mut kicked = 0;
                while kicked < bound {
                    let next = if buried {
                        self.first_buried(&using)
                    } else {
                        self.first_delayed(&using)
                    };
                    let Some(id) = next.map(|job| job.id) else {
                        break;
                    };
                    self.kick(id);
                    kicked += 1;
                }
                Response::Kicked(kicked)
            }
            Command::KickJob(job) => {
                let kickable = |j: &&Job| matches!(j.state, State::Buried(_) | State::Delayed(_));
                match self.jobs.iter().find(|j| j.id == job).filter(kickable) {
                    Some(_) => {
                        self.kick(job);
                        Response::KickedJob
                    }
                    None => Response::NotFound,
                }
            }
            Command::StatsJob(job) => match self.jobs.iter().find(|j| j.id == job) {
                Some(job) => Response::Ok(self.stats_job(job).into()),
                None => Response::NotFound,
            },
            Command::StatsTube(tube) => self.stats_tube(tube.as_str()),
            Command::ListTubeUsed => Response::Using(using.parse().ok()?),
            Command::ListTubesWatched => {
                let lines: String = self.clients[&id]
                    .watching
                    .iter()
                    .map(|tube| format!("- {tube}\n"))
                    .collect();
                Response::Ok(format!("---\n{lines}").into())
            }
            Command::PauseTube { tube, delay } => {
                if !self.exists(tube.as_str()) {
                    return Some(Response::NotFound);
                }
                self.pauses.remove(tube.as_str());
                if delay > 0 {
                    let until = now + 1_000 * u64::from(delay);
                    self.pauses.insert(tube.to_string(), (until, delay));
                }
                Response::Paused
            }
            Command::Stats | Command::ListTubes => unreachable!("compared otherwise"),
        })
    }

    /// Forgets tubes that nobody needs, and gives jobs to those who wait.
    fn settle(&mut self) {
        loop {
            let waiting = |tube: &String| {
                let watch = |client: &&Client| client.watching.contains(tube);
                self.clients
                    .values()
                    .filter(watch)
                    .any(|client| client.wait.is_some())
            };
            let Some(job) = self.best(waiting) else { break };
            let tube = self.jobs.iter().find(|j| j.id == job).unwrap().tube.clone();
            let watching = self
                .clients
                .iter()
                .filter(|(_, c)| c.watching.contains(&tube));
            let waiting = watching.filter_map(|(id, client)| Some((client.wait?.0, *id)));
            let (_, client) = waiting.min().unwrap();
            self.clients.get_mut(&client).unwrap().wait = None;
            let response = self.give(client, job);
            self.answers.push((client, response));
        }
        let gone: Vec<String> = self
            .pauses
            .keys()
            .filter(|tube| !self.exists(tube))
            .cloned()
            .collect();
        for tube in gone {
            self.pauses.remove(&tube);
        }
    }

    /// The next job of any tube that is wanted and not paused.
    fn best(&self, wanted: impl Fn(&String) -> bool) -> Option<JobId> {
        let ready = self.jobs.iter().filter(|job| job.state == State::Ready);
        let free = ready.filter(|job| wanted(&job.tube) && !self.pauses.contains_key(&job.tube));
        free.min_by_key(|job| (job.pri, job.id)).map(|job| job.id)
    }

    fn give(&mut self, client: ClientId, id: JobId) -> Response {
        let now = self.now;
        let job = self.jobs.iter_mut().find(|job| job.id == id).unwrap();
        job.tally[0] += 1;
        job.state = State::Reserved(client, now + 1_000 * u64::from(job.ttr));
        Response::Reserved(id, job.body.clone())
    }

    fn held(&mut self, client: ClientId, id: JobId) -> Option<&mut Job> {
        let mine = |job: &&mut Job| matches!(job.state, State::Reserved(by, _) if by == client);
        self.jobs.iter_mut().find(|job| job.id == id).filter(mine)
    }

    fn kick(&mut self, id: JobId) {
        let job = self.jobs.iter_mut().find(|job| job.id == id).unwrap();
        job.tally[4] += 1;
        job.failures = 0;
        job.state = State::Ready;
    }

    fn within<'a>(&'a self, tube: &str) -> impl Iterator<Item = &'a Job> + use<'a> {
        let tube = tube.to_string();
        self.jobs.iter().filter(move |job| job.tube == tube)
    }

    fn first_delayed(&self, tube: &str) -> Option<&Job> {
        let delayed = self.within(tube).filter_map(|job| match job.state {
            State::Delayed(until) => Some((until, job.id, job)),
            _ => None,
        });
        delayed
            .min_by_key(|(until, id, _)| (*until, *id))
            .map(|found| found.2)
    }

    fn first_buried(&self, tube: &str) -> Option<&Job> {
        let buried = self.within(tube).filter_map(|job| match job.state {
            State::Buried(ticket) => Some((ticket, job)),
            _ => None,
        });
        buried
            .min_by_key(|(ticket, _)| *ticket)
            .map(|found| found.1)
    }

    pub(super) fn exists(&self, tube: &str) -> bool {
        tube == "default"
            || self.within(tube).next().is_some()
            || self
                .clients
                .values()
                .any(|c| c.using == tube || c.watching.iter().any(|w| w == tube))
    }
}

fn later(now: u64, delay: u32) -> State {
    match delay {
        0 => State::Ready,
        _ => State::Delayed(now + 1_000 * u64::from(delay)),
    }
}

fn is_reserved(job: &Job) -> bool {
    matches!(job.state, State::Reserved(..))
}

fn found(job: Option<&Job>) -> Response {
    match job {
        Some(job) => Response::Found(job.id, job.body.clone()),
        None => Response::NotFound,
    }
}
