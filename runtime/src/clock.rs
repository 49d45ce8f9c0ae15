//! The time that timers go by: the only place that asks for it.
//!
//! In a simulation it is the simulation's own, which its driver sets ([`virtual_time`]).
//!
//! Ticks are milliseconds of a monotonic clock. A deadline is rounded up and the
//! present is rounded down, so nothing fires early.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::local;

const NANOS_PER_TICK: u64 = 1_000_000;

/// Time that only grows, since some moment before the program began (OTP:
/// `erlang:monotonic_time/0`).
///
/// Timers, sleeps and timeouts go by it. In a [simulation](crate::simulation) it is
/// the simulated time, which begins at zero: so processes that measure time should
/// ask here, and not [`Instant::now`](std::time::Instant::now), which would tell them
/// how fast the machine is.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{monotonic_time, sleep};
/// use std::time::Duration;
///
/// let start = monotonic_time();
/// sleep(Duration::from_millis(5)).await;
/// assert!(monotonic_time() - start >= Duration::from_millis(5));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn monotonic_time() -> Duration {
    Duration::from_nanos(nanos())
}

/// Nanoseconds of the clock that holds on this thread.
fn nanos() -> u64 {
    virtual_time().unwrap_or_else(real_nanos)
}

/// The time of the simulation that this thread drives, if it does.
pub(crate) fn virtual_time() -> Option<u64> {
    local::try_with(|local| local.virtual_time.get())?
}

/// The present tick.
pub(crate) fn now() -> u64 {
    nanos() / NANOS_PER_TICK
}

/// When a tick begins, in nanoseconds; for a tick that is never, the last moment.
pub(crate) fn begin_of(tick: u64) -> u64 {
    tick.saturating_mul(NANOS_PER_TICK)
}

/// Nanoseconds of the clock that no simulation changes: for what the threads of a
/// runtime do.
pub(crate) fn real_nanos() -> u64 {
    // Not the coarse clock, which is cheaper: where a hypervisor delays its tick it
    // lags by more than it admits, and deadlines would be early.
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The first tick that is at least `after` from now.
pub(crate) fn deadline(after: Duration) -> u64 {
    now_and_deadline(after).1
}

/// The present tick, and the first that is at least `after` from now.
pub(crate) fn now_and_deadline(after: Duration) -> (u64, u64) {
    let nanos = nanos();
    (nanos / NANOS_PER_TICK, tick_after(nanos, after))
}

/// A time in ticks, rounded up.
pub(crate) fn ticks(time: Duration) -> u64 {
    tick_after(0, time)
}

/// How long until a tick; zero if it is past.
pub(crate) fn until(tick: u64) -> Duration {
    let ticks = Duration::from_millis(tick);
    ticks.saturating_sub(Duration::from_nanos(nanos()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early() {
        for after in [0, 1, 999, 1_000, 5_000, 60_000].map(Duration::from_millis) {
            for _ in 0..1_000 {
                let before = Duration::from_nanos(real_nanos());
                assert!(Duration::from_millis(deadline(after)) >= before + after);
            }
        }
    }

    #[test]
    fn a_deadline_for_ever_is_far_away_and_no_overflow() {
        assert_eq!(deadline(Duration::MAX), u64::MAX);
    }
}
