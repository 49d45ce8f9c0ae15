//! Messages between actors, at once and later.

use std::time::{Duration, Instant};

use kameo::error::Infallible;
use kameo::prelude::*;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use crate::measure::*;

use super::{start, tell};

actors!(Ping, Pong, Member, Sink);

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

pub(super) async fn pairs(pairs: u64, count: u64) -> f64 {
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

pub(super) async fn ring(hops: u64) -> f64 {
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

pub(super) async fn fan_in(count: u64) -> f64 {
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

pub(super) async fn send_after(count: u64) -> f64 {
    let (sink, finished) = sink(count);
    let begin = Instant::now();
    for index in 0..count {
        sink.tell(Due)
            .send_after(Duration::from_millis(1 + index % 20));
    }
    finished.await.expect("the sink is there");
    nanos_each(begin, count)
}

pub(super) fn arm_and_cancel(count: u64) -> f64 {
    let (sink, _finished) = sink(count);
    let begin = Instant::now();
    for _ in 0..count {
        sink.tell(Due).send_after(Duration::from_secs(5)).abort();
    }
    nanos_each(begin, count)
}
