//! Actors that are asked, and those that restart them.

use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};

use crate::measure::*;

use super::lives::Parent;
use super::{Done, cast, start, start_linked};

pub(super) struct Counter;

pub(super) enum Command {
    Add(u64),
    Get(RpcReplyPort<u64>),
}

impl Actor for Counter {
    type Msg = Command;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Command>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Command>, command: Command, value: &mut u64) -> Done {
        match command {
            Command::Add(amount) => *value += amount,
            Command::Get(reply) => drop(reply.send(*value)),
        }
        Ok(())
    }
}

async fn get(server: &ActorRef<Command>, limit: Option<Duration>) -> Option<u64> {
    match server.call(Command::Get, limit).await {
        Ok(ractor::rpc::CallResult::Success(value)) => Some(value),
        _ => None,
    }
}

pub(super) async fn calls(count: u64, limit: Option<Duration>) -> f64 {
    let server = start(Counter, ()).await;
    let begin = Instant::now();
    for _ in 0..count {
        assert_eq!(get(&server, limit).await, Some(0));
    }
    let each = nanos_each(begin, count);
    server.stop(None);
    each
}

pub(super) async fn casts(count: u64) -> f64 {
    let server = start(Counter, ()).await;
    let messages = count / SENDERS / BURST * BURST * SENDERS;
    let begin = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let server = server.clone();
        senders.spawn(async move {
            for _ in 0..messages / SENDERS / BURST {
                for _ in 0..BURST {
                    cast(&server, Command::Add(1));
                }
                yield_now().await;
            }
        });
    }
    senders.join_all().await;
    assert_eq!(get(&server, None).await, Some(messages));
    let each = nanos_each(begin, messages);
    server.stop(None);
    each
}

pub(super) async fn start_terminate(count: u64) -> f64 {
    // It has to be heard, or the parent would stop with its first child.
    let (ended, mut ends) = mpsc::unbounded_channel();
    let parent = start(Parent, ended).await;
    let begin = Instant::now();
    for _ in 0..count {
        let child = start_linked(&parent, Counter, ()).await;
        child
            .stop_and_wait(None, None)
            .await
            .expect("the child ends");
        while ends.try_recv().is_ok() {}
    }
    let each = nanos_each(begin, count);
    parent.stop(None);
    each
}

const VICTIM: &str = "victim";

/// Starts its child again whenever that ends.
struct Supervisor;

impl Supervisor {
    async fn start_victim(this: &ActorRef<()>) -> Done {
        let name = Some(VICTIM.to_owned());
        Actor::spawn_linked(name, Counter, (), this.get_cell()).await?;
        Ok(())
    }
}

impl Actor for Supervisor {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, this: ActorRef<()>, (): ()) -> Done {
        Supervisor::start_victim(&this).await
    }

    async fn handle_supervisor_evt(
        &self,
        this: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Done {
        match event {
            SupervisionEvent::ActorTerminated(..) | SupervisionEvent::ActorFailed(..) => {
                Supervisor::start_victim(&this).await
            }
            _ => Ok(()),
        }
    }
}

fn victim() -> Option<ActorRef<Command>> {
    ActorRef::where_is(VICTIM)
}

pub(super) async fn restarts(count: u64) -> Vec<Duration> {
    let supervisor = start(Supervisor, ()).await;
    let mut latencies = Vec::new();
    for _ in 0..count {
        let old = victim().expect("the victim is up");
        let begin = Instant::now();
        old.kill();
        loop {
            match victim() {
                Some(new) if new.get_id() != old.get_id() => {
                    if get(&new, None).await.is_some() {
                        break;
                    }
                }
                _ => yield_now().await,
            }
        }
        latencies.push(begin.elapsed());
    }
    // With its child, so that the next sample finds the name free.
    let stopped = supervisor.stop_and_wait(None, None).await;
    stopped.expect("the supervisor ends");
    while victim().is_some() {
        yield_now().await;
    }
    latencies
}
