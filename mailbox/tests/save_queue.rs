//! The save queue against a plain list, and the rules of the inbox one by one.

#![cfg(not(loom))]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use regrow_mailbox::{Batch, Cursor, Envelope, Inbox, Pushed, SaveQueue};

fn envelope(number: u32) -> Envelope {
    Envelope::new(1, 0, number)
}

fn number(envelope: &Envelope) -> u32 {
    *envelope.peek::<u32>().expect("only numbers are queued")
}

fn numbers(queue: &SaveQueue) -> Vec<u32> {
    let mut numbers = Vec::new();
    queue.for_each(|it| numbers.push(number(it)));
    numbers
}

/// One step of a process with some waiting receives.
#[derive(Debug, Clone)]
enum Step {
    BeginTurn,
    Append(u8),
    /// A waiting receive looks for a number that leaves `rest` modulo 5.
    Look {
        receive: usize,
        rest: u32,
    },
    /// A fresh receive takes the one at this place, counted from the end: the
    /// newest is where the waiting ones stand.
    TakeFromEnd(usize),
    /// A waiting receive is given up, and another starts.
    Restart(usize),
    /// The same, and the other waits for what is yet to come.
    RestartAtEnd(usize),
    Pop,
}

const RECEIVES: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::BeginTurn),
        3 => (0..4_u8).prop_map(Step::Append),
        5 => (0..RECEIVES, 0..5_u32).prop_map(|(receive, rest)| Step::Look { receive, rest }),
        2 => (0..3_usize).prop_map(Step::TakeFromEnd),
        1 => (0..RECEIVES).prop_map(Step::Restart),
        1 => (0..RECEIVES).prop_map(Step::RestartAtEnd),
        1 => Just(Step::Pop),
    ]
}

