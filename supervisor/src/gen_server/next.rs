//! What callbacks answer, and what they are given that is no message of the server's.

use std::fmt;
use std::time::Duration;

use regrow_runtime::{Down, Exit, ExitReason, Message};

/// What a server does after a callback.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Next {
    /// Waits for the next message.
    Continue,
    /// Runs [`terminate`](crate::GenServer::terminate) and ends with this reason.
    Stop(ExitReason),
    /// Waits for the next message; if none comes within this time,
    /// [`handle_info`](crate::GenServer::handle_info) gets [`Info::Timeout`]. Any message cancels
    /// it, and it is not armed again; a system message ([`sys`](crate::sys)) begins it anew. With
    /// zero it fires only if the mailbox is empty.
    Timeout(Duration),
    /// Runs [`handle_continue`](crate::GenServer::handle_continue) at once, before any message,
    /// also before those that wait already (OTP: `{continue, Term}`). What is to be done there
    /// is in the state.
    HandleContinue,
    /// Waits for the next message, and gives memory back meanwhile: runs
    /// [`hibernate`](crate::GenServer::hibernate) and [`garbage_collect`]. Nothing else shows of
    /// it but [`sys::get_status`](crate::sys::get_status).
    ///
    /// [`garbage_collect`]: regrow_runtime::garbage_collect
    Hibernate,
}

/// Goes on, or stops with the error as the reason: for what a callback does with `?`.
///
/// ```
/// use regrow_runtime::ExitReason;
/// use regrow_supervisor::Next;
///
/// fn parse(text: &str) -> Result<(), std::num::ParseIntError> {
///     text.parse::<u32>()?;
///     Ok(())
/// }
///
/// assert_eq!(Next::from(parse("7")), Next::Continue);
/// assert!(matches!(parse("seven").into(), Next::Stop(ExitReason::Error(_))));
/// ```
impl<E: Into<ExitReason>> From<Result<(), E>> for Next {
    fn from(result: Result<(), E>) -> Self {
        Next::from(result.map(|()| Next::Continue))
    }
}

/// What comes next, or a stop with the error as the reason.
impl<E: Into<ExitReason>> From<Result<Next, E>> for Next {
    fn from(result: Result<Next, E>) -> Self {
        result.unwrap_or_else(|error| Next::Stop(error.into()))
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Next::Continue => f.write_str("continue"),
            Next::Stop(reason) => write!(f, "stop: {reason}"),
            Next::Timeout(time) => write!(f, "timeout {time:?}"),
            Next::HandleContinue => f.write_str("handle_continue"),
            Next::Hibernate => f.write_str("hibernate"),
        }
    }
}

/// What [`handle_info`](crate::GenServer::handle_info) gets.
#[derive(Debug)]
#[non_exhaustive]
pub enum Info {
    /// A linked process other than the parent has ended, or sent an exit signal. Only if the
    /// server traps exits.
    Exit(Exit),
    /// A monitored process has ended.
    Down(Down),
    /// Nothing came within the time of [`Next::Timeout`].
    Timeout,
    /// A message of a type that is not the server's.
    Message(Message),
}

impl Info {
    /// What it is, for people: the type of the message.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Info::Exit(_) => "Exit",
            Info::Down(_) => "Down",
            Info::Timeout => "timeout",
            Info::Message(message) => message.type_name(),
        }
    }
}
