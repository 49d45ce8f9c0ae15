//! The workloads on actix: a system and one more arbiter, each a thread of its own. An actor stays
//! where it was started, so all of a row are in one arbiter, where messages are cheapest, but for
//! those that fall into parts: the 64 pairs, skynet's branches, and the senders of fan-in and cast.

use std::io;
use std::time::{Duration, Instant};

use actix::clock::sleep;
use actix::prelude::*;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use crate::measure::*;
use crate::programs::Work;
use crate::rows::Row;

use super::alive::{Alive, Guard};

/// Runs the samples of a row on a system of its own.
pub(super) fn run(work: Work, workers: usize) -> io::Result<()> {
    let system = System::new();
    system.block_on(async move {
        let mut arbiters = vec![Arbiter::current()];
        let others: Vec<Arbiter> = (1..workers).map(|_| Arbiter::new()).collect();
        arbiters.extend(others.iter().map(Arbiter::handle));
        if let Some(count) = work.warm_up() {
            sample(Work { count, ..work }, &arbiters).await;
        }
        for _ in 0..work.samples {
            work.report(sample(work, &arbiters).await);
        }
        for arbiter in others {
            arbiter.stop();
        }
    });
    Ok(())
}

async fn sample(work: Work, arbiters: &[ArbiterHandle]) -> f64 {
    let count = work.count;
    match work.row {
        Row::SpawnExit => spawn_exit(count).await,
        Row::PingPong => pairs(1, count, arbiters).await,
        Row::PingPong64 => pairs(64, count, arbiters).await,
        Row::ThreadRing => ring(count).await,
        Row::FanIn => fan_in(count, arbiters).await,
        Row::Skynet => skynet(count, arbiters).await,
        Row::Call => calls(count, Some(Duration::from_secs(5))).await,
        Row::CallBare => calls(count, None).await,
        Row::Cast => casts(count, arbiters).await,
        Row::SendAfter => send_after(count).await,
        Row::SendAfterCancel => arm_and_cancel(count),
        Row::IdleMemory | Row::ServerMemory => memory(work.row, count).await,
        other => unreachable!("{} is not run here", other.name()),
    }
}

/// What `#[derive(Message)]` writes.
macro_rules! messages {
    ($($name:ty => $result:ty),*) => {$(
        impl Message for $name {
            type Result = $result;
        }
    )*};
}

messages!(Ball => (), Back => (), Next => (), Token => (), Due => (), Sum => (), Add => (), Get => u64);

macro_rules! actors {
    ($($name:ty),*) => {$(
        impl Actor for $name {
            type Context = Context<Self>;
        }
    )*};
}

actors!(Idle, Ping, Pong, Member, Sink, Counter);

// --- actors that begin and end ---------------------------------------------

/// Does nothing; ends when nobody has its address.
struct Idle(#[expect(dead_code, reason = "goes with the actor")] Option<Guard>);

async fn spawn_exit(count: u64) -> f64 {
    let alive = Alive::default();
    let begin = Instant::now();
    for _ in 0..count / BURST {
        for _ in 0..BURST {
            drop(Idle(Some(alive.guard())).start());
        }
        yield_now().await;
    }
    alive.until_none().await;
    nanos_each(begin, count)
}

/// A leaf is its number, a node the sum of its ten children.
struct Node {
    above: Above,
    number: u64,
    size: u64,
    /// Where its children go; here, if it has none to choose from.
    arbiters: Vec<ArbiterHandle>,
    sum: u64,
    open: u64,
}

enum Above {
    Root(Option<oneshot::Sender<u64>>),
    Node(Addr<Node>),
}

struct Sum(u64);

impl Above {
    fn tell(&mut self, sum: u64) {
        match self {
            Above::Root(root) => {
                let root = root.take().expect("the root is told once");
                root.send(sum).expect("the root waits");
            }
            Above::Node(node) => node.do_send(Sum(sum)),
        }
    }
}

impl Actor for Node {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        if self.size == 1 {
            self.above.tell(self.number);
            return context.stop();
        }
        let part = self.size / 10;
        for index in 0..10 {
            let child = Node {
                above: Above::Node(context.address()),
                number: self.number + index * part,
                size: part,
                arbiters: Vec::new(),
                sum: 0,
                open: 10,
            };
            match self
                .arbiters
                .get(index as usize % self.arbiters.len().max(1))
            {
                Some(arbiter) => drop(Node::start_in_arbiter(arbiter, |_| child)),
                None => drop(child.start()),
            }
        }
    }
}

