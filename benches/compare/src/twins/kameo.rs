//! The workloads on kameo: unbounded mailboxes, and sends that need not wait for room. Actors that
//! nobody refers to end by themselves; those that are linked or supervised die and are restarted by
//! kameo's own rules.

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use kameo::error::Infallible;
use kameo::prelude::*;
use kameo::supervision::{RestartPolicy, SupervisionStrategy};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, yield_now};

use crate::measure::*;
use crate::programs::Work;
use crate::rows::Row;

use super::alive::{Alive, Guard};
use super::restart_latency;
use super::tokio::{runtime, sample_on};

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

actors!(Idle, Ping, Pong, Member, Sink, Counter);

fn start<A: Actor<Args = A>>(actor: A) -> ActorRef<A> {
    A::spawn_with_mailbox(actor, mailbox::unbounded())
}

fn tell<A: Message<M>, M: Send + 'static>(actor: &ActorRef<A>, message: M) {
    // Who is gone does not mind.
    let _ = actor.tell(message).try_send();
}

// --- actors that begin and end ---------------------------------------------

/// Does nothing; ends when nobody refers to it.
struct Idle(#[expect(dead_code, reason = "goes with the actor")] Option<Guard>);

async fn spawn_exit(count: u64) -> f64 {
    let alive = Alive::default();
    let begin = Instant::now();
    for _ in 0..count / BURST {
        for _ in 0..BURST {
            drop(start(Idle(Some(alive.guard()))));
        }
        yield_now().await;
    }
    alive.until_none().await;
    nanos_each(begin, count)
}

/// Hears of the ends of those that are linked to it.
struct Parent(mpsc::UnboundedSender<()>);

impl Actor for Parent {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }

    async fn on_link_died(
        &mut self,
        _: WeakActorRef<Self>,
        _: ActorId,
        _: ActorStopReason,
    ) -> Result<ControlFlow<ActorStopReason>, Infallible> {
        let _ = self.0.send(());
        Ok(ControlFlow::Continue(()))
    }
}

async fn spawn_link(count: u64) -> f64 {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let parent = start(Parent(ended));
    let begin = Instant::now();
    for _ in 0..count / BURST {
        for _ in 0..BURST {
            drop(Idle::spawn_link_with_mailbox(&parent, Idle(None), mailbox::unbounded()).await);
        }
        for _ in 0..BURST {
            ends.recv().await.expect("the parent is there");
        }
    }
    nanos_each(begin, count)
}

async fn link_cascade(count: u64) -> f64 {
    let alive = Alive::default();
    let hub = start(Idle(None));
    let mut linked = Vec::new();
    for _ in 0..count {
        let actor = Idle(Some(alive.guard()));
        linked.push(Idle::spawn_link_with_mailbox(&hub, actor, mailbox::unbounded()).await);
    }
    for actor in &linked {
        actor.wait_for_startup().await;
    }
    let begin = Instant::now();
    hub.kill();
    alive.until_none().await;
    nanos_each(begin, count)
}

/// A leaf is its number, a node the sum of its ten children.
struct Node {
    parent: Above,
    number: u64,
    size: u64,
    sum: u64,
    open: u64,
}

enum Above {
    Root(Option<oneshot::Sender<u64>>),
    Node(ActorRef<Node>),
}

struct Sum(u64);

impl Above {
    fn tell(&mut self, sum: u64) {
        match self {
            Above::Root(root) => {
                let root = root.take().expect("the root is told once");
                root.send(sum).expect("the root waits");
            }
            Above::Node(node) => tell(node, Sum(sum)),
        }
    }
}

impl Actor for Node {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(mut node: Self, this: ActorRef<Self>) -> Result<Self, Infallible> {
        if node.size == 1 {
            node.parent.tell(node.number);
            return Ok(node);
        }
        let part = node.size / 10;
        for index in 0..10 {
            start(Node {
                parent: Above::Node(this.clone()),
                number: node.number + index * part,
                size: part,
                sum: 0,
                open: 10,
            });
        }
        Ok(node)
    }
}

impl Message<Sum> for Node {
    type Reply = ();

    async fn handle(&mut self, Sum(sum): Sum, _: &mut Context<Self, ()>) {
        self.sum += sum;
        self.open -= 1;
        if self.open == 0 {
            self.parent.tell(self.sum);
        }
    }
}

async fn skynet(leaves: u64) -> f64 {
    let (told, sum) = oneshot::channel();
    let begin = Instant::now();
    start(Node {
        parent: Above::Root(Some(told)),
        number: 0,
        size: leaves,
        sum: 0,
        open: 10,
    });
    assert_eq!(sum.await, Ok(leaves * (leaves - 1) / 2));
    nanos_each(begin, skynet_processes(leaves))
}

