//! The tree's own processes: start functions and workers.

use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::proc_lib::{self, InitAck, StartError};
use regrow_runtime::{
    Exit, ExitReason, Pid, ReplyTo, is_alive, monitor, process_info, receive_any, receive_down,
    self_pid, send, sleep, trap_exit, unlink, yield_now,
};
use regrow_supervisor::{
    AutoShutdown, Child, ChildSpec, ChildState, ChildType, DynamicSupervisor, Restart, Shutdown,
    Strategy, Supervisor, SupervisorRef,
};

use super::names::{self, exit_reason, panic_quietly};
use super::recorder::{Birth, Request, Type, ask};
use crate::story::{self, Auto, Kind, Node, Outcome, Plan, Reason, Stop};

/// As good as infinite: which restarts fall into one period is left to other tests.
const PERIOD: Duration = Duration::from_secs(3600);

/// To a worker: end by yourself.
pub(super) struct Die(pub(super) Reason);

/// To a worker: answer when everything before this is done.
pub(super) struct Ping(pub(super) ReplyTo<()>);

pub(super) fn child_spec(recorder: Pid, node: &Arc<Node>) -> ChildSpec {
    let node = node.clone();
    let (restart, shutdown, significant) = (node.restart, node.shutdown, node.significant);
    let child_type = match node.kind {
        Kind::Worker { .. } => ChildType::Worker,
        Kind::Supervisor { .. } => ChildType::Supervisor,
    };
    let mut spec = ChildSpec::new(&*node.id.clone(), move || start(recorder, node.clone()))
        .restart(match restart {
            story::Restart::Permanent => Restart::Permanent,
            story::Restart::Transient => Restart::Transient,
            story::Restart::Temporary => Restart::Temporary,
        })
        .shutdown(match shutdown {
            story::Shutdown::BrutalKill => Shutdown::BrutalKill,
            story::Shutdown::Infinity => Shutdown::Infinity,
            story::Shutdown::Timeout(time) => Shutdown::Timeout(millis(time)),
        })
        .significant(significant);
    spec.child_type = child_type;
    spec
}

/// The spec of a child that only holds its supervisor up.
pub(super) fn gate(recorder: Pid) -> ChildSpec {
    ChildSpec::new("$gate", move || async move {
        let held = self_pid();
        ask(recorder, |reply| Request::Gate(held, reply)).await;
        Ok::<_, ExitReason>(Child::ignored())
    })
    .restart(Restart::Temporary)
}

/// The start function: runs in the supervisor.
pub(super) async fn start(recorder: Pid, node: Arc<Node>) -> Result<Child, ExitReason> {
    let attempt = ask(recorder, |reply| Request::Attempt(node.id.clone(), reply)).await;
    match node.start {
        Plan::But(outcome, from, until) if (from..until).contains(&attempt) => match outcome {
            Outcome::Error(why) => Err(exit_reason(why)),
            Outcome::Panic => panic_quietly(),
            Outcome::Ignore => Ok(Child::ignored()),
            Outcome::Hang(time) => {
                sleep(millis(time)).await;
                start_as(recorder, node, None).await
            }
            Outcome::HangError(time) => {
                sleep(millis(time)).await;
                Err(ExitReason::error("late"))
            }
            Outcome::Init(why) => start_as(recorder, node, Some(why)).await,
            Outcome::Stillborn(why) => {
                let child = start_as(recorder, node, None).await?;
                if let Some(pid) = child.pid() {
                    let down = receive_down(monitor(pid));
                    send(pid, Die(why));
                    down.await;
                    told(pid).await;
                }
                Ok(child)
            }
        },
        _ => start_as(recorder, node, None).await,
    }
}

