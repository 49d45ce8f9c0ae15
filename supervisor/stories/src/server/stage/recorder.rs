//! The recorder: everybody tells it what it does and waits for its answer, and it knows who waits for
//! what.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use regrow_runtime::{
    Down, ExitReason, MonitorRef, Pid, ReplyTo, is_alive, monitor, receive, reply_channel, send,
};

use super::names;

/// What is known of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// A client has something to do, or waits for its end.
    pub(super) busy: Option<Busy>,
    /// The server that a client starts and that is not born yet: nothing leads from one to the other.
    pub(super) starting: Option<&'static str>,
    /// A time of its own runs that will be over soon.
    pub(super) ticking: bool,
    /// A server has answered with an idle timeout that will come soon.
    pub(super) armed: bool,
    /// A server calls another.
    pub(super) asking: bool,
    pub(super) suspended: bool,
    /// Waits for a release.
    pub(super) gated: bool,
    /// Will wait for one in `terminate`.
    pub(super) gated_end: bool,
}

/// What a client is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// What its end would leave half done.
    System,
    Other,
}

/// Some text of a line.
pub(super) enum Part {
    Text(String),
    Who(Pid),
    Why(ExitReason),
}

/// How things stand.
pub(super) struct Census {
    pub(super) count: u64,
    /// By name.
    pub(super) live: Vec<(String, Pid)>,
    pub(super) dead: Vec<Pid>,
}

pub(super) type Change = Box<dyn FnOnce(&mut Flags) + Send>;

impl Busy {
    pub(super) fn is_system(self) -> bool {
        self == Busy::System
    }
}

pub(super) enum Request {
    /// With where a server says whether it hibernates.
    Born(
        &'static str,
        Pid,
        Flags,
        Option<Arc<AtomicBool>>,
        ReplyTo<()>,
    ),
    Event(Pid, Vec<Part>, ReplyTo<()>),
    /// What came of what a client did, and what is known from now on of another.
    Result(Pid, Vec<Part>, Option<(Pid, Change)>, ReplyTo<()>),
    Flag(Pid, Change, ReplyTo<()>),
    Flags(Pid, ReplyTo<Flags>),
    Gate(Pid, ReplyTo<()>),
    Release(Pid, ReplyTo<bool>),
    /// Dead or alive.
    Latest(&'static str, ReplyTo<Option<Pid>>),
    /// Only if it is alive.
    Find(&'static str, ReplyTo<Option<Pid>>),
    Hibernates(Pid, ReplyTo<bool>),
    Census(ReplyTo<Census>),
    Events(ReplyTo<Vec<String>>),
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

#[derive(Default)]
struct Recorder {
    births: HashMap<&'static str, u32>,
    names: HashMap<Pid, String>,
    latest: HashMap<&'static str, Pid>,
    live: HashMap<Pid, MonitorRef>,
    dead: Vec<Pid>,
    gates: HashMap<Pid, ReplyTo<()>>,
    flags: HashMap<Pid, Flags>,
    hibernates: HashMap<Pid, Arc<AtomicBool>>,
    events: Vec<(Pid, String)>,
    count: u64,
}

impl Recorder {
    async fn handle(&mut self, request: Request) {
        if let Request::Gate(pid, reply) = request {
            self.count += 1;
            self.gates.insert(pid, reply);
            return;
        }
        self.flush().await;
        match request {
            Request::Gate(..) => {}
            Request::Born(id, pid, flags, hibernates, reply) => {
                for flags in self.flags.values_mut() {
                    flags.starting = flags.starting.filter(|&starting| starting != id);
                }
                let number = self.births.entry(id).or_default();
                *number += 1;
                self.names.insert(pid, format!("{id}#{number}"));
                self.latest.insert(id, pid);
                self.live.insert(pid, monitor(pid));
                self.hibernates.extend(hibernates.map(|it| (pid, it)));
                self.change(pid, |it| *it = flags);
                reply.send(());
            }
            Request::Event(pid, parts, reply) => {
                self.event(pid, &parts);
                self.change(pid, |it| (it.armed, it.asking) = (false, false));
                reply.send(());
            }
            Request::Result(pid, mut parts, other, reply) => {
                parts.insert(0, Part::Text("result ".into()));
                self.event(pid, &parts);
                self.change(pid, |it| {
                    (it.busy, it.ticking, it.starting) = (None, false, None)
                });
                if let Some((pid, change)) = other {
                    self.change(pid, change);
                }
                reply.send(());
            }
            Request::Flag(pid, change, reply) => {
                self.change(pid, change);
                reply.send(());
            }
            Request::Flags(pid, reply) => {
                let mut flags = self.flags.get(&pid).copied().unwrap_or_default();
                flags.gated = self.gates.contains_key(&pid);
                reply.send(flags);
            }
            Request::Release(pid, reply) => {
                let gate = self.gates.remove(&pid);
                self.count += 1;
                reply.send(gate.is_some());
                if let Some(gate) = gate {
                    gate.send(());
                }
            }
            Request::Latest(id, reply) => reply.send(self.latest.get(id).copied()),
            Request::Find(id, reply) => {
                let pid = self.latest.get(id).copied();
                reply.send(pid.filter(|pid| self.live.contains_key(pid)));
            }
            Request::Hibernates(pid, reply) => {
                let hibernates = self.hibernates.get(&pid);
                reply.send(hibernates.is_some_and(|it| it.load(Ordering::Relaxed)));
            }
            Request::Census(reply) => reply.send(self.census()),
            Request::Events(reply) => reply.send(self.lines()),
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
            self.gates.remove(&pid);
            self.dead.push(pid);
            self.event(pid, &[Part::Text("down ".into()), Part::Why(reason)]);
        }
    }

    fn change(&mut self, pid: Pid, change: impl FnOnce(&mut Flags)) {
        change(self.flags.entry(pid).or_default());
        self.count += 1;
    }

    fn event(&mut self, pid: Pid, parts: &[Part]) {
        let mut line = String::new();
        for part in parts {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Who(pid) => line.push_str(self.names.get(pid).map_or("stranger", |it| it)),
                Part::Why(why) => line.push_str(&names::reason(why)),
            }
        }
        self.events.push((pid, line));
        self.count += 1;
    }

    fn census(&self) -> Census {
        let live = self.live.keys().map(|&pid| (self.names[&pid].clone(), pid));
        let mut live: Vec<_> = live.collect();
        live.sort_by(|(one, _), (other, _)| one.cmp(other));
        Census {
            count: self.count,
            live,
            dead: self.dead.clone(),
        }
    }

    /// Each process in its order; there is none among them, since they run at the same time. Nor is
    /// there one among the ends of others that a process hears of.
    fn lines(&mut self) -> Vec<String> {
        let mut by_name = BTreeMap::<_, Vec<String>>::new();
        for (pid, line) in std::mem::take(&mut self.events) {
            by_name.entry(&self.names[&pid]).or_default().push(line);
        }
        let mut lines = Vec::new();
        for (name, mut of_one) in by_name {
            for run in of_one.chunk_by_mut(|one, next| is_heard(one) && is_heard(next)) {
                run.sort();
            }
            // The third client does not trap exits: whether it still gets to tell something is luck.
            if name.starts_with("c3#") && of_one.iter().any(|line| is_end(line)) {
                of_one.retain(|line| is_end(line));
            }
            lines.extend(of_one.iter().map(|line| format!("  {name} {line}")));
        }
        lines
    }
}

fn is_heard(line: &str) -> bool {
    line.starts_with("heard ")
}

fn is_end(line: &str) -> bool {
    line.starts_with("down ")
}
