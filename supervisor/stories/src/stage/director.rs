//! The director: carries out the steps, and waits after each until nothing moves.

use std::sync::Arc;

use regrow_runtime::{
    Down, ExitReason, Pid, Reply, exit, is_alive, monitor, process_info, receive, reply_channel,
    self_pid, send, spawn, spawn_link, trap_exit, unlink, yield_now,
};
use regrow_supervisor::{DynamicSupervisorRef, SupervisorRef};

use super::children::{Die, Ping, child_spec, gate, start};
use super::names::{self, exit_reason, panic_quietly};
use super::recorder::{Found, Request, Type, ask, record};
use super::reports::Reports;
use super::views;
use crate::story::{Kind, Node, Reason, Step, Story, Target};

/// Who is who.
#[derive(Clone)]
pub(super) struct World {
    pub(super) recorder: Pid,
    parent: Pid,
    /// The supervisor that is held up just now.
    pub(super) held: Option<Pid>,
    /// The templates of the dynamic supervisors.
    story: Arc<Story>,
    /// If they can be listened to.
    reports: Option<Reports>,
}

/// To the parent: end.
struct End(Reason);

/// From the parent: what the start of the root has come to.
struct RootStarted(Result<Pid, String>);

pub(super) async fn direct(story: Arc<Story>, reports: Option<Reports>) -> Vec<String> {
    let director = self_pid();
    let recorder = spawn_link(record());
    let root = Arc::new(story.root.clone());
    let parent = spawn(async move {
        trap_exit(true);
        let started = match start(recorder, root).await {
            Ok(child) => child.pid().ok_or_else(|| "ok ignored".to_owned()),
            Err(why) => Err(format!("error {}", names::reason(&why))),
        };
        send(director, RootStarted(started));
        match receive::<End>().await.0 {
            Reason::Panic => panic_quietly(),
            why => exit_reason(why),
        }
    });
    let RootStarted(result) = receive().await;
    let world = World {
        recorder,
        parent,
        held: None,
        story,
        reports,
    };
    let result = match result {
        Ok(pid) => format!("ok {}", world.name(pid).await),
        Err(error) => error,
    };
    let mut trace = world.lines("start", vec![result]).await;
    for (index, step) in world.story.clone().steps.iter().enumerate() {
        let place = (index + 1).to_string();
        let mut lines = match step {
            Step::Hold(target, inner) => world.hold(&place, target, inner).await,
            _ => {
                let results = world.perform(step).await;
                world.lines(&place, results).await
            }
        };
        trace.append(&mut lines);
    }
    world.clean_up().await;
    unlink(recorder);
    exit(recorder, ExitReason::Kill);
    trace
}

