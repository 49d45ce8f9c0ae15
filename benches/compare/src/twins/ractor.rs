//! The workloads on ractor. It tells a supervisor of ends and leaves the rest to it, so the one
//! that restarts is written out here.

use std::io;
use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
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

// --- actors that begin and end ---------------------------------------------

/// Ends at once.
struct Brief;

impl Actor for Brief {
    type Msg = ();
    type State = Option<Guard>;
    type Arguments = Option<Guard>;

    async fn pre_start(
        &self,
        this: ActorRef<()>,
        guard: Option<Guard>,
    ) -> Result<Option<Guard>, ActorProcessingErr> {
        this.stop(None);
        Ok(guard)
    }
}

/// Does nothing.
struct Idle;

impl Actor for Idle {
    type Msg = ();
    type State = Option<Guard>;
    type Arguments = Option<Guard>;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        guard: Option<Guard>,
    ) -> Result<Option<Guard>, ActorProcessingErr> {
        Ok(guard)
    }
}

/// Tells of each end among its children.
struct Parent;

impl Actor for Parent {
    type Msg = ();
    type State = mpsc::UnboundedSender<()>;
    type Arguments = mpsc::UnboundedSender<()>;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        ended: mpsc::UnboundedSender<()>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(ended)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        ended: &mut Self::State,
    ) -> Done {
        if !matches!(event, SupervisionEvent::ActorStarted(_)) {
            let _ = ended.send(());
        }
        Ok(())
    }
}

async fn spawn_exit(count: u64) -> f64 {
    let alive = Alive::default();
    let begin = Instant::now();
    for _ in 0..count {
        start(Brief, Some(alive.guard())).await;
    }
    alive.until_none().await;
    nanos_each(begin, count)
}

async fn spawn_link(count: u64) -> f64 {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let parent = start(Parent, ended).await;
    let begin = Instant::now();
    for _ in 0..count / BURST {
        for _ in 0..BURST {
            start_linked(&parent, Brief, None).await;
        }
        for _ in 0..BURST {
            ends.recv().await.expect("the parent is there");
        }
    }
    let each = nanos_each(begin, count);
    parent.stop(None);
    each
}

async fn link_cascade(count: u64) -> f64 {
    let alive = Alive::default();
    let hub = start(Idle, None).await;
    for _ in 0..count {
        start_linked(&hub, Idle, Some(alive.guard())).await;
    }
    let begin = Instant::now();
    hub.kill();
    alive.until_none().await;
    nanos_each(begin, count)
}

/// A leaf is its number, a node the sum of its ten children.
struct Node;

enum Above {
    Root(Option<oneshot::Sender<u64>>),
    Node(ActorRef<Sum>),
}

struct Sum(u64);

struct Adding {
    above: Above,
    sum: u64,
    open: u64,
}

impl Above {
    fn tell(&mut self, sum: u64) {
        match self {
            Above::Root(root) => {
                let root = root.take().expect("the root is told once");
                root.send(sum).expect("the root waits");
            }
            Above::Node(node) => cast(node, Sum(sum)),
        }
    }
}

impl Actor for Node {
    type Msg = Sum;
    type State = Adding;
    type Arguments = (Above, u64, u64);

    async fn pre_start(
        &self,
        this: ActorRef<Sum>,
        (mut above, number, size): Self::Arguments,
    ) -> Result<Adding, ActorProcessingErr> {
        if size == 1 {
            above.tell(number);
            this.stop(None);
        } else {
            let part = size / 10;
            for index in 0..10 {
                let above = Above::Node(this.clone());
                start_node(above, number + index * part, part);
            }
        }
        Ok(Adding {
            above,
            sum: 0,
            open: 10,
        })
    }

    async fn handle(&self, this: ActorRef<Sum>, Sum(sum): Sum, state: &mut Adding) -> Done {
        state.sum += sum;
        state.open -= 1;
        if state.open == 0 {
            state.above.tell(state.sum);
            this.stop(None);
        }
        Ok(())
    }
}

/// Not awaited: a node need not wait until its children have started.
fn start_node(above: Above, number: u64, size: u64) {
    ractor::ActorRuntime::spawn_instant(None, Node, (above, number, size))
        .expect("a node has no name that may be taken");
}

async fn skynet(leaves: u64) -> f64 {
    let (told, sum) = oneshot::channel();
    let begin = Instant::now();
    start_node(Above::Root(Some(told)), 0, leaves);
    assert_eq!(sum.await, Ok(leaves * (leaves - 1) / 2));
    nanos_each(begin, skynet_processes(leaves))
}

