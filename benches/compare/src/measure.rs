//! What both Rust sides share: clocks, memory, and 20 microseconds of work.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Processes in the ring: a prime, so that tokens do not fall into step with anything.
pub(crate) const RING: u64 = 503;
/// Senders in the fan-in and the cast rows.
pub(crate) const SENDERS: u64 = 8;
/// Operations between two yields where a process would otherwise never wait.
pub(crate) const BURST: u64 = 100;
/// Who computes for ever in the rows about that.
pub(crate) const SPINNERS: u64 = 8;

/// Nanoseconds an operation since `start`.
pub(crate) fn nanos_each(start: Instant, count: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / count as f64
}

/// Nanoseconds since `start`, four seconds at most.
pub(crate) fn nanos(start: Instant) -> u32 {
    u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX)
}

/// Processes in a skynet tree with that many leaves.
pub(crate) fn skynet_processes(leaves: u64) -> u64 {
    (10 * leaves - 1) / 9
}

/// Resident memory of this OS process in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("Linux tells a process its memory");
    let pages: u64 = text
        .split(' ')
        .nth(1)
        .and_then(|field| field.parse().ok())
        .expect("pages in statm");
    pages * rustix::param::page_size() as u64
}

/// CPU time of all threads of this OS process so far, also of those that have ended.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// The length of a [`spin`] that takes 20 us on a core of its own: the fastest of ten tries counts,
/// and the work is counted, not timed, so that a core shared with others shows.
pub(crate) fn turns_of_20_us() -> u64 {
    const TRY: u64 = 1_000_000;
    let fastest = (0..10).map(|_| {
        let start = Instant::now();
        spin(TRY);
        start.elapsed()
    });
    let nanos = fastest.min().expect("ten tries").as_nanos() as u64;
    20_000 * TRY / nanos.max(1)
}

/// Work that no compiler can shorten.
pub(crate) fn spin(turns: u64) {
    let mut x = 1_u64;
    for turn in 0..turns {
        x = black_box(x.wrapping_mul(5).wrapping_add(turn));
    }
}
