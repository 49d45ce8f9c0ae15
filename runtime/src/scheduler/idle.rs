//! Who searches, who sleeps, and who must be woken.
//!
//! A worker without work *searches* the queues of the others; if it finds none
//! it *sleeps*. Whoever makes work wakes a sleeper, unless somebody searches
//! already: the searcher will find it.
//!
//! # The protocol
//!
//! One word counts the searching and the sleeping workers; the list of sleepers
//! is behind a lock, and the counts change under it or by the searcher itself.
//!
//! | who | does |
//! |---|---|
//! | pusher | 1. push; 2. fence; 3. read the word; 4. nobody searches and somebody sleeps: take a sleeper off the list, count it as searching, unpark it |
//! | searcher that finds work, or ends | 1. leave searching; 2. fence; 3. **the last one looks again** and wakes one if there is more |
//! | searcher that finds none | 1. onto the list: searching - 1, sleeping + 1; 2. fence; 3. look at **all** queues; 4. only then park |
//! | sleeper with another reason to get up (I/O, a timer, work seen in 3) | off the list by itself: sleeping - 1, searching + 1; if somebody else took it off, it is counted already |
//!
//! The woken worker is counted as searching *by its waker*, so a burst of pushes
//! wakes one worker and not one for each push.
//!
//! # Why no work is forgotten
//!
//! Take a push that wakes nobody. Either a searcher was counted at the pusher's
//! step 3: it has yet to find this or other work, and then the last searcher
//! looks again, or to enter the list and look at all queues after its fence. Or
//! nobody slept: every worker is busy and looks at the queues before it sleeps.
//! The pusher's push precedes its fence, the searcher's leaving or the sleeper's
//! entry precedes theirs; whichever fence is first, the other side sees what came
//! before it. The models in `scheduler/loom.rs` cover it; they fail without any
//! one of the fences, without the sleeper's second look, and without the last
//! searcher's.

use crate::primitive::{AtomicU32, Mutex, Ordering, fence, lock};

const SEARCHING: u32 = 1;
const SLEEPING: u32 = 1 << 16;

/// More threads could not be counted.
pub(crate) const THREADS_MAX: usize = SLEEPING as usize - 1;

fn searching(counts: u32) -> u32 {
    counts & (SLEEPING - 1)
}

fn sleeping(counts: u32) -> u32 {
    counts >> 16
}

/// What a worker can do where it works.
pub(crate) trait Workplace {
    /// Something to do.
    type Work;
    /// Looks at every place where work can be.
    fn look(&self) -> Option<Self::Work>;
    /// Whether there seems to be more work than was taken.
    fn is_there_more(&self) -> bool;
    /// Whether this worker shall search no more.
    fn is_over(&self) -> bool;
    /// Sleeps until unparked, or for another reason.
    fn park(&self);
    /// This worker was counted as asleep and is so no more.
    fn got_up(&self);
    /// Ends the present or next park of a worker.
    fn unpark(&self, worker: usize);
}

/// The searching and sleeping workers of a runtime.
#[derive(Debug)]
pub(crate) struct Idle {
    counts: AtomicU32,
    sleepers: Mutex<Vec<usize>>,
}

impl Idle {
    /// Everybody is busy.
    pub(crate) fn new() -> Self {
        Idle {
            counts: AtomicU32::new(0),
            sleepers: Mutex::new(Vec::new()),
        }
    }

    /// After a push: the worker that must be unparked, if any.
    pub(crate) fn work_was_pushed(&self) -> Option<usize> {
        // Between the push and the reading of the counts; partner: `sleep`.
        fence(Ordering::SeqCst);
        let counts = self.counts.load(Ordering::Relaxed);
        if searching(counts) > 0 || sleeping(counts) == 0 {
            return None;
        }
        let mut sleepers = lock(&self.sleepers);
        if searching(self.counts.load(Ordering::Relaxed)) > 0 {
            return None;
        }
        let sleeper = sleepers.pop()?;
        self.counts
            .fetch_add(SEARCHING.wrapping_sub(SLEEPING), Ordering::SeqCst);
        Some(sleeper)
    }

    /// Finds work for a worker that has none, sleeping as long as there is none.
    /// None when that is over.
    pub(crate) fn search<W: Workplace>(&self, worker: usize, place: &W) -> Option<W::Work> {
        self.counts.fetch_add(SEARCHING, Ordering::SeqCst);
        loop {
            if place.is_over() {
                // A pusher may have relied on us.
                self.leave(place);
                return None;
            }
            if let Some(work) = place.look() {
                self.leave(place);
                return Some(work);
            }
            self.sleep(worker);
            if let Some(work) = place.look() {
                self.wake_up(worker, place);
                self.leave(place);
                return Some(work);
            }
            // Asked again: whoever ends it does so before it unparks.
            if !place.is_over() {
                place.park();
            }
            self.wake_up(worker, place);
        }
    }

    /// A searcher has found work, or gives up. The last one looks whether there is
    /// more.
    fn leave(&self, place: &impl Workplace) {
        let before = self.counts.fetch_sub(SEARCHING, Ordering::SeqCst);
        // Between leaving and looking again; partner: `work_was_pushed`, which may
        // just have relied on us.
        fence(Ordering::SeqCst);
        if searching(before) == 1
            && place.is_there_more()
            && let Some(sleeper) = self.work_was_pushed()
        {
            place.unpark(sleeper);
        }
    }

    /// A searcher has found nothing: onto the list.
    fn sleep(&self, worker: usize) {
        let mut sleepers = lock(&self.sleepers);
        sleepers.push(worker);
        self.counts
            .fetch_add(SLEEPING.wrapping_sub(SEARCHING), Ordering::SeqCst);
        drop(sleepers);
        // Between the entry and the last look; partner: `work_was_pushed`.
        fence(Ordering::SeqCst);
    }

    /// A sleeper gets up, for whatever reason, and searches. One that a pusher
    /// took off the list is counted as searching already.
    fn wake_up(&self, worker: usize, place: &impl Workplace) {
        let mut sleepers = lock(&self.sleepers);
        if let Some(at) = sleepers.iter().position(|&sleeper| sleeper == worker) {
            sleepers.swap_remove(at);
            self.counts
                .fetch_add(SEARCHING.wrapping_sub(SLEEPING), Ordering::SeqCst);
        }
        drop(sleepers);
        place.got_up();
    }

    /// How many workers sleep.
    pub(crate) fn sleeping(&self) -> usize {
        sleeping(self.counts.load(Ordering::Relaxed)) as usize
    }

    /// The workers that sleep.
    pub(crate) fn sleepers(&self) -> Vec<usize> {
        lock(&self.sleepers).clone()
    }
}
