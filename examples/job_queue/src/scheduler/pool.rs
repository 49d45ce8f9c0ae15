//! The scheduler's side of the workers of this program.
//!
//! To the queue each place of the pool is a client that watches one tube. Its states:
//!
//! | state | entered by | left by |
//! |---|---|---|
//! | idle: it waits for a job | the start; the end of its last job | the queue gives it a job |
//! | busy | that | its worker hands in what became of the job; the TTR of the job ends |
//!
//! A worker that finishes later than that is told that it does not matter any more.

use std::sync::Arc;
use std::time::Duration;

use regrow::{DynamicSupervisorRef, ReplyTo, ServerRef, self_pid, spawn};

use super::{Scheduler, SchedulerMessage};
use crate::answer::Asker;
use crate::protocol::{Command, JobId, Response, TubeName};
use crate::queue::{ClientId, ClientKind, Retry};
use crate::shared::{self, Holder, Let};
use crate::tree::WORKER_SUP;
use crate::workers::{self, Assignment, Outcome};

/// The longest that a job rests after a failure, in seconds.
const LONGEST_REST: u32 = 60;

#[derive(Debug)]
struct Place {
    client: ClientId,
    /// Until when it may keep its job.
    until: Duration,
    job: Option<Arc<Assignment>>,
}

#[derive(Debug)]
pub(super) struct Pool {
    size: usize,
    tube: TubeName,
    retry: Retry,
    places: Vec<Place>,
    /// What a worker was told last, by the queue.
    heard: Option<Response>,
    /// Told when all are idle; nobody gets a job any more.
    stopping: Option<Vec<ReplyTo<()>>>,
}

impl Pool {
    pub(super) fn new(settings: &shared::Pool) -> Pool {
        Pool {
            size: settings.workers.into(),
            tube: settings.tube.clone(),
            retry: Retry {
                tries: settings.tries,
                first: settings.backoff,
                longest: LONGEST_REST,
            },
            places: Vec::new(),
            heard: None,
            stopping: None,
        }
    }

    fn place(&mut self, client: ClientId) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.client == client)
    }

    /// A worker of the last incarnation is still at it.
    pub(super) fn take_back(&mut self, assignment: &Arc<Assignment>, until: Duration) {
        self.places.push(Place {
            client: assignment.client,
            until,
            job: Some(Arc::clone(assignment)),
        });
    }

    pub(super) fn note_time(&mut self, client: ClientId, until: Duration) {
        if let Some(place) = self.place(client) {
            place.until = until;
        }
    }

    pub(super) fn free(&mut self, client: ClientId) {
        if let Some(place) = self.place(client) {
            place.job = None;
        }
    }

    /// Whether this is the job of that client now.
    fn has(&mut self, assignment: &Arc<Assignment>) -> bool {
        self.place(assignment.client)
            .and_then(|place| place.job.as_ref())
            .is_some_and(|job| Arc::ptr_eq(job, assignment))
    }
}

impl Scheduler {
    /// Makes the places that there are to be, and lets the idle ones wait for jobs.
    pub(super) fn fill_pool(&mut self) {
        while self.pool.places.len() < self.pool.size {
            let client = self.shared.next_client();
            let kind = ClientKind::Worker(self.pool.tube.clone());
            self.queue.client_joined(client, &kind);
            let until = Duration::ZERO;
            self.pool.places.push(Place {
                client,
                until,
                job: None,
            });
        }
        let idle = self.pool.places.iter().filter(|place| place.job.is_none());
        let idle: Vec<ClientId> = idle.map(|place| place.client).collect();
        let now = self.shared.now();
        for client in idle {
            self.wait_for_job(client, now);
        }
    }

    fn wait_for_job(&mut self, client: ClientId, now: Duration) {
        if self.pool.stopping.is_none() {
            let reserve = Command::Reserve { timeout: None };
            self.queue.execute(client, reserve, now, &mut self.effects);
        }
    }

    /// The queue tells a client of the pool something.
    pub(super) fn worker_told(&mut self, client: ClientId, response: Response) {
        let Response::Reserved(job, body) = response else {
            self.pool.heard = Some(response);
            return;
        };
        let Some(place) = self.pool.place(client) else {
            return;
        };
        let assignment = Arc::new(Assignment::new(client, job, body));
        place.job = Some(Arc::clone(&assignment));
        let lease = Let {
            client,
            holder: Holder::Worker(Arc::clone(&assignment)),
            until: place.until,
        };
        self.turn.lease(job, Some(lease));
        let (spec, me) = (workers::spec(&assignment, &self.shared), self_pid());
        // The supervisor may be busy for a moment, and there are others to be served.
        spawn(async move {
            let supervisor = DynamicSupervisorRef::named(WORKER_SUP);
            if let Err(error) = supervisor.start_child(spec).await {
                let why = error.to_string();
                let message = SchedulerMessage::NotStarted { assignment, why };
                ServerRef::from_pid(me).cast(message);
            }
        });
    }

