//! job_scheduler: tubes, priorities, delays, reservations; gives jobs to clients and to workers.
//!
//! What is decided is decided by [`Queue`], which is plain code. This process tells it what comes
//! and what time it is, and carries out what it says: at the end of a *turn*, which is all that
//! was in the mailbox when the first message of the turn was handled (`turn.rs`). So whatever
//! comes at the same time goes to the store as one batch.
//!
//! It begins with the jobs of the store, and with the leases that its last incarnation left:
//! clients that had jobs have them still.

mod pool;
mod restore;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use regrow::{
    Context, Down, ExitReason, GenServer, Info, Name, Next, Pid, ReplyTo, monitor, send, send_after,
};
use rustc_hash::FxHashMap;

use crate::answer::Asker;
use crate::protocol::{Command, JobId, Response};
use crate::queue::{ClientId, Effect, Queue, Record, Rejoin, Summary};
use crate::shared::{Holder, Let, Shared};
use crate::store::{Refused, StoreRef};
use crate::workers::{Assignment, Outcome};

use pool::Pool;
use turn::Turn;

/// The scheduler, whichever process it is at the moment.
pub(crate) const SCHEDULER: Name<SchedulerMessage> = Name::new("job_scheduler");

/// What the scheduler can be told.
pub(crate) enum SchedulerMessage {
    /// A connection is there, for the first time or again; it is told [`Joined`].
    Join {
        client: ClientId,
        pid: Pid,
        ties: Box<Rejoin>,
    },
    /// A connection is about to close; it is told [`Left`].
    Leave(Pid),
    /// A client asks for something; the answer has the same number.
    Ask {
        client: ClientId,
        number: u64,
        command: Command,
    },
    /// A client sends nothing more, so it does not wait for a job.
    HalfClosed(ClientId),
    /// A worker has done its job, or failed. Answered when that is on disk, or when it does not
    /// matter any more.
    Finished {
        assignment: Arc<Assignment>,
        outcome: Outcome,
        reply: ReplyTo<Response>,
    },
    /// There is no worker for a job.
    NotStarted {
        assignment: Arc<Assignment>,
        why: String,
    },
    /// Workers get no more jobs; answered when they have done what they have.
    StopWorkers(ReplyTo<()>),
    /// No new jobs are taken.
    Drain,
    Summary(ReplyTo<Summary>),
    /// The end of the turn.
    EndOfTurn,
    /// Something is due.
    Tick,
    /// Panics, for the sake of the demonstration.
    Crash {
        by: Arc<str>,
    },
}

/// A connection is told by the scheduler that it has joined.
#[derive(Debug)]
pub(crate) struct Joined(pub(crate) Pid);

/// A connection is told that its client has left the queue.
#[derive(Debug)]
pub(crate) struct Left;

/// A connection is told that there is a new scheduler.
#[derive(Debug)]
pub(crate) struct SchedulerIsUp(pub(crate) Pid);

/// A connection as the scheduler knows it.
#[derive(Debug)]
struct Client {
    pid: Pid,
    /// The number of what it has asked last.
    number: u64,
}

pub(crate) struct Scheduler {
    shared: Arc<Shared>,
    store: StoreRef,
    queue: Queue,
    clients: FxHashMap<ClientId, Client>,
    by_pid: FxHashMap<Pid, ClientId>,
    pool: Pool,
    effects: Vec<Effect>,
    turn: Turn,
    /// The end of the turn is in the mailbox.
    turn_ends: bool,
    next_id: JobId,
    /// When the next [`SchedulerMessage::Tick`] comes.
    armed: Option<Duration>,
}

impl GenServer for Scheduler {
    type Args = Arc<Shared>;
    type Message = SchedulerMessage;

    async fn init(shared: Arc<Shared>, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let mut scheduler = Scheduler::restore(shared).await?;
        scheduler.begin_turn(cx);
        scheduler.announce().await;
        Ok(scheduler)
    }

