//! A connection: one process that owns the socket of one client.
//!
//! It waits for the socket, its mailbox and the clock at once (`wait.rs`) and never for anything
//! else; what the client has asked, and what has become of it, is kept by `requests.rs`.
//!
//! | its scheduler | entered by | left by |
//! |---|---|---|
//! | away | its end (a monitor tells); the client has left | the next one says that it is there |
//! | asked to join | one is there | it says that we have joined; its end |
//! | joined | | its end |
//!
//! Requests are sent while it is joined, and wait otherwise: a client notices nothing of a
//! scheduler that crashes but that an answer takes longer.

mod output;
mod requests;
mod wait;

use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use regrow::net::TcpStream;
use regrow::{Down, Exit, ExitReason, Message, MonitorRef, Pid, ServerRef, monitor, self_pid};

use crate::answer::Answer;
use crate::protocol::{Decoder, Request};
use crate::queue::ClientId;
use crate::scheduler::{Joined, Left, SCHEDULER, SchedulerIsUp, SchedulerMessage};
use crate::shared::Shared;

use output::Output;
use requests::Requests;
use wait::{Event, wait};

/// So much of what the client has sent may wait for its turn, besides one job.
const INPUT_LIMIT: usize = 64 * 1024;
/// How long what was asked before the program stops may take.
const LAST_ANSWERS: Duration = Duration::from_secs(4);
/// How long a client may take to read its last answers.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a closing socket is still read: one closed with unread input would take the last
/// answers with it.
const LINGER: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheduler {
    Away,
    Asked(Pid, MonitorRef),
    Joined(Pid, MonitorRef),
}

/// Why nothing more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The client is done: what it has asked is still answered.
    Client,
    /// The program stops: what was asked is answered, if that is soon.
    Program { deadline: Instant },
    /// All that can be said is said: that is written, and the scheduler hears that the client is
    /// gone. Whoever sees the connection close finds its jobs free.
    Over { deadline: Instant },
    /// The socket is of no use any more.
    Broken,
}

struct Connection {
    shared: Arc<Shared>,
    supervisor: Pid,
    client: ClientId,
    scheduler: Scheduler,
    input: Decoder,
    requests: Requests,
    output: Output,
    ending: Option<Ending>,
}

/// The body of a connection's process. It traps exits: when `supervisor` stops it, what was asked
/// is still answered.
pub(crate) async fn run(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    supervisor: Pid,
) -> ExitReason {
    // Answers are short and waited for; an error would show up again at the next write.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection {
        client: shared.next_client(),
        input: Decoder::new(shared.settings.job_size_max),
        shared,
        supervisor,
        scheduler: Scheduler::Away,
        requests: Requests::default(),
        output: Output::default(),
        ending: None,
    };
    // If there is none yet, the first one will find us.
    if let Some(scheduler) = SCHEDULER.whereis() {
        connection.join(scheduler);
    }
    loop {
        connection.work();
        let deadline = match connection.ending {
            None | Some(Ending::Client) => None,
            Some(Ending::Program { deadline }) => Some(deadline),
            Some(Ending::Over { .. }) if connection.has_left() => break,
            Some(Ending::Over { deadline }) => Some(deadline),
            Some(Ending::Broken) => return ExitReason::Normal,
        };
        let reads = connection.reads();
        let Connection { input, output, .. } = &mut connection;
        let event = wait(&stream, reads.then_some(input), output, deadline).await;
        if let Some(reason) = connection.on(event) {
            tracing::debug!(target: "job_queue::connection", %peer, %reason);
            return reason;
        }
    }
    linger(&stream).await;
    ExitReason::Normal
}

/// Lets the client read the last answers before the socket is gone.
async fn linger(stream: &TcpStream) {
    if stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let deadline = Instant::now() + LINGER;
    let mut nothing = Output::default();
    loop {
        let mut input = Decoder::new(0);
        match wait(stream, Some(&mut input), &mut nothing, Some(deadline)).await {
            Event::Mail(_) | Event::Read | Event::Wrote => {}
            Event::Eof | Event::Failed(_) | Event::Deadline => return,
        }
    }
}

impl Connection {
    /// Does all that can be done now.
    fn work(&mut self) {
        loop {
            while let Some(response) = self.requests.next_answer() {
                self.output.push(&response);
            }
            let took = self.take_request();
            let sent = self.send_requests();
            if !took && !sent {
                break;
            }
        }
        let done = match self.ending {
            Some(Ending::Client) => self.requests.is_empty() && self.input_is_done(),
            Some(Ending::Program { deadline }) => {
                // Nobody knows how long a job is to be waited for.
                self.requests.is_empty()
                    || self.requests.waits_for_job()
                    || !matches!(self.scheduler, Scheduler::Joined(..))
                    || deadline <= Instant::now()
            }
            _ => false,
        };
        if done {
            let deadline = Instant::now() + GOODBYE;
            self.ending = Some(Ending::Over { deadline });
            if let Scheduler::Joined(scheduler, _) | Scheduler::Asked(scheduler, _) = self.scheduler
            {
                ServerRef::from_pid(scheduler).cast(SchedulerMessage::Leave(self_pid()));
            }
        }
    }

