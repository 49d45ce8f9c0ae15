//! What a behaviour shows of itself.

use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::Pid;

use crate::report::caught;

/// What is shown of a server to people: the texts in the answer of
/// [`get_status`](super::get_status) and in the report of an abnormal end. The server may rewrite
/// them in [`format_status`](crate::GenServer::format_status): say more, or less.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormatStatus {
    /// The state; at first the name of its type.
    pub state: String,
    /// In a report: the message that was handled last. Its text if
    /// [`format_message`](crate::GenServer::format_message) gives one, else the name of its type.
    pub message: Option<String>,
    /// In a report: why the server ends. The exit reason itself stays what it is.
    pub reason: Option<String>,
    /// In a report: the last steps, the oldest first, if a [log](super::log) keeps any.
    pub log: Vec<String>,
}

impl FormatStatus {
    pub(crate) fn of<S>(message: Option<String>, reason: Option<String>, log: Vec<String>) -> Self {
        FormatStatus {
            state: std::any::type_name::<S>().to_owned(),
            message,
            reason,
            log,
        }
    }
}

/// A log as the field of a report.
pub(crate) fn listed(log: &[String]) -> Option<String> {
    (!log.is_empty()).then(|| log.join("; "))
}

/// Lets the server rewrite the texts. If that panics, they stay, and the state is a fixed text.
pub(crate) fn format_caught(
    mut status: FormatStatus,
    format: impl FnOnce(&mut FormatStatus),
) -> FormatStatus {
    let before = status.clone();
    match caught(|| format(&mut status)) {
        Ok(()) => status,
        Err(_) => FormatStatus {
            state: "format_status panicked".to_owned(),
            ..before
        },
    }
}

/// What [`get_status`](super::get_status) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The process.
    pub pid: Pid,
    /// Its registered name.
    pub name: Option<Arc<str>>,
    /// What it is, in a few words.
    pub label: Option<Arc<str>>,
    /// The process whose end is its own: the one that called `start_link`.
    pub parent: Option<Pid>,
    /// What kind of behaviour it is: `gen_server`.
    pub behaviour: &'static str,
    /// The type that implements it.
    pub module: &'static str,
    /// What its state shows; see [`FormatStatus`].
    pub state: String,
    /// Whether it is [suspended](super::suspend).
    pub suspended: bool,
    /// Whether it waits in hibernation, to which it goes back after this answer.
    pub hibernating: bool,
    /// Whether it counts [statistics](super::statistics).
    pub statistics: bool,
    /// Whether its messages are [traced](super::trace), or [sent](super::trace_to) to anybody.
    pub traced: bool,
    /// Whether it keeps a [log](super::log).
    pub logged: bool,
    /// How many messages wait in its mailbox.
    pub message_queue_len: usize,
}

/// What a server has had to do since [`statistics`](super::statistics) was turned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// When that was, by [`monotonic_time`](regrow_runtime::monotonic_time).
    pub start_time: Duration,
    /// When this was asked.
    pub current_time: Duration,
    /// The reductions spent in between.
    pub reductions: u64,
    /// The messages handled, timeouts included and system messages not. (How many it has *sent*
    /// nobody counts: a reply goes straight to its caller.)
    pub messages_in: u64,
}
