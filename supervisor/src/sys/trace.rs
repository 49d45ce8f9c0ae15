//! What a traced behaviour tells.

use std::fmt;
use std::time::Duration;

use regrow_runtime::{Pid, TrySendError, self_pid, try_send};

use crate::report::contained;

/// A step of a behaviour: as a message to the process named in [`trace_to`](super::trace_to), or
/// out of its [log](super::get_log).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEvent {
    /// Whose step.
    pub pid: Pid,
    /// When, by [`monotonic_time`](regrow_runtime::monotonic_time).
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

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Traced::In(message) => write!(f, "in: {message}"),
            Traced::Next(answer) => write!(f, "next: {answer}"),
        }
    }
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

    pub(super) fn tell(&mut self, step: &TraceEvent) {
        if self.events {
            let (event, text) = match &step.what {
                Traced::In(text) => ("in", text),
                Traced::Next(text) => ("next", text),
            };
            contained(|| {
                tracing::info!(target: "regrow::sys", pid = %self_pid(), event, "{text}");
            });
        }
        // One whose mailbox is full misses this; one that is gone hears no more.
        let told = |to: &Pid| !matches!(try_send(*to, step.clone()), Err(TrySendError::NoProc(_)));
        self.processes.retain(told);
    }
}
