//! What the customers have seen, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What one customer has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How long each answered request took.
    answered: Vec<Duration>,
    /// How long each order took to be accepted, all attempts together.
    pub(crate) accepted: Vec<Duration>,
    /// Requests that were answered with 5xx.
    pub(crate) unavailable: u64,
    /// Requests that were not answered: no connection, or it broke.
    unanswered: u64,
    /// Those of them for whose answer the customer has waited in vain.
    timed_out: u64,
    /// Answers that should not be.
    pub(crate) nonsense: Vec<String>,
}

impl Seen {
    pub(crate) fn answered(&mut self, after: Duration) {
        self.answered.push(after);
    }

    pub(crate) fn no_answer(&mut self, error: &reqwest::Error) {
        self.unanswered += 1;
        self.timed_out += u64::from(error.is_timeout());
    }
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Figures {
    seen: Seen,
    lasted: Duration,
    cycles: u32,
    pub(crate) kills: BTreeMap<String, u64>,
    /// How long the shop took to come to rest.
    pub(crate) rest: Duration,
}

impl Figures {
    pub(crate) fn new(lasted: Duration, cycles: u32) -> Self {
        Figures {
            seen: Seen::default(),
            lasted,
            cycles,
            kills: BTreeMap::new(),
            rest: Duration::ZERO,
        }
    }

    pub(crate) fn add(&mut self, seen: Seen) {
        self.seen.answered.extend(seen.answered);
        self.seen.accepted.extend(seen.accepted);
        self.seen.unavailable += seen.unavailable;
        self.seen.unanswered += seen.unanswered;
        self.seen.timed_out += seen.timed_out;
        self.seen.nonsense.extend(seen.nonsense);
    }
}

/// The value that so many of a thousand do not exceed.
fn quantile(sorted: &[Duration], permille: usize) -> Duration {
    let index = (sorted.len() * permille / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, times: &[Duration]) -> fmt::Result {
    let mut times = times.to_vec();
    times.sort_unstable();
    let [p50, p99, p999] = [500, 990, 999].map(|permille| quantile(&times, permille));
    let max = times.last().copied().unwrap_or_default();
    writeln!(
        f,
        "{what}: p50 {p50:.1?}, p99 {p99:.1?}, p99.9 {p999:.1?}, max {max:.1?}"
    )
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = &self.seen;
        let answered = seen.answered.len() as u64;
        let requests = answered + seen.unavailable + seen.unanswered;
        let orders = seen.accepted.len();
        let rate = orders as f64 / self.lasted.as_secs_f64();
        writeln!(f, "orders: {orders} in {:.1?} ({rate:.0}/s)", self.lasted)?;
        let availability = 100.0 * answered as f64 / requests.max(1) as f64;
        writeln!(
            f,
            "availability: {availability:.3} % of {requests} requests; {} times 5xx, {} without an answer ({} timed out)",
            seen.unavailable, seen.unanswered, seen.timed_out
        )?;
        row(f, "a request", &seen.answered)?;
        row(
            f,
            "an order until it is accepted, attempts and all",
            &seen.accepted,
        )?;
        if self.cycles > 0 {
            writeln!(f, "kill -9: {} times", self.cycles)?;
        }
        if !self.kills.is_empty() {
            let total: u64 = self.kills.values().sum();
            write!(f, "killed since the last start: {total} processes")?;
            for (what, times) in &self.kills {
                write!(f, ", {what} {times}")?;
            }
            writeln!(f)?;
        }
        write!(f, "at rest {:.1?} after the last order", self.rest)?;
        for nonsense in &seen.nonsense {
            write!(f, "\nnonsense: {nonsense}")?;
        }
        Ok(())
    }
}
