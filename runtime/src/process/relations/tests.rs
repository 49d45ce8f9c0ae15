//! The link protocol, checked over every interleaving of two processes.
//!
//! Two sides, a channel each that keeps the order, and a few operations a side:
//! link, unlink, die. A death takes three steps, as in `exit`: the point of death,
//! after which signals from the other side bounce; the exit signal; and the
//! closing of the inbox, which answers what is left in it. Every order of all
//! these steps and of all deliveries is tried, on the real [`Relations`].
//!
//! What should happen is kept beside it in the plainest form: each link request
//! has a number, a side's view is the *set* of requests that are live as far as
//! it knows, and an unlink removes exactly those that its sender had seen.

use std::collections::{BTreeSet, HashSet, VecDeque};

use std::task::Waker;

use super::{ForeignWakers, LinkIds, MonitorRef, Origin, Pid, Relations};

type Requests = BTreeSet<u8>;

/// What an exit signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reason {
    /// What the process died of.
    Own,
    NoProc,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Signal {
    Link {
        id: u32,
        request: u8,
    },
    Unlink {
        ids: LinkKey,
        seen: Requests,
    },
    /// `live`: the requests that the sender knew of, or the one that is answered.
    Exit {
        reason: Reason,
        ids: LinkKey,
        live: Requests,
    },
}

