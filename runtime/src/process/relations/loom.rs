//! Links over two real inboxes, under the model checker.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p regrow-runtime --lib loom
//! ```
//!
//! `tests.rs` tries every order of whole steps over channels that cannot lose
//! anything. Here the channels are the shipped [`Inbox`]es and the steps are atomic
//! operations, so that a signal meets the death of its receiver half way: before or
//! after the generation has advanced, the inbox was closed, or the slot got its next
//! tenant. Each signal must be handled, come back to its sender, or be answered,
//! exactly one of these; then both sides come to agree.
//!
//! A side is the bookkeeping of the runtime, [`Relations`], and what `turn.rs` and
//! `exit.rs` do with it, in their order, without processes around it.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use regrow_mailbox::{Envelope, Inbox};

use super::{LinkIds, Relations};
use crate::message::Origin;
use crate::pid::Pid;
use crate::process::signal::{CONTROL, EXIT};

enum Signal {
    Link { from: Pid, id: u32 },
    Unlink { from: Pid, ids: LinkIds },
    Exit { from: Pid, origin: Origin },
}

/// A signal, and a cell that the checker watches, as it cannot see into a node.
struct Watched(Signal, UnsafeCell<()>);

impl Watched {
    fn wrap(signal: Signal) -> Self {
        let cell = UnsafeCell::new(());
        cell.with_mut(|_| ());
        Watched(signal, cell)
    }

    fn open(envelope: Envelope) -> Signal {
        let Ok(Watched(signal, cell)) = envelope.downcast() else {
            unreachable!("nothing else is sent");
        };
        cell.with_mut(|_| ());
        signal
    }
}

/// The slots of both sides.
struct Slots([Inbox; 2]);

impl Slots {
    fn new() -> Arc<Self> {
        Arc::new(Slots([Inbox::new(), Inbox::new()]))
    }

    /// Sends, unless the receiver is gone.
    fn push(&self, to: Pid, signal: Signal) -> Result<(), ()> {
        let kind = match signal {
            Signal::Exit { .. } => EXIT,
            _ => CONTROL,
        };
        let envelope = Envelope::new(to.generation(), kind, Watched::wrap(signal));
        match self.0[to.index() as usize].push(envelope) {
            Ok(_) => Ok(()),
            Err(_) => Err(()),
        }
    }

    /// Answers a signal on behalf of one that is gone.
    fn answer_for_dead(&self, envelope: Envelope, dead: Pid) {
        if let Signal::Link { from, id } = Watched::open(envelope) {
            let origin = Origin::Link {
                mine: 0,
                theirs: id,
            };
            // One that is gone itself needs no answer.
            let _ = self.push(from, Signal::Exit { from: dead, origin });
        }
    }
}

struct Side {
    slots: Arc<Slots>,
    pid: Pid,
    relations: Relations,
    last_id: u32,
    /// The exit signals that counted: from whom, and to which link request of mine.
    exits: Vec<(Pid, u32)>,
}

impl Side {
    /// A new tenant of a slot.
    fn born(slots: &Arc<Slots>, index: u32) -> Self {
        let generation = slots.0[index as usize].open(1);
        Side {
            slots: slots.clone(),
            pid: Pid::local(index, generation),
            relations: Relations::default(),
            last_id: 0,
            exits: Vec::new(),
        }
    }

    /// Two that are linked.
    fn linked(slots: &Arc<Slots>) -> (Self, Self) {
        let (mut a, mut b) = (Side::born(slots, 0), Side::born(slots, 1));
        a.link(b.pid);
        b.handle();
        (a, b)
    }

    fn inbox(&self) -> &Inbox {
        &self.slots.0[self.pid.index() as usize]
    }

    fn link(&mut self, peer: Pid) {
        self.last_id += 1;
        let id = self.last_id;
        if !self.relations.link(peer, id) {
            return;
        }
        let from = self.pid;
        if self.slots.push(peer, Signal::Link { from, id }).is_err() {
            let origin = Origin::Link {
                mine: 0,
                theirs: id,
            };
            let to_me = self.slots.push(from, Signal::Exit { from: peer, origin });
            assert!(to_me.is_ok(), "I am alive");
        }
    }

    fn unlink(&mut self, peer: Pid) {
        if let Some(ids) = self.relations.unlink(peer) {
            let from = self.pid;
            let _ = self.slots.push(peer, Signal::Unlink { from, ids });
        }
    }

    /// The start of a turn.
    fn handle(&mut self) {
        let mut batch = self.inbox().take().batch;
        while let Some(envelope) = batch.pop() {
            if envelope.generation() != self.pid.generation() {
                let dead = Pid::local(self.pid.index(), envelope.generation());
                self.slots.answer_for_dead(envelope, dead);
                continue;
            }
            match Watched::open(envelope) {
                Signal::Link { from, id } => self.relations.on_link(from, id),
                Signal::Unlink { from, ids } => self.relations.on_unlink(from, ids),
                Signal::Exit { from, origin } => {
                    let Origin::Link { theirs, .. } = origin else {
                        unreachable!("nothing else is sent");
                    };
                    if self.relations.on_exit(from, origin) {
                        self.exits.push((from, theirs));
                    }
                }
            }
        }
    }

    /// The end, in its order.
    fn die(mut self) {
        assert!(self.inbox().retire());
        if let Some((peer, LinkIds { mine, theirs })) = self.relations.pop_link() {
            let (from, origin) = (self.pid, Origin::Link { mine, theirs });
            let _ = self.slots.push(peer, Signal::Exit { from, origin });
        }
        let mut left = self.inbox().close();
        while let Some(envelope) = left.pop() {
            let dead = Pid::local(self.pid.index(), envelope.generation());
            self.slots.answer_for_dead(envelope, dead);
        }
    }

