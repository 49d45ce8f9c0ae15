//! Actors that are asked, and those that restart them.

use std::time::{Duration, Instant};

use kameo::error::Infallible;
use kameo::prelude::*;
use kameo::supervision::{RestartPolicy, SupervisionStrategy};
use tokio::task::{JoinSet, yield_now};

use crate::measure::*;

use super::{start, tell};

actors!(Counter, Supervisor);

#[derive(Clone, Default)]
pub(super) struct Counter {
    value: u64,
}
struct Add(u64);
struct Get;
struct Crash;

#[derive(Debug)]
struct Crashed;

impl Message<Add> for Counter {
    type Reply = ();

    async fn handle(&mut self, Add(amount): Add, _: &mut Context<Self, ()>) {
        self.value += amount;
    }
}

impl Message<Get> for Counter {
    type Reply = u64;

    async fn handle(&mut self, _: Get, _: &mut Context<Self, u64>) -> u64 {
        self.value
    }
}

/// An error that nobody waits for is a crash.
impl Message<Crash> for Counter {
    type Reply = Result<(), Crashed>;

    async fn handle(
        &mut self,
        _: Crash,
        _: &mut Context<Self, Result<(), Crashed>>,
    ) -> Result<(), Crashed> {
        Err(Crashed)
    }
}

pub(super) async fn calls(count: u64, limit: Option<Duration>) -> f64 {
    let server = start(Counter::default());
    let begin = Instant::now();
    for _ in 0..count {
        let request = server.ask(Get);
        let value = match limit {
            Some(limit) => request.reply_timeout(limit).send().await,
            None => request.send().await,
        };
        assert_eq!(value.ok(), Some(0));
    }
    nanos_each(begin, count)
}

pub(super) async fn casts(count: u64) -> f64 {
    let server = start(Counter::default());
    let messages = count / SENDERS / BURST * BURST * SENDERS;
    let begin = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let server = server.clone();
        senders.spawn(async move {
            for _ in 0..messages / SENDERS / BURST {
                for _ in 0..BURST {
                    tell(&server, Add(1));
                }
                yield_now().await;
            }
        });
    }
    senders.join_all().await;
    assert_eq!(server.ask(Get).send().await.ok(), Some(messages));
    nanos_each(begin, messages)
}

/// Supervises each child by itself.
struct Supervisor;

/// Restarts all when one fails.
struct AllSupervisor;

impl Actor for AllSupervisor {
    type Args = Self;
    type Error = Infallible;

    fn supervision_strategy() -> SupervisionStrategy {
        SupervisionStrategy::OneForAll
    }

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

async fn child<S: Actor>(supervisor: &ActorRef<S>, policy: RestartPolicy) -> ActorRef<Counter> {
    Counter::supervise(supervisor, Counter::default())
        .restart_policy(policy)
        .restart_limit(u32::MAX, Duration::from_secs(1))
        .spawn_with_mailbox(mailbox::unbounded())
        .await
}

pub(super) async fn start_terminate(count: u64) -> f64 {
    let supervisor = start(Supervisor);
    let begin = Instant::now();
    for _ in 0..count {
        let child = child(&supervisor, RestartPolicy::Never).await;
        child.wait_for_startup().await;
        child.stop_gracefully().await.expect("the child is there");
        child.wait_for_shutdown().await;
    }
    nanos_each(begin, count)
}

/// The mailbox outlives the crash, so what is asked after it is answered by the next incarnation.
pub(super) async fn restarts(count: u64) -> Vec<Duration> {
    let supervisor = start(Supervisor);
    let victim = child(&supervisor, RestartPolicy::Permanent).await;
    let mut latencies = Vec::new();
    for _ in 0..count {
        let begin = Instant::now();
        tell(&victim, Crash);
        while victim.ask(Get).send().await.is_err() {
            yield_now().await;
        }
        latencies.push(begin.elapsed());
    }
    latencies
}

/// The oldest crashes; the youngest is asked until it has forgotten what it was told before.
pub(super) async fn one_for_all(children: usize, count: u64) -> f64 {
    let supervisor = start(AllSupervisor);
    let mut all = Vec::new();
    for _ in 0..children {
        all.push(child(&supervisor, RestartPolicy::Permanent).await);
    }
    let (oldest, youngest) = (&all[0], &all[children - 1]);
    let begin = Instant::now();
    for _ in 0..count {
        tell(youngest, Add(1));
        tell(oldest, Crash);
        while youngest.ask(Get).send().await.ok() != Some(0) {
            yield_now().await;
        }
    }
    nanos_each(begin, count)
}
