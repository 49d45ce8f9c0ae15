//! The process that knows all applications of a runtime (OTP: `application_controller`).
//!
//! | phase | entered by | left by |
//! |---|---|---|
//! | starting | `Start` | the master's report: running, or forgotten |
//! | running | the report that it has started | `Stop`: stopping; the report that it ended: forgotten |
//! | stopping | `Stop` | the report that it ended: forgotten |
//!
//! A master that ends without a report was killed, and its root with it. The controller itself
//! waits for nobody but in `terminate`.

use std::sync::Arc;

use regrow_runtime::{
    Exit, ExitReason, Pid, ReplyTo, SpawnOptions, exit_with, receive_exit, self_pid, send,
    trap_exit, try_receive_matching,
};

use super::master::{self, Stop};
use super::order::Single;
use super::{
    ApplicationEnded, ApplicationInfo, StartApplicationError, StartType, StopApplicationError,
};
use crate::report::{contained, discard};
use crate::{Context, GenServer, Info, Next};

/// What the controller can be asked, and what masters tell it.
pub(super) enum Request {
    Start(Box<Single>, ReplyTo<Result<(), StartApplicationError>>),
    Stop(Arc<str>, ReplyTo<Result<(), StopApplicationError>>),
    Which(ReplyTo<Vec<ApplicationInfo>>),
    Report(Arc<str>, Report),
    ShutDown,
}

/// What the master of an application has to say.
pub(super) enum Report {
    Started(Result<Pid, StartApplicationError>),
    /// The application has ended, told to or by itself.
    Ended(ExitReason),
}

/// The state of the controller: applications in the order in which they were started.
#[derive(Default)]
pub(super) struct Controller {
    entries: Vec<Entry>,
}

struct Entry {
    name: Arc<str>,
    start_type: StartType,
    master: Pid,
    phase: Phase,
}

enum Phase {
    Starting(ReplyTo<Result<(), StartApplicationError>>),
    Running(Pid),
    Stopping(Vec<ReplyTo<Result<(), StopApplicationError>>>),
}

impl GenServer for Controller {
    type Args = ();
    type Message = Request;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true);
        Ok(Controller::default())
    }

    async fn handle(&mut self, request: Request, _: &mut Context<Self>) -> Next {
        match request {
            Request::Start(single, reply) => self.start(*single, reply),
            Request::Stop(name, reply) => self.stop(name, reply),
            Request::Which(reply) => reply.send(self.which()),
            Request::ShutDown => return Next::Stop(ExitReason::Shutdown),
            Request::Report(name, Report::Started(result)) => self.started(&name, result),
            Request::Report(name, Report::Ended(reason)) => {
                let entry = self.position(&name);
                return entry.map_or(Next::Continue, |index| self.ended(index, reason));
            }
        }
        Next::Continue
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        // A master that has reported its end is not known any more.
        if let Info::Exit(exit) = &info
            && let Some(index) = self.entries.iter().position(|it| it.master == exit.pid)
        {
            return self.ended(index, exit.reason.clone());
        }
        discard(info);
        Next::Continue
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        let mut broken = None;
        // Those who wait for a start or a stop are in the entries, and learn this process's reason.
        for entry in self.entries.iter().rev() {
            let reason = stopped(entry).await;
            if !reason.is_normal_like() && broken.is_none() {
                broken = Some(ended_with(&entry.name, reason));
            }
        }
        if let Some(broken) = broken
            && reason.is_normal_like()
        {
            exit_with(broken);
        }
    }
}

/// Stops an application and waits for its end.
async fn stopped(entry: &Entry) -> ExitReason {
    send(entry.master, Stop);
    let Exit { reason, .. } = receive_exit(entry.master).await;
    let name = entry.name.clone();
    let is_end = move |request: &Request| matches!(request, Request::Report(of, Report::Ended(_)) if *of == name);
    match try_receive_matching(is_end) {
        Some(Request::Report(_, Report::Ended(reason))) => reason,
        _ => reason,
    }
}

fn ended_with(name: &Arc<str>, reason: ExitReason) -> ExitReason {
    let name = name.clone();
    ExitReason::error(ApplicationEnded { name, reason })
}