/// [`LinkIds`], as part of a state.
type LinkKey = (u32, u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Life {
    Alive,
    /// Past the point of death; the other side is not told yet.
    Retired,
    Told,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    Link,
    Unlink,
    Die,
}

struct Side {
    relations: Relations,
    last_id: u32,
    life: Life,
    operations_left: u8,
    /// The requests that are live as far as this side knows.
    live: Requests,
    last: Option<Op>,
    /// The number of the next request: even on one side, odd on the other.
    next: u8,
}

struct World {
    sides: [Side; 2],
    /// What is under way to each side.
    inboxes: [VecDeque<Signal>; 2],
}

/// A state as it is compared with others.
type Key = (
    [(LinkKey, u32, Life, u8, Requests, Option<u8>, u8); 2],
    [VecDeque<Signal>; 2],
);

#[derive(Debug, Clone, Copy)]
enum Step {
    Operate(usize, Op),
    Deliver(usize),
    /// The next step of a death.
    Decay(usize),
}

fn pid(side: usize) -> Pid {
    Pid::local(side as u32 + 1, 1)
}

fn copy(relations: &Relations) -> Relations {
    let mut copy = Relations {
        link_peer: relations.link_peer,
        link_ids: relations.link_ids,
        ..Relations::default()
    };
    if let Some(more) = &relations.more {
        copy.more().links.clone_from(&more.links);
    }
    copy
}

/// The ids that are kept for the other side; zeros are no entry.
fn entry(relations: &Relations, peer: Pid) -> LinkKey {
    let ids = match relations.link_peer == peer.pack() {
        true => Some(relations.link_ids),
        false => relations
            .more
            .as_ref()
            .and_then(|more| more.links.get(&peer).copied()),
    };
    let listed = relations.links().contains(&peer);
    let ids = ids.unwrap_or_default();
    assert_eq!(listed, ids != LinkIds::default(), "an entry without ids");
    (ids.mine, ids.theirs)
}

impl World {
    /// With `occupied`, other links take the place in the process itself, so that
    /// the tables are used.
    fn new(operations: u8, occupied: bool) -> Self {
        let side = |side: usize| {
            let mut relations = Relations::default();
            if occupied {
                relations.on_link(Pid::local(100 + side as u32, 1), 77);
            }
            Side {
                relations,
                last_id: 0,
                life: Life::Alive,
                operations_left: operations,
                live: Requests::new(),
                last: None,
                next: side as u8,
            }
        };
        World {
            sides: [side(0), side(1)],
            inboxes: Default::default(),
        }
    }

    fn copy(&self) -> Self {
        World {
            sides: [0, 1].map(|side| {
                let side = &self.sides[side];
                Side {
                    relations: copy(&side.relations),
                    live: side.live.clone(),
                    ..*side
                }
            }),
            inboxes: self.inboxes.clone(),
        }
    }

    fn key(&self) -> Key {
        let sides = [0, 1].map(|side| {
            let it = &self.sides[side];
            (
                entry(&it.relations, pid(1 - side)),
                it.last_id,
                it.life,
                it.operations_left,
                it.live.clone(),
                it.last.map(|op| op as u8),
                it.next,
            )
        });
        (sides, self.inboxes.clone())
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (index, side) in self.sides.iter().enumerate() {
            match side.life {
                Life::Alive => {
                    if side.operations_left > 0 {
                        let operations = [Op::Link, Op::Unlink, Op::Die];
                        steps.extend(operations.map(|op| Step::Operate(index, op)));
                    }
                    if !self.inboxes[index].is_empty() {
                        steps.push(Step::Deliver(index));
                    }
                }
                Life::Retired | Life::Told => steps.push(Step::Decay(index)),
                Life::Closed => {}
            }
        }
        steps
    }

    /// Sends to the other side. False if that is past its point of death.
    fn send(&mut self, to: usize, signal: Signal) -> bool {
        let reachable = self.sides[to].life == Life::Alive;
        if reachable {
            self.inboxes[to].push_back(signal);
        }
        reachable
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Operate(index, op) => self.operate(index, op),
            Step::Decay(index) => self.decay(index),
            Step::Deliver(index) => {
                let signal = self.inboxes[index].pop_front().expect("there is one");
                self.deliver(index, signal);
            }
        }
    }

    fn operate(&mut self, index: usize, op: Op) {
        let other = 1 - index;
        let side = &mut self.sides[index];
        side.operations_left -= 1;
        side.last = Some(op);
        match op {
            Op::Link => {
                let own_is_live = side.live.iter().any(|it| *it as usize % 2 == index);
                side.last_id += 1;
                let id = side.last_id;
                let new = side.relations.link(pid(other), id);
                assert_eq!(new, !own_is_live, "a live request is not repeated");
                if !new {
                    return;
                }
                let request = side.next;
                side.next += 2;
                side.live.insert(request);
                if !self.send(other, Signal::Link { id, request }) {
                    self.inboxes[index].push_back(noproc(id, request));
                }
            }
            Op::Unlink => {
                let seen = std::mem::take(&mut side.live);
                let ids = side.relations.unlink(pid(other));
                assert_eq!(ids.is_none(), seen.is_empty(), "unlink finds what is live");
                if let Some(LinkIds { mine, theirs }) = ids {
                    let ids = (mine, theirs);
                    self.send(other, Signal::Unlink { ids, seen });
                }
            }
            Op::Die => side.life = Life::Retired,
        }
    }

    fn decay(&mut self, index: usize) {
        let other = 1 - index;
        let side = &mut self.sides[index];
        if side.life == Life::Told {
            side.life = Life::Closed;
            for signal in std::mem::take(&mut self.inboxes[index]) {
                if let Signal::Link { id, request } = signal {
                    self.send(other, noproc(id, request));
                }
            }
            return;
        }
        side.life = Life::Told;
        let live = std::mem::take(&mut side.live);
        let inline = side.relations.pop_link();
        let tables = side.relations.take_tables();
        let links = tables.into_iter().flat_map(|more| more.into_parts().links);
        for (peer, LinkIds { mine, theirs }) in inline.into_iter().chain(links) {
            if peer != pid(other) {
                continue;
            }
            let (reason, ids, live) = (Reason::Own, (mine, theirs), live.clone());
            self.send(other, Signal::Exit { reason, ids, live });
        }
    }

    fn deliver(&mut self, index: usize, signal: Signal) {
        let peer = pid(1 - index);
        let side = &mut self.sides[index];
        match signal {
            Signal::Link { id, request } => {
                side.relations.on_link(peer, id);
                side.live.insert(request);
            }
            Signal::Unlink { ids, seen } => {
                let (mine, theirs) = ids;
                side.relations.on_unlink(peer, LinkIds { mine, theirs });
                side.live.retain(|request| !seen.contains(request));
            }
            Signal::Exit { reason, ids, live } => {
                let (mine, theirs) = ids;
                let counts = side.relations.on_exit(peer, Origin::Link { mine, theirs });
                // It is ours if a request that it is about is live here still; if
                // not, we have unlinked since, and it is stale.
                let ours = !side.live.is_disjoint(&live);
                assert_eq!(counts, ours, "an exit of {reason:?}");
                if counts {
                    side.live.clear();
                }
            }
        }
    }

    /// What must hold always.
    fn check(&self) {
        for (index, side) in self.sides.iter().enumerate() {
            if side.life > Life::Retired {
                continue;
            }
            let (mine, theirs) = entry(&side.relations, pid(1 - index));
            let is_live = |of: usize| side.live.iter().any(|it| *it as usize % 2 == of);
            assert_eq!(mine != 0, is_live(index), "my own request");
            assert_eq!(theirs != 0, is_live(1 - index), "the other's request");
        }
    }

    /// What must hold when nothing is under way and nothing happens any more.
    fn check_end(&self) {
        let alive = [0, 1].map(|index| self.sides[index].life == Life::Alive);
        match alive {
            [true, true] => {
                let (of_a, of_b) = (
                    entry(&self.sides[0].relations, pid(1)),
                    entry(&self.sides[1].relations, pid(0)),
                );
                assert_eq!(of_a, (of_b.1, of_b.0), "both sides agree");
                let linked = of_a != (0, 0);
                match [0, 1].map(|index| self.sides[index].last) {
                    [Some(Op::Link), Some(Op::Link)] => assert!(linked, "both linked last"),
                    [Some(Op::Unlink), Some(Op::Unlink)] => {
                        assert!(!linked, "both unlinked last");
                    }
                    _ => {}
                }
            }
            [true, false] | [false, true] => {
                let survivor = usize::from(alive[1]);
                // Were an exit missing, the link would be here still.
                let left = entry(&self.sides[survivor].relations, pid(1 - survivor));
                assert_eq!(left, (0, 0), "an entry for the dead");
            }
            [false, false] => {}
        }
    }
}

