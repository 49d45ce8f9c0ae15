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

/// From so many children on, an intensity that nobody has chosen is likely to be a mistake: so
/// many may fail at once for a reason that has nothing to do with the supervisor, such as a server
/// that all of them call.
const MANY_CHILDREN: usize = 1_000;

/// Whether a supervisor without an intensity of its own has got very many children. Said once.
#[derive(Clone, Debug)]
pub(crate) struct Unchosen {
    /// Where to look next; never again if there is no such number.
    look_at: usize,
}

impl Unchosen {
    pub(crate) fn new(intensity: Option<(u32, Duration)>) -> Self {
        let look_at = match intensity {
            None => MANY_CHILDREN,
            Some(_) => usize::MAX,
        };
        Unchosen { look_at }
    }

    /// There are so many children now. If it is time to say so, how many of them count: the
    /// temporary ones do not, because they are never restarted. Counting takes time, so it is
    /// done again only at twice as many.
    pub(crate) fn too_many(
        &mut self,
        children: usize,
        restartable: impl FnOnce() -> usize,
    ) -> Option<usize> {
        if children < self.look_at {
            return None;
        }
        let restartable = restartable();
        self.look_at = match restartable < MANY_CHILDREN {
            true => children.saturating_mul(2),
            false => usize::MAX,
        };
        (restartable >= MANY_CHILDREN).then_some(restartable)
    }
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

    /// How many restarts are allowed in which time.
    pub(crate) fn limits(&self) -> (u32, Duration) {
        (self.max, self.period)
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
