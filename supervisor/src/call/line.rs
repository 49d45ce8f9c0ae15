//! The line of those that are ready, which their wakers put them into.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The keys of the entries that are ready, in the order in which they became so, and who waits
/// for the next.
#[derive(Default)]
pub(super) struct Line(Mutex<(VecDeque<u64>, Option<Waker>)>);

impl Line {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<u64>, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, key: u64) {
        let waker = {
            let (keys, waker) = &mut *self.lock();
            keys.push_back(key);
            waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn put_back(&self, key: u64) {
        self.lock().0.push_front(key);
    }

    /// The next key; without one, `waker` is woken when there is. Wakers are anybody's code, so
    /// they are cloned and dropped outside the lock.
    pub(super) fn pop(&self, waker: &Waker) -> Option<u64> {
        {
            let (keys, waiting) = &mut *self.lock();
            if let Some(key) = keys.pop_front() {
                return Some(key);
            }
            if waiting.as_ref().is_some_and(|it| it.will_wake(waker)) {
                return None;
            }
        }
        let mut waker = Some(waker.clone());
        let (keys, waiting) = &mut *self.lock();
        let key = keys.pop_front();
        if key.is_none() {
            mem::swap(waiting, &mut waker);
        }
        key
    }
}

/// An entry's place in the line.
pub(super) struct Place {
    line: Arc<Line>,
    key: u64,
}

impl Place {
    pub(super) fn new(line: Arc<Line>, key: u64) -> Self {
        Place { line, key }
    }
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.line.push(self.key);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.line.push(self.key);
    }
}
