//! What becomes due, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::protocol::{JobId, Response};
use crate::queue::client::ClientId;
use crate::queue::tube::TubeKey;
use crate::queue::{Effect, Queue};

/// A point of the queue's clock, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Moment(i64);

impl Moment {
    pub(super) fn new(now: Duration) -> Moment {
        Moment(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
    }

    pub(super) fn plus(self, seconds: u32) -> Moment {
        Moment(self.0.saturating_add(i64::from(seconds) * 1_000_000_000))
    }

    pub(super) fn minus(self, seconds: u32) -> Moment {
        Moment(self.0.saturating_sub(i64::from(seconds) * 1_000_000_000))
    }

    /// Whole seconds since `earlier`; none if that is later.
    pub(super) fn seconds_since(self, earlier: Moment) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0) / 1_000_000_000
    }

    pub(super) fn to_duration(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }

    pub(super) fn to_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    pub(super) fn from_millis(millis: i64) -> Moment {
        Moment(millis.saturating_mul(1_000_000))
    }
}

/// The last second of a TTR, in which its client is not made to wait for another job.
pub(super) const MARGIN: u32 = 1;

/// All that becomes due. Whoever changes what an entry is about changes the entry.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Ends of TTRs.
    pub(super) expiries: BTreeSet<(Moment, JobId)>,
    /// The first end of a delay in each tube.
    pub(super) delays: BTreeSet<(Moment, TubeKey)>,
    /// Ends of pauses.
    pub(super) pauses: BTreeSet<(Moment, TubeKey)>,
    /// When those who wait give up.
    pub(super) patience: BTreeSet<(Moment, ClientId)>,
}

impl Queue {
    /// When [`advance`](Queue::advance) is to be called next, if nothing else happens before.
    pub fn next_due(&self) -> Option<Duration> {
        let clock = &self.clock;
        let firsts = [
            clock.expiries.first().map(|entry| entry.0),
            clock.delays.first().map(|entry| entry.0),
            clock.pauses.first().map(|entry| entry.0),
            clock.patience.first().map(|entry| entry.0),
        ];
        firsts.into_iter().flatten().min().map(Moment::to_duration)
    }

    /// Does what is due: delays, pauses and TTRs end, and then those who wait for too long are
    /// told so. Who waits gets a job that became ready, however late this is called.
    pub fn advance(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let now = Moment::new(now);
        while let Some(&(at, tube)) = self.clock.delays.first()
            && at <= now
        {
            match self.tubes[tube].delayed.first() {
                Some(&(_, id)) => {
                    self.leave_state(id, effects);
                    self.make_ready(id);
                }
                None => drop(self.clock.delays.pop_first()),
            }
        }
        while let Some(&(at, tube)) = self.clock.pauses.first()
            && at <= now
        {
            self.end_pause(tube);
            self.release_tube(tube);
        }
        while let Some(&(at, id)) = self.clock.expiries.first()
            && at <= now
        {
            self.clock.expiries.pop_first();
            self.counters.timeouts += 1;
            if let Some(job) = self.jobs.get_mut(id) {
                job.tally.timeouts += 1;
            }
            self.leave_state(id, effects);
            self.make_ready(id);
        }
        self.dispatch(now, effects);
        while let Some(&(at, client)) = self.clock.patience.first()
            && at <= now
        {
            self.clock.patience.pop_first();
            self.give_up(client, now, effects);
        }
    }

    /// Somebody has waited long enough.
    fn give_up(&mut self, id: ClientId, now: Moment, effects: &mut Vec<Effect>) {
        let Some(wait) = self.stop_waiting(id) else {
            return;
        };
        let soon = wait.margin.is_some_and(|at| at <= now);
        let response = if soon {
            Response::DeadlineSoon
        } else {
            Response::TimedOut
        };
        effects.push(Effect::Reply(id, response));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_kept_on_disk_to_the_millisecond() {
        let moment = Moment::new(Duration::from_micros(5_042_999));
        assert_eq!(moment.to_millis(), 5_042);
        assert_eq!(
            Moment::from_millis(5_042),
            Moment::new(Duration::from_millis(5_042))
        );
        assert_eq!(Moment::from_millis(7_041).seconds_since(moment), 1);
        assert_eq!(moment.seconds_since(Moment::from_millis(7_041)), 0);
    }

    #[test]
    fn the_longest_times_do_not_overflow() {
        let moment = Moment::new(Duration::MAX).plus(u32::MAX);
        assert_eq!(moment, Moment(i64::MAX));
        assert!(Moment::new(Duration::from_secs(1)).plus(u32::MAX) < moment);
        assert_eq!(Moment::from_millis(i64::MAX), moment);
        assert_eq!(
            moment.minus(1).to_duration() + Duration::from_secs(1),
            moment.to_duration()
        );
    }
}