/// A receive of the model: the numbers below this were looked at.
#[derive(Default, Clone, Copy)]
struct Looked(u32);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_use_of_cursors_is_the_use_of_a_plain_list(steps in prop::collection::vec(step(), 0..80)) {
        let mut queue = SaveQueue::new();
        let mut cursors = [Cursor::default(); RECEIVES];
        let mut model: Vec<u32> = Vec::new();
        let mut looked = [Looked::default(); RECEIVES];
        let mut next = 0;
        for step in steps {
            match step {
                Step::BeginTurn => queue.begin_turn(),
                Step::Append(many) => for _ in 0..many {
                    queue.append(envelope(next));
                    model.push(next);
                    next += 1;
                },
                Step::Look { receive, rest } => {
                    let mut asked = Vec::new();
                    let taken = queue.take_first(&mut cursors[receive], |it| {
                        asked.push(number(it));
                        number(it) % 5 == rest
                    });
                    // As the model has it: only what this receive has not seen.
                    let first = looked[receive].0;
                    let at = model.iter().position(|n| *n >= first && n % 5 == rest);
                    let seen = at.map_or(model.len(), |at| at + 1);
                    let expected: Vec<u32> =
                        model[..seen].iter().copied().filter(|n| *n >= first).collect();
                    prop_assert_eq!(asked, expected, "each is asked about once");
                    prop_assert_eq!(taken.as_ref().map(number), at.map(|at| model.remove(at)));
                    if taken.is_none() {
                        looked[receive] = Looked(next);
                    }
                }
                Step::TakeFromEnd(back) => {
                    let wanted = model.len().checked_sub(back + 1);
                    let wanted = wanted.map(|at| model.remove(at));
                    let taken = queue.take_first(&mut Cursor::default(), |it| {
                        Some(number(it)) == wanted
                    });
                    prop_assert_eq!(taken.as_ref().map(number), wanted);
                }
                Step::RestartAtEnd(receive) => {
                    cursors[receive] = queue.end();
                    looked[receive] = Looked(next);
                }
                Step::Restart(receive) => {
                    cursors[receive] = Cursor::default();
                    looked[receive] = Looked::default();
                }
                Step::Pop => {
                    let oldest = (!model.is_empty()).then(|| model.remove(0));
                    prop_assert_eq!(queue.pop().as_ref().map(number), oldest);
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            prop_assert_eq!(numbers(&queue), model.clone());
        }
    }
}

#[test]
fn a_receive_that_waits_skips_what_it_has_seen_however_much_there_is() {
    let mut queue = SaveQueue::new();
    (0..100_000).for_each(|n| queue.append(envelope(n)));
    let mut cursor = Cursor::default();
    assert!(queue.take_first(&mut cursor, |_| false).is_none());
    for new in 100_000..101_000 {
        queue.begin_turn();
        queue.append(envelope(new));
        let mut asked = 0;
        let none = queue.take_first(&mut cursor, |it| {
            asked += 1;
            assert_eq!(number(it), new);
            false
        });
        assert!(none.is_none());
        assert_eq!(asked, 1);
    }
}

#[test]
fn a_look_of_a_receive_that_waits_costs_the_same_however_much_there_is() {
    /// How long a thousand looks take, each for one new message.
    fn looks(old: u32) -> Duration {
        let mut queue = SaveQueue::new();
        (0..old).for_each(|n| queue.append(envelope(n)));
        let mut cursor = Cursor::default();
        assert!(queue.take_first(&mut cursor, |_| false).is_none());
        let start = Instant::now();
        for new in 0..1_000 {
            queue.begin_turn();
            queue.append(envelope(new));
            assert!(queue.take_first(&mut cursor, |_| false).is_none());
        }
        start.elapsed()
    }
    if cfg!(miri) {
        return;
    }
    let (short, long) = (looks(100), looks(200_000));
    // To walk there would take a thousand times as long.
    assert!(long < short * 50, "{short:?} {long:?}");
}

#[test]
fn taking_the_last_message_of_the_turn_before_leaves_the_place_intact() {
    let mut queue = SaveQueue::new();
    (0..3).for_each(|n| queue.append(envelope(n)));
    let mut waits = Cursor::default();
    assert!(queue.take_first(&mut waits, |_| false).is_none());
    queue.begin_turn();
    for gone in [2, 1, 0] {
        let taken = queue.take_first(&mut Cursor::default(), |it| number(it) == gone);
        assert_eq!(taken.as_ref().map(number), Some(gone));
        queue.append(envelope(10 + gone));
    }
    let seen = queue.take_first(&mut waits, |_| true);
    assert_eq!(seen.as_ref().map(number), Some(12), "the first that is new");
    assert_eq!(numbers(&queue), [11, 10]);
}

#[test]
fn a_panic_in_the_predicate_takes_nothing_out() {
    let mut queue = SaveQueue::new();
    (0..5).for_each(|n| queue.append(envelope(n)));
    let mut cursor = Cursor::default();
    let panics = std::panic::AssertUnwindSafe(|| {
        queue.take_first(&mut cursor, |it| {
            assert_ne!(number(it), 3, "as it should");
            false
        })
    });
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(numbers(&queue), [0, 1, 2, 3, 4]);
    let again = queue.take_first(&mut cursor, |it| number(it) == 1);
    assert_eq!(
        again.as_ref().map(number),
        Some(1),
        "the panic ended the look"
    );
}

/// Counts its drops.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn what_is_left_in_a_queue_a_batch_or_an_inbox_is_dropped_with_it() {
    let drops = Arc::new(AtomicU32::new(0));
    let counted = || Envelope::new(1, 0, Counted(drops.clone()));
    let mut queue = SaveQueue::new();
    (0..3).for_each(|_| queue.append(counted()));
    drop(queue);
    assert_eq!(drops.swap(0, Ordering::SeqCst), 3);

    let inbox = Inbox::new();
    inbox.open(0);
    (0..3).for_each(|_| drop(inbox.push(counted())));
    let mut taken = inbox.take();
    drop(taken.batch.pop());
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    drop(taken);
    assert_eq!(drops.swap(0, Ordering::SeqCst), 3);

