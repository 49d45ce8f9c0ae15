//! A worker that has lost its seat, as a hog runner; see `hogs.rs`.

use std::time::Duration;

use super::Worker;
use super::alert::TOO_LONG;
use super::hogs::HOG;
use super::os::{self, Usage};
use super::parker::Bed;
use super::reports;
use crate::clock;
use crate::local::Local;
use crate::pid::Pid;
use crate::process::cell::Header;
use crate::process::priority::Priority;
use crate::process::turn;

const FIRST_THINGS_FIRST: [Priority; 4] = [
    Priority::Max,
    Priority::High,
    Priority::Normal,
    Priority::Low,
];

/// Sockets are for the workers.
struct NoBed;

impl Bed for NoBed {
    fn lie_down(&self, _: Option<Duration>, _: impl FnOnce() -> bool) -> bool {
        false
    }

    fn ring(&self) {}
}

/// When a turn began, and what the thread had done by then.
#[derive(Clone, Copy)]
pub(super) struct Stopwatch {
    start: u64,
    thread: u32,
    usage: Option<Usage>,
}

impl Stopwatch {
    fn start(thread: u32) -> Self {
        Stopwatch {
            start: clock::real_nanos(),
            thread,
            usage: os::usage(thread),
        }
    }

    /// For how long the thread was occupied. A thread of low priority waits much.
    fn occupied(self) -> Duration {
        let elapsed = Duration::from_nanos(clock::real_nanos().saturating_sub(self.start));
        if elapsed < TOO_LONG {
            return elapsed;
        }
        let usage = self.usage.zip(os::usage(self.thread));
        let waited = usage.map(|(before, now)| now.waited.saturating_sub(before.waited));
        elapsed.saturating_sub(waited.unwrap_or_default())
    }
}

impl Worker {
    /// Until there is nothing to run for some time.
    pub(super) fn run_hogs(&self, local: &Local) {
        if let Some(finding) = self.core.finding.lock().take() {
            reports::tell_ended(&finding, clock::real_nanos());
        }
        self.give_away();
        while let Some(index) = self.next_apart() {
            self.core.counters.turns.add(1);
            turn::run(local, self, index);
            self.stopwatch.set(None);
        }
    }

    /// A local process of ours, or a hog. None if there will be none.
    fn next_apart(&self) -> Option<u32> {
        self.core.has_nothing();
        self.dormant().disarm();
        // Births elsewhere must not wait for what we keep for later.
        self.counters().grant.set(0);
        loop {
            let has_tenants = self.core.pinned.has_tenants();
            if has_tenants {
                self.leave_hogs();
            }
            let mut ranks = FIRST_THINGS_FIRST.into_iter();
            if let Some(index) = ranks.find_map(|it| self.pinned().take(it)) {
                return Some(index);
            }
            if !has_tenants {
                let hog = self.shared.hogs.next(|| self.pinned().may_have_any());
                let is_over = hog.is_none() && !self.pinned().may_have_any();
                if hog.is_some() {
                    let thread = self.core.thread();
                    self.stopwatch.set(Some(Stopwatch::start(thread)));
                    return hog;
                }
                // Closed: nobody is born here any more.
                if is_over && self.core.pinned.close() {
                    return None;
                }
            } else if self.shared.is_halted() {
                return None;
            } else {
                self.core.parker.park(&NoBed, None);
            }
        }
    }

    /// A local process has come since we queued our last hog, and we shall not come for
    /// that; nobody else need.
    fn leave_hogs(&self) {
        while let Some(index) = self.shared.hogs.take() {
            self.shared.inject(index);
        }
    }

    /// What waits in our core is for the workers.
    fn give_away(&self) {
        while let Some(index) = self.core.next.take().or_else(|| self.queue.pop()) {
            self.shared.inject(index);
        }
    }

    /// Whether this thread may poll a process that is a hog. If not, it belongs to
    /// another thread already.
    #[cold]
    pub(crate) fn may_run_hog(&self, header: &Header, index: u32) -> bool {
        if self.is_surplus() {
            return true;
        }
        if self.shared.hogs.hand_over(index) {
            return false;
        }
        // If the turn is long the process is caught again.
        header.hog.set(header.hog.get() - 1);
        true
    }

    /// The turn on a thread without a seat is over and the process lives: judges
    /// whether it is a hog.
    #[cold]
    pub(crate) fn judge(&self, header: &Header, pid: Pid) {
        let is_long = match self.stopwatch.get() {
            Some(stopwatch) => {
                let occupied = stopwatch.occupied();
                if occupied >= TOO_LONG {
                    self.tell(header, pid, occupied);
                }
                occupied >= TOO_LONG
            }
            None => self.core.was_caught_now(),
        };
        let hog = match header.hog.get() {
            // The first time it is put to the test.
            0 if is_long => 1,
            _ if is_long => HOG,
            hog => hog.saturating_sub(1),
        };
        header.hog.set(hog);
    }

    /// Queues a hog again after a turn on a thread without a seat.
    pub(crate) fn push_hog(&self, index: u32) {
        if !self.core.pinned.has_tenants() {
            self.shared.hogs.push(index);
        } else if !self.shared.hogs.hand_over(index) {
            self.shared.inject(index);
        }
    }

    fn tell(&self, header: &Header, pid: Pid, occupied: Duration) {
        let now = clock::real_nanos();
        let since = now.saturating_sub(occupied.as_nanos() as u64);
        let finding = self.shared.long_turn(pid, header.spawned_at, since, now);
        reports::tell_ended(&finding, now);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::super::{Settings, Shared};
    use super::*;
    use crate::beside::Beside;
    use crate::process::long_queue::LongQueue;

    #[test]
    fn a_runner_that_gets_a_local_process_leaves_no_hog_behind() {
        let settings = Settings {
            workers: 1,
            spare_workers: 0,
            blocking_threads: 1,
            max_processes: 10,
            long_queue: LongQueue::default(),
            beside: Beside::default(),
        };
        let shared = Shared::new(settings).unwrap();
        let core = shared.cores.take().unwrap();
        let runner = Worker::new(Arc::clone(&shared), 0, core);
        runner.push_hog(7);
        assert_eq!((shared.hogs.len(), shared.inlet.len()), (1, 0));
        // It was on its way here when the thread still had a seat.
        assert!(runner.core.pinned.admit());
        shared.halted.store(true, Ordering::SeqCst);
        assert_eq!(runner.next_apart(), None);
        assert_eq!((shared.hogs.len(), shared.inlet.len()), (0, 1));
        runner.core.pinned.leave();
    }
}
