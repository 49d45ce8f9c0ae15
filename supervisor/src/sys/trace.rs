//! What a traced behaviour tells.

use std::time::Duration;

use regrow_runtime::{Pid, TrySendError, monotonic_time, self_pid, try_send};

use crate::report::contained;

/// A step of a traced behaviour, as a message to the process named in
/// [`trace_to`](super::trace_to).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEvent {
    /// Whose step.
    pub pid: Pid,
    /// When, by [`monotonic_time`].
    pub time: Duration,
    /// What it is.
    pub what: Traced,
}

/// What a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Traced {
    /// A message is about to be handled: its text if the server gives one
    /// ([`format_message`](crate::GenServer::format_message)), else its type; or a `timeout`.
    In(String),
    /// A callback has answered so.
    Next(String),
}

/// Who is told.
#[derive(Default)]
pub(super) struct Tracing {
    events: bool,
    processes: Vec<Pid>,
}

impl Tracing {
    pub(super) fn is_on(&self) -> bool {
        self.events || !self.processes.is_empty()
    }

    pub(super) fn set_events(&mut self, on: bool) {
        self.events = on;
    }

    pub(super) fn set_process(&mut self, pid: Pid, on: bool) {
        self.processes.retain(|it| *it != pid);
        if on {
            self.processes.push(pid);
        }
    }

    pub(super) fn tell(&mut self, what: &Traced) {
        if self.events {
            let (event, text) = match what {
                Traced::In(text) => ("in", text),
                Traced::Next(text) => ("next", text),
            };
            contained(|| {
                tracing::info!(target: "regrow::sys", pid = %self_pid(), event, "{text}");
            });
        }
        let told = |to: &Pid| {
            let event = TraceEvent {
                pid: self_pid(),
                time: monotonic_time(),
                what: what.clone(),
            };
            // One whose mailbox is full misses this; one that is gone hears no more.
            !matches!(try_send(*to, event), Err(TrySendError::NoProc(_)))
        };
        self.processes.retain(told);
    }
}
