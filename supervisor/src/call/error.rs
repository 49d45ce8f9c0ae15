//! Why there is no reply, and from whom.

use std::fmt;
use std::panic::Location;

use regrow_runtime::{ExitReason, Pid, ReplyError};

use crate::ServerRef;
use crate::target::Target;

/// Why a call has no reply.
///
/// | OTP's exit, or error | here |
/// |---|---|
/// | `{timeout, {gen_server, call, [Server \| _]}}` | [`Timeout`](CallError::Timeout), with the server |
/// | `{noproc, _}` | [`NoProc`](CallError::NoProc) |
/// | `{calling_self, _}` | [`CallingSelf`](CallError::CallingSelf) |
/// | `{Reason, _}` | [`Exit`](CallError::Exit) with the server's exit reason |
///
/// The others have no counterpart: in OTP a request that is thrown away is waited for until
/// the time is up, and mailboxes have no limits.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No reply in time, from this server. It may still be at it; its reply will be dropped.
    #[error("no reply from {0} in time")]
    Timeout(Callee),
    /// No reply in time from a supervisor, because it waits for something itself: for the child
    /// whose start function has this line, or for one that it stops. If that child waits for the
    /// supervisor in turn, as it does who calls it from the `init` of its own child, neither
    /// gets anywhere. The request may still be carried out later.
    #[error("no reply in time: the supervisor itself waits at {waits_at}")]
    Busy {
        /// Where in the source.
        waits_at: &'static Location<'static>,
    },
    /// There was no such process, or nobody had the name.
    #[error("no such process")]
    NoProc,
    /// A process called itself, which could only have timed out.
    #[error("a process cannot call itself")]
    CallingSelf,
    /// The server dropped the reply handle and lives on.
    #[error("the server dropped the request without a reply")]
    NoReply,
    /// The server's mailbox was full; it never saw the request, or dropped it to make room.
    #[error("the server's mailbox is full")]
    MailboxFull,
    /// The server ended without a reply, be it with reason normal.
    #[error("the server ended without a reply: {0}")]
    Exit(ExitReason),
}

impl CallError {
    pub(super) fn new(error: ReplyError, server: &Target) -> Self {
        match error {
            ReplyError::Timeout => CallError::Timeout(Callee::new(server.clone())),
            ReplyError::Exit(ExitReason::NoProc) => CallError::NoProc,
            ReplyError::Exit(reason) => CallError::Exit(reason),
            ReplyError::MailboxFull => CallError::MailboxFull,
            _ => CallError::NoReply,
        }
    }
}

/// Who was called, in the words of the caller: a pid, a name, or a [`Via`](crate::Via).
///
/// ```
/// use regrow_supervisor::{Callee, Name};
///
/// let pool = Name::<u8>::new("db_pool").server_ref();
/// assert_eq!(Callee::from(&pool).to_string(), "db_pool");
/// ```
// In a box, so that errors stay as small as an exit reason.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Callee(Box<Target>);

impl Callee {
    pub(super) fn new(server: Target) -> Self {
        Callee(Box::new(server))
    }

    /// The process, if it was called by its pid. Who had a name then is not known any more.
    pub fn pid(&self) -> Option<Pid> {
        match *self.0 {
            Target::Pid(pid) => Some(pid),
            _ => None,
        }
    }
}

impl<M> From<&ServerRef<M>> for Callee {
    fn from(server: &ServerRef<M>) -> Self {
        Callee::new(server.target.clone())
    }
}

impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callee({self})")
    }
}
