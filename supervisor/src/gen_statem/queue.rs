//! What a machine handles next, and which of its timeouts run. Pure: what starts and stops timers
//! is passed in.
//!
//! An event is in one of three places:
//!
//! ```text
//!                next_event           pop
//!   handler ───────────────> events ───────> handler
//!      │                       ^
//!      │ postpone              │ the state changes: all of them, the oldest first
//!      └────────> postponed ───┘
//!
//!   timeouts of no time ───────────────────> handler, when `events` is empty
//!   the mailbox         ───────────────────> handler, when there are none of those either
//! ```
//!
//! After each event, [`Queue::advance`] does what OTP does, in this order:
//!
//! 1. The event timeout is cancelled, and on a change of state the state timeout.
//! 2. The event is postponed, if it is to be.
//! 3. On a change of state all that is postponed comes before what is in `events`.
//! 4. What the handler has inserted comes before that.
//! 5. Timeouts are set. Of several settings of the same one, only the last counts: the others
//!    are as if they had not been.
//!
//! So a timeout of no time comes after everything that is known already, and before everything
//! that is not. Those that wait do so in the order in which they were set.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use super::Event;
use crate::report::discard;

/// Which timeout. At most one of each runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Which<T> {
    /// Cancelled by any event.
    Event,
    /// Cancelled by a change of state.
    State,
    /// Cancelled by nobody.
    Named(T),
}

/// What becomes of a timeout.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Setting<M> {
    After(Duration, M),
    /// At this moment of the monotonic clock, never without a timer: one that has passed comes
    /// behind the messages that wait.
    At(Duration, M),
    /// New content for one that runs; for one that does not, no time.
    Update(M),
    Cancel,
}

/// What a callback wants to have done when it is over.
#[derive(Debug)]
pub(super) struct Actions<M, T> {
    pub(super) next_events: Vec<Event<M, T>>,
    pub(super) postponed: Vec<Event<M, T>>,
    pub(super) timeouts: Vec<(Which<T>, Setting<M>)>,
}

impl<M, T> Default for Actions<M, T> {
    fn default() -> Self {
        Actions {
            next_events: Vec::new(),
            postponed: Vec::new(),
            timeouts: Vec::new(),
        }
    }
}

/// Who has the timers.
pub(super) trait Clock {
    /// Tells a timer from all others, those before it included.
    type Timer: Copy + PartialEq;

    fn start(&mut self, after: Duration) -> Self::Timer;

    fn start_at(&mut self, at: Duration) -> Self::Timer;

    fn cancel(&mut self, timer: Self::Timer);
}

#[derive(Debug)]
pub(super) struct Queue<M, T, C: Clock> {
    clock: C,
    /// What is known and not handled, in its order.
    events: VecDeque<Event<M, T>>,
    /// The oldest first.
    postponed: Vec<Event<M, T>>,
    /// Those that run, in no order, and those of no time in theirs.
    timeouts: Vec<Timeout<M, T, C::Timer>>,
}

#[derive(Debug)]
struct Timeout<M, T, R> {
    which: Which<T>,
    content: M,
    /// `None` for one of no time, which is due.
    timer: Option<R>,
}

impl<M, T, C: Clock> Drop for Queue<M, T, C> {
    /// Each for itself: two whose drops panic would abort the program.
    fn drop(&mut self) {
        self.events.drain(..).for_each(discard);
        self.postponed.drain(..).for_each(discard);
        self.timeouts.drain(..).for_each(discard);
    }
}

impl<M, T: PartialEq, C: Clock> Queue<M, T, C> {
    pub(super) fn new(clock: C) -> Self {
        Queue {
            clock,
            events: VecDeque::new(),
            postponed: Vec::new(),
            timeouts: Vec::new(),
        }
    }

    /// What to handle before anything is received.
    pub(super) fn pop(&mut self) -> Option<Event<M, T>> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        self.take(|timeout| timeout.timer.is_none())
    }

    /// A timer has fired. Nothing, if it was cancelled while its message was under way.
    pub(super) fn fired(&mut self, timer: C::Timer) -> Option<Event<M, T>> {
        self.take(|timeout| timeout.timer == Some(timer))
    }

    /// Goes on from one event to the next.
    pub(super) fn advance(&mut self, state_changed: bool, actions: &mut Actions<M, T>) {
        self.cancel(&Which::Event);
        self.postponed.append(&mut actions.postponed);
        if state_changed {
            self.cancel(&Which::State);
            let postponed = mem::take(&mut self.postponed);
            self.insert_before(postponed);
        }
        self.insert_before(mem::take(&mut actions.next_events));
        let mut settings = mem::take(&mut actions.timeouts).into_iter();
        while let Some((which, setting)) = settings.next() {
            let last = settings.as_slice().iter().all(|(later, _)| *later != which);
            if last {
                self.set(which, setting);
            }
        }
    }

    /// How many events are postponed, and how many timeouts run.
    pub(super) fn lengths(&self) -> (usize, usize) {
        (self.postponed.len(), self.timeouts.len())
    }

    fn insert_before(&mut self, events: Vec<Event<M, T>>) {
        for event in events.into_iter().rev() {
            self.events.push_front(event);
        }
    }

    fn set(&mut self, which: Which<T>, setting: Setting<M>) {
        let (content, timer) = match setting {
            Setting::Cancel => return self.cancel(&which),
            Setting::Update(content) => {
                if let Some(running) = self.timeouts.iter_mut().find(|it| it.which == which) {
                    running.content = content;
                    return;
                }
                (content, None)
            }
            Setting::After(after, content) => {
                self.cancel(&which);
                let timer = (!after.is_zero()).then(|| self.clock.start(after));
                (content, timer)
            }
            Setting::At(at, content) => {
                self.cancel(&which);
                (content, Some(self.clock.start_at(at)))
            }
        };
        self.timeouts.push(Timeout {
            which,
            content,
            timer,
        });
    }

    fn cancel(&mut self, which: &Which<T>) {
        let Some(at) = self.timeouts.iter().position(|it| it.which == *which) else {
            return;
        };
        if let Some(timer) = self.timeouts.remove(at).timer {
            self.clock.cancel(timer);
        }
    }

    fn take(&mut self, due: impl Fn(&Timeout<M, T, C::Timer>) -> bool) -> Option<Event<M, T>> {
        let at = self.timeouts.iter().position(due)?;
        let Timeout { which, content, .. } = self.timeouts.remove(at);
        Some(match which {
            Which::Event => Event::EventTimeout(content),
            Which::State => Event::StateTimeout(content),
            Which::Named(name) => Event::Timeout(name, content),
        })
    }
}

#[cfg(test)]
mod tests;
