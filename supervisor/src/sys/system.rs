//! The behaviour's side: what a system message does to it.
//!
//! ```text
//! running ──suspend──> suspended ──resume──> running
//! ```
//!
//! A suspended behaviour takes nothing out of its mailbox but system messages, the request of a
//! `stop` and the exit of its parent, which end it as ever. All other system messages are answered
//! in both states and change neither. A behaviour calls [`handle`] with each system message that
//! it finds in its mailbox, and goes on with what [`handle`] says when it returns.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use regrow_runtime::proc_lib::Terminate;
use regrow_runtime::{
    Exit, ExitReason, Pid, ProcessInfo, ReplyTo, monotonic_time, process_info, receive, self_pid,
};

use super::ask::SysError;
use super::log::Log;
use super::status::{Statistics, Status};
use super::trace::{TraceEvent, Traced, Tracing};

/// What a behaviour is asked from outside.
pub(crate) enum SystemMessage {
    /// Looks at the state, or changes it, and answers by itself.
    State(Work),
    Suspend(Answer<()>),
    Resume(Answer<()>),
    GetStatus(Answer<Status>),
    Statistics(bool, Answer<()>),
    GetStatistics(Answer<Option<Statistics>>),
    Trace(bool, Answer<()>),
    TraceTo(Pid, bool, Answer<()>),
    Log(usize, Answer<()>),
    GetLog(Answer<Vec<TraceEvent>>),
}

