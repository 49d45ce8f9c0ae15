//! A static supervisor against a model of it: the same random requests and crashes to both, and
//! after each the same children, the same incarnations, the same order of starts and stops.

use proptest::prelude::{ProptestConfig, any, prop, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;
use regrow_runtime::{ExitReason, Pid, exit, try_receive, yield_now};
use regrow_supervisor::{
    AutoShutdown, ChildSpec, ChildState, DeleteChildError, Restart, RestartChildError,
    StartChildError, Strategy, Supervisor, SupervisorRef, TerminateChildError,
};

use crate::common::*;

const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const RESTARTS_MAX: u32 = 6;

#[derive(Clone, Debug)]
struct Settings {
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    children: Vec<(Restart, bool)>,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Normal,
    Shutdown,
    Died,
    Kill,
}

#[derive(Clone, Debug)]
enum Step {
    End(usize, Way),
    Start(usize, Restart, bool),
    Terminate(usize),
    Restart(usize),
    Delete(usize),
}

#[derive(Clone, Debug, PartialEq)]
struct ModelChild {
    id: &'static str,
    restart: Restart,
    significant: bool,
    /// Which incarnation runs, if any.
    running: Option<u32>,
}

/// What a step did that can be seen from outside.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// The answer to a request.
    answer: Option<&'static str>,
    started: Vec<&'static str>,
    /// Orderly ends: of children told to stop, or ending by themselves without a kill.
    terminated: Vec<&'static str>,
    /// The supervisor has ended.
    over: bool,
}

struct Model {
    settings: Settings,
    children: Vec<ModelChild>,
    incarnations: u32,
    restarts: u32,
}

impl Model {
    fn new(settings: Settings) -> (Self, Seen) {
        let mut model = Model {
            settings: settings.clone(),
            children: Vec::new(),
            incarnations: 0,
            restarts: 0,
        };
        let mut seen = Seen::default();
        for (id, (restart, significant)) in IDS.into_iter().zip(settings.children) {
            model.add(id, restart, significant, &mut seen);
        }
        (model, seen)
    }

    fn add(&mut self, id: &'static str, restart: Restart, significant: bool, seen: &mut Seen) {
        let running = None;
        self.children.push(ModelChild {
            id,
            restart,
            significant,
            running,
        });
        self.run(self.children.len() - 1, seen);
    }

    fn run(&mut self, at: usize, seen: &mut Seen) {
        self.incarnations += 1;
        self.children[at].running = Some(self.incarnations);
        seen.started.push(self.children[at].id);
    }

    fn halt(&mut self, at: usize, seen: &mut Seen) {
        if self.children[at].running.take().is_some() {
            seen.terminated.push(self.children[at].id);
        }
    }

    fn give_up(&mut self, seen: &mut Seen) {
        for at in (0..self.children.len()).rev() {
            self.halt(at, seen);
        }
        seen.over = true;
    }

    fn step(&mut self, step: &Step) -> Seen {
        let mut seen = Seen::default();
        let (&Step::End(index, _)
        | &Step::Start(index, _, _)
        | &Step::Terminate(index)
        | &Step::Restart(index)
        | &Step::Delete(index)) = step;
        let at = self
            .children
            .iter()
            .position(|child| child.id == IDS[index]);
        let running = at.and_then(|at| self.children[at].running);
        match (step, at) {
            (&Step::End(_, way), Some(at)) if running.is_some() => self.end(at, way, &mut seen),
            (Step::End(..), _) => {}
            (Step::Start(..), Some(_)) => {
                seen.answer = Some(if running.is_some() {
                    "running"
                } else {
                    "present"
                });
            }
            (&Step::Start(_, restart, significant), None) => {
                seen.answer = Some("ok");
                self.add(IDS[index], restart, significant, &mut seen);
            }
            (_, None) => seen.answer = Some("not found"),
            (Step::Terminate(_), Some(at)) => {
                seen.answer = Some("ok");
                self.halt(at, &mut seen);
                if self.children[at].restart == Restart::Temporary {
                    self.children.remove(at);
                }
            }
            (Step::Restart(_) | Step::Delete(_), Some(_)) if running.is_some() => {
                seen.answer = Some("running");
            }
            (Step::Restart(_), Some(at)) => {
                seen.answer = Some("ok");
                self.run(at, &mut seen);
            }
            (Step::Delete(_), Some(at)) => {
                seen.answer = Some("ok");
                self.children.remove(at);
            }
        }
        seen
    }

