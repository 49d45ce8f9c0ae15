//! How many restarts a supervisor may still make: pure, with the clock passed in.

use std::collections::VecDeque;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// The restarts of the last `period`, and how many are allowed.
///
/// One per supervisor, shared by all its children. *Every* attempt counts, retries of a start
/// that failed included; an attempt is kept for as long as it is at most one period old. So
/// intensity `n` allows `n` restarts in a window, and intensity 0 none.
#[derive(Clone, Debug)]
pub(crate) struct Intensity {
    max: u32,
    period: Duration,
    /// Oldest first, never more than `max + 1`.
    attempts: VecDeque<Duration>,
}

/// What an attempt to restart has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on; this many more attempts would be allowed right now.
    Restart {
        /// What is left of the budget after this attempt.
        left: u32,
    },
    /// The budget is spent: the supervisor ends.
    GiveUp,
}

impl Verdict {
    /// How many more attempts would be allowed right now.
    pub(crate) fn left(self) -> u32 {
        match self {
            Verdict::Restart { left } => left,
            Verdict::GiveUp => 0,
        }
    }
}

impl Intensity {
    pub(crate) fn new(max: u32, period: Duration) -> Self {
        Intensity {
            max,
            period,
            attempts: VecDeque::new(),
        }
    }

    /// Counts one attempt made at `now` of a monotonic clock, which must not be before the attempts counted so far.
    pub(crate) fn attempt(&mut self, now: Duration) -> Verdict {
        while let Some(&oldest) = self.attempts.front()
            && now.saturating_sub(oldest) > self.period
        {
            self.attempts.pop_front();
        }
        self.attempts.push_back(now);
        match u32::try_from(self.attempts.len()) {
            Ok(made) if made <= self.max => Verdict::Restart {
                left: self.max - made,
            },
            _ => Verdict::GiveUp,
        }
    }
}
