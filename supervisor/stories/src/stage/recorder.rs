//! The recorder: everything that happens in a tree is told to it, and waits for its answer, so
//! that its order is the order in which things have happened.

use std::collections::{BTreeMap, HashMap, HashSet};

use regrow_runtime::{
    Down, ExitReason, MonitorRef, Pid, ReplyTo, is_alive, monitor, receive, reply_channel, send,
};

use super::names;
use super::reports::Report;
use crate::story::Target;

/// What a process of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Worker,
    Supervisor,
    DynamicSupervisor,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) pid: Pid,
    pub(super) kind: Type,
}

/// How things stand.
pub(super) struct Census {
    /// How much has happened.
    pub(super) count: usize,
    /// By id and incarnation.
    pub(super) live: Vec<Found>,
    pub(super) dead: Vec<Pid>,
}

pub(super) enum Request {
    /// A start function runs; which attempt is it?
    Attempt(String, ReplyTo<u32>),
    Born(Birth, ReplyTo<()>),
    /// The start of a supervisor is over.
    Up(Pid, ReplyTo<()>),
    /// A process has been told to stop.
    Stop(Pid, ExitReason, ReplyTo<()>),
    /// A supervisor is held here until it is released.
    Gate(Pid, ReplyTo<()>),
    IsHeld(Pid, ReplyTo<bool>),
    Release(Pid, ReplyTo<()>),
    Census(ReplyTo<Census>),
    /// Only if it is alive.
    Find(Target, ReplyTo<Option<Found>>),
    /// Dead or alive.
    PidOf(Target, ReplyTo<Option<Pid>>),
    Name(Pid, ReplyTo<String>),
    Events(ReplyTo<Vec<String>>),
    /// How these are called in the trace.
    Reports(Vec<Report>, ReplyTo<Vec<String>>),
}

pub(super) struct Birth {
    pub(super) id: String,
    pub(super) pid: Pid,
    pub(super) parent: Pid,
    pub(super) kind: Type,
}

/// Asks the recorder and waits for its answer.
pub(super) async fn ask<R: Send + 'static>(
    recorder: Pid,
    request: impl FnOnce(ReplyTo<R>) -> Request,
) -> R {
    let (reply_to, reply) = reply_channel();
    send(recorder, request(reply_to));
    reply.await.expect("the recorder outlives the story")
}

pub(super) async fn record() {
    let mut recorder = Recorder::default();
    loop {
        let request = receive::<Request>().await;
        recorder.handle(request).await;
    }
}

struct Known {
    id: String,
    number: u32,
    kind: Type,
    parent: Pid,
}

enum Event {
    Attempt(String, u32),
    Born(Pid),
    Up(Pid),
    Stop(Pid, ExitReason),
    Down(Pid, ExitReason),
}

#[derive(Default)]
struct Recorder {
    attempts: HashMap<String, u32>,
    births: HashMap<String, u32>,
    known: HashMap<Pid, Known>,
    live: HashMap<Pid, MonitorRef>,
    dead: HashMap<Pid, ExitReason>,
    gates: HashMap<Pid, ReplyTo<()>>,
    ups: HashSet<Pid>,
    events: Vec<Event>,
    count: usize,
}

impl Recorder {
    async fn handle(&mut self, request: Request) {
        if let Request::Gate(pid, reply) = request {
            self.gates.insert(pid, reply);
            return;
        }
        // Whoever has died before this request was made has died before what it tells.
        self.flush().await;
        match request {
            Request::Gate(..) => {}
            Request::Attempt(id, reply) => {
                let number = self.attempts.entry(id.clone()).or_default();
                *number += 1;
                let number = *number;
                self.happened(Event::Attempt(id, number));
                reply.send(number);
            }
            Request::Born(birth, reply) => {
                self.born(birth);
                reply.send(());
            }
            Request::Up(pid, reply) => {
                self.ups.insert(pid);
                self.happened(Event::Up(pid));
                reply.send(());
            }
            Request::Stop(pid, reason, reply) => {
                self.happened(Event::Stop(pid, reason));
                reply.send(());
            }
            Request::IsHeld(pid, reply) => reply.send(self.gates.contains_key(&pid)),
            Request::Release(pid, reply) => {
                if let Some(gate) = self.gates.remove(&pid) {
                    gate.send(());
                }
                reply.send(());
            }
            Request::Census(reply) => reply.send(self.census()),
            Request::Find(target, reply) => reply.send(self.find(&target)),
            Request::PidOf(target, reply) => reply.send(self.pid_of(&target)),
            Request::Name(pid, reply) => reply.send(self.name(pid)),
            Request::Events(reply) => reply.send(self.canonical()),
            Request::Reports(reports, reply) => reply.send(self.reports(&reports)),
        }
    }

    async fn flush(&mut self) {
        let mut dead = Vec::new();
        for (&pid, &reference) in &self.live {
            if !is_alive(pid).await {
                dead.push((pid, reference));
            }
        }
        for (pid, reference) in dead {
            let down = receive::<Down>().matching(move |down| down.reference == reference);
            let reason = down.await.reason;
            self.live.remove(&pid);
            self.dead.insert(pid, reason.clone());
            self.happened(Event::Down(pid, reason));
        }
    }