    /// A worker hands in what became of its job.
    pub(super) fn finished(
        &mut self,
        assignment: &Arc<Assignment>,
        outcome: Outcome,
        reply: ReplyTo<Response>,
        now: Duration,
    ) {
        if !self.pool.has(assignment) {
            reply.send(Response::NotFound);
            return;
        }
        let (client, job) = (assignment.client, assignment.job);
        let asker = Asker::Worker(reply);
        let failure = match outcome {
            Outcome::Done { result: None } => None,
            Outcome::Done {
                result: Some((tube, body)),
            } => self.put_result(client, tube, body, now).err(),
            Outcome::Failed(note) => Some((note, self.pool.retry)),
            Outcome::Impossible(note) => Some((
                note,
                Retry {
                    tries: 1,
                    ..self.pool.retry
                },
            )),
        };
        let response = match failure {
            None => self.ask_for_worker(client, Command::Delete(job), now),
            Some((note, retry)) => {
                self.queue
                    .fail(client, job, &note, &retry, now, &mut self.effects);
                self.collect();
                Response::Released
            }
        };
        self.turn.tell_when_stored(asker, response);
        self.next_job(client, now);
    }

    /// A result is a job as well, in the same batch as the end of the job that it is of.
    fn put_result(
        &mut self,
        client: ClientId,
        tube: TubeName,
        body: Arc<[u8]>,
        now: Duration,
    ) -> Result<(), (String, Retry)> {
        let put = Command::Put {
            pri: 0,
            delay: 0,
            ttr: 60,
            body,
        };
        self.ask_for_worker(client, Command::Use(tube), now);
        match self.ask_for_worker(client, put, now) {
            Response::Inserted(_) => Ok(()),
            other => Err((
                format!("its result cannot be put: {other:?}"),
                self.pool.retry,
            )),
        }
    }

    fn ask_for_worker(&mut self, client: ClientId, command: Command, now: Duration) -> Response {
        self.pool.heard = None;
        self.queue.execute(client, command, now, &mut self.effects);
        self.collect();
        self.pool.heard.take().unwrap_or(Response::InternalError)
    }

    pub(super) fn not_started(&mut self, assignment: &Arc<Assignment>, why: &str, now: Duration) {
        if self.pool.has(assignment) {
            tracing::warn!(target: "job_queue::workers", job = assignment.job, %why, "no worker");
            self.fail(
                assignment.client,
                assignment.job,
                &format!("no worker: {why}"),
                now,
            );
        }
    }

    /// Workers whose time is over: before the queue takes their jobs away, so that this counts as
    /// a failure.
    pub(super) fn give_up_late_workers(&mut self, now: Duration) {
        let late = self.pool.places.iter().filter(|place| place.until <= now);
        let late: Vec<Arc<Assignment>> = late.filter_map(|place| place.job.clone()).collect();
        for assignment in late {
            assignment.call_off();
            self.fail(
                assignment.client,
                assignment.job,
                "not done within its TTR",
                now,
            );
        }
    }

    fn fail(&mut self, client: ClientId, job: JobId, note: &str, now: Duration) {
        let retry = self.pool.retry;
        self.queue
            .fail(client, job, note, &retry, now, &mut self.effects);
        self.collect();
        self.next_job(client, now);
    }

    fn next_job(&mut self, client: ClientId, now: Duration) {
        self.pool.free(client);
        self.wait_for_job(client, now);
        self.tell_if_stopped();
    }

    pub(super) fn stop_workers(&mut self, reply: ReplyTo<()>) {
        self.pool.stopping.get_or_insert_default().push(reply);
        let clients: Vec<ClientId> = self.pool.places.iter().map(|it| it.client).collect();
        for client in clients {
            self.queue.client_half_closed(client, &mut self.effects);
        }
        self.collect();
        self.tell_if_stopped();
    }

    fn tell_if_stopped(&mut self) {
        if let Some(waiting) = &mut self.pool.stopping
            && self.pool.places.iter().all(|place| place.job.is_none())
        {
            waiting.drain(..).for_each(|reply| reply.send(()));
        }
    }
}