impl Controller {
    fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| &*entry.name == name)
    }

    fn start(&mut self, single: Single, reply: ReplyTo<Result<(), StartApplicationError>>) {
        let name = single.name.clone();
        if self.position(&name).is_some() {
            return reply.send(Err(StartApplicationError::AlreadyStarted { name }));
        }
        let is_missing = |needed: &&Arc<str>| {
            let entry = self.entries.iter().find(|entry| entry.name == **needed);
            !entry.is_some_and(|entry| matches!(entry.phase, Phase::Running(_)))
        };
        if let Some(dependency) = single.needs.iter().find(is_missing).cloned() {
            return reply.send(Err(StartApplicationError::NotStarted { name, dependency }));
        }
        let start_type = single.start_type;
        let master = SpawnOptions::new()
            .link()
            .trap_exit(true)
            .spawn(master::run(single, self_pid()));
        match master {
            Ok(spawned) => self.entries.push(Entry {
                name,
                start_type,
                master: spawned.pid,
                phase: Phase::Starting(reply),
            }),
            Err(error) => {
                let reason = ExitReason::error(error);
                reply.send(Err(StartApplicationError::Failed(reason)));
            }
        }
    }

    fn started(&mut self, name: &str, result: Result<Pid, StartApplicationError>) {
        let Some(index) = self.position(name) else {
            return;
        };
        let mut entry = self.entries.remove(index);
        let phase = match result {
            Ok(root) => Phase::Running(root),
            Err(error) => {
                if let Phase::Starting(reply) = entry.phase {
                    reply.send(Err(error));
                }
                return;
            }
        };
        if let Phase::Starting(reply) = std::mem::replace(&mut entry.phase, phase) {
            contained(|| {
                tracing::info!(
                    target: "regrow::application",
                    application = %entry.name,
                    start_type = %entry.start_type,
                    "application started"
                );
            });
            reply.send(Ok(()));
        }
        // In the order in which they came up, whoever was asked for first.
        self.entries.push(entry);
    }

    fn stop(&mut self, name: Arc<str>, reply: ReplyTo<Result<(), StopApplicationError>>) {
        let known = self.entries.iter_mut().find(|entry| entry.name == name);
        let Some(entry) = known else {
            return reply.send(Err(StopApplicationError::NotStarted { name }));
        };
        match &mut entry.phase {
            Phase::Starting(_) => reply.send(Err(StopApplicationError::NotStarted { name })),
            Phase::Stopping(replies) => replies.push(reply),
            Phase::Running(_) => {
                entry.phase = Phase::Stopping(vec![reply]);
                send(entry.master, Stop);
            }
        }
    }

    /// An application is gone: what follows from it.
    fn ended(&mut self, index: usize, reason: ExitReason) -> Next {
        let entry = self.entries.remove(index);
        match entry.phase {
            Phase::Starting(reply) => {
                reply.send(Err(StartApplicationError::Failed(reason)));
                Next::Continue
            }
            Phase::Stopping(replies) => {
                report_end(&entry.name, entry.start_type, &reason);
                for reply in replies {
                    reply.send(Ok(()));
                }
                Next::Continue
            }
            Phase::Running(_) => {
                report_end(&entry.name, entry.start_type, &reason);
                if entry.start_type.is_fatal(&reason) {
                    Next::Stop(ended_with(&entry.name, reason))
                } else {
                    Next::Continue
                }
            }
        }
    }

    fn which(&self) -> Vec<ApplicationInfo> {
        let running = self
            .entries
            .iter()
            .rev()
            .filter_map(|entry| match entry.phase {
                Phase::Running(root) => Some(ApplicationInfo {
                    name: entry.name.clone(),
                    start_type: entry.start_type,
                    root,
                }),
                _ => None,
            });
        running.collect()
    }
}

fn report_end(name: &str, start_type: StartType, reason: &ExitReason) {
    contained(|| {
        tracing::info!(
            target: "regrow::application",
            application = name,
            start_type = %start_type,
            reason = %reason,
            "application ended"
        );
    });
}
