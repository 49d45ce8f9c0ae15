//! The only place that asks for the time.
//!
//! Ticks are milliseconds of a monotonic clock. A deadline is rounded up and the
//! present is rounded down, so nothing fires early.

use std::time::Duration;

/// From here on a deadline may be a few milliseconds late, for a clock that costs
/// a fifth to read.
const LONG: Duration = Duration::from_secs(1);

const NANOS_PER_TICK: u64 = 1_000_000;

/// The present tick.
pub(crate) fn now() -> u64 {
    source::now() / NANOS_PER_TICK
}

/// The first tick that is at least `after` from now.
pub(crate) fn deadline(after: Duration) -> u64 {
    tick_after(source::now(), after)
}

/// As [`deadline`], and up to a few milliseconds later if `after` is long: for
/// timeouts, most of which never fire.
pub(crate) fn lax_deadline(after: Duration) -> u64 {
    if after >= LONG {
        tick_after(source::at_least_now(), after)
    } else {
        deadline(after)
    }
}

/// How long until a tick; zero if it is past.
pub(crate) fn until(tick: u64) -> Duration {
    let ticks = Duration::from_millis(tick);
    ticks.saturating_sub(Duration::from_nanos(source::now()))
}

/// Five centuries of nanoseconds fit into 64 bits; a longer wait is for ever.
fn tick_after(now: u64, after: Duration) -> u64 {
    let after = after
        .as_secs()
        .checked_mul(1_000_000_000)
        .and_then(|nanos| nanos.checked_add(u64::from(after.subsec_nanos())));
    match after.and_then(|after| now.checked_add(after)) {
        Some(nanos) => nanos.div_ceil(NANOS_PER_TICK),
        None => u64::MAX,
    }
}

#[cfg(target_os = "linux")]
mod source {
    use std::sync::LazyLock;

    use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

    /// How far the coarse clock may lag behind.
    static LAG: LazyLock<u64> = LazyLock::new(|| nanos(clock_getres(ClockId::MonotonicCoarse)));

    fn nanos(time: Timespec) -> u64 {
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }

    pub(super) fn now() -> u64 {
        nanos(clock_gettime(ClockId::Monotonic))
    }

    /// A time not before now, and not far after it.
    pub(super) fn at_least_now() -> u64 {
        nanos(clock_gettime(ClockId::MonotonicCoarse)) + *LAG
    }
}

#[cfg(not(target_os = "linux"))]
mod source {
    use std::sync::LazyLock;
    use std::time::Instant;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn now() -> u64 {
        START.elapsed().as_nanos() as u64
    }

    pub(super) fn at_least_now() -> u64 {
        now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early() {
        for after in [0, 1, 999, 1_000, 5_000, 60_000].map(Duration::from_millis) {
            for _ in 0..1_000 {
                let before = Duration::from_nanos(source::now());
                for tick in [deadline(after), lax_deadline(after)] {
                    assert!(Duration::from_millis(tick) >= before + after);
                }
            }
        }
    }

    #[test]
    fn a_deadline_for_ever_is_far_away_and_no_overflow() {
        assert_eq!(deadline(Duration::MAX), u64::MAX);
        assert_eq!(lax_deadline(Duration::MAX), u64::MAX);
    }
}