    fn end(&mut self, at: usize, way: Way, seen: &mut Seen) {
        let child = self.children[at].clone();
        self.children[at].running = None;
        if !matches!(way, Way::Kill) {
            seen.terminated.push(child.id);
        }
        let abnormal = matches!(way, Way::Died | Way::Kill);
        match child.restart {
            Restart::Permanent => self.restart(at, seen),
            Restart::Transient if abnormal => self.restart(at, seen),
            Restart::Transient => self.maybe_shut_down(child.significant, seen),
            Restart::Temporary => {
                self.children.remove(at);
                self.maybe_shut_down(child.significant, seen);
            }
        }
    }

    fn maybe_shut_down(&mut self, significant: bool, seen: &mut Seen) {
        let mut others = self.children.iter();
        let others = others.any(|child| child.significant && child.running.is_some());
        let due = match self.settings.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => significant,
            AutoShutdown::AllSignificant => significant && !others,
        };
        if due {
            self.give_up(seen);
        }
    }

    fn restart(&mut self, at: usize, seen: &mut Seen) {
        self.restarts += 1;
        if self.restarts > RESTARTS_MAX {
            return self.give_up(seen);
        }
        let first = match self.settings.strategy {
            Strategy::OneForOne => return self.run(at, seen),
            Strategy::OneForAll => 0,
            Strategy::RestForOne => at,
        };
        for at in (first..self.children.len()).rev() {
            self.halt(at, seen);
        }
        let mut index = 0;
        self.children.retain(|child| {
            index += 1;
            index <= first || child.restart != Restart::Temporary
        });
        for at in first..self.children.len() {
            self.run(at, seen);
        }
    }
}

/// The supervisor itself, told the same.
struct Subject {
    supervisor: SupervisorRef,
}

impl Subject {
    async fn new(settings: &Settings) -> (Self, Seen) {
        let children = IDS.into_iter().zip(&settings.children);
        let supervisor = Supervisor::new(settings.strategy)
            .intensity(RESTARTS_MAX, secs(3600))
            .auto_shutdown(settings.auto_shutdown)
            .children(children.map(|(id, &(restart, significant))| spec(id, restart, significant)))
            .start_link()
            .await
            .unwrap();
        (Subject { supervisor }, seen(None, false).await)
    }

    async fn step(&self, step: &Step) -> Seen {
        let sup = &self.supervisor;
        let answer = match *step {
            Step::End(index, way) => {
                let over = self.end(IDS[index], way).await;
                return seen(None, over).await;
            }
            Step::Start(index, restart, significant) => {
                match sup
                    .start_child(spec(IDS[index], restart, significant))
                    .await
                {
                    Ok(_) => "ok",
                    Err(StartChildError::AlreadyStarted(_)) => "running",
                    Err(StartChildError::AlreadyPresent) => "present",
                    Err(other) => panic!("{other:?}"),
                }
            }
            Step::Terminate(index) => match sup.terminate_child(IDS[index]).await {
                Ok(()) => "ok",
                Err(TerminateChildError::NotFound) => "not found",
                Err(other) => panic!("{other:?}"),
            },
            Step::Restart(index) => match sup.restart_child(IDS[index]).await {
                Ok(_) => "ok",
                Err(RestartChildError::Running) => "running",
                Err(RestartChildError::NotFound) => "not found",
                Err(other) => panic!("{other:?}"),
            },
            Step::Delete(index) => match sup.delete_child(IDS[index]).await {
                Ok(()) => "ok",
                Err(DeleteChildError::Running) => "running",
                Err(DeleteChildError::NotFound) => "not found",
                Err(other) => panic!("{other:?}"),
            },
        };
        seen(Some(answer), false).await
    }

    /// Ends a child and waits until the supervisor has dealt with it: whether it is over.
    async fn end(&self, id: &str, way: Way) -> bool {
        let Some(ChildState::Running(pid)) = child(&self.supervisor, id).await.map(|c| c.state)
        else {
            return false;
        };
        match way {
            Way::Normal => end(pid, ExitReason::Normal),
            Way::Shutdown => end(pid, ExitReason::Shutdown),
            Way::Died => end(pid, died()),
            Way::Kill => exit(pid, ExitReason::Kill),
        }
        loop {
            match self.supervisor.which_children().await {
                Err(_) => {
                    assert_eq!(
                        supervisor_exited(&self.supervisor).await,
                        ExitReason::Shutdown
                    );
                    return true;
                }
                Ok(children) => {
                    if children.iter().all(|child| child.state.pid() != Some(pid)) {
                        return false;
                    }
                }
            }
            yield_now().await;
        }
    }