async fn memory(row: Row, count: u64) -> f64 {
    let (ended, _ends) = mpsc::unbounded_channel();
    let parent = start(Parent(ended));
    let before = resident_bytes();
    let (mut idle, mut servers) = (Vec::new(), Vec::new());
    for _ in 0..count {
        match row {
            Row::ServerMemory => {
                let server = Counter::default();
                servers.push(
                    Counter::spawn_link_with_mailbox(&parent, server, mailbox::unbounded()).await,
                );
            }
            _ => idle.push(start(Idle(None))),
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let each = (resident_bytes() - before) as f64 / count as f64;
    drop((idle, servers));
    each
}

// --- messages --------------------------------------------------------------

struct Ping {
    pong: ActorRef<Pong>,
    left: u64,
    done: mpsc::UnboundedSender<()>,
}
struct Pong;
struct Ball(ActorRef<Ping>);
struct Back;

impl Message<Ball> for Pong {
    type Reply = ();

    async fn handle(&mut self, Ball(from): Ball, _: &mut Context<Self, ()>) {
        tell(&from, Back);
    }
}

/// The first one starts the game.
impl Message<Back> for Ping {
    type Reply = ();

    async fn handle(&mut self, _: Back, context: &mut Context<Self, ()>) {
        if self.left == 0 {
            let _ = self.done.send(());
        } else {
            self.left -= 1;
            tell(&self.pong, Ball(context.actor_ref().clone()));
        }
    }
}

async fn pairs(pairs: u64, count: u64) -> f64 {
    let each = count / pairs;
    let (done, mut all_done) = mpsc::unbounded_channel();
    let ping = || Ping {
        pong: start(Pong),
        left: each,
        done: done.clone(),
    };
    let pings: Vec<_> = (0..pairs).map(|_| start(ping())).collect();
    let begin = Instant::now();
    for ping in &pings {
        tell(ping, Back);
    }
    for _ in 0..pairs {
        all_done.recv().await;
    }
    nanos_each(begin, each * pairs)
}

struct Member {
    next: Option<ActorRef<Member>>,
    done: mpsc::UnboundedSender<()>,
}
struct Next(Option<ActorRef<Member>>);
struct Token(u64);

impl Message<Next> for Member {
    type Reply = ();

    async fn handle(&mut self, Next(next): Next, _: &mut Context<Self, ()>) {
        self.next = next;
    }
}

impl Message<Token> for Member {
    type Reply = ();

    async fn handle(&mut self, Token(hops): Token, _: &mut Context<Self, ()>) {
        match &self.next {
            Some(next) if hops > 0 => tell(next, Token(hops - 1)),
            _ => drop(self.done.send(())),
        }
    }
}

async fn ring(hops: u64) -> f64 {
    let (done, mut finished) = mpsc::unbounded_channel();
    let member = |next| {
        let done = done.clone();
        start(Member { next, done })
    };
    let first = member(None);
    let mut last = first.clone();
    for _ in 1..RING {
        last = member(Some(last));
    }
    tell(&first, Next(Some(last.clone())));
    let begin = Instant::now();
    tell(&last, Token(hops));
    finished.recv().await;
    let each = nanos_each(begin, hops);
    // Members that refer to each other in a circle would never end.
    tell(&first, Next(None));
    each
}

/// Tells when it has got so many.
struct Sink {
    left: u64,
    done: Option<oneshot::Sender<()>>,
}
struct Due;

impl Message<Due> for Sink {
    type Reply = ();

    async fn handle(&mut self, _: Due, _: &mut Context<Self, ()>) {
        self.left -= 1;
        if self.left == 0 {
            let _ = self.done.take().map(|done| done.send(()));
        }
    }
}

fn sink(left: u64) -> (ActorRef<Sink>, oneshot::Receiver<()>) {
    let (done, finished) = oneshot::channel();
    let done = Some(done);
    (start(Sink { left, done }), finished)
}

async fn fan_in(count: u64) -> f64 {
    let messages = count / SENDERS / BURST * BURST * SENDERS;
    let (sink, finished) = sink(messages);
    let begin = Instant::now();
    for _ in 0..SENDERS {
        let sink = sink.clone();
        tokio::spawn(async move {
            for _ in 0..messages / SENDERS / BURST {
                for _ in 0..BURST {
                    tell(&sink, Due);
                }
                yield_now().await;
            }
        });
    }
    finished.await.expect("the sink is there");
    nanos_each(begin, messages)
}

async fn send_after(count: u64) -> f64 {
    let (sink, finished) = sink(count);
    let begin = Instant::now();
    for index in 0..count {
        sink.tell(Due)
            .send_after(Duration::from_millis(1 + index % 20));
    }
    finished.await.expect("the sink is there");
    nanos_each(begin, count)
}

fn arm_and_cancel(count: u64) -> f64 {
    let (sink, _finished) = sink(count);
    let begin = Instant::now();
    for _ in 0..count {
        sink.tell(Due).send_after(Duration::from_secs(5)).abort();
    }
    nanos_each(begin, count)
}

// --- servers and supervisors -----------------------------------------------

#[derive(Clone, Default)]
struct Counter {
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

async fn calls(count: u64, limit: Option<Duration>) -> f64 {
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

async fn casts(count: u64) -> f64 {
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
actors!(Supervisor);

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

async fn start_terminate(count: u64) -> f64 {
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
async fn restarts(count: u64) -> Vec<Duration> {
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
async fn one_for_all(children: usize, count: u64) -> f64 {
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
