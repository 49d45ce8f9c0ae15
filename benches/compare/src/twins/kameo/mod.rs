//! The workloads on kameo: unbounded mailboxes, and sends that need not wait for room. Actors that
//! nobody refers to end by themselves; those that are linked or supervised die and are restarted by
//! kameo's own rules.

use std::io;
use std::time::Duration;

use kameo::prelude::*;

use crate::programs::Work;
use crate::rows::Row;

use super::restart_latency;
use super::tokio::{runtime, sample_on};

/// What `#[derive(Actor)]` writes.
macro_rules! actors {
    ($($name:ty),*) => {$(
        impl Actor for $name {
            type Args = Self;
            type Error = Infallible;

            async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
                Ok(state)
            }
        }
    )*};
}

mod lives;
mod messages;
mod servers;

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
        Row::SendAfterCancel => arm_and_cancel(count),
        Row::StartTerminateChild => start_terminate(count).await,
        Row::RestartLatency | Row::RestartLatencyP99 | Row::RestartLatencyP999 => {
            restart_latency(work.row, &restarts(count).await)
        }
        Row::OneForAll100 => one_for_all(100, count).await,
        Row::IdleMemory | Row::ServerMemory => memory(work.row, count).await,
        other => unreachable!("{} is not run here", other.name()),
    }
}

fn start<A: Actor<Args = A>>(actor: A) -> ActorRef<A> {
    A::spawn_with_mailbox(actor, mailbox::unbounded())
}

fn tell<A: Message<M>, M: Send + 'static>(actor: &ActorRef<A>, message: M) {
    // Who is gone does not mind.
    let _ = actor.tell(message).try_send();
}
