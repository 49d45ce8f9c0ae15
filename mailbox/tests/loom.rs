//! The inbox protocol under the model checker: every interleaving, within the
//! bounds of each model, of the code that ships.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p regrow-mailbox --test 'loom*'
//! ```
//!
//! The names of the models say what meets what. What each must show is the same:
//! every message is delivered once to the tenant that it was for, or comes back
//! as dead; what a waker wrote is seen by a later turn; the process is never
//! queued twice and never run by two threads; nothing is left behind.

#![cfg(loom)]

use std::collections::VecDeque;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;
use regrow_mailbox::{Envelope, Inbox, Pushed};

/// A message: for which tenant, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Note(u32),
    /// The tenant ends; `true` gives the slot a new one.
    Stop {
        again: bool,
    },
}

/// A signal in a node. The node itself is outside loom's sight, so it carries a
/// cell that loom watches: written by the sender, touched by whoever gets the node.
struct Parcel {
    signal: Signal,
    contents: UnsafeCell<u32>,
}

impl Parcel {
    fn new(signal: Signal) -> Self {
        let contents = UnsafeCell::new(0);
        // SAFETY: nobody else has it yet.
        contents.with_mut(|contents| unsafe { *contents = 1 });
        Parcel { signal, contents }
    }

    /// Opens what came out of the queue: a race if the sender's write is not
    /// ordered before.
    fn open(envelope: Envelope) -> Signal {
        let parcel = envelope
            .downcast::<Parcel>()
            .expect("only parcels are sent");
        // SAFETY: it came out of the queue, so it is ours; loom checks it.
        parcel
            .contents
            .with_mut(|contents| unsafe { *contents += 1 });
        parcel.signal
    }
}

/// What the process owns: loom notices when two threads touch it at once.
#[derive(Debug, Default)]
struct Body {
    tenant: u32,
    notes: Vec<u32>,
    /// For each flag, whether some turn saw it set.
    seen: [bool; 2],
    alive: bool,
}

struct Model {
    inbox: Inbox,
    body: UnsafeCell<Body>,
    queue: Mutex<VecDeque<()>>,
    flags: [AtomicBool; 2],
    dead: AtomicUsize,
    /// The newest tenant whose inbox is open, for whoever wants to send to it.
    born: AtomicU32,
}

impl Model {
    fn new() -> Arc<Self> {
        let model = Model {
            inbox: Inbox::new(),
            body: UnsafeCell::new(Body::default()),
            queue: Mutex::new(VecDeque::new()),
            flags: [AtomicBool::new(false), AtomicBool::new(false)],
            dead: AtomicUsize::new(0),
            born: AtomicU32::new(0),
        };
        model.give_birth();
        Arc::new(model)
    }

    /// Puts a tenant into the free slot.
    fn give_birth(&self) {
        self.body.with_mut(|body| {
            // SAFETY: the slot is free and ours; loom checks it.
            let body = unsafe { &mut *body };
            body.tenant = self.inbox.generation();
            body.alive = true;
        });
        let generation = self.inbox.open(0);
        self.born.store(generation, Ordering::Release);
        self.enqueue();
    }

    fn enqueue(&self) {
        let mut queue = self.queue.lock().unwrap();
        assert!(queue.is_empty(), "queued twice");
        queue.push_back(());
    }

