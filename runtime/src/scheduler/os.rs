//! What the operating system knows of a thread.
//!
//! A turn that takes long by the clock need not be the fault of its process: the
//! thread may have been waiting for a processor. So a suspect is asked how long it
//! has run, and how long it has waited to run.

use std::fs::read_to_string;
use std::time::Duration;

use rustix::process::{Pid, setpriority_process};
use rustix::thread::gettid;

/// What a thread has done so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// How long it has run. It lags by a tick of the system (some milliseconds).
    pub(super) ran: Duration,
    /// How long it has waited to run, without the wait that is under way.
    pub(super) waited: Duration,
    /// How often it was given a processor.
    pub(super) slices: u64,
    /// It runs, or waits to run. Else it is blocked.
    pub(super) runnable: bool,
}

impl Usage {
    /// For how much of `elapsed` the thread was occupied, by running or by being
    /// blocked, if this is what it had done before and `now` after. A wait to run
    /// is nobody's fault.
    pub(super) fn occupied(self, now: Usage, elapsed: Duration) -> Duration {
        if now.runnable {
            let ran = now.ran.saturating_sub(self.ran);
            // A tick has seen it run, and it has run on: the clock is finer.
            let all_the_time = now.slices == self.slices && !ran.is_zero();
            // If not, it may be waiting at this moment, and the clock says nothing.
            return if all_the_time {
                elapsed
            } else {
                ran.min(elapsed)
            };
        }
        elapsed.saturating_sub(now.waited.saturating_sub(self.waited))
    }
}

/// Names this thread; never 0.
pub(super) fn this_thread() -> u32 {
    gettid().as_raw_pid().unsigned_abs()
}

/// What a thread of this program has done; None if the system does not say.
pub(super) fn usage(thread: u32) -> Option<Usage> {
    let schedstat = read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    let mut fields = schedstat.split_ascii_whitespace();
    let ran = Duration::from_nanos(fields.next()?.parse().ok()?);
    let waited = Duration::from_nanos(fields.next()?.parse().ok()?);
    let slices = fields.next()?.parse().ok()?;
    let stat = read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
    // The name before it is in parentheses and may have any character.
    let (_, after_name) = stat.rsplit_once(')')?;
    let runnable = after_name.trim_start().starts_with('R');
    Some(Usage {
        ran,
        waited,
        slices,
        runnable,
    })
}

/// Lets a thread run only when nobody else wants to. It cannot be undone
/// without privilege.
pub(super) fn lower_priority(thread: u32) {
    // A thread is a process to this call. Where it fails the stuck thread has
    // its full share, and the others theirs.
    let thread = Pid::from_raw(thread.cast_signed());
    let _ = thread.map(|thread| setpriority_process(Some(thread), 19));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn usage(ran: u64, waited: u64, runnable: bool) -> Usage {
        Usage {
            ran: Duration::from_millis(ran),
            waited: Duration::from_millis(waited),
            slices: 7,
            runnable,
        }
    }

    #[test]
    fn a_thread_that_waits_for_a_processor_is_not_occupied() {
        let before = usage(5, 5, true);
        // It has run for a while, and may be waiting still.
        let interrupted = Usage {
            slices: 8,
            ..usage(305, 5, true)
        };
        let ran = Duration::from_millis(300);
        assert_eq!(before.occupied(interrupted, SECOND), ran);
        // It waits still, or has waited.
        assert_eq!(before.occupied(usage(5, 5, true), SECOND), Duration::ZERO);
        assert_eq!(
            before.occupied(usage(5, 1_005, false), SECOND),
            Duration::ZERO
        );
    }

    #[test]
    fn a_thread_that_runs_or_is_blocked_is_occupied() {
        let before = usage(5, 5, true);
        assert_eq!(before.occupied(usage(1_005, 5, true), SECOND), SECOND);
        // It has run ever since, although the last tick was some time ago.
        assert_eq!(before.occupied(usage(905, 5, true), SECOND), SECOND);
        assert_eq!(before.occupied(usage(5, 5, false), SECOND), SECOND);
    }

    #[test]
    fn a_thread_that_sleeps_is_seen_to_be_blocked() {
        let (told, telling) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let sleeper = std::thread::spawn(move || {
            told.send(this_thread()).unwrap();
            ended.recv()
        });
        let thread = telling.recv().unwrap();
        let start = std::time::Instant::now();
        while super::usage(thread).unwrap().runnable {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
        let before = super::usage(this_thread()).unwrap();
        assert!(before.runnable);
        while super::usage(this_thread()).unwrap().ran == before.ran {
            assert!(start.elapsed() < Duration::from_secs(20));
        }
        drop(end);
        assert!(sleeper.join().unwrap().is_err());
        assert!(super::usage(u32::MAX).is_none());
    }
}
