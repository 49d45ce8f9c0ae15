//! Processes that hold up whoever runs them, and the threads that run them.
//!
//! A thread that was stuck in a long turn has lost its seat by the end of it, and
//! has a low priority that it cannot raise again. So it becomes a *hog runner*: it
//! runs processes that were caught in a long turn, which are *hogs* until they
//! have had some short turns (one only, if it was the first time), and nothing else. Hogs then hold up each
//! other, and the workers have their cores for the rest.
//!
//! What they wake is not for them: a hog runner queues nothing in its own core but
//! puts everything into the inlet. With no hog to run for a second it ends.
//!
//! A worker that comes to a hog hands it over if a runner waits for one. If not it
//! runs it itself: should the turn be long again, there will be another runner.
//!
//! A runner that has local processes (`pinned.rs`) stays for them, and leaves the hogs
//! to others: its hogs go to another runner that waits, or back to the workers.
//!
//! All this is rare, so a plain lock is good enough.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How many short turns make a hog an ordinary process again.
pub(super) const HOG: u8 = 10;
/// How long a runner waits for a hog before it ends.
const RETIRE_AFTER: Duration = Duration::from_secs(1);

/// The hogs that are to run.
#[derive(Debug, Default)]
pub(super) struct Hogs {
    line: Mutex<Line>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    queue: VecDeque<u32>,
    /// Runners that wait.
    waiting: usize,
    /// Nobody waits any more.
    over: bool,
}

impl Hogs {
    /// Queues a hog if a runner waits for it. If not the caller keeps it.
    pub(super) fn hand_over(&self, index: u32) -> bool {
        let mut line = self.line.lock();
        let has_runner = line.waiting > line.queue.len();
        if has_runner {
            line.queue.push_back(index);
            self.arrived.notify_one();
        }
        has_runner
    }

    /// Queues a hog that has had its turn; the caller is a runner, and comes for
    /// the next one at once.
    pub(super) fn push(&self, index: u32) {
        let mut line = self.line.lock();
        line.queue.push_back(index);
        if line.queue.len() > 1 && line.waiting > 0 {
            self.arrived.notify_one();
        }
    }

    /// The next hog to run. None if there was none for long, if there is something
    /// else to do, or if everything is over.
    pub(super) fn next(&self, has_else: impl Fn() -> bool) -> Option<u32> {
        let mut line = self.line.lock();
        let mut patient = true;
        loop {
            if let Some(index) = line.queue.pop_front() {
                return Some(index);
            }
            if line.over || !patient || has_else() {
                return None;
            }
            line.waiting += 1;
            patient = !self.arrived.wait_for(&mut line, RETIRE_AFTER).timed_out();
            line.waiting -= 1;
        }
    }

    /// Takes one that is not for the caller to run.
    pub(super) fn take(&self) -> Option<u32> {
        self.line.lock().queue.pop_front()
    }

    /// Makes runners look whether there is something else to do.
    pub(super) fn disturb(&self) {
        drop(self.line.lock());
        self.arrived.notify_all();
    }

    /// How many wait to run.
    pub(super) fn len(&self) -> usize {
        self.line.lock().queue.len()
    }

    /// Sends every runner home once the queue is empty.
    pub(super) fn end(&self) {
        self.line.lock().over = true;
        self.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_hog_is_handed_over_only_to_a_runner_that_waits() {
        let hogs = Arc::new(Hogs::default());
        assert!(!hogs.hand_over(1));
        let runner = {
            let hogs = hogs.clone();
            // It may retire before anything comes.
            std::thread::spawn(move || {
                std::iter::repeat_with(|| hogs.next(|| false))
                    .flatten()
                    .next()
            })
        };
        let start = Instant::now();
        while !hogs.hand_over(2) {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
        assert!(!hogs.hand_over(3), "there was one runner only");
        assert_eq!(runner.join().unwrap(), Some(2));
    }

    #[test]
    fn at_the_end_the_hogs_that_are_left_are_run_and_nobody_waits() {
        let hogs = Hogs::default();
        hogs.push(1);
        hogs.push(2);
        hogs.end();
        assert_eq!(hogs.len(), 2);
        assert_eq!(
            [
                hogs.next(|| false),
                hogs.next(|| false),
                hogs.next(|| false)
            ],
            [Some(1), Some(2), None]
        );
    }

    #[test]
    fn a_runner_without_hogs_retires() {
        let start = Instant::now();
        assert_eq!(Hogs::default().next(|| false), None);
        assert!(start.elapsed() >= RETIRE_AFTER);
    }
}