async fn start_as(
    recorder: Pid,
    node: Arc<Node>,
    fails: Option<Reason>,
) -> Result<Child, ExitReason> {
    let parent = self_pid();
    let Kind::Supervisor {
        strategy,
        intensity,
        auto,
        children,
    } = &node.kind
    else {
        let body = move |ack| worker(parent, recorder, node, fails, ack);
        return match proc_lib::start_link(body).await {
            Ok(started) => Ok(started.pid.into()),
            Err(StartError::Exit(why)) => Err(why),
            Err(other) => Err(ExitReason::error(other)),
        };
    };
    let static_strategy = match strategy {
        story::Strategy::OneForOne => Some(Strategy::OneForOne),
        story::Strategy::OneForAll => Some(Strategy::OneForAll),
        story::Strategy::RestForOne => Some(Strategy::RestForOne),
        story::Strategy::Dynamic => None,
    };
    let id = node.id.clone();
    let born = move |kind| {
        let (id, pid) = (id.clone(), self_pid());
        let birth = Birth {
            id,
            pid,
            parent,
            kind,
        };
        ask(recorder, |reply| Request::Born(birth, reply))
    };
    let pid = match static_strategy {
        Some(strategy) => {
            let specs = children
                .iter()
                .map(|node| child_spec(recorder, &Arc::new(node.clone())));
            let supervisor = Supervisor::new(strategy)
                .intensity(*intensity, PERIOD)
                .auto_shutdown(match auto {
                    Auto::Never => AutoShutdown::Never,
                    Auto::AnySignificant => AutoShutdown::AnySignificant,
                    Auto::AllSignificant => AutoShutdown::AllSignificant,
                })
                .child(birth(move || born(Type::Supervisor)))
                .children(specs);
            supervisor.start_link().await?.pid()
        }
        None => {
            let supervisor = DynamicSupervisor::new().intensity(*intensity, PERIOD);
            let pid = supervisor.start_link().await?.pid();
            if let Some(pid) = pid {
                let id = node.id.clone();
                let kind = Type::DynamicSupervisor;
                let birth = Birth {
                    id,
                    pid,
                    parent,
                    kind,
                };
                ask(recorder, |reply| Request::Born(birth, reply)).await;
            }
            pid
        }
    };
    let pid = pid.ok_or(ExitReason::NoProc)?;
    if static_strategy.is_some() {
        settled(pid).await;
    }
    ask(recorder, |reply| Request::Up(pid, reply)).await;
    Ok(pid.into())
}

/// Waits until a supervisor has dealt with the ends of children that its starter, which goes on
/// now, could only overtake by luck; or has ended.
async fn settled(supervisor: Pid) {
    'again: loop {
        let Ok(children) = SupervisorRef::from_pid(supervisor).which_children().await else {
            return told(supervisor).await;
        };
        for child in children {
            let still = match child.state {
                ChildState::Running(pid) => is_alive(pid).await,
                ChildState::Stopped => true,
                ChildState::Restarting => false,
            };
            if !still {
                yield_now().await;
                continue 'again;
            }
        }
        return;
    }
}

/// Waits until the exit of a dead process is in the mailbox.
async fn told(dead: Pid) {
    loop {
        let info = process_info(self_pid()).await;
        if !info.is_some_and(|info| info.links.contains(&dead)) {
            return;
        }
        yield_now().await;
    }
}

/// The spec of a first "child" that tells of the supervisor itself, before anything can end it.
fn birth<F>(born: impl Fn() -> F + Send + Sync + 'static) -> ChildSpec
where
    F: Future<Output = ()> + Send + 'static,
{
    ChildSpec::new("$birth", move || {
        let born = born();
        async move {
            born.await;
            Ok::<_, ExitReason>(Child::ignored())
        }
    })
    .restart(Restart::Temporary)
}

async fn worker(
    parent: Pid,
    recorder: Pid,
    node: Arc<Node>,
    fails: Option<Reason>,
    ack: InitAck<()>,
) -> ExitReason {
    match fails {
        Some(Reason::Panic) => panic_quietly(),
        Some(why) => {
            ack.fail(exit_reason(why));
            return exit_reason(why);
        }
        None => {}
    }
    let Kind::Worker {
        trap,
        unlinks,
        stop,
    } = node.kind
    else {
        return ExitReason::Normal;
    };
    trap_exit(trap);
    let (id, pid, kind) = (node.id.clone(), self_pid(), Type::Worker);
    let birth = Birth {
        id,
        pid,
        parent,
        kind,
    };
    ask(recorder, |reply| Request::Born(birth, reply)).await;
    if unlinks {
        unlink(parent);
    }
    ack.ack(());
    work(parent, recorder, stop).await
}

async fn work(parent: Pid, recorder: Pid, stop: Stop) -> ExitReason {
    loop {
        let message = match receive_any().await.downcast::<Ping>() {
            Ok(Ping(reply)) => {
                reply.send(());
                continue;
            }
            Err(other) => other,
        };
        let message = match message.downcast::<Die>() {
            Ok(Die(Reason::Panic)) => panic_quietly(),
            Ok(Die(why)) => return names::exit_reason(why),
            Err(other) => other,
        };
        let Ok(exit) = message.downcast::<Exit>() else {
            continue;
        };
        // Never is not told, since the child is killed at a time that has nothing to do with ours.
        if exit.pid != parent || stop == Stop::Never {
            continue;
        }
        let why = exit.reason.clone();
        ask(recorder, |reply| Request::Stop(self_pid(), why, reply)).await;
        match stop {
            Stop::Same => return exit.reason,
            Stop::Slow(time) => {
                sleep(millis(time)).await;
                return exit.reason;
            }
            Stop::Other(Reason::Panic) => panic_quietly(),
            Stop::Other(why) => return names::exit_reason(why),
            Stop::Never => continue,
        }
    }
}

fn millis(time: u32) -> Duration {
    Duration::from_millis(time.into())
}
