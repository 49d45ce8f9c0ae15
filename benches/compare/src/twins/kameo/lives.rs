//! Actors that begin and end, and what they take while they are there.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use kameo::error::Infallible;
use kameo::prelude::*;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use crate::measure::*;
use crate::rows::Row;
use crate::twins::alive::{Alive, Guard};

use super::servers::Counter;
use super::{start, tell};

actors!(Idle);

/// Does nothing; ends when nobody refers to it.
struct Idle(#[expect(dead_code, reason = "goes with the actor")] Option<Guard>);

pub(super) async fn spawn_exit(count: u64) -> f64 {
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

pub(super) async fn spawn_link(count: u64) -> f64 {
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

pub(super) async fn link_cascade(count: u64) -> f64 {
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

pub(super) async fn skynet(leaves: u64) -> f64 {
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

pub(super) async fn memory(row: Row, count: u64) -> f64 {
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
