//! Those who use the servers of a story: clients, and bystanders that only end.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use regrow_runtime::{
    Down, Exit, ExitReason, MonitorRef, Pid, exit_with, receive, self_pid, send, trap_exit,
};
use regrow_supervisor::{
    CallError, GenServer, RequestId, RequestIds, ResponseTimeout, StartError, multi_call, sys,
};

use super::super::story::{How, Look, Op, Server, Sys, Time, Why};
use super::recorder::{Change, Part, Request, ask};
use super::server::{Answer, Args, Asked, Raw, Ref, Told};
use super::{World, duration, names, text};

/// To a client: do this; it may take so long.
pub(super) struct Do(pub(super) Op, pub(super) Option<Duration>);

/// To a client or a bystander: end.
pub(super) struct End(pub(super) Why);

/// To a client: somebody is watching now.
pub(super) struct Go;

pub(super) async fn client(world: World, trap: bool) {
    trap_exit(trap);
    receive::<Go>().await;
    let mut client = Client {
        world,
        monitors: HashSet::new(),
        requests: HashMap::new(),
        collection: RequestIds::new(),
    };
    loop {
        receive! {
            Do(op, time) => client.perform(op, time).await,
            End(why) => exit_with(names::exit_reason(why)),
            exit: Exit => client.world.heard("exit", exit.pid, exit.reason).await,
            down: Down if client.monitors.contains(&down.reference) => {
                client.world.heard("down", down.pid, down.reason).await;
            },
        }
    }
}

struct Client {
    world: World,
    monitors: HashSet<MonitorRef>,
    requests: HashMap<u32, RequestId<Answer>>,
    collection: RequestIds<Answer, u32>,
}

type Said = Vec<Part>;

fn said(what: impl Into<String>) -> Said {
    vec![text(what)]
}

fn replied(answer: Answer) -> String {
    format!("reply {} {}", answer.0, answer.1)
}

fn called(result: Result<Answer, CallError>) -> Said {
    said(match result {
        Ok(answer) => replied(answer),
        Err(error) => format!("exit {}", names::call(&error)),
    })
}

fn response(result: Result<Answer, CallError>) -> String {
    match result {
        Ok(answer) => replied(answer),
        Err(CallError::Timeout(_)) => "timeout".into(),
        Err(error) => format!("error {}", names::call(&error)),
    }
}

fn limit(time: Time) -> ResponseTimeout {
    match time {
        Time::Never => ResponseTimeout::Infinity,
        time => ResponseTimeout::After(duration(time)),
    }
}

impl Client {
    async fn perform(&mut self, op: Op, time: Option<Duration>) {
        let (parts, other) = self.outcome(op, time).await;
        let this = self_pid();
        ask(self.world.recorder, |reply| {
            Request::Result(this, parts, other, reply)
        })
        .await;
    }

    /// What it has come to, and what is known from now on of another.
    async fn outcome(&mut self, op: Op, time: Option<Duration>) -> (Said, Option<(Pid, Change)>) {
        let parts = match op {
            Op::Start(server, how, named, _, plan) => {
                let args = Args {
                    world: self.world.clone(),
                    server,
                    plan: *plan,
                };
                let name = named.then(|| self.world.name(server));
                self.start(args, how, name, time).await
            }
            Op::Abcast(servers, message) => {
                let all = self.all(&servers);
                regrow_supervisor::abcast(all, || Asked::Cast(message.clone()));
                said("done")
            }
            Op::MultiCall(servers, message) => {
                let all = self.all(&servers);
                let request = |reply| Asked::Call(message.clone(), reply);
                let (replies, bad) = multi_call(all.clone(), request, time).await;
                let id = |wanted: &Ref| {
                    let index = all.iter().position(|it| it == wanted);
                    index.map_or("unknown", |index| names::server(servers[index]))
                };
                let replies = replies
                    .iter()
                    .map(|(it, answer)| format!("; {} {}", id(it), replied(*answer)));
                let bad = bad.iter().map(|(it, _)| format!("; {} bad", id(it)));
                said(format!("multi{}", replies.chain(bad).collect::<String>()))
            }
            Op::Response(label, look) => match self.requests.remove(&label) {
                None => said("none"),
                Some(request) => self.response(label, request, look).await,
            },
            Op::Any(look, delete) => self.any(look, delete).await,
            Op::Reply(server, number) => match self.world.reach(super::To::Pid(server)).await {
                None => said("none"),
                Some(server) => {
                    let take = move |it: &Told| it.kept().remove(&number);
                    let kept = sys::get_state_with(&server, take).no_timeout().await;
                    if let Ok(Some(reply)) = kept {
                        reply.send(Answer(number, 1000));
                    }
                    said("done")
                }
            },
            Op::Cast(to, ..)
            | Op::Send(to, ..)
            | Op::Call(to, ..)
            | Op::Request(to, ..)
            | Op::Collect(to, ..)
            | Op::Stop(to, ..)
            | Op::Sys(to, ..) => match self.world.reach(to).await {
                None => said("none"),
                Some(server) => return self.with(server, op, time).await,
            },
        };
        (parts, None)
    }

    fn all(&self, servers: &[Server]) -> Vec<Ref> {
        let named = servers.iter().map(|&it| Ref::named(self.world.name(it)));
        named.collect()
    }

