//! The director: carries out the steps, and waits after each until nothing moves.

use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{
    ExitReason, Monitored, Pid, Status, exit, is_alive, process_info, self_pid, send, sleep, spawn,
    spawn_link, unlink, whereis, yield_now,
};

use super::super::story::{Client, Friend, How, Look, Op, ServerStep, ServerStory, Time, To, Who};
use super::client::{Do, End, Go, client};
use super::recorder::{Busy, Census, Flags, Request, ask, record};
use super::{SOON, World, names};

/// In virtual time, after which all that was to happen soon has happened.
const QUIET: Duration = Duration::from_secs(1);

pub(crate) async fn direct(story: Arc<ServerStory>, simulated: bool) -> Vec<String> {
    let recorder = spawn_link(record());
    let world = World::new(recorder, simulated);
    let mut trace = Vec::new();
    for (index, step) in story.steps.iter().enumerate() {
        for friend in [Friend::One, Friend::Two].map(names::friend) {
            if world.find(friend).await.is_none() {
                world.spawn(friend, true).await;
            }
        }
        let said = world.step(step).await;
        world.quiet().await;
        trace.push(format!("step {}", index + 1));
        trace.extend(said.map(|said| format!("  {said}")));
        trace.append(&mut ask(recorder, Request::Events).await);
        trace.append(&mut world.views().await);
    }
    world.clean_up().await;
    unlink(recorder);
    exit(recorder, ExitReason::Kill);
    trace
}

impl World {
    async fn census(&self) -> Census {
        ask(self.recorder, Request::Census).await
    }

    async fn clean_up(&self) {
        loop {
            let live = self.census().await.live;
            if live.is_empty() {
                return;
            }
            for (_, pid) in live {
                exit(pid, ExitReason::Kill);
            }
            yield_now().await;
        }
    }

