//! How a server waits for its next message, and what the lack of one comes to: pure.
//!
//! ```text
//!  a callback's Next ──plan──> waiting, with a limit or none
//!       waiting ──a message──────────> a callback
//!       waiting ──a system message───> waiting: an idle time begins anew, a deadline stays
//!       waiting ──the limit is over──> Info::Timeout, or the message of an event timeout,
//!                                      or hibernating, without a limit
//! ```
//!
//! | what the callback wants | event timeout | `hibernate_after` | the wait |
//! |---|---|---|---|
//! | `Continue` | | | no limit: the plain wait |
//! | `Continue` | | `t` | hibernates after `t` |
//! | `Continue` | `e` | any | until `e` |
//! | `Timeout(t)` | dropped | any | for `t` |
//! | `Hibernate` | | any | hibernates, no limit |
//! | `Hibernate` | `e` | any | hibernates, until `e` |

use std::time::Duration;

/// A message for the server itself if nothing else comes before.
#[derive(Debug, PartialEq)]
pub(super) struct EventTimeout<T> {
    pub(super) time: Time,
    pub(super) message: T,
}

/// When an event timeout is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Time {
    /// So long after the callback.
    After(Duration),
    /// At this moment of the monotonic clock.
    At(Duration),
}

/// What a callback wants, of what concerns the wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wanted {
    Continue,
    Timeout(Duration),
    Hibernate,
}

/// A wait that is not the plain one.
#[derive(Debug, PartialEq)]
pub(super) struct Wait<T> {
    limit: Limit<T>,
    hibernating: bool,
}

#[derive(Debug, PartialEq)]
enum Limit<T> {
    None,
    Idle(Duration),
    /// Before any message, also those that wait.
    Now(T),
    Event {
        at: Duration,
        message: T,
    },
    Hibernation(Duration),
}

/// What follows when the limit is over.
#[derive(Debug, PartialEq)]
pub(super) enum Expired<T> {
    Timeout,
    Event(T),
    /// Goes on waiting, so.
    Hibernate(Wait<T>),
}

impl<T> Wait<T> {
    /// The wait after a callback at this moment; `None` is the plain one.
    pub(super) fn plan(
        wanted: Wanted,
        event: Option<EventTimeout<T>>,
        hibernate_after: Option<Duration>,
        now: Duration,
    ) -> Option<Self> {
        let limit = match (wanted, event) {
            (Wanted::Timeout(time), _) => Limit::Idle(time),
            (_, Some(EventTimeout { time, message })) => match time {
                Time::After(Duration::ZERO) => Limit::Now(message),
                Time::After(time) => {
                    let at = now.saturating_add(time);
                    Limit::Event { at, message }
                }
                Time::At(at) => Limit::Event { at, message },
            },
            (Wanted::Hibernate, None) => Limit::None,
            (Wanted::Continue, None) => Limit::Hibernation(hibernate_after?),
        };
        let hibernating = wanted == Wanted::Hibernate;
        Some(Wait { limit, hibernating })
    }

    pub(super) fn is_hibernating(&self) -> bool {
        self.hibernating
    }

    /// What is due before any message.
    pub(super) fn due(self) -> Result<T, Self> {
        match self.limit {
            Limit::Now(message) => Ok(message),
            _ => Err(self),
        }
    }

    /// How long the wait that begins now may take.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        match self.limit {
            Limit::None => None,
            Limit::Idle(time) | Limit::Hibernation(time) => Some(time),
            Limit::Now(_) => Some(Duration::ZERO),
            Limit::Event { at, .. } => Some(at.saturating_sub(now)),
        }
    }

    /// Nothing has come in time.
    pub(super) fn expire(self) -> Expired<T> {
        match self.limit {
            Limit::Idle(_) => Expired::Timeout,
            Limit::Now(message) | Limit::Event { message, .. } => Expired::Event(message),
            Limit::Hibernation(_) | Limit::None => Expired::Hibernate(Wait {
                limit: Limit::None,
                hibernating: true,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