    /// What is done with one server that there is, or was.
    async fn with(
        &mut self,
        server: Ref,
        op: Op,
        time: Option<Duration>,
    ) -> (Said, Option<(Pid, Change)>) {
        let parts = match op {
            Op::Cast(_, message) => {
                server.cast(Asked::Cast(message));
                said("done")
            }
            Op::Send(_, message) => {
                if let Some(pid) = server.pid() {
                    send(pid, Raw(message));
                }
                said("done")
            }
            Op::Call(_, message, _) => {
                let call = server.call(|reply| Asked::Call(message, reply));
                called(match time {
                    Some(time) => call.timeout(time).await,
                    None => call.no_timeout().await,
                })
            }
            Op::Request(_, message, label) => {
                let request = server.send_request(|reply| Asked::Call(message, reply));
                self.requests.insert(label, request);
                said("sent")
            }
            Op::Collect(_, message, label) => {
                let request = |reply| Asked::Call(message, reply);
                self.collection.send_request(&server, request, label);
                said("sent")
            }
            Op::Stop(_, why, _) => match server.stop(names::exit_reason(why), time).await {
                Ok(()) => said("ok"),
                Err(error) => said(format!("exit {}", names::stop(&error))),
            },
            Op::Sys(_, sys) => return system(server, sys).await,
            _ => said("none"),
        };
        (parts, None)
    }

    async fn start(
        &mut self,
        args: Args,
        how: How,
        name: Option<String>,
        time: Option<Duration>,
    ) -> Said {
        let start = match how {
            How::Monitor => {
                let mut start = Told::start_monitor(args);
                if let Some(name) = name {
                    start = start.name(name);
                }
                if let Some(time) = time {
                    start = start.timeout(time);
                }
                start.await.map(|(server, reference)| {
                    self.monitors.insert(reference);
                    server
                })
            }
            _ => {
                let mut start = match how {
                    How::Link => Told::start_link(args),
                    _ => Told::start(args),
                };
                if let Some(name) = name {
                    start = start.name(name);
                }
                if let Some(time) = time {
                    start = start.timeout(time);
                }
                start.await
            }
        };
        match start {
            Ok(server) => match server.pid() {
                Some(pid) => vec![text("ok "), Part::Who(pid)],
                None => said("ok"),
            },
            Err(StartError::AlreadyStarted(pid)) => vec![text("already_started "), Part::Who(pid)],
            Err(StartError::Ignored) => said("ignore"),
            Err(StartError::Timeout) => said("error timeout"),
            Err(StartError::Exit(why)) => vec![text("error "), Part::Why(why)],
            Err(other) => vec![text("error "), Part::Why(ExitReason::error(other))],
        }
    }

    async fn response(&mut self, label: u32, mut request: RequestId<Answer>, look: Look) -> Said {
        let found = match look {
            Look::Receive(time) => Some(request.receive_response(limit(time)).await),
            Look::Wait(_) | Look::Check => {
                let (found, none) = match look {
                    Look::Wait(time) => (request.wait_response(limit(time)).await, "timeout"),
                    _ => (request.check_response(), "no_reply"),
                };
                if found.is_none() {
                    self.requests.insert(label, request);
                    return said(none);
                }
                found
            }
        };
        found.map_or_else(|| said("none"), |it| said(response(it)))
    }

    async fn any(&mut self, look: Look, delete: bool) -> Said {
        let found = match look {
            Look::Receive(time) => self.collection.receive_response(limit(time), delete).await,
            Look::Wait(time) => self.collection.wait_response(limit(time), delete).await,
            // Nothing there, and nothing to wait for.
            Look::Check if self.collection.is_empty() => Ok(None),
            Look::Check => match self.collection.check_response(delete) {
                Some(found) => Ok(Some(found)),
                None => return said("no_reply"),
            },
        };
        match found {
            Ok(Some((it, label))) => {
                let left = self.collection.len();
                said(format!("{label}: {}, {left} left", response(it)))
            }
            Ok(None) => said("no_request"),
            Err(_) => {
                if matches!(look, Look::Receive(_)) {
                    self.collection = RequestIds::new();
                }
                said("timeout")
            }
        }
    }
}

/// System messages.
async fn system(server: Ref, what: Sys) -> (Said, Option<(Pid, Change)>) {
    let pid = server.pid();
    let suspends = |on: bool| {
        let change: Change = Box::new(move |it| it.suspended = on);
        pid.map(|pid| (pid, change))
    };
    let (answer, other) = match what {
        Sys::Suspend => (sys::suspend(&server).no_timeout().await, suspends(true)),
        Sys::Resume => (sys::resume(&server).no_timeout().await, suspends(false)),
        Sys::GetState => {
            let state = sys::get_state_with(&server, |it: &Told| it.count).no_timeout();
            match state.await {
                Ok(count) => return (said(format!("state {count}")), None),
                Err(error) => (Err(error), None),
            }
        }
        Sys::ReplaceState => {
            let replaced = sys::replace_state(&server, Told::replaced).no_timeout();
            (replaced.await, None)
        }
        Sys::ReplaceBadly => {
            let failed = |_: &Told| -> Told { crate::stage::names::panic_quietly() };
            (sys::replace_state(&server, failed).no_timeout().await, None)
        }
    };
    match answer {
        Ok(()) => (said("ok"), other),
        Err(error) => (said(format!("exit {}", names::sys(&error))), None),
    }
}
