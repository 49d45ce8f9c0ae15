//! Who is told of a process that blocks its worker.
//!
//! Subscribers to events (`LongSchedule`) are told of every long turn. In the log
//! the monitor tells when it finds one, and the thread itself, which then knows
//! how long it was, when the turn is over. There each process is told of once a
//! second at most, so that one that does it in every turn does not fill it.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::Shared;
use crate::events::{Event, EventKinds};
use crate::panic::contain;
use crate::pid::Pid;

/// The least time between two reports about one process.
const REPORT_PERIOD: Duration = Duration::from_secs(1);
/// With so many in the table, those who may be told of again are forgotten.
const FORGET_FROM: usize = 64;

/// A process that was found to block its worker.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) pid: Pid,
    pub(super) name: Option<Arc<str>>,
    pub(super) label: Option<Arc<str>>,
    pub(super) place: &'static Location<'static>,
    /// Since when at least, by `clock::real_nanos`.
    pub(super) since: u64,
    /// Whether it was told of; then its end is, too.
    pub(super) is_told: bool,
}

/// Counts and limits the reports of one runtime.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Long turns seen.
    long_turns: AtomicU64,
    /// When each process was last told of.
    told: Mutex<FxHashMap<Pid, u64>>,
}

impl Reports {
    pub(super) fn long_turns(&self) -> u64 {
        self.long_turns.load(Ordering::Relaxed)
    }

    /// Counts a long turn of a process; whether it is to be told of.
    pub(super) fn count(&self, pid: Pid, now: u64) -> bool {
        self.long_turns.fetch_add(1, Ordering::Relaxed);
        let period = REPORT_PERIOD.as_nanos() as u64;
        let mut told = self.told.lock();
        if told.len() >= FORGET_FROM {
            told.retain(|_, &mut last| now.saturating_sub(last) < period);
        }
        let is_due = told
            .get(&pid)
            .is_none_or(|&last| now.saturating_sub(last) >= period);
        if is_due {
            told.insert(pid, now);
        }
        is_due
    }
}

impl Shared {
    /// A turn that began at `since` is long: counts it and tells those who subscribe
    /// to events. What is returned is for a report.
    pub(super) fn long_turn(
        &self,
        pid: Pid,
        place: &'static Location<'static>,
        since: u64,
        now: u64,
    ) -> Finding {
        let finding = Finding {
            pid,
            name: self.names.name_of(pid),
            label: self.labels.get(pid),
            place,
            since,
            is_told: self.reports.count(pid, now),
        };
        if self.events.want(EventKinds::LONG_SCHEDULE) {
            self.events.emit(&Event::LongSchedule {
                pid,
                name: finding.name.clone(),
                label: finding.label.clone(),
                place,
                ran_for: Duration::from_nanos(now.saturating_sub(since)),
            });
        }
        finding
    }
}

/// The long turn goes on.
pub(super) fn tell_found(finding: &Finding, now: u64, is_replaced: bool) {
    // A subscriber is the user's code.
    contain("a report", || {
        tracing::warn!(
            target: "regrow::scheduler",
            pid = %finding.pid,
            name = finding.name.as_deref(),
            label = finding.label.as_deref(),
            spawned_at = %finding.place,
            for_ms = milliseconds(finding.since, now),
            worker_replaced = is_replaced,
            "a process blocks its worker"
        );
    });
}

/// The long turn has ended.
pub(super) fn tell_ended(finding: &Finding, now: u64) {
    if !finding.is_told {
        return;
    }
    contain("a report", || {
        tracing::warn!(
            target: "regrow::scheduler",
            pid = %finding.pid,
            name = finding.name.as_deref(),
            label = finding.label.as_deref(),
            spawned_at = %finding.place,
            for_ms = milliseconds(finding.since, now),
            "a process has blocked its worker"
        );
    });
}

fn milliseconds(since: u64, now: u64) -> u64 {
    now.saturating_sub(since) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_is_told_of_once_a_second() {
        let reports = Reports::default();
        let (one, other) = (Pid::local(1, 1), Pid::local(2, 1));
        let at = |millis: u64| millis * 1_000_000;
        assert!(reports.count(one, at(5)));
        assert!(!reports.count(one, at(1_004)));
        assert!(reports.count(other, at(1_004)));
        assert!(reports.count(one, at(1_005)));
        assert_eq!(reports.long_turns(), 4);
    }

    #[test]
    fn processes_of_long_ago_are_forgotten() {
        let reports = Reports::default();
        for index in 0..10_000 {
            assert!(reports.count(Pid::local(index, 1), u64::from(index) * 100_000_000));
        }
        assert!(reports.told.lock().len() <= FORGET_FROM);
    }
}
