//! Failures of the program's own workers.

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::JobId;
use crate::queue::client::ClientId;
use crate::queue::clock::Moment;
use crate::queue::{Effect, Queue};

/// How often a job is tried, and how long it rests after a failure: twice as long each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// After so many failures it is buried.
    pub tries: u32,
    /// How long it rests after the first failure, in seconds.
    pub first: u32,
    /// The longest that it rests, in seconds.
    pub longest: u32,
}

/// What became of a job at which a worker failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It is tried again after so many seconds.
    Released(u32),
    /// It was tried often enough.
    Buried,
    /// The worker did not have it any more.
    NotFound,
}

impl Retry {
    /// How long a job rests that failed so often.
    fn rest(&self, failures: u32) -> u32 {
        let doublings = failures.saturating_sub(1).min(31);
        let rest = u64::from(self.first) << doublings;
        u32::try_from(rest).unwrap_or(u32::MAX).min(self.longest)
    }
}

impl Queue {
    /// A worker failed at a job that it has, and `note` says why: the job is tried again later,
    /// or buried. The note is shown by `stats-job`. Nobody is answered.
    pub fn fail(
        &mut self,
        client: ClientId,
        id: JobId,
        note: &str,
        retry: &Retry,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> Failed {
        if !self.has(client, id) {
            return Failed::NotFound;
        }
        self.leave_state(id, effects);
        let Some(job) = self.jobs.get_mut(id) else {
            return Failed::NotFound;
        };
        job.tally.failures += 1;
        let failures = job.tally.failures;
        self.notes.insert(id, Arc::from(note));
        let now = Moment::new(now);
        let outcome = if failures >= retry.tries {
            self.make_buried(id);
            Failed::Buried
        } else {
            let rest = retry.rest(failures);
            job.delay = rest;
            job.tally.releases += 1;
            if rest > 0 {
                self.make_delayed(id, now.plus(rest));
            } else {
                self.make_ready(id);
            }
            Failed::Released(rest)
        };
        self.store_state(id, effects);
        self.dispatch(now, effects);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_rests_twice_as_long_after_each_failure_up_to_the_longest() {
        let retry = Retry {
            tries: 9,
            first: 3,
            longest: 100,
        };
        let rests: Vec<u32> = (1..=8).map(|failures| retry.rest(failures)).collect();
        assert_eq!(rests, [3, 6, 12, 24, 48, 96, 100, 100]);
        assert_eq!(retry.rest(u32::MAX), 100);
        let retry = Retry {
            tries: 9,
            first: u32::MAX,
            longest: u32::MAX,
        };
        assert_eq!(retry.rest(40), u32::MAX);
    }
}