impl Handler<Sum> for Node {
    type Result = ();

    fn handle(&mut self, Sum(sum): Sum, context: &mut Context<Self>) {
        self.sum += sum;
        self.open -= 1;
        if self.open == 0 {
            self.above.tell(self.sum);
            context.stop();
        }
    }
}

async fn skynet(leaves: u64, arbiters: &[ArbiterHandle]) -> f64 {
    let (told, sum) = oneshot::channel();
    let begin = Instant::now();
    let root = Node {
        above: Above::Root(Some(told)),
        number: 0,
        size: leaves,
        arbiters: arbiters.to_vec(),
        sum: 0,
        open: 10,
    };
    let _root = root.start();
    assert_eq!(sum.await, Ok(leaves * (leaves - 1) / 2));
    nanos_each(begin, skynet_processes(leaves))
}

async fn memory(row: Row, count: u64) -> f64 {
    let before = resident_bytes();
    let (mut idle, mut servers) = (Vec::new(), Vec::new());
    for _ in 0..count {
        match row {
            Row::ServerMemory => servers.push(Counter { value: 0 }.start()),
            _ => idle.push(Idle(None).start()),
        }
    }
    sleep(Duration::from_millis(500)).await;
    let each = (resident_bytes() - before) as f64 / count as f64;
    drop((idle, servers));
    each
}

// --- messages --------------------------------------------------------------

struct Ping {
    pong: Addr<Pong>,
    left: u64,
    done: mpsc::UnboundedSender<()>,
}
struct Pong;
struct Ball(Addr<Ping>);
struct Back;

impl Handler<Ball> for Pong {
    type Result = ();

    fn handle(&mut self, Ball(from): Ball, _: &mut Context<Self>) {
        from.do_send(Back);
    }
}

/// The first one starts the game.
impl Handler<Back> for Ping {
    type Result = ();

    fn handle(&mut self, _: Back, context: &mut Context<Self>) {
        if self.left == 0 {
            let _ = self.done.send(());
        } else {
            self.left -= 1;
            self.pong.do_send(Ball(context.address()));
        }
    }
}

async fn pairs(pairs: u64, count: u64, arbiters: &[ArbiterHandle]) -> f64 {
    let each = count / pairs;
    let (done, mut all_done) = mpsc::unbounded_channel();
    let mut pings = Vec::new();
    for (_, arbiter) in (0..pairs).zip(arbiters.iter().cycle()) {
        let done = done.clone();
        let pong = Pong::start_in_arbiter(arbiter, |_| Pong);
        pings.push(Ping::start_in_arbiter(arbiter, move |_| Ping {
            pong,
            left: each,
            done,
        }));
    }
    let begin = Instant::now();
    for ping in &pings {
        ping.do_send(Back);
    }
    for _ in 0..pairs {
        all_done.recv().await;
    }
    nanos_each(begin, each * pairs)
}

struct Member {
    next: Option<Addr<Member>>,
    done: mpsc::UnboundedSender<()>,
}
struct Next(Option<Addr<Member>>);
struct Token(u64);

impl Handler<Next> for Member {
    type Result = ();

    fn handle(&mut self, Next(next): Next, _: &mut Context<Self>) {
        self.next = next;
    }
}

impl Handler<Token> for Member {
    type Result = ();

    fn handle(&mut self, Token(hops): Token, _: &mut Context<Self>) {
        match &self.next {
            Some(next) if hops > 0 => next.do_send(Token(hops - 1)),
            _ => drop(self.done.send(())),
        }
    }
}

async fn ring(hops: u64) -> f64 {
    let (done, mut finished) = mpsc::unbounded_channel();
    let member = |next| {
        let done = done.clone();
        Member { next, done }.start()
    };
    let first = member(None);
    let mut last = first.clone();
    for _ in 1..RING {
        last = member(Some(last));
    }
    first.do_send(Next(Some(last.clone())));
    let begin = Instant::now();
    last.do_send(Token(hops));
    finished.recv().await;
    let each = nanos_each(begin, hops);
    // Members that have each other's address in a circle would never end.
    first.do_send(Next(None));
    each
}