    async fn handle(&mut self, message: SchedulerMessage, cx: &mut Context<Self>) -> Next {
        let now = self.catch_up();
        match message {
            SchedulerMessage::Ask {
                client,
                number,
                command,
            } => {
                if let Some(known) = self.clients.get_mut(&client) {
                    known.number = number;
                    self.queue.execute(client, command, now, &mut self.effects);
                }
            }
            SchedulerMessage::EndOfTurn => {
                self.turn_ends = false;
                self.carry_out();
                return Next::Continue;
            }
            SchedulerMessage::Tick => self.armed = None,
            SchedulerMessage::Join { client, pid, ties } => self.join(client, pid, &ties),
            SchedulerMessage::Leave(pid) => {
                self.client_gone(pid, now);
                // At the end of the turn: then what it had is no longer let to it.
                self.turn.left(pid);
            }
            SchedulerMessage::HalfClosed(client) => {
                self.queue.client_half_closed(client, &mut self.effects);
            }
            SchedulerMessage::Finished {
                assignment,
                outcome,
                reply,
            } => self.finished(&assignment, outcome, reply, now),
            SchedulerMessage::NotStarted { assignment, why } => {
                self.not_started(&assignment, &why, now);
            }
            SchedulerMessage::StopWorkers(reply) => self.stop_workers(reply),
            SchedulerMessage::Drain => self.queue.drain(),
            SchedulerMessage::Summary(reply) => reply.send(self.queue.summary()),
            SchedulerMessage::Crash { by } => panic!("{by} asked the scheduler to crash"),
        }
        self.collect();
        self.begin_turn(cx);
        Next::Continue
    }

    async fn handle_info(&mut self, info: Info, cx: &mut Context<Self>) -> Next {
        let now = self.catch_up();
        match info {
            Info::Down(Down { pid, .. }) => self.client_gone(pid, now),
            Info::Message(message) => {
                if let Ok(Refused(jobs)) = message.downcast::<Refused>() {
                    for job in jobs {
                        self.queue.forget(job, &mut self.effects);
                    }
                }
            }
            _ => {}
        }
        self.collect();
        self.begin_turn(cx);
        Next::Continue
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        // After a panic nothing of the turn has happened.
        if reason.is_normal_like() {
            self.carry_out();
        }
    }
}

impl Scheduler {
    /// What is due is done before anything else.
    fn catch_up(&mut self) -> Duration {
        let now = self.shared.now();
        if self.queue.next_due().is_some_and(|due| due <= now) {
            self.give_up_late_workers(now);
            self.queue.advance(now, &mut self.effects);
            self.collect();
        }
        now
    }

    /// Sees to it that the turn ends, and that what becomes due is done in time.
    fn begin_turn(&mut self, cx: &mut Context<Self>) {
        if !self.turn_ends && !self.turn.is_empty() {
            self.turn_ends = true;
            cx.server_ref().cast(SchedulerMessage::EndOfTurn);
        }
        if let Some(due) = self.queue.next_due()
            && self.armed.is_none_or(|armed| due < armed)
        {
            // One that was armed for later comes as well, and does no harm.
            self.armed = Some(due);
            let after = due.saturating_sub(self.shared.now());
            send_after(after, cx.pid(), SchedulerMessage::Tick);
        }
    }

    fn carry_out(&mut self) {
        self.turn.carry_out(&self.shared, &self.store, self.next_id);
    }

    /// Turns the effects of what was just done into parts of the turn.
    fn collect(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        // Giving a worker a job has no effects, so one round is enough.
        for effect in effects.drain(..) {
            match effect {
                Effect::Store(record) => {
                    if let Record::Put(row) = &record {
                        self.next_id = self.next_id.max(row.id + 1);
                    }
                    self.turn.store(record);
                }
                Effect::Reply(client, response) => match self.clients.get(&client) {
                    Some(&Client { pid, number }) => {
                        self.turn.tell(Asker::Connection { pid, number }, response);
                    }
                    None => self.worker_told(client, response),
                },
                Effect::ReplyWhenStored(client, response) => {
                    if let Some(&Client { pid, number }) = self.clients.get(&client) {
                        let asker = Asker::Connection { pid, number };
                        self.turn.tell_when_stored(asker, response);
                    } else {
                        self.worker_told(client, response);
                    }
                }
                Effect::Leased { job, client, until } => match self.clients.get(&client) {
                    Some(&Client { pid, .. }) => {
                        let holder = Holder::Connection(pid);
                        let lease = Let {
                            client,
                            holder,
                            until,
                        };
                        self.turn.lease(job, Some(lease));
                    }
                    None => self.pool.note_time(client, until),
                },
                Effect::LeaseEnded(job) => self.turn.lease(job, None),
                Effect::Paused(paused) => self.turn.pause(paused),
            }
        }
        self.effects = effects;
    }

    /// Its process has ended, or is about to.
    fn client_gone(&mut self, pid: Pid, now: Duration) {
        if let Some(client) = self.by_pid.remove(&pid) {
            self.clients.remove(&client);
            self.queue.client_gone(client, now, &mut self.effects);
        }
    }

    fn join(&mut self, client: ClientId, pid: Pid, ties: &Rejoin) {
        if self.by_pid.insert(pid, client).is_none() {
            monitor(pid);
        }
        self.queue.client_rejoined(client, ties);
        self.clients.insert(client, Client { pid, number: 0 });
        send(pid, Joined(regrow::self_pid()));
    }
}
