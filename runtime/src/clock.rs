//! The only place that asks for the time.
//!
//! Ticks are milliseconds since the first question. A deadline is rounded up and
//! the present is rounded down, so nothing fires early.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// From here on a deadline may be a few milliseconds late, for a clock that costs
/// a fifth to read.
const LONG: Duration = Duration::from_secs(1);

/// The present tick.
pub(crate) fn now() -> u64 {
    START.elapsed().as_millis() as u64
}

/// The first tick that is at least `after` from now.
pub(crate) fn deadline(after: Duration) -> u64 {
    ticks_up(START.elapsed().saturating_add(after))
}

/// As [`deadline`], and up to a few milliseconds later if `after` is long: for
/// timeouts, most of which never fire.
pub(crate) fn lax_deadline(after: Duration) -> u64 {
    if after >= LONG
        && let Some((now, resolution)) = coarse::now()
    {
        return ticks_up(now.saturating_add(resolution).saturating_add(after));
    }
    deadline(after)
}

fn ticks_up(duration: Duration) -> u64 {
    let exact = duration.as_nanos().div_ceil(1_000_000);
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// How long until a tick; zero if it is past.
pub(crate) fn until(tick: u64) -> Duration {
    Duration::from_millis(tick).saturating_sub(START.elapsed())
}

#[cfg(target_os = "linux")]
mod coarse {
    use std::sync::LazyLock;
    use std::time::Duration;

    use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

    use super::START;

    struct Coarse {
        /// A reading of the coarse clock, and the time of ticks right after it.
        reading: Duration,
        time: Duration,
        resolution: Duration,
    }

    static COARSE: LazyLock<Coarse> = LazyLock::new(|| Coarse {
        reading: duration(clock_gettime(ClockId::MonotonicCoarse)),
        // Taken second: a delay between the two makes deadlines late, not early.
        time: START.elapsed(),
        resolution: duration(clock_getres(ClockId::MonotonicCoarse)),
    });

    fn duration(time: Timespec) -> Duration {
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    /// The time since ticks began, by a clock that lags, and by how much at most.
    pub(super) fn now() -> Option<(Duration, Duration)> {
        let coarse = &*COARSE;
        let since =
            duration(clock_gettime(ClockId::MonotonicCoarse)).saturating_sub(coarse.reading);
        // This reading may lag by one resolution. (The first one may have, too:
        // that makes `since` too long, which is late and not early.)
        Some((coarse.time.saturating_add(since), coarse.resolution))
    }
}

#[cfg(not(target_os = "linux"))]
mod coarse {
    use std::time::Duration;

    pub(super) fn now() -> Option<(Duration, Duration)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early() {
        for after in [0, 1, 999, 1_000, 5_000, 60_000].map(Duration::from_millis) {
            for _ in 0..1_000 {
                let before = START.elapsed();
                for tick in [deadline(after), lax_deadline(after)] {
                    assert!(Duration::from_millis(tick) >= before + after);
                }
            }
        }
    }

    #[test]
    fn a_deadline_for_ever_is_far_away_and_no_overflow() {
        assert!(deadline(Duration::MAX) > u64::MAX / 2_000);
        assert!(lax_deadline(Duration::MAX) > u64::MAX / 2_000);
    }
}
