//! How long a child that keeps failing is left alone before it is started again: pure, with
//! clock and chance passed in.

use std::time::Duration;

#[cfg(test)]
mod tests;

/// Delays between the restarts of a child: each twice the one before, up to a limit.
///
/// For a child that fails for reasons outside the program, such as a database that is away:
/// without it a supervisor starts it again at once, uses up its intensity in a moment and ends.
/// OTP has no such thing; set with [`ChildSpec::backoff`](crate::ChildSpec::backoff).
///
/// A child that has failed is [`Restarting`](crate::ChildState::Restarting) until its delay has
/// passed. So long the supervisor works as usual, and `terminate_child` calls the attempt off. In
/// a [`OneForAll`](crate::Strategy::OneForAll) or [`RestForOne`](crate::Strategy::RestForOne)
/// supervisor the siblings that a restart concerns are stopped at once, and started after the
/// delay of the child that has failed. If one of them fails meanwhile and has no back-off, it is
/// started again at once, and the child with it if it is in its range.
///
/// Every attempt counts for the [intensity](crate::Supervisor::intensity), when it is decided and
/// before its delay. So allow as many restarts as the first, short delays let happen in a period.
///
/// ```
/// use regrow_supervisor::Backoff;
/// use std::time::Duration;
///
/// // 100 ms, 200 ms, 400 ms ... 10 s, each up to a fifth shorter; 100 ms again
/// // after the child has run for a minute.
/// let backoff = Backoff::exponential(Duration::from_millis(100), Duration::from_secs(10))
///     .reset_after(Duration::from_secs(60));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    jitter: f64,
    reset_after: Duration,
}

impl Backoff {
    /// Waits `first` before the first restart, then twice as long each time, but not longer than
    /// `max`; always as long if both are the same. The [jitter](Backoff::jitter) is a fifth.
    pub fn exponential(first: Duration, max: Duration) -> Self {
        Backoff {
            first,
            max,
            jitter: 0.2,
            reset_after: max,
        }
    }

    /// Makes each delay shorter by a random part of itself, up to this fraction from 0 to 1, so
    /// that children that failed together do not come back together.
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.jitter = fraction;
        self
    }

    /// Begins with the first delay again when the child has run for this long; by default, for as
    /// long as the longest delay.
    pub fn reset_after(mut self, time: Duration) -> Self {
        self.reset_after = time;
        self
    }

    /// What is wrong with the numbers, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.first.is_zero() {
            return Some("the first delay is zero");
        }
        if self.max < self.first {
            return Some("the longest delay is shorter than the first");
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Some("the jitter is not a fraction from 0 to 1");
        }
        None
    }

    /// The delay before the `n`th restart in a row, from 1; `random` may be any number.
    fn delay(&self, n: u32, random: u64) -> Duration {
        let doubled = 1_u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX);
        let delay = self.first.saturating_mul(doubled).min(self.max);
        // The upper half: a multiple of 2^-32 below 1.
        let part = (random >> 32) as f64 / (1_u64 << 32) as f64;
        delay.saturating_sub(delay.mul_f64(self.jitter * part))
    }
}

/// What a child with a back-off has been through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct History {
    /// Failures in a row.
    failures: u32,
    /// Since when the child runs, if it does.
    since: Option<Duration>,
}

impl History {
    /// It has been started, at `now` of a monotonic clock.
    pub(crate) fn started(&mut self, now: Duration) {
        self.since = Some(now);
    }

    /// It has ended, or not even started, and is to be started again after the delay returned.
    pub(crate) fn failed(&mut self, backoff: &Backoff, now: Duration, random: u64) -> Duration {
        let ran = self.since.take().map(|since| now.saturating_sub(since));
        if ran.is_some_and(|ran| ran >= backoff.reset_after) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        backoff.delay(self.failures, random)
    }
}
