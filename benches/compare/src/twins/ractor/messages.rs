//! Messages between actors, at once and later.

use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use crate::measure::*;

use super::{Done, cast, start};

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

pub(super) async fn pairs(pairs: u64, count: u64) -> f64 {
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

pub(super) async fn ring(hops: u64) -> f64 {
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

pub(super) async fn fan_in(count: u64) -> f64 {
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

pub(super) async fn send_after(count: u64) -> f64 {
    let (sink, finished) = sink(count).await;
    let begin = Instant::now();
    for index in 0..count {
        sink.send_after(Duration::from_millis(1 + index % 20), || Due);
    }
    finished.await.expect("the sink is there");
    nanos_each(begin, count)
}

pub(super) async fn arm_and_cancel(count: u64) -> f64 {
    let (sink, _finished) = sink(count).await;
    let begin = Instant::now();
    for _ in 0..count {
        sink.send_after(Duration::from_secs(5), || Due).abort();
    }
    let each = nanos_each(begin, count);
    sink.stop(None);
    each
}