    async fn step(&self, step: &ServerStep) -> Option<&'static str> {
        match step {
            ServerStep::Do(client, op) => self.perform(*client, op).await,
            ServerStep::Release(server) => match self.find(names::server(*server)).await {
                None => Some("none"),
                Some(pid) => {
                    let released = ask(self.recorder, |reply| Request::Release(pid, reply)).await;
                    Some(if released { "released" } else { "none" })
                }
            },
            ServerStep::Exit(who, why) => match self.touched(*who, Busy::is_system).await {
                Err(said) => Some(said),
                Ok(pid) => {
                    exit(pid, names::exit_reason(*why));
                    is_alive(pid).await;
                    None
                }
            },
            ServerStep::End(who, why) => match self.touched(*who, |_| true).await {
                Err(said) => Some(said),
                Ok(pid) => {
                    send(pid, End(*why));
                    None
                }
            },
        }
    }

    /// Who it is, unless what it does spares it.
    async fn touched(&self, who: Who, spared: impl Fn(Busy) -> bool) -> Result<Pid, &'static str> {
        let pid = match (self.find(names::who(who)).await, who) {
            (Some(pid), _) => pid,
            (None, _) => return Err("none"),
        };
        match self.flags(pid).await.busy {
            Some(busy) if spared(busy) => Err("busy"),
            _ => Ok(pid),
        }
    }

    async fn perform(&self, who: Client, op: &Op) -> Option<&'static str> {
        let id = names::client(who);
        let pid = match self.find(id).await {
            Some(pid) => pid,
            None => self.spawn(id, who != Client::Three).await,
        };
        if self.flags(pid).await.busy.is_some() || !may(who, pid, op).await {
            return Some("busy");
        }
        let soon = self.is_impatient(op).await;
        let ticking = soon || ticks(op);
        let busy = match op {
            Op::Sys(..) | Op::Reply(..) => Busy::System,
            _ => Busy::Other,
        };
        let starting = match op {
            Op::Start(server, ..) => Some(names::server(*server)),
            _ => None,
        };
        self.change(pid, move |it| {
            (it.busy, it.ticking, it.starting) = (Some(busy), ticking, starting);
        })
        .await;
        send(pid, Do(op.clone(), soon.then_some(hurry(op))));
        None
    }

    /// A client or a bystander.
    async fn spawn(&self, id: &'static str, trap: bool) -> Pid {
        let pid = spawn(client(self.clone(), trap));
        ask(self.recorder, |reply| {
            Request::Born(id, pid, Flags::default(), None, reply)
        })
        .await;
        send(pid, Go);
        pid
    }

    /// Whether it gives up soon: only if it is sure that nothing comes before.
    async fn is_impatient(&self, op: &Op) -> bool {
        match op {
            Op::Start(_, _, _, true, plan) => plan.init.is_gated(),
            Op::Call(to, message, true) => {
                self.is_stuck(self.whois(*to).await).await || message.script.keeps_silent()
            }
            Op::MultiCall(servers, _) => {
                for server in servers {
                    let pid = self.whois(To::Name(*server)).await;
                    if pid.is_some() && !self.is_stuck(pid).await {
                        return false;
                    }
                }
                true
            }
            Op::Stop(to, _, true) => match self.whois(*to).await {
                Some(pid) => {
                    let flags = self.flags(pid).await;
                    flags.gated || flags.asking || flags.gated_end
                }
                None => false,
            },
            _ => false,
        }
    }

    async fn whois(&self, to: To) -> Option<Pid> {
        self.reach(to).await.and_then(|server| server.pid())
    }

    /// Waits until nothing moves: in two rounds, one after the other, nobody has told anything,
    /// everybody waits and has heard of all ends, and no time is running that will be over soon.
    /// In virtual time that is when time goes by.
    async fn quiet(&self) {
        if self.simulated {
            return sleep(QUIET).await;
        }
        let (mut rounds, mut last) = (0, None);
        while rounds < 2 {
            let census = self.census().await;
            let mut still = last.is_none_or(|last| last == census.count);
            for (_, pid) in &census.live {
                still = still && self.is_still(*pid, &census).await;
            }
            if still && self.census().await.count == census.count {
                (rounds, last) = (rounds + 1, Some(census.count));
            } else {
                (rounds, last) = (0, None);
                yield_now().await;
            }
        }
    }

    async fn is_still(&self, pid: Pid, census: &Census) -> bool {
        let flags = self.flags(pid).await;
        flags.starting.is_none()
            && !flags.ticking
            && (!flags.armed || flags.suspended)
            && self.waits(pid, census).await
    }

    async fn waits(&self, pid: Pid, census: &Census) -> bool {
        let mut seen = vec![pid, self.recorder, self_pid()];
        let mut next = vec![pid];
        while let Some(pid) = next.pop() {
            let Some(info) = process_info(pid).await else {
                return false;
            };
            if info.status != Status::Waiting {
                return false;
            }
            let monitored = info.monitors.iter().map(|whom| match whom {
                Monitored::Process(pid) => Some(*pid),
                Monitored::Name(name) => whereis(name),
                _ => None,
            });
            for other in info.links.into_iter().map(Some).chain(monitored) {
                let Some(other) = other.filter(|pid| !census.dead.contains(pid)) else {
                    return false;
                };
                // Somebody who is not born yet must wait as well.
                if !seen.contains(&other) && !census.live.iter().any(|(_, pid)| *pid == other) {
                    seen.push(other);
                    next.push(other);
                }
            }
        }
        true
    }

    /// How the servers wait.
    async fn views(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, pid) in self.census().await.live {
            if !name.starts_with(['a', 'b']) && !name.starts_with("c#") {
                continue;
            }
            let length = process_info(pid)
                .await
                .map_or(0, |info| info.message_queue_len);
            let sleeps = ask(self.recorder, |reply| Request::Hibernates(pid, reply)).await;
            if length > 0 || sleeps {
                let sleeps = if sleeps { " hibernates" } else { "" };
                lines.push(format!("  wait {name} queue {length}{sleeps}"));
            }
        }
        lines
    }
}

/// A client that does not trap exits must not be ended while something else that it does may be
/// seen or not, nor leave a request behind that nobody knows of.
async fn may(who: Client, pid: Pid, op: &Op) -> bool {
    match (who, op) {
        (Client::Three, Op::Start(_, How::Monitor, ..)) => false,
        (Client::Three, Op::Start(_, How::Link, ..) | Op::Sys(..) | Op::Reply(..)) => {
            process_info(pid)
                .await
                .is_some_and(|info| info.links.is_empty())
        }
        _ => true,
    }
}

/// How long the impatient wait.
fn hurry(op: &Op) -> Duration {
    match op {
        // The new process must be on its way by then.
        Op::Start(..) | Op::Stop(..) => Duration::from_millis(100),
        _ => SOON,
    }
}

/// Whether a time of its own runs that will be over soon.
fn ticks(op: &Op) -> bool {
    match op {
        Op::Response(_, look) | Op::Any(look, _) => match look {
            Look::Receive(time) | Look::Wait(time) => *time != Time::Never,
            Look::Check => false,
        },
        _ => false,
    }
}
