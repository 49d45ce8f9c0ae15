//! Queues for processes that do not go to the ordinary ones: one for each priority,
//! and a word that says which of them may have something.
//!
//! A worker looks at the word each turn, by a plain load; as long as nobody uses
//! priorities it is zero, on a cache line that nobody writes.
//!
//! # The word
//!
//! | who | does |
//! |---|---|
//! | whoever queues a process | 1. push; 2. set the bit of the queue, **also if it is set** (AcqRel) |
//! | whoever finds a queue empty whose bit is set | 1. clear the bit (AcqRel); 2. look again: if the queue has something, set the bit (AcqRel), and take |
//!
//! The read-modify-writes of the word have one order. If a pusher's comes before the
//! clearing one, that one sees the push, and so does the second look; if it comes
//! after, the bit stays set. So what is in a queue is never hidden for longer than
//! somebody takes between 1 and 2, and that one takes it or sets the bit.
//!
//! Sleepers are woken as for every other push (`idle.rs`): the pusher's step 2 is
//! before its fence, and a sleeper's last look reads the word after its own.
//!
//! The models in `scheduler/loom.rs` have a queue with no ordering of its own in place of the
//! deque. One of them fails without the second look, if what that finds does not set the bit
//! again, if the pusher does nothing when it finds the bit set, and if either of the
//! read-modify-writes is relaxed.

use super::queue::Inlet;
use crate::primitive::{AtomicU32, Ordering};
use crate::process::priority::Priority;

/// A queue that all workers share; the models have another.
pub(super) trait Queue {
    fn new() -> Self;
    fn push(&self, index: u32);
    fn take(&self) -> Option<u32>;
    fn is_empty(&self) -> bool;
    fn len(&self) -> usize;
}

impl Queue for Inlet {
    fn new() -> Self {
        Inlet::new()
    }

    fn push(&self, index: u32) {
        self.push(index);
    }

    fn take(&self) -> Option<u32> {
        self.take()
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn len(&self) -> usize {
        self.len()
    }
}

/// The queues, and their word.
#[derive(Debug)]
pub(super) struct Ranks<Q = Inlet> {
    word: AtomicU32,
    queues: [Q; 4],
}

fn bit(priority: Priority) -> u32 {
    1 << priority as u32
}

/// What runs before everything ordinary, first things first.
pub(super) const URGENT: [Priority; 2] = [Priority::Max, Priority::High];

impl<Q: Queue> Ranks<Q> {
    pub(super) fn new() -> Self {
        Ranks {
            word: AtomicU32::new(0),
            queues: std::array::from_fn(|_| Q::new()),
        }
    }

    fn queue(&self, priority: Priority) -> &Q {
        &self.queues[priority as usize]
    }

    pub(super) fn push(&self, index: u32, priority: Priority) {
        self.queue(priority).push(index);
        self.word.fetch_or(bit(priority), Ordering::AcqRel);
    }

    /// Takes the one that has waited longest.
    pub(super) fn take(&self, priority: Priority) -> Option<u32> {
        while self.may_have(priority) {
            if let Some(index) = self.queue(priority).take() {
                return Some(index);
            }
            self.word.fetch_and(!bit(priority), Ordering::AcqRel);
            if self.queue(priority).is_empty() {
                return None;
            }
            self.word.fetch_or(bit(priority), Ordering::AcqRel);
        }
        None
    }

    fn may_have(&self, priority: Priority) -> bool {
        self.word.load(Ordering::Relaxed) & bit(priority) != 0
    }

    /// Whether there may be anything.
    #[inline]
    pub(super) fn may_have_any(&self) -> bool {
        self.word.load(Ordering::Relaxed) != 0
    }

    /// Whether there is anything; unlike [`Ranks::may_have_any`], not only a bit.
    pub(super) fn has_any(&self) -> bool {
        self.may_have_any() && self.queues.iter().any(|queue| !queue.is_empty())
    }

    pub(super) fn len(&self) -> usize {
        self.queues.iter().map(Q::len).sum()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    #[test]
    fn each_queue_is_first_in_first_out_and_none_hides_another() {
        let ranks = Ranks::<Inlet>::new();
        assert!(!ranks.may_have_any());
        for index in 1..=3 {
            for (shift, priority) in Priority::ALL.into_iter().enumerate() {
                ranks.push(index << (8 * shift), priority);
            }
        }
        assert_eq!(ranks.len(), 12);
        for (shift, priority) in Priority::ALL.into_iter().enumerate().rev() {
            for index in 1..=3 {
                assert!(ranks.may_have_any());
                assert_eq!(ranks.take(priority), Some(index << (8 * shift)));
            }
            assert_eq!(ranks.take(priority), None);
        }
        assert!(!ranks.may_have_any(), "the last look clears the word");
    }

    #[test]
    fn what_is_pushed_while_others_find_the_queue_empty_is_found() {
        const EACH: u32 = 20_000;
        let ranks = Ranks::<Inlet>::new();
        let pushed = AtomicBool::new(false);
        let taken: u64 = thread::scope(|scope| {
            let takers = [0, 1].map(|_| {
                scope.spawn(|| {
                    let mut sum = 0;
                    loop {
                        let all = pushed.load(Ordering::Acquire);
                        match ranks.take(Priority::High) {
                            Some(index) => sum += u64::from(index),
                            // Everything was pushed before, and the word is all that
                            // says so.
                            None if all => return sum,
                            None => thread::yield_now(),
                        }
                    }
                })
            });
            for index in 1..=EACH {
                ranks.push(index, Priority::High);
                if index % 7 == 0 {
                    thread::yield_now();
                }
            }
            pushed.store(true, Ordering::Release);
            takers.into_iter().map(|taker| taker.join().unwrap()).sum()
        });
        assert_eq!(taken, u64::from(EACH) * u64::from(EACH + 1) / 2);
        assert_eq!(ranks.len(), 0);
    }
}
