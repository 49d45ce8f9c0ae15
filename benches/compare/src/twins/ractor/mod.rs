//! The workloads on ractor. It tells a supervisor of ends and leaves the rest to it, so the one
//! that restarts is written out here.

mod lives;
mod messages;
mod servers;

use std::io;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::programs::Work;
use crate::rows::Row;

use super::restart_latency;
use super::tokio::{runtime, sample_on};
use lives::*;
use messages::*;
use servers::*;

/// Runs the samples of a row on a tokio runtime of its own, as a task.
pub(super) fn run(work: Work, workers: usize) -> io::Result<()> {
    sample_on(&runtime(workers)?, work, sample)
}

async fn sample(work: Work) -> f64 {
    let count = work.count;
    match work.row {
        Row::SpawnExit => spawn_exit(count).await,
        Row::SpawnLink => spawn_link(count).await,
        Row::PingPong => pairs(1, count).await,
        Row::PingPong64 => pairs(64, count).await,
        Row::ThreadRing => ring(count).await,
        Row::FanIn => fan_in(count).await,
        Row::Skynet => skynet(count).await,
        Row::Call => calls(count, Some(Duration::from_secs(5))).await,
        Row::CallBare => calls(count, None).await,
        Row::Cast => casts(count).await,
        Row::LinkCascade => link_cascade(count).await,
        Row::SendAfter => send_after(count).await,
        Row::SendAfterCancel => arm_and_cancel(count).await,
        Row::StartTerminateChild => start_terminate(count).await,
        Row::RestartLatency | Row::RestartLatencyP99 | Row::RestartLatencyP999 => {
            restart_latency(work.row, &restarts(count).await)
        }
        Row::IdleMemory | Row::ServerMemory => memory(work.row, count).await,
        other => unreachable!("{} is not run here", other.name()),
    }
}

type Done = Result<(), ActorProcessingErr>;

async fn start<A: Actor>(actor: A, arguments: A::Arguments) -> ActorRef<A::Msg> {
    let started = Actor::spawn(None, actor, arguments).await;
    started.expect("the actor starts").0
}

async fn start_linked<A: Actor, P: ractor::Message>(
    parent: &ActorRef<P>,
    actor: A,
    arguments: A::Arguments,
) -> ActorRef<A::Msg> {
    let started = Actor::spawn_linked(None, actor, arguments, parent.get_cell()).await;
    started.expect("the actor starts").0
}

fn cast<M: ractor::Message>(actor: &ActorRef<M>, message: M) {
    // Who is gone does not mind.
    let _ = actor.cast(message);
}