    (0..3).for_each(|_| drop(inbox.push(counted())));
    drop(inbox);
    assert_eq!(drops.load(Ordering::SeqCst), 3);
}

#[test]
fn a_payload_comes_out_as_what_it_was_and_as_nothing_else() {
    let mut envelope = Envelope::new(7, 3, vec![1_u64, 2]);
    assert_eq!((envelope.generation(), envelope.kind()), (7, 3));
    assert!(envelope.type_name().contains("Vec<u64>"));
    assert!(envelope.needs_drop());
    assert!(!Envelope::new(0, 0, 7_u64).needs_drop());
    assert!(!envelope.is::<Vec<u32>>() && envelope.peek::<u64>().is_none());
    envelope.peek_mut::<Vec<u64>>().unwrap().push(3);
    envelope.set_kind(4);
    envelope.set_generation(8);
    assert_eq!((envelope.generation(), envelope.kind()), (8, 4));
    let envelope = envelope.downcast::<String>().unwrap_err();
    assert_eq!(envelope.downcast::<Vec<u64>>().unwrap(), [1, 2, 3]);
    // Sizes and alignments of all sorts.
    #[repr(align(128))]
    #[derive(Debug, PartialEq)]
    struct Wide(u8);
    assert_eq!(
        Envelope::new(1, 0, Wide(9)).downcast::<Wide>().unwrap(),
        Wide(9)
    );
    assert!(Envelope::new(1, 0, ()).downcast::<()>().is_ok());
}

#[test]
fn a_batch_gives_the_signals_in_the_order_of_their_push() {
    let inbox = Inbox::new();
    let generation = inbox.open(0);
    for number in 0..100_u32 {
        assert_eq!(
            inbox.push(Envelope::new(generation, 0, number)).unwrap(),
            Pushed::Queued
        );
    }
    let mut taken = inbox.take();
    assert!(!taken.woken);
    for number in 0..100_u32 {
        assert_eq!(
            taken.batch.pop().unwrap().downcast::<u32>().unwrap(),
            number
        );
    }
    assert!(taken.batch.is_empty() && taken.batch.pop().is_none());
    assert!(Batch::new().pop().is_none());
}

#[test]
fn whoever_finds_the_process_parked_must_run_it_and_nobody_else() {
    let inbox = Inbox::new();
    let generation = inbox.open(0);
    assert!(!inbox.is_parked());
    assert!(!inbox.wake(generation), "it is awake");
    assert!(!inbox.park(), "the wake came since the last take");
    assert!(inbox.take().woken);
    assert!(inbox.park());
    assert!(inbox.is_parked());

    assert!(inbox.wake(generation));
    assert!(!inbox.wake(generation), "somebody runs it already");
    assert_eq!(inbox.push(envelope(generation)).unwrap(), Pushed::Queued);
    let taken = inbox.take();
    assert!(taken.woken && !taken.batch.is_empty());
    assert!(inbox.park());

    assert_eq!(inbox.push(envelope(generation)).unwrap(), Pushed::MustRun);
    assert_eq!(inbox.push(envelope(generation)).unwrap(), Pushed::Queued);
    let taken = inbox.take();
    assert!(!taken.woken);
    assert_eq!(inbox.push(envelope(generation)).unwrap(), Pushed::Queued);
    assert!(!inbox.park(), "something came in this turn");
    drop(taken);
    drop(inbox.take());
    assert!(inbox.park());
}