fn one(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

impl World {
    pub(super) async fn name(&self, pid: Pid) -> String {
        ask(self.recorder, |reply| Request::Name(pid, reply)).await
    }

    async fn find(&self, target: &Target) -> Option<Found> {
        let target = target.clone();
        ask(self.recorder, |reply| Request::Find(target, reply)).await
    }

    async fn clean_up(&self) {
        exit(self.parent, ExitReason::Kill);
        loop {
            let census = ask(self.recorder, Request::Census).await;
            if census.live.is_empty() {
                return;
            }
            for found in census.live {
                exit(found.pid, ExitReason::Kill);
            }
            yield_now().await;
        }
    }

    /// What a step has led to, once nothing moves any more.
    async fn lines(&self, place: &str, results: Vec<String>) -> Vec<String> {
        self.quiet().await;
        let mut lines = vec![format!("step {place}")];
        lines.append(&mut ask(self.recorder, Request::Events).await);
        if let Some(reports) = &self.reports {
            let reports = reports.take();
            lines.append(&mut ask(self.recorder, |reply| Request::Reports(reports, reply)).await);
        }
        lines.extend(results.iter().map(|result| format!("  result {result}")));
        lines.append(&mut views::of(self).await);
        lines
    }

    /// A supervisor is held inside a start function, so that what happens meanwhile queues up.
    async fn hold(&self, place: &str, target: &Target, inner: &[Step]) -> Vec<String> {
        let Some(found) = self.find(target).await.filter(|f| f.kind != Type::Worker) else {
            return self.lines(place, one("none")).await;
        };
        let (pid, recorder) = (found.pid, self.recorder);
        let (caller, at_gate) = ask_later(async move {
            let spec = gate(recorder);
            let _ = match found.kind {
                Type::DynamicSupervisor => {
                    DynamicSupervisorRef::from_pid(pid).start_child(spec).await
                }
                _ => SupervisorRef::from_pid(pid).start_child(spec).await,
            };
            Vec::new()
        });
        while !ask(recorder, |reply| Request::IsHeld(pid, reply)).await && is_alive(caller).await {
            yield_now().await;
        }
        let mut held = self.clone();
        held.held = Some(pid);
        let mut lines = held.lines(place, Vec::new()).await;
        let mut answers = Vec::new();
        for (index, step) in inner.iter().enumerate() {
            let place = format!("{place}.{}", index + 1);
            let asked = match step.called() {
                Some(target) => self.find(target).await.is_some_and(|f| f.pid == pid),
                None => false,
            };
            let results = if asked {
                answers.push(self.queue_up(pid, step.clone()).await);
                one("asked")
            } else {
                held.perform(step).await
            };
            lines.append(&mut held.lines(&place, results).await);
        }
        ask(recorder, |reply| Request::Release(pid, reply)).await;
        let mut results = Vec::new();
        for answer in answers {
            results.append(&mut answered(answer).await);
        }
        answered(at_gate).await;
        lines.append(&mut self.lines(&format!("{place} released"), results).await);
        lines
    }

    /// Has somebody make the call, and waits until it is in the supervisor's mailbox.
    async fn queue_up(&self, held: Pid, step: Step) -> Reply<Vec<String>> {
        let before = queue_length(held).await;
        let world = self.clone();
        let (caller, answer) = ask_later(async move { world.perform(&step).await });
        while queue_length(held).await <= before && is_alive(caller).await {
            yield_now().await;
        }
        answer
    }

    /// One step; its results as text.
    async fn perform(&self, step: &Step) -> Vec<String> {
        match step {
            Step::Crash(target, why) => match self.find(target).await {
                Some(Found {
                    pid,
                    kind: Type::Worker,
                }) => {
                    let reference = monitor(pid);
                    send(pid, Die(*why));
                    receive::<Down>()
                        .matching(move |d| d.reference == reference)
                        .await;
                    Vec::new()
                }
                _ => one("none"),
            },
            Step::Kill(target) => self.signal(target, ExitReason::Kill).await,
            Step::Exit(target, why) => self.signal(target, exit_reason(*why)).await,
            Step::Parent(why) => {
                let reference = monitor(self.parent);
                send(self.parent, End(*why));
                receive::<Down>()
                    .matching(move |d| d.reference == reference)
                    .await;
                Vec::new()
            }
            Step::Hold(..) => one("none"),
            _ => {
                let found = match step.called() {
                    Some(target) => self.find(target).await,
                    None => None,
                };
                match found {
                    Some(Found {
                        pid,
                        kind: Type::Supervisor,
                    }) => vec![self.call(pid, step).await],
                    Some(Found {
                        pid,
                        kind: Type::DynamicSupervisor,
                    }) => {
                        vec![self.call_dynamic(pid, step).await]
                    }
                    _ => one("none"),
                }
            }
        }
    }

    async fn signal(&self, target: &Target, why: ExitReason) -> Vec<String> {
        match self.find(target).await {
            Some(found) => {
                exit(found.pid, why);
                is_alive(found.pid).await;
                Vec::new()
            }
            None => one("none"),
        }
    }

    async fn call(&self, pid: Pid, step: &Step) -> String {
        let supervisor = SupervisorRef::from_pid(pid);
        match step {
            Step::StartChild(_, Some(node)) => {
                let spec = child_spec(self.recorder, &Arc::new((**node).clone()));
                self.started(names::start_child(supervisor.start_child(spec).await))
                    .await
            }
            Step::StartChild(_, None) => "none".into(),
            Step::TerminateChild(_, child) => {
                names::terminate_child(supervisor.terminate_child(&child.id).await)
            }
            Step::RestartChild(_, id) => {
                self.started(names::restart_child(supervisor.restart_child(id).await))
                    .await
            }
            Step::DeleteChild(_, id) => names::delete_child(supervisor.delete_child(id).await),
            Step::GetChildSpec(_, id) => match supervisor.get_childspec(id).await {
                Ok(spec) => views::spec(&spec),
                Err(error) => names::get_childspec(&error),
            },
            Step::Stop(_, why) => names::stop(supervisor.stop(exit_reason(*why), None).await),
            _ => "none".into(),
        }
    }

    async fn call_dynamic(&self, pid: Pid, step: &Step) -> String {
        let supervisor = DynamicSupervisorRef::from_pid(pid);
        match step {
            Step::StartChild(target, None) => {
                let Some(template) = template(&self.story, &target.id) else {
                    return "none".into();
                };
                let spec = child_spec(self.recorder, &Arc::new(template.clone()));
                self.started(names::start_child(supervisor.start_child(spec).await))
                    .await
            }
            Step::TerminateChild(_, target) => {
                let target = target.clone();
                let child = ask(self.recorder, |reply| Request::PidOf(target, reply)).await;
                let Some(child) = child else {
                    return "none".into();
                };
                let result = names::terminate_child(supervisor.terminate_child(child).await);
                let asked = result == "ok" || result == "error not_found";
                match asked && !is_alive(child).await {
                    // [difference] OTP says ok of every dead process.
                    true => "gone".into(),
                    false => result,
                }
            }
            Step::Stop(_, why) => names::stop(supervisor.stop(exit_reason(*why), None).await),
            _ => "none".into(),
        }
    }

    async fn started(&self, result: names::Started) -> String {
        match result {
            Ok(pid) => format!("ok {}", self.name(pid).await),
            Err((text, Some(pid))) => format!("{text} {}", self.name(pid).await),
            Err((text, None)) => text,
        }
    }

    /// Waits until nothing moves: in two rounds, one after the other, nobody has died, been born
    /// or stopped; everybody has heard of all deaths, has answered, and nobody is being
    /// restarted.
    async fn quiet(&self) {
        let mut rounds = 0;
        while rounds < 2 {
            let census = ask(self.recorder, Request::Census).await;
            let mut still = true;
            for &found in &census.live {
                still = still && self.is_still(found, &census.dead).await;
            }
            let after = ask(self.recorder, Request::Census).await.count;
            if still && census.count == after {
                rounds += 1;
            } else {
                rounds = 0;
                yield_now().await;
            }
        }
    }

    async fn is_still(&self, found: Found, dead: &[Pid]) -> bool {
        let Some(info) = process_info(found.pid).await else {
            return false;
        };
        if info.links.iter().any(|pid| dead.contains(pid)) {
            return false;
        }
        if info.links.contains(&self.parent) && !is_alive(self.parent).await {
            return false;
        }
        if self.held == Some(found.pid) {
            return true;
        }
        match found.kind {
            Type::Worker => {
                let (reply_to, reply) = reply_channel();
                send(found.pid, Ping(reply_to));
                reply.await.is_ok()
            }
            _ => views::nobody_restarting(found).await,
        }
    }
}

/// The template of a dynamic supervisor, wherever it is.
fn template<'a>(story: &'a Story, id: &str) -> Option<&'a Node> {
    let mut found = None;
    let mut visit = |node: &'a Node| {
        if node.id == id && matches!(node.kind, Kind::Supervisor { .. }) {
            found = node.children().first();
        }
    };
    story.root.each(&mut visit);
    for step in &story.steps {
        step.each_node(&mut visit);
    }
    found
}

async fn queue_length(pid: Pid) -> usize {
    process_info(pid)
        .await
        .map_or(0, |info| info.message_queue_len)
}

/// Has a process of its own find the answer.
fn ask_later(
    question: impl Future<Output = Vec<String>> + Send + 'static,
) -> (Pid, Reply<Vec<String>>) {
    let (reply_to, reply) = reply_channel();
    let pid = spawn(async move { reply_to.send(question.await) });
    (pid, reply)
}

async fn answered(answer: Reply<Vec<String>>) -> Vec<String> {
    match answer.await {
        Ok(results) => results,
        Err(error) => vec![format!("broken: {error}")],
    }
}