    fn happened(&mut self, event: Event) {
        self.events.push(event);
        self.count += 1;
    }

    fn born(&mut self, birth: Birth) {
        let Birth {
            id,
            pid,
            parent,
            kind,
        } = birth;
        let number = self.births.entry(id.clone()).or_default();
        *number += 1;
        let number = *number;
        self.known.insert(
            pid,
            Known {
                id,
                number,
                kind,
                parent,
            },
        );
        self.live.insert(pid, monitor(pid));
        self.happened(Event::Born(pid));
    }

    fn census(&self) -> Census {
        let mut live = BTreeMap::new();
        for &pid in self.live.keys() {
            let known = &self.known[&pid];
            live.insert(
                (&known.id, known.number),
                Found {
                    pid,
                    kind: known.kind,
                },
            );
        }
        Census {
            count: self.count,
            live: live.into_values().collect(),
            dead: self.dead.keys().copied().collect(),
        }
    }

    fn find(&self, target: &Target) -> Option<Found> {
        let wanted = |known: &&Known| {
            known.id == target.id && (target.number == 0 || target.number == known.number)
        };
        let live = self.live.keys().map(|&pid| (pid, &self.known[&pid]));
        let latest = live
            .filter(|(_, known)| wanted(known))
            .max_by_key(|(_, known)| known.number);
        latest.map(|(pid, known)| Found {
            pid,
            kind: known.kind,
        })
    }

    fn pid_of(&self, target: &Target) -> Option<Pid> {
        let number = match target.number {
            0 => self.births.get(&target.id).copied()?,
            number => number,
        };
        let mut all = self.known.iter();
        all.find(|(_, known)| known.id == target.id && known.number == number)
            .map(|(&pid, _)| pid)
    }

    fn name(&self, pid: Pid) -> String {
        match self.known.get(&pid) {
            Some(known) => format!("{}#{}", known.id, known.number),
            None => "unknown".into(),
        }
    }

    /// Everything in its order, but for what OTP leaves open: ends that no report lies between,
    /// and the ends of processes whose supervisor has been killed or stops all its children at
    /// once.
    fn canonical(&mut self) -> Vec<String> {
        let (mut lines, mut free, mut downs) = (Vec::new(), Vec::new(), Vec::new());
        for event in std::mem::take(&mut self.events) {
            let line = self.line(&event);
            match event {
                Event::Stop(pid, _) | Event::Down(pid, _)
                    if self.has_not_started(pid) || self.below_free(pid) =>
                {
                    free.push(format!("  free {line}"));
                }
                Event::Down(..) => downs.push(line),
                _ => {
                    downs.sort();
                    lines.append(&mut downs);
                    lines.push(line);
                }
            }
        }
        downs.sort();
        lines.append(&mut downs);
        free.sort();
        let mut lines: Vec<_> = lines.iter().map(|line| format!("  {line}")).collect();
        lines.append(&mut free);
        lines
    }

    /// In the order of each supervisor; there is none among them, nor with what has happened.
    fn reports(&self, reports: &[Report]) -> Vec<String> {
        let known: HashMap<_, _> = self
            .known
            .keys()
            .map(|&pid| (pid.to_string(), pid))
            .collect();
        let mut by_supervisor = BTreeMap::<_, Vec<_>>::new();
        for report in reports {
            let supervisor = known.get(report.supervisor());
            let kind = supervisor.and_then(|pid| self.known.get(pid));
            // [difference] OTP reports once for all instances that it has stopped.
            if kind.is_some_and(|known| known.kind == Type::DynamicSupervisor)
                && report.context() == "shutdown_error"
            {
                continue;
            }
            let name = supervisor.map_or("unknown".into(), |&pid| self.name(pid));
            let text = report.text(|pid| Some(self.name(*known.get(pid)?)));
            let line = format!("  report {name} {text}");
            by_supervisor.entry(name).or_default().push(line);
        }
        by_supervisor.into_values().flatten().collect()
    }

    /// [difference] Before OTP 26 nobody waits for the end of what did not start.
    fn has_not_started(&self, pid: Pid) -> bool {
        let known = self.known.get(&pid);
        known.is_some_and(|known| known.kind != Type::Worker) && !self.ups.contains(&pid)
    }

    fn below_free(&self, pid: Pid) -> bool {
        let Some(known) = self.known.get(&pid) else {
            return false;
        };
        let parent = known.parent;
        let dynamic = self
            .known
            .get(&parent)
            .is_some_and(|known| known.kind == Type::DynamicSupervisor);
        dynamic || self.dead.get(&parent) == Some(&ExitReason::Killed) || self.below_free(parent)
    }

    fn line(&self, event: &Event) -> String {
        match event {
            Event::Attempt(id, number) => format!("try {id} {number}"),
            Event::Born(pid) => format!("born {}", self.name(*pid)),
            Event::Up(pid) => format!("up {}", self.name(*pid)),
            Event::Stop(pid, why) => format!("stop {} {}", self.name(*pid), names::reason(why)),
            Event::Down(pid, why) => format!("down {} {}", self.name(*pid), names::reason(why)),
        }
    }
}
