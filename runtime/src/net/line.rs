//! A line of futures that want the same thing: the first is served, the others wait their turn.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// The line.
#[derive(Default)]
pub(super) struct Line(Mutex<Places>);

#[derive(Default)]
struct Places {
    /// The number of the next place; numbers only grow.
    next: u64,
    /// Who is in the line, and whom to wake when it is first. The first has no waker here.
    queue: VecDeque<(u64, Option<Waker>)>,
}

/// A place in the line, which is left on drop.
pub(super) struct Place<'a> {
    line: &'a Line,
    number: u64,
}

impl Line {
    /// Joins the line at its end.
    pub(super) fn join(&self) -> Place<'_> {
        let mut places = self.0.lock();
        let number = places.next;
        places.next += 1;
        places.queue.push_back((number, None));
        Place { line: self, number }
    }
}

impl Place<'_> {
    /// Waits until this place is the first.
    pub(super) fn poll_first(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut places = self.line.0.lock();
        let Ok(index) = places.find(self.number) else {
            unreachable!("a place is in its line until it is dropped");
        };
        if index == 0 {
            return Poll::Ready(());
        }
        let waker = &mut places.queue[index].1;
        if !waker.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
            let old = waker.replace(cx.waker().clone());
            // Dropping and waking run foreign code, so never under the lock.
            drop(places);
            drop(old);
        }
        Poll::Pending
    }
}

impl Places {
    fn find(&self, number: u64) -> Result<usize, usize> {
        self.queue.binary_search_by_key(&number, |place| place.0)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.line.0.lock();
        let Ok(index) = places.find(self.number) else {
            return;
        };
        let own = places.queue.remove(index);
        let next = match places.queue.front_mut() {
            Some(first) if index == 0 => first.1.take(),
            _ => None,
        };
        drop(places);
        drop(own);
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_lite::future::{block_on, poll_fn, poll_once, zip};

    use super::*;

    #[test]
    fn the_first_is_served_and_the_next_follows_when_it_leaves() {
        let line = Line::default();
        let (first, second, third) = (line.join(), line.join(), line.join());
        block_on(async {
            poll_fn(|cx| first.poll_first(cx)).await;
            let mut third_waits = pin!(poll_fn(|cx| third.poll_first(cx)));
            assert_eq!(poll_once(&mut third_waits).await, None);
            // Someone in the middle gives up: nobody moves to the front.
            drop(second);
            assert_eq!(poll_once(&mut third_waits).await, None);
            zip(async { drop(first) }, third_waits).await;
        });
    }

    #[test]
    fn the_last_one_to_leave_leaves_an_empty_line() {
        let line = Line::default();
        for _ in 0..3 {
            block_on(async {
                let place = line.join();
                poll_fn(|cx| place.poll_first(cx)).await;
            });
        }
        assert!(line.0.lock().queue.is_empty());
    }
}