    async fn children(&self) -> Vec<(&'static str, Option<Pid>)> {
        let children = self.supervisor.which_children().await.unwrap();
        let place = |id: &str| IDS.into_iter().find(|&known| known == id).unwrap();
        let child = |child: &regrow_supervisor::ChildInfo| (place(&child.id), child.state.pid());
        children.iter().rev().map(child).collect()
    }
}

fn spec(id: &'static str, restart: Restart, significant: bool) -> ChildSpec {
    worker(id).restart(restart).significant(significant)
}

async fn seen(answer: Option<&'static str>, over: bool) -> Seen {
    // What the children have said before an answer came is in the mailbox from the next turn on.
    yield_now().await;
    let mut seen = Seen {
        answer,
        over,
        ..Seen::default()
    };
    while let Some(started) = try_receive::<Started>() {
        seen.started.push(started.id);
    }
    while let Some(terminated) = try_receive::<Terminated>() {
        seen.terminated.push(terminated.id);
    }
    seen
}

async fn compare(settings: Settings, steps: Vec<Step>) {
    let (mut model, expected) = Model::new(settings.clone());
    let (subject, seen) = Subject::new(&settings).await;
    assert_eq!(seen, expected);
    // Which process each incarnation of the model is.
    let mut pids = std::collections::HashMap::new();
    for step in steps {
        let expected = model.step(&step);
        let seen = subject.step(&step).await;
        assert_eq!(seen, expected, "at {step:?} with {:?}", model.children);
        if seen.over {
            return;
        }
        let children = subject.children().await;
        assert_eq!(children.len(), model.children.len());
        for ((id, pid), child) in children.into_iter().zip(&model.children) {
            assert_eq!((id, pid.is_some()), (child.id, child.running.is_some()));
            if let (Some(pid), Some(incarnation)) = (pid, child.running) {
                assert_eq!(*pids.entry(incarnation).or_insert(pid), pid);
            }
        }
        let mut distinct: Vec<Pid> = pids.values().copied().collect();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), pids.len());
    }
}

fn restart_and_significant(mode: AutoShutdown) -> impl Generator<Value = (Restart, bool)> {
    (prop::sample::select(RESTARTS.to_vec()), any::<bool>()).prop_map(
        move |(restart, significant)| {
            let allowed = mode != AutoShutdown::Never && restart != Restart::Permanent;
            (restart, significant && allowed)
        },
    )
}

fn step(mode: AutoShutdown) -> impl Generator<Value = Step> {
    let way = prop::sample::select(vec![Way::Normal, Way::Shutdown, Way::Died, Way::Kill]);
    let id = 0..IDS.len();
    prop_oneof![
        4 => (id.clone(), way).prop_map(|(id, way)| Step::End(id, way)),
        1 => (id.clone(), restart_and_significant(mode))
            .prop_map(|(id, (restart, significant))| Step::Start(id, restart, significant)),
        1 => id.clone().prop_map(Step::Terminate),
        1 => id.clone().prop_map(Step::Restart),
        1 => id.prop_map(Step::Delete),
    ]
}

fn scenario() -> impl Generator<Value = (Settings, Vec<Step>)> {
    let strategy = prop::sample::select(vec![
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ]);
    let mode = prop::sample::select(vec![
        AutoShutdown::Never,
        AutoShutdown::AnySignificant,
        AutoShutdown::AllSignificant,
    ]);
    (strategy, mode).prop_flat_map(|(strategy, auto_shutdown)| {
        let children = prop::collection::vec(restart_and_significant(auto_shutdown), 0..5);
        let steps = prop::collection::vec(step(auto_shutdown), 1..25);
        (children, steps).prop_map(move |(children, steps)| {
            let settings = Settings {
                strategy,
                auto_shutdown,
                children,
            };
            (settings, steps)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_supervisor_does_what_its_model_does((settings, steps) in scenario()) {
        run(|| compare(settings.clone(), steps.clone()));
    }
}
