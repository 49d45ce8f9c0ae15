//! Actors that begin and end, and what they take while they are there.

use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::{mpsc, oneshot};

use crate::measure::*;
use crate::rows::Row;
use crate::twins::alive::{Alive, Guard};

use super::servers::Counter;
use super::{Done, cast, start, start_linked};

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
pub(super) struct Parent;

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

pub(super) async fn spawn_exit(count: u64) -> f64 {
    let alive = Alive::default();
    let begin = Instant::now();
    for _ in 0..count {
        start(Brief, Some(alive.guard())).await;
    }
    alive.until_none().await;
    nanos_each(begin, count)
}

pub(super) async fn spawn_link(count: u64) -> f64 {
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

pub(super) async fn link_cascade(count: u64) -> f64 {
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

pub(super) async fn skynet(leaves: u64) -> f64 {
    let (told, sum) = oneshot::channel();
    let begin = Instant::now();
    start_node(Above::Root(Some(told)), 0, leaves);
    assert_eq!(sum.await, Ok(leaves * (leaves - 1) / 2));
    nanos_each(begin, skynet_processes(leaves))
}

pub(super) async fn memory(row: Row, count: u64) -> f64 {
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