    fn has_left(&self) -> bool {
        self.output.is_empty() && self.scheduler == Scheduler::Away
    }

    /// Whether nothing can be made of the bytes that are left, for no more come.
    fn input_is_done(&self) -> bool {
        !self.requests.is_full() && !self.output.is_long()
    }

    /// Whether there was one.
    fn take_request(&mut self) -> bool {
        let listens = matches!(self.ending, None | Some(Ending::Client));
        if !listens || self.requests.is_full() || self.output.is_long() {
            return false;
        }
        match self.input.next_request() {
            Some(Request::Command(command)) => self.requests.push(command),
            Some(Request::Refused(response)) => self.requests.push_answered(response),
            Some(Request::Quit) => self.ending = Some(Ending::Client),
            None => return false,
        }
        true
    }

    /// Whether there was one.
    fn send_requests(&mut self) -> bool {
        let Scheduler::Joined(scheduler, _) = self.scheduler else {
            return false;
        };
        let now = self.shared.now();
        let mut sent = false;
        while let Some((number, command)) = self.requests.next_to_send(now) {
            let client = self.client;
            ServerRef::from_pid(scheduler).cast(SchedulerMessage::Ask {
                client,
                number,
                command,
            });
            sent = true;
            if self.ending == Some(Ending::Client) && self.requests.waits_for_job() {
                self.half_closed();
            }
        }
        sent
    }

    /// A client that will send nothing more does not wait for a job.
    fn half_closed(&self) {
        if let Scheduler::Joined(scheduler, _) = self.scheduler {
            let server = ServerRef::from_pid(scheduler);
            server.cast(SchedulerMessage::HalfClosed(self.client));
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.ending, Some(Ending::Over { .. }))
    }

    /// Whether it is worth while to read.
    fn reads(&self) -> bool {
        self.ending.is_none()
            && !self.output.is_long()
            && self.input.pending() < INPUT_LIMIT + self.shared.settings.job_size_max
    }

    /// The reason if this is the end.
    fn on(&mut self, event: Event) -> Option<ExitReason> {
        match event {
            Event::Mail(message) => return self.mail(message),
            Event::Read | Event::Wrote => {}
            Event::Eof => {
                self.ending = Some(Ending::Client);
                if self.requests.waits_for_job() {
                    self.half_closed();
                }
            }
            Event::Failed(error) => {
                tracing::debug!(target: "job_queue::connection", %error, "a socket is broken");
                self.ending = Some(Ending::Broken);
            }
            Event::Deadline => {
                if self.is_over() {
                    self.ending = Some(Ending::Broken);
                }
            }
        }
        None
    }

    fn mail(&mut self, message: Message) -> Option<ExitReason> {
        let message = match message.downcast::<Answer>() {
            Ok(Answer { number, response }) => {
                self.requests.answer(number, response);
                return None;
            }
            Err(message) => message,
        };
        let message = match message.downcast::<Joined>() {
            Ok(Joined(pid)) => {
                if let Scheduler::Asked(asked, watch) = self.scheduler
                    && asked == pid
                {
                    self.scheduler = Scheduler::Joined(pid, watch);
                    self.requests.again();
                }
                return None;
            }
            Err(message) => message,
        };
        let message = match message.downcast::<SchedulerIsUp>() {
            Ok(SchedulerIsUp(pid)) => {
                if self.scheduler == Scheduler::Away && !self.is_over() {
                    self.join(pid);
                }
                return None;
            }
            Err(message) => message,
        };
        let message = match message.downcast::<Left>() {
            Ok(Left) => {
                self.scheduler = Scheduler::Away;
                return None;
            }
            Err(message) => message,
        };
        let message = match message.downcast::<Down>() {
            Ok(down) => {
                if let Scheduler::Asked(_, watch) | Scheduler::Joined(_, watch) = self.scheduler
                    && watch == down.reference
                {
                    self.scheduler = Scheduler::Away;
                    // The next one may have said so before we knew that this one is gone.
                    if let Some(next) = SCHEDULER.whereis()
                        && !self.is_over()
                    {
                        self.join(next);
                    }
                }
                return None;
            }
            Err(message) => message,
        };
        match message.downcast::<Exit>() {
            Ok(exit) if exit.pid == self.supervisor => match exit.reason {
                ExitReason::Shutdown => {
                    let deadline = Instant::now() + LAST_ANSWERS;
                    self.ending = Some(Ending::Program { deadline });
                    None
                }
                reason => Some(reason),
            },
            Ok(exit) if exit.reason.is_normal_like() => None,
            Ok(exit) => Some(exit.reason),
            Err(_) => None,
        }
    }

    fn join(&mut self, scheduler: Pid) {
        let watch = monitor(scheduler);
        self.scheduler = Scheduler::Asked(scheduler, watch);
        ServerRef::from_pid(scheduler).cast(SchedulerMessage::Join {
            client: self.client,
            pid: self_pid(),
            ties: Box::new(self.requests.ties().clone()),
        });
    }
}