#[test]
fn the_dead_and_the_unborn_take_no_signals_and_no_wakes() {
    let inbox = Inbox::new();
    assert!(inbox.is_closed());
    assert!(inbox.push(envelope(1)).is_err());
    assert!(!inbox.wake(inbox.generation()));

    let first = inbox.open(5);
    assert_eq!(inbox.owner().load(Ordering::Relaxed), 5);
    inbox.push(Envelope::new(first, 0, 1_u32)).unwrap();
    inbox.retire();
    let refused = inbox.push(Envelope::new(first, 0, 2_u32)).unwrap_err();
    assert_eq!(refused.downcast::<u32>().unwrap(), 2, "it is given back");
    let mut left = inbox.close();
    assert_eq!(left.pop().unwrap().downcast::<u32>().unwrap(), 1);
    assert!(left.pop().is_none());
    assert!(inbox.is_closed());

    let second = inbox.open(6);
    assert_ne!(first, second);
    drop(inbox.take());
    assert!(inbox.park());
    assert!(inbox.push(Envelope::new(first, 0, ())).is_err());
    assert!(!inbox.wake(first));
    assert!(inbox.is_parked(), "the next tenant was not disturbed");
    assert_eq!(
        inbox.push(Envelope::new(second, 0, ())).unwrap(),
        Pushed::MustRun
    );
}

#[test]
fn each_push_of_many_threads_ends_exactly_once_and_in_the_order_of_its_thread() {
    const THREADS: u32 = 3;
    const EACH: u32 = if cfg!(miri) { 50 } else { 30_000 };
    let inbox = Arc::new(Inbox::new());
    let generation = inbox.open(0);
    // The tokens that were handed out and not yet used up; the first is ours.
    let tokens = Arc::new(AtomicUsize::new(1));
    let pushers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (inbox, tokens) = (inbox.clone(), tokens.clone());
            thread::spawn(move || {
                for number in 0..EACH {
                    let signal = Envelope::new(generation, 0, (thread, number));
                    if inbox.push(signal).unwrap() == Pushed::MustRun {
                        tokens.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
        })
        .collect();
    let mut next = [0; THREADS as usize];
    while next.iter().sum::<u32>() < THREADS * EACH {
        if tokens.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
            continue;
        }
        let mut taken = inbox.take();
        while let Some(signal) = taken.batch.pop() {
            let (thread, number) = signal.downcast::<(u32, u32)>().unwrap();
            assert_eq!(next[thread as usize], number);
            next[thread as usize] += 1;
        }
        // Given up before: a pusher that finds it parked adds a new one at once.
        assert_eq!(tokens.fetch_sub(1, Ordering::SeqCst), 1, "two tokens");
        if !inbox.park() {
            tokens.fetch_add(1, Ordering::SeqCst);
        }
    }
    for pusher in pushers {
        pusher.join().unwrap();
    }
}

#[test]
fn each_signal_that_meets_a_closing_inbox_is_left_in_it_or_given_back() {
    const ROUNDS: u32 = if cfg!(miri) { 10 } else { 500 };
    let inbox = Arc::new(Inbox::new());
    for _ in 0..ROUNDS {
        let generation = inbox.open(0);
        let pusher = {
            let inbox = inbox.clone();
            thread::spawn(move || {
                let mut refused = 0;
                for number in 0..20_u32 {
                    refused += u32::from(inbox.push(Envelope::new(generation, 0, number)).is_err());
                }
                refused
            })
        };
        let mut got = 0;
        let mut count = |mut batch: Batch| {
            while let Some(signal) = batch.pop() {
                assert_eq!(signal.generation(), generation);
                got += 1;
            }
        };
        count(inbox.take().batch);
        inbox.retire();
        count(inbox.close());
        let refused = pusher.join().unwrap();
        assert_eq!(got + refused, 20);
        assert!(inbox.is_closed());
    }
}

#[test]
fn the_oldest_are_visited_in_order_and_no_more_than_asked_for() {
    let mut queue = SaveQueue::new();
    (0..5).for_each(|n| queue.append(envelope(n)));
    for (count, expected) in [(0, 0..0), (3, 0..3), (9, 0..5)] {
        let mut seen = Vec::new();
        queue.for_oldest(count, |it| seen.push(number(it)));
        assert_eq!(seen, expected.collect::<Vec<_>>());
    }
    // List pointer, vtable, stamp and kind, and the payload.
    queue.for_oldest(1, |it| {
        assert_eq!(it.size(), 24 + size_of_val(&number(it)).max(8))
    });
}
