//! The answer cell under the model checker; `loom.rs` says how to run it.
//!
//! Who waits gets the value or is woken; a value is dropped once; what its sender pushed
//! before the answer is not overtaken by it; the waker and the value are never touched by both sides at once. (The cell's own memory is
//! outside loom's sight; Miri watches that.)

#![cfg(loom)]

use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize as StdUsize, Ordering as StdOrdering};
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::{Arc, Notify};
use loom::thread;
use regrow_mailbox::{AnswerSender, Envelope, Inbox, answer};

/// Wakes a thread of the model.
struct Rouse(Arc<Notify>);

impl Wake for Rouse {
    fn wake(self: StdArc<Self>) {
        self.0.notify();
    }
}

fn waker() -> (Arc<Notify>, Waker) {
    let notify = Arc::new(Notify::new());
    let waker = Waker::from(StdArc::new(Rouse(notify.clone())));
    (notify, waker)
}

fn answer_and_wake<T: Send>(sender: AnswerSender<T>, value: T) {
    if let Some(waker) = sender.send(value) {
        waker.wake();
    }
}

/// A value that counts its drops.
struct Counted(StdArc<StdUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, StdOrdering::Relaxed);
    }
}

#[test]
fn whoever_waits_is_woken_and_finds_the_value() {
    loom::model(|| {
        let (sender, mut receiver) = answer::<u32>();
        let sender = thread::spawn(move || answer_and_wake(sender, 5));
        let (notify, waker) = waker();
        let mut cx = Context::from_waker(&waker);
        let value = loop {
            match receiver.poll(&mut cx) {
                Poll::Ready(value) => break value,
                Poll::Pending => notify.wait(),
            }
        };
        assert_eq!(value, Some(5));
        sender.join().unwrap();
    });
}

#[test]
fn the_newest_waker_is_the_one_that_is_woken() {
    loom::model(|| {
        let (sender, mut receiver) = answer::<u32>();
        let sender = thread::spawn(move || answer_and_wake(sender, 5));
        let (_, first) = waker();
        let (notify, second) = waker();
        let mut value = receiver.poll(&mut Context::from_waker(&first));
        while value.is_pending() {
            value = receiver.poll(&mut Context::from_waker(&second));
            if value.is_pending() {
                notify.wait();
            }
        }
        assert_eq!(value, Poll::Ready(Some(5)));
        sender.join().unwrap();
    });
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_is_dropped_once() {
    for polled in [false, true] {
        loom::model(move || {
            let drops = StdArc::new(StdUsize::new(0));
            let (sender, mut receiver) = answer::<Counted>();
            let value = Counted(drops.clone());
            let sender = thread::spawn(move || {
                sender.is_wanted();
                answer_and_wake(sender, value);
            });
            if polled {
                let (_, waker) = waker();
                let _pending_or_not = receiver.poll(&mut Context::from_waker(&waker));
            }
            drop(receiver);
            sender.join().unwrap();
            assert_eq!(drops.load(StdOrdering::Relaxed), 1);
        });
    }
}

#[test]
fn what_was_pushed_before_the_answer_is_taken_or_seen() {
    loom::model(|| {
        let inbox = Arc::new(Inbox::new());
        let generation = inbox.open(0);
        let (sender, mut receiver) = answer::<u32>();
        let server = {
            let inbox = inbox.clone();
            thread::spawn(move || {
                inbox.push(Envelope::new(generation, 0, "first")).unwrap();
                answer_and_wake(sender, 5);
            })
        };
        // A turn: the inbox is taken at its start only.
        let is_taken = inbox.take().batch.pop().is_some();
        let (_, waker) = waker();
        let mut cx = Context::from_waker(&waker);
        let may_take = |_: &mut Context<'_>| is_taken || !inbox.has_signals();
        if receiver.poll_if(&mut cx, may_take).is_ready() {
            assert!(is_taken, "the answer has overtaken the push");
        }
        server.join().unwrap();
    });
}