/// The answer on behalf of a process that is gone.
fn noproc(id: u32, request: u8) -> Signal {
    Signal::Exit {
        reason: Reason::NoProc,
        ids: (0, id),
        live: Requests::from([request]),
    }
}

/// Goes through all interleavings; the number of states seen.
fn explore(operations: u8, occupied: bool) -> usize {
    let mut seen: HashSet<Key> = HashSet::new();
    let mut open = vec![World::new(operations, occupied)];
    while let Some(world) = open.pop() {
        world.check();
        let steps = world.steps();
        if steps.is_empty() {
            world.check_end();
        }
        for step in steps {
            let mut next = world.copy();
            next.take(step);
            if seen.insert(next.key()) {
                open.push(next);
            }
        }
    }
    seen.len()
}

#[test]
fn both_sides_agree_and_no_exit_is_missing_or_stale_in_any_interleaving() {
    // So many that the model cannot have shrunk to nothing unnoticed.
    assert!(explore(3, false) > 10_000);
}

#[test]
fn links_kept_in_the_tables_obey_the_same_protocol() {
    assert_eq!(explore(3, true), explore(3, false));
}

#[test]
fn an_exit_that_was_sent_counts_without_a_link() {
    assert!(Relations::default().on_exit(pid(0), Origin::Sent));
    let unlinked = Origin::Link { mine: 0, theirs: 0 };
    assert!(!Relations::default().on_exit(pid(0), unlinked));
}

#[test]
fn stale_foreign_wakers_are_let_go_and_live_ones_set_the_limit() {
    struct Nothing;
    impl std::task::Wake for Nothing {
        fn wake(self: std::sync::Arc<Self>) {}
    }
    let mut foreign = ForeignWakers::default();
    let mut kept = 0;
    let mut keep = |foreign: &mut ForeignWakers| {
        kept += 1;
        let waker = Waker::from(std::sync::Arc::new(Nothing));
        assert!(foreign.keep((kept, 0), waker).is_none());
    };
    assert!(!foreign.are_many());
    let mut most = 0;
    for _ in 0..10_000 {
        keep(&mut foreign);
        most = most.max(foreign.len());
        if foreign.are_many() {
            foreign.take().for_each(drop);
        }
    }
    assert!(most < 200, "{most} kept");
    // A thousand that come back each time are not woken at each turn.
    for _ in 0..1_000 {
        keep(&mut foreign);
    }
    let mut wakings = 0;
    for _ in 0..100 {
        if foreign.are_many() {
            wakings += 1;
            foreign.take().for_each(drop);
            for _ in 0..1_000 {
                keep(&mut foreign);
            }
        }
    }
    assert_eq!(wakings, 1);
}

#[test]
fn a_table_that_has_become_empty_gives_its_memory_back() {
    const COUNT: u32 = 10_000;
    let mut relations = Relations::default();
    let other = |n: u32| Pid::local(n + 1, 1);
    let room = |relations: &mut Relations| {
        let more = relations.more();
        [
            more.links.capacity(),
            more.watchers.capacity(),
            more.monitors.capacity(),
        ]
    };
    for n in 0..COUNT {
        relations.on_link(other(n), 1);
        relations.add_watcher(MonitorRef(u64::from(n)), other(n));
        relations.add_monitor(MonitorRef(u64::from(n)), other(n), None);
    }
    assert!(room(&mut relations).iter().all(|it| *it >= 9_999));
    for n in 0..COUNT {
        let origin = Origin::Link { mine: 1, theirs: 0 };
        assert!(relations.on_exit(other(n), origin));
        relations.remove_watcher(MonitorRef(u64::from(n)));
        assert!(relations.remove_monitor(MonitorRef(u64::from(n))).is_some());
        // At no time is there much more room than was used a while ago.
        let used = (COUNT - n) as usize;
        assert!(
            room(&mut relations)
                .iter()
                .all(|it| *it < 64.max(16 * used))
        );
    }
    assert!(relations.links().is_empty());
    assert!(room(&mut relations).iter().all(|it| *it <= 64));
}