/// Tells when it has got so many.
struct Sink {
    left: u64,
    done: Option<oneshot::Sender<()>>,
}
struct Due;

impl Handler<Due> for Sink {
    type Result = ();

    fn handle(&mut self, _: Due, _: &mut Context<Self>) {
        self.left -= 1;
        if self.left == 0 {
            let _ = self.done.take().map(|done| done.send(()));
        }
    }
}

fn sink(left: u64) -> (Addr<Sink>, oneshot::Receiver<()>) {
    let (done, finished) = oneshot::channel();
    let done = Some(done);
    (Sink { left, done }.start(), finished)
}

/// Eight senders, in turn on all arbiters; how many messages there are.
fn send_from_all<M>(to: &Addr<M>, count: u64, arbiters: &[ArbiterHandle], send: fn(&Addr<M>)) -> u64
where
    M: Actor<Context = Context<M>>,
{
    let bursts = count / SENDERS / BURST;
    for (_, arbiter) in (0..SENDERS).zip(arbiters.iter().cycle()) {
        let to = to.clone();
        arbiter.spawn(async move {
            for _ in 0..bursts {
                for _ in 0..BURST {
                    send(&to);
                }
                yield_now().await;
            }
        });
    }
    bursts * BURST * SENDERS
}

async fn fan_in(count: u64, arbiters: &[ArbiterHandle]) -> f64 {
    let messages = count / SENDERS / BURST * BURST * SENDERS;
    let (sink, finished) = sink(messages);
    let begin = Instant::now();
    send_from_all(&sink, count, arbiters, |sink| sink.do_send(Due));
    finished.await.expect("the sink is there");
    nanos_each(begin, messages)
}

/// Not `notify_later`: a context looks at all its timers whenever it is woken, which a million of
/// them would not survive. Tasks of its arbiter do it better.
fn later(sink: &Addr<Sink>, time: Duration) -> tokio::task::JoinHandle<()> {
    let sink = sink.clone();
    actix::spawn(async move {
        sleep(time).await;
        sink.do_send(Due);
    })
}

async fn send_after(count: u64) -> f64 {
    let (sink, finished) = sink(count);
    let begin = Instant::now();
    for index in 0..count {
        later(&sink, Duration::from_millis(1 + index % 20));
    }
    finished.await.expect("the sink is there");
    nanos_each(begin, count)
}

fn arm_and_cancel(count: u64) -> f64 {
    let (sink, _finished) = sink(count);
    let begin = Instant::now();
    for _ in 0..count {
        later(&sink, Duration::from_secs(5)).abort();
    }
    nanos_each(begin, count)
}

// --- servers ---------------------------------------------------------------

struct Counter {
    value: u64,
}
struct Add(u64);
struct Get;

impl Handler<Add> for Counter {
    type Result = ();

    fn handle(&mut self, Add(amount): Add, _: &mut Context<Self>) {
        self.value += amount;
    }
}

impl Handler<Get> for Counter {
    type Result = u64;

    fn handle(&mut self, _: Get, _: &mut Context<Self>) -> u64 {
        self.value
    }
}

async fn calls(count: u64, limit: Option<Duration>) -> f64 {
    let server = Counter { value: 0 }.start();
    let begin = Instant::now();
    for _ in 0..count {
        let request = server.send(Get);
        let value = match limit {
            Some(limit) => request.timeout(limit).await,
            None => request.await,
        };
        assert_eq!(value.ok(), Some(0));
    }
    nanos_each(begin, count)
}

async fn casts(count: u64, arbiters: &[ArbiterHandle]) -> f64 {
    let server = Counter { value: 0 }.start();
    let begin = Instant::now();
    let messages = send_from_all(&server, count, arbiters, |server| server.do_send(Add(1)));
    while server.send(Get).await.ok() != Some(messages) {
        yield_now().await;
    }
    nanos_each(begin, messages)
}