async fn memory(row: Row, count: u64) -> f64 {
    let (ended, _ends) = mpsc::unbounded_channel();
    let parent = start(Parent, ended).await;
    let before = resident_bytes();
    for _ in 0..count {
        match row {
            Row::ServerMemory => drop(start_linked(&parent, Counter, ()).await),
            _ => drop(start(Idle, None).await),
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    (resident_bytes() - before) as f64 / count as f64
}

// --- messages --------------------------------------------------------------

struct Pong;
struct Ball(ActorRef<Back>);
struct Back;

impl Actor for Pong {
    type Msg = Ball;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ball>, (): ()) -> Done {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Ball>, Ball(from): Ball, (): &mut ()) -> Done {
        cast(&from, Back);
        Ok(())
    }
}

struct Ping {
    pong: ActorRef<Ball>,
    done: mpsc::UnboundedSender<()>,
}

impl Actor for Ping {
    type Msg = Back;
    type State = u64;
    type Arguments = u64;

    async fn pre_start(&self, _: ActorRef<Back>, trips: u64) -> Result<u64, ActorProcessingErr> {
        Ok(trips)
    }

    /// The first one starts the game.
    async fn handle(&self, this: ActorRef<Back>, _: Back, left: &mut u64) -> Done {
        if *left == 0 {
            self.pong.stop(None);
            this.stop(None);
            let _ = self.done.send(());
        } else {
            *left -= 1;
            cast(&self.pong, Ball(this));
        }
        Ok(())
    }
}

async fn pairs(pairs: u64, count: u64) -> f64 {
    let each = count / pairs;
    let (done, mut all_done) = mpsc::unbounded_channel();
    let mut pings = Vec::new();
    for _ in 0..pairs {
        let pong = start(Pong, ()).await;
        let done = done.clone();
        pings.push(start(Ping { pong, done }, each).await);
    }
    let begin = Instant::now();
    for ping in &pings {
        cast(ping, Back);
    }
    for _ in 0..pairs {
        all_done.recv().await;
    }
    nanos_each(begin, each * pairs)
}

struct Member(mpsc::UnboundedSender<()>);

enum Round {
    Next(ActorRef<Round>),
    Token(u64),
    Stop,
}

impl Actor for Member {
    type Msg = Round;
    type State = Option<ActorRef<Round>>;
    type Arguments = Option<ActorRef<Round>>;

    async fn pre_start(
        &self,
        _: ActorRef<Round>,
        next: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(next)
    }

    async fn handle(&self, this: ActorRef<Round>, round: Round, next: &mut Self::State) -> Done {
        match (round, next) {
            (Round::Next(member), next) => *next = Some(member),
            (Round::Token(hops), Some(next)) if hops > 0 => cast(next, Round::Token(hops - 1)),
            (Round::Token(_), _) => drop(self.0.send(())),
            (Round::Stop, next) => {
                if let Some(next) = next {
                    cast(next, Round::Stop);
                }
                this.stop(None);
            }
        }
        Ok(())
    }
}

async fn ring(hops: u64) -> f64 {
    let (done, mut finished) = mpsc::unbounded_channel();
    let first = start(Member(done.clone()), None).await;
    let mut last = first.clone();
    for _ in 1..RING {
        last = start(Member(done.clone()), Some(last)).await;
    }
    cast(&first, Round::Next(last.clone()));
    let begin = Instant::now();
    cast(&last, Round::Token(hops));
    finished.recv().await;
    let each = nanos_each(begin, hops);
    cast(&last, Round::Stop);
    each
}

/// Tells when it has got so many.
struct Sink;
struct Due;

impl Actor for Sink {
    type Msg = Due;
    type State = (u64, Option<oneshot::Sender<()>>);
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _: ActorRef<Due>,
        state: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle(&self, this: ActorRef<Due>, _: Due, (left, done): &mut Self::State) -> Done {
        *left -= 1;
        if *left == 0 {
            let _ = done.take().map(|done| done.send(()));
            this.stop(None);
        }
        Ok(())
    }
}

async fn sink(left: u64) -> (ActorRef<Due>, oneshot::Receiver<()>) {
    let (done, finished) = oneshot::channel();
    (start(Sink, (left, Some(done))).await, finished)
}

async fn fan_in(count: u64) -> f64 {
    let messages = count / SENDERS / BURST * BURST * SENDERS;
    let (sink, finished) = sink(messages).await;
    let begin = Instant::now();
    for _ in 0..SENDERS {
        let sink = sink.clone();
        tokio::spawn(async move {
            for _ in 0..messages / SENDERS / BURST {
                for _ in 0..BURST {
                    cast(&sink, Due);
                }
                yield_now().await;
            }
        });
    }
    finished.await.expect("the sink is there");
    nanos_each(begin, messages)
}

async fn send_after(count: u64) -> f64 {
    let (sink, finished) = sink(count).await;
    let begin = Instant::now();
    for index in 0..count {
        sink.send_after(Duration::from_millis(1 + index % 20), || Due);
    }
    finished.await.expect("the sink is there");
    nanos_each(begin, count)
}

async fn arm_and_cancel(count: u64) -> f64 {
    let (sink, _finished) = sink(count).await;
    let begin = Instant::now();
    for _ in 0..count {
        sink.send_after(Duration::from_secs(5), || Due).abort();
    }
    let each = nanos_each(begin, count);
    sink.stop(None);
    each
}

// --- servers and supervisors -----------------------------------------------

struct Counter;

enum Command {
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

async fn calls(count: u64, limit: Option<Duration>) -> f64 {
    let server = start(Counter, ()).await;
    let begin = Instant::now();
    for _ in 0..count {
        assert_eq!(get(&server, limit).await, Some(0));
    }
    let each = nanos_each(begin, count);
    server.stop(None);
    each
}

async fn casts(count: u64) -> f64 {
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

async fn start_terminate(count: u64) -> f64 {
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

async fn restarts(count: u64) -> Vec<Duration> {
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