    fn send(&self, generation: u32, signal: Signal) {
        match self
            .inbox
            .push(Envelope::new(generation, 0, Parcel::new(signal)))
        {
            Ok(Pushed::MustRun) => {
                self.touch_tenant();
                self.enqueue();
            }
            Ok(Pushed::Queued) => {}
            Err(envelope) => {
                assert_eq!(Parcel::open(envelope), signal);
                self.dead.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn wake(&self, generation: u32, flag: usize) {
        self.flags[flag].store(true, Ordering::Relaxed);
        if self.inbox.wake(generation) {
            self.touch_tenant();
            self.enqueue();
        }
    }

    /// Whoever gets the token reads whose queue the process belongs to.
    fn touch_tenant(&self) {
        self.body.with(|body| {
            // SAFETY: we hold the token; loom checks it.
            assert!(unsafe { (*body).alive });
        });
    }

    /// One turn, if the process is queued.
    fn run(&self) -> bool {
        if self.queue.lock().unwrap().pop_front().is_none() {
            return false;
        }
        let mut taken = self.inbox.take();
        let mut stop = None;
        self.body.with_mut(|body| {
            // SAFETY: we hold the token; loom checks it.
            let body = unsafe { &mut *body };
            while let Some(envelope) = taken.batch.pop() {
                if envelope.generation() != body.tenant {
                    Parcel::open(envelope);
                    self.dead.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                match Parcel::open(envelope) {
                    Signal::Note(note) => body.notes.push(note),
                    Signal::Stop { again } => {
                        stop = Some(again);
                        break;
                    }
                }
            }
            for (seen, flag) in body.seen.iter_mut().zip(&self.flags) {
                *seen |= flag.load(Ordering::Relaxed);
            }
            if stop.is_some() {
                body.alive = false;
            }
        });
        match stop {
            Some(again) => {
                self.inbox.retire();
                let mut left = self.inbox.close();
                while let Some(envelope) = taken.batch.pop().or_else(|| left.pop()) {
                    Parcel::open(envelope);
                    self.dead.fetch_add(1, Ordering::Relaxed);
                }
                if again {
                    self.give_birth();
                }
            }
            None => {
                if !self.inbox.park() {
                    self.enqueue();
                }
            }
        }
        true
    }

    /// After all threads have ended: whatever is queued runs; what then is in the
    /// body is what the process has seen.
    fn finish(&self, check: impl FnOnce(&Body, usize)) {
        while self.run() {}
        let dead = self.dead.load(Ordering::Relaxed);
        // SAFETY: all other threads have ended.
        self.body.with(|body| check(unsafe { &*body }, dead));
    }
}

fn sorted(notes: &[u32]) -> Vec<u32> {
    let mut notes = notes.to_vec();
    notes.sort_unstable();
    notes
}

#[test]
fn two_senders_and_a_worker_lose_nothing() {
    loom::model(|| {
        let model = Model::new();
        let senders = [1, 2].map(|note| {
            let model = model.clone();
            thread::spawn(move || model.send(1, Signal::Note(note)))
        });
        model.run();
        for sender in senders {
            sender.join().unwrap();
        }
        model.finish(|body, dead| {
            assert_eq!(sorted(&body.notes), [1, 2]);
            assert_eq!(dead, 0);
        });
    });
}

#[test]
fn messages_of_one_sender_keep_their_order_over_two_workers() {
    loom::model(|| {
        let model = Model::new();
        let sender = {
            let model = model.clone();
            thread::spawn(move || {
                model.send(1, Signal::Note(1));
                model.send(1, Signal::Note(2));
            })
        };
        let worker = {
            let model = model.clone();
            thread::spawn(move || {
                model.run();
            })
        };
        model.run();
        sender.join().unwrap();
        worker.join().unwrap();
        model.finish(|body, _| assert_eq!(body.notes, [1, 2]));
    });
}

#[test]
fn what_a_waker_wrote_is_seen_by_a_later_turn() {
    loom::model(|| {
        let model = Model::new();
        let waker = {
            let model = model.clone();
            thread::spawn(move || model.wake(1, 0))
        };
        model.run();
        waker.join().unwrap();
        model.finish(|body, _| assert!(body.seen[0]));
    });
}

#[test]
fn two_wakers_are_both_seen() {
    loom::model(|| {
        let model = Model::new();
        let wakers = [0, 1].map(|flag| {
            let model = model.clone();
            thread::spawn(move || model.wake(1, flag))
        });
        model.run();
        for waker in wakers {
            waker.join().unwrap();
        }
        model.finish(|body, _| assert_eq!(body.seen, [true, true]));
    });
}

#[test]
fn a_message_under_a_wake_and_the_wake_are_both_seen_by_two_workers() {
    loom::model(|| {
        let model = Model::new();
        let other = {
            let model = model.clone();
            thread::spawn(move || {
                model.send(1, Signal::Note(1));
                model.wake(1, 0);
            })
        };
        let worker = {
            let model = model.clone();
            thread::spawn(move || {
                model.run();
            })
        };
        model.run();
        other.join().unwrap();
        worker.join().unwrap();
        model.finish(|body, _| {
            assert_eq!(body.notes, [1]);
            assert!(body.seen[0]);
        });
    });
}

#[test]
fn a_sender_and_a_waker_do_not_hide_each_other() {
    loom::model(|| {
        let model = Model::new();
        let sender = {
            let model = model.clone();
            thread::spawn(move || model.send(1, Signal::Note(1)))
        };
        let waker = {
            let model = model.clone();
            thread::spawn(move || model.wake(1, 0))
        };
        model.run();
        sender.join().unwrap();
        waker.join().unwrap();
        model.finish(|body, _| {
            assert_eq!(body.notes, [1]);
            assert!(body.seen[0]);
        });
    });
}

#[test]
fn what_is_left_at_the_end_comes_back_as_dead() {
    loom::model(|| {
        let model = Model::new();
        model.send(1, Signal::Stop { again: false });
        let senders = [1, 2].map(|note| {
            let model = model.clone();
            thread::spawn(move || model.send(1, Signal::Note(note)))
        });
        model.run();
        for sender in senders {
            sender.join().unwrap();
        }
        model.finish(|body, dead| {
            assert_eq!(body.notes.len() + dead, 2);
            assert!(!body.alive);
        });
    });
}

#[test]
fn a_stale_sender_and_a_stale_waker_do_not_reach_the_next_tenant() {
    loom::model(|| {
        let model = Model::new();
        model.send(1, Signal::Stop { again: true });
        let sender = {
            let model = model.clone();
            thread::spawn(move || model.send(1, Signal::Note(1)))
        };
        let waker = {
            let model = model.clone();
            thread::spawn(move || model.wake(1, 0))
        };
        model.run();
        sender.join().unwrap();
        waker.join().unwrap();
        model.finish(|body, dead| {
            assert_eq!(body.tenant, 2);
            assert!(body.alive);
            assert!(body.notes.is_empty());
            assert_eq!(dead, 1);
        });
    });
}

#[test]
fn a_fresh_message_beside_a_stale_one_arrives() {
    loom::model(|| {
        let model = Model::new();
        model.send(1, Signal::Stop { again: true });
        let stale = {
            let model = model.clone();
            thread::spawn(move || model.send(1, Signal::Note(1)))
        };
        model.run();
        let fresh = {
            let model = model.clone();
            thread::spawn(move || {
                model.send(2, Signal::Note(2));
                model.wake(2, 1);
            })
        };
        model.run();
        stale.join().unwrap();
        fresh.join().unwrap();
        model.finish(|body, dead| {
            assert_eq!(body.notes, [2]);
            assert!(body.seen[1]);
            assert_eq!(dead, 1);
        });
    });
}

/// Four threads: the heaviest model, at a smaller bound.
#[test]
fn stale_and_fresh_senders_and_two_workers() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(|| {
        let model = Model::new();
        model.send(1, Signal::Stop { again: true });
        let stale = {
            let model = model.clone();
            thread::spawn(move || {
                model.send(1, Signal::Note(1));
                model.wake(1, 0);
            })
        };
        let worker = {
            let model = model.clone();
            thread::spawn(move || {
                model.run();
            })
        };
        model.run();
        let fresh = model.born.load(Ordering::Acquire);
        if fresh == 2 {
            model.send(2, Signal::Note(2));
        }
        stale.join().unwrap();
        worker.join().unwrap();
        model.finish(|body, dead| {
            let expected: &[u32] = if fresh == 2 { &[2] } else { &[] };
            assert_eq!(body.notes, expected);
            assert_eq!(dead, 1);
        });
    });
}