    fn links(&self) -> Vec<Pid> {
        self.relations.links()
    }
}

/// Nothing happens any more: what is under way arrives.
fn settle(a: &mut Side, b: &mut Side) -> bool {
    a.handle();
    b.handle();
    let agree = (a.links() == [b.pid]) == (b.links() == [a.pid]);
    assert!(agree, "{:?} {:?}", a.links(), b.links());
    assert!(a.exits.is_empty() && b.exits.is_empty());
    !a.links().is_empty()
}

#[test]
fn a_link_against_a_link_and_an_unlink_leaves_both_sides_in_agreement() {
    loom::model(|| {
        let slots = Slots::new();
        let (mut a, mut b) = (Side::born(&slots, 0), Side::born(&slots, 1));
        let (of_a, of_b) = (a.pid, b.pid);
        let other = thread::spawn(move || {
            b.link(of_a);
            b.handle();
            b.unlink(of_a);
            b
        });
        a.link(of_b);
        a.handle();
        settle(&mut a, &mut other.join().unwrap());
    });
}

#[test]
fn an_unlink_and_a_link_from_both_sides_leave_a_link() {
    loom::model(|| {
        let slots = Slots::new();
        let (mut a, mut b) = Side::linked(&slots);
        let (of_a, of_b) = (a.pid, b.pid);
        let other = thread::spawn(move || {
            b.unlink(of_a);
            b.link(of_a);
            b.handle();
            b
        });
        a.unlink(of_b);
        a.link(of_b);
        a.handle();
        assert!(
            settle(&mut a, &mut other.join().unwrap()),
            "both linked last"
        );
    });
}

#[test]
fn a_link_survives_an_unlink_that_had_not_seen_it() {
    loom::model(|| {
        let slots = Slots::new();
        let (mut a, mut b) = Side::linked(&slots);
        let (of_a, of_b) = (a.pid, b.pid);
        let other = thread::spawn(move || {
            b.link(of_a);
            b.handle();
            b
        });
        a.unlink(of_b);
        a.handle();
        assert!(settle(&mut a, &mut other.join().unwrap()));
    });
}

#[test]
fn unlinks_from_both_sides_leave_none() {
    loom::model(|| {
        let slots = Slots::new();
        let (mut a, mut b) = Side::linked(&slots);
        let (of_a, of_b) = (a.pid, b.pid);
        let other = thread::spawn(move || {
            b.link(of_a);
            b.unlink(of_a);
            b.handle();
            b
        });
        a.handle();
        a.unlink(of_b);
        assert!(!settle(&mut a, &mut other.join().unwrap()));
    });
}

#[test]
fn a_link_against_a_death_is_told_once() {
    loom::model(|| {
        let slots = Slots::new();
        let (mut a, b) = (Side::born(&slots, 0), Side::born(&slots, 1));
        let of_b = b.pid;
        let other = thread::spawn(move || {
            let mut b = b;
            b.handle();
            b.die();
        });
        a.link(of_b);
        a.handle();
        other.join().unwrap();
        a.handle();
        assert_eq!(a.exits, [(of_b, 1)]);
        assert!(a.links().is_empty());
    });
}

#[test]
fn a_link_to_one_whose_place_has_a_new_tenant_is_told_once_and_by_nobody_else() {
    loom::model(|| {
        let slots = Slots::new();
        let (mut a, b) = (Side::born(&slots, 0), Side::born(&slots, 1));
        let of_b = b.pid;
        let other = thread::spawn(move || {
            let slots = b.slots.clone();
            b.die();
            let mut heir = Side::born(&slots, 1);
            heir.handle();
            heir
        });
        a.link(of_b);
        let mut heir = other.join().unwrap();
        heir.handle();
        a.handle();
        assert_eq!(a.exits, [(of_b, 1)]);
        assert!(a.links().is_empty() && heir.links().is_empty());
    });
}

#[test]
fn once_unlink_returns_no_exit_counts() {
    loom::model(|| {
        let slots = Slots::new();
        let (mut a, b) = Side::linked(&slots);
        let of_b = b.pid;
        let other = thread::spawn(move || b.die());
        a.handle();
        let before = a.exits.len();
        a.unlink(of_b);
        other.join().unwrap();
        a.handle();
        assert_eq!(a.exits.len(), before);
        assert!(a.links().is_empty());
    });
}

#[test]
fn a_link_after_an_unlink_against_a_death_is_told_once_and_not_by_the_old_exit() {
    loom::model(|| {
        let slots = Slots::new();
        let (mut a, b) = Side::linked(&slots);
        let of_b = b.pid;
        let other = thread::spawn(move || {
            let mut b = b;
            b.handle();
            b.die();
        });
        a.unlink(of_b);
        a.link(of_b);
        other.join().unwrap();
        a.handle();
        // The first request, and with it the death that it would have told of, is
        // undone.
        assert_eq!(a.exits, [(of_b, 2)]);
        assert!(a.links().is_empty());
    });
}

#[test]
fn deaths_of_both_sides_at_once_lose_and_leak_nothing() {
    loom::model(|| {
        let slots = Slots::new();
        let (a, b) = Side::linked(&slots);
        let (of_a, of_b) = (a.pid, b.pid);
        let other = thread::spawn(move || b.die());
        a.die();
        other.join().unwrap();
        // Whoever comes next finds nothing of theirs.
        for (index, before) in [(0, of_a), (1, of_b)] {
            let mut heir = Side::born(&slots, index);
            heir.handle();
            assert_ne!(heir.pid, before);
            assert!(heir.exits.is_empty() && heir.links().is_empty());
        }
    });
}