/// What is done with a state of some type, whose name it is given.
pub(super) type Work = Box<dyn FnOnce(&mut dyn Any, &'static str) + Send>;

pub(super) type Answer<R> = ReplyTo<Result<R, SysError>>;

/// A behaviour as system messages see it.
pub(crate) trait Subject: Send {
    /// The state, as whoever asks for it knows its type.
    fn state(&mut self) -> &mut dyn Any;
    /// The name of that type.
    fn state_type(&self) -> &'static str;
    /// The process whose exit ends it.
    fn parent(&self) -> Option<Pid>;
    /// What has been set for it.
    fn sys(&mut self) -> &mut Sys;
    /// Its text for people; must not panic.
    fn show(&self) -> String;
    /// The kind of behaviour.
    fn behaviour(&self) -> &'static str;
    /// The type that implements it.
    fn module(&self) -> &'static str;
    /// Whether it waits in hibernation.
    fn is_hibernating(&self) -> bool;
}

/// What is set for one behaviour: nothing, until somebody asks.
#[derive(Default)]
pub(crate) struct Sys(Option<Box<Watched>>);

#[derive(Default)]
struct Watched {
    tracing: Tracing,
    log: Log,
    counting: Option<Counting>,
}

struct Counting {
    start_time: Duration,
    reductions: u64,
    messages_in: u64,
}

impl Sys {
    /// A message is about to be handled; its text, or its type.
    pub(crate) fn received(&mut self, message: &str) {
        let Some(watched) = &mut self.0 else { return };
        if let Some(counting) = &mut watched.counting {
            counting.messages_in += 1;
        }
        if watched.is_told() {
            watched.tell(Traced::In(message.to_owned()));
        }
    }

    /// A callback has answered; that is shown by the server itself.
    pub(crate) fn answered(&mut self, next: &impl fmt::Display) {
        let Some(watched) = &mut self.0 else { return };
        if watched.is_told() {
            let text = crate::report::caught(|| next.to_string());
            let text = text.unwrap_or_else(|_| "an answer that cannot be shown".to_owned());
            watched.tell(Traced::Next(text));
        }
    }

    /// The steps that are kept, for people.
    pub(crate) fn log(&self) -> Vec<String> {
        let events = self.0.iter().flat_map(|watched| watched.log.events());
        events.map(|event| event.what.to_string()).collect()
    }

    fn watched(&mut self) -> &mut Watched {
        self.0.get_or_insert_default()
    }

    fn is_traced(&self) -> bool {
        self.0.as_ref().is_some_and(|it| it.tracing.is_on())
    }

    fn is_logged(&self) -> bool {
        self.0.as_ref().is_some_and(|it| it.log.is_on())
    }

    fn counting(&self) -> Option<&Counting> {
        self.0.as_ref()?.counting.as_ref()
    }
}

impl Watched {
    /// Whether anybody wants to know of each step.
    fn is_told(&self) -> bool {
        self.tracing.is_on() || self.log.is_on()
    }

    fn tell(&mut self, what: Traced) {
        let event = TraceEvent {
            pid: self_pid(),
            time: monotonic_time(),
            what,
        };
        self.tracing.tell(&event);
        self.log.push(event);
    }
}

/// Carries out a system message. Returns when the behaviour is to go on, which for one that was
/// suspended is when it is resumed; or with the reason it is to end with.
pub(crate) async fn handle(
    request: SystemMessage,
    subject: &mut impl Subject,
) -> Option<ExitReason> {
    let parent = subject.parent();
    if !carry_out(request, subject, false).await {
        return None;
    }
    loop {
        receive! {
            request: SystemMessage => {
                if !carry_out(request, subject, true).await {
                    return None;
                }
            },
            terminate: Terminate => return Some(terminate.reason),
            exit: Exit if Some(exit.pid) == parent => return Some(exit.reason),
        }
    }
}

/// Returns whether the behaviour is suspended afterwards.
async fn carry_out(request: SystemMessage, subject: &mut impl Subject, suspended: bool) -> bool {
    match request {
        SystemMessage::Suspend(reply) => {
            reply.send(Ok(()));
            return true;
        }
        SystemMessage::Resume(reply) => {
            reply.send(Ok(()));
            return false;
        }
        SystemMessage::State(work) => {
            let name = subject.state_type();
            work(subject.state(), name);
        }
        SystemMessage::GetStatus(reply) => reply.send(Ok(status(subject, suspended).await)),
        SystemMessage::Statistics(on, reply) => {
            let counting = match on {
                true => Some(Counting {
                    start_time: monotonic_time(),
                    reductions: reductions().await,
                    messages_in: 0,
                }),
                false => None,
            };
            subject.sys().watched().counting = counting;
            reply.send(Ok(()));
        }
        SystemMessage::GetStatistics(reply) => {
            let now = reductions().await;
            let counting = subject.sys().counting();
            let statistics = counting.map(|counting| Statistics {
                start_time: counting.start_time,
                current_time: monotonic_time(),
                reductions: now.saturating_sub(counting.reductions),
                messages_in: counting.messages_in,
            });
            reply.send(Ok(statistics));
        }
        SystemMessage::Trace(on, reply) => {
            subject.sys().watched().tracing.set_events(on);
            reply.send(Ok(()));
        }
        SystemMessage::TraceTo(pid, on, reply) => {
            subject.sys().watched().tracing.set_process(pid, on);
            reply.send(Ok(()));
        }
        SystemMessage::Log(max, reply) => {
            subject.sys().watched().log.set_max(max);
            reply.send(Ok(()));
        }
        SystemMessage::GetLog(reply) => {
            let log = &subject.sys().watched().log;
            reply.send(Ok(log.events().cloned().collect()));
        }
    }
    suspended
}

/// This process, as the runtime knows it.
async fn myself() -> Option<ProcessInfo> {
    process_info(self_pid()).await
}

async fn reductions() -> u64 {
    myself().await.map_or(0, |info| info.reductions)
}

async fn status(subject: &mut impl Subject, suspended: bool) -> Status {
    let info = myself().await;
    let (name, label, message_queue_len) = match info {
        Some(info) => (info.name, info.label, info.message_queue_len),
        None => (None, None, 0),
    };
    Status {
        pid: self_pid(),
        name,
        label,
        parent: subject.parent(),
        behaviour: subject.behaviour(),
        module: subject.module(),
        state: subject.show(),
        suspended,
        hibernating: subject.is_hibernating(),
        statistics: subject.sys().counting().is_some(),
        traced: subject.sys().is_traced(),
        logged: subject.sys().is_logged(),
        message_queue_len,
    }
}
