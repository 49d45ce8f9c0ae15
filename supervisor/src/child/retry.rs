//! The next attempts to restart children: when they are due, and which of them still stand.

use std::hash::Hash;
use std::time::Duration;

use regrow_runtime::{TimerRef, cancel_timer, monotonic_time, self_pid, send, send_after};
use rustc_hash::FxHashMap;

use super::backoff::{Backoff, History};
use crate::hash::mixed;

#[cfg(test)]
mod tests;

/// The attempts that are due, and what is remembered of children with a back-off. Nothing is kept
/// for a child without one that runs.
///
/// `K` is how the supervisor knows its children.
#[derive(Debug)]
pub(crate) struct Retries<K> {
    due: FxHashMap<K, Due>,
    histories: FxHashMap<K, History>,
    ticket_next: u64,
}

/// The message to the supervisor that says that an attempt is due.
///
/// Of those that come from timers only the one with the last ticket of a child counts: others were
/// called off when they were in the mailbox already. Those without a delay have no ticket. As in
/// OTP, each of them counts while the child is to be restarted at once, and there may be several: when
/// a restart of its siblings has failed at this child too.
#[derive(Debug)]
pub(crate) struct Retry<K> {
    key: K,
    ticket: Option<u64>,
}

#[derive(Debug)]
struct Due {
    /// `None` without a delay.
    ticket: Option<u64>,
    /// What was left of the intensity, if this attempt has been counted already.
    counted: Option<u32>,
    timer: Option<TimerRef>,
}

/// An attempt whose time has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attempt<K> {
    pub(crate) key: K,
    /// What was left of the intensity, if it has been counted already.
    pub(crate) counted: Option<u32>,
}

impl<K> Default for Retries<K> {
    fn default() -> Self {
        Retries {
            due: FxHashMap::default(),
            histories: FxHashMap::default(),
            ticket_next: 0,
        }
    }
}

impl<K: Copy + Eq + Hash + Send + 'static> Retries<K> {
    /// A child with this back-off, if it has any, is running.
    pub(crate) fn started(&mut self, key: K, backoff: Option<&Backoff>) {
        if backoff.is_some() {
            let history = self.histories.entry(key).or_default();
            history.started(monotonic_time());
        }
    }

    /// How long a child that has failed is to wait; not at all without a back-off.
    pub(crate) fn delay(&mut self, key: K, backoff: Option<&Backoff>) -> Option<Duration> {
        let backoff = backoff?;
        let now = monotonic_time();
        // Chance enough to spread children that failed together, and the same in a simulation.
        let random = mixed(&(self_pid(), key, now));
        let history = self.histories.entry(key).or_default();
        Some(history.failed(backoff, now, random))
    }

    /// Has `message` sent to this process at once: behind what is in the mailbox, so that requests
    /// and a shutdown get in between.
    pub(crate) fn now<M: Send + 'static>(&mut self, key: K, message: fn(Retry<K>) -> M) {
        let ticket = None;
        send(self_pid(), message(Retry { key, ticket }));
        let due = Due {
            ticket,
            counted: None,
            timer: None,
        };
        self.due.insert(key, due);
    }

    /// Has `message` sent to this process after a delay. The attempt has been counted; so much
    /// was `left`.
    pub(crate) fn after<M: Send + 'static>(
        &mut self,
        delay: Duration,
        key: K,
        left: u32,
        message: fn(Retry<K>) -> M,
    ) {
        let ticket = Some(self.ticket());
        let timer = send_after(delay, self_pid(), message(Retry { key, ticket }));
        let due = Due {
            ticket,
            counted: Some(left),
            timer: Some(timer),
        };
        self.due.insert(key, due);
    }

    /// Whether this message still stands; if so, it does no longer.
    pub(crate) fn take(&mut self, Retry { key, ticket }: Retry<K>) -> Option<Attempt<K>> {
        if self.due.get(&key)?.ticket != ticket {
            return None;
        }
        let counted = self.due.remove(&key)?.counted;
        Some(Attempt { key, counted })
    }

    /// Whether an attempt is due: the child is being restarted.
    pub(crate) fn is_due(&self, key: K) -> bool {
        self.due.contains_key(&key)
    }

    /// Calls the attempt off, if one is due.
    pub(crate) fn cancel(&mut self, key: K) {
        let due = self.due.remove(&key);
        due.and_then(|due| due.timer).and_then(cancel_timer);
    }

    /// Calls off and remembers nothing more of this child.
    pub(crate) fn forget(&mut self, key: K) {
        self.cancel(key);
        self.histories.remove(&key);
    }

    /// The child is known by another key from now on.
    pub(crate) fn rename(&mut self, old: K, new: K) {
        if let Some(history) = self.histories.remove(&old) {
            self.histories.insert(new, history);
        }
    }

    fn ticket(&mut self) -> u64 {
        self.ticket_next += 1;
        self.ticket_next
    }
}
