//! Waiting for a reply.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use regrow_runtime::{ExitReason, Reply, ReplyError, WaitAt, wait_at};

/// How long a call waits unless told otherwise, as in OTP.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// For functions that wait on behalf of their callers, whose place is then shown.
#[track_caller]
pub(crate) fn wait_here<F: Future>(future: F) -> WaitAt<F> {
    wait_at(Location::caller(), future)
}

/// A request on its way, from [`ServerRef::call`](crate::ServerRef::call); awaiting it gives the
/// reply.
///
/// The request was sent when this was made. The time runs from the first poll. Dropping it, or
/// its timing out, does not touch the server; a late reply is dropped.
///
/// # Errors
///
/// See [`CallError`].
///
/// # Panics
///
/// When polled again after it is done.
#[must_use = "the reply is only received if the call is awaited"]
pub struct Call<R: Send + 'static> {
    state: State<R>,
    /// Until the first poll, which starts it.
    timeout: Option<Duration>,
}

enum State<R: Send + 'static> {
    Waiting(Reply<R>),
    Failed(CallError),
    Done,
}

impl<R: Send + 'static> Call<R> {
    pub(crate) fn sent(reply: Reply<R>) -> Self {
        Call {
            state: State::Waiting(reply),
            timeout: Some(TIMEOUT_DEFAULT),
        }
    }

    pub(crate) fn failed(error: CallError) -> Self {
        Call {
            state: State::Failed(error),
            timeout: None,
        }
    }

    fn take_state(&mut self) -> State<R> {
        mem::replace(&mut self.state, State::Done)
    }

    /// Waits at most this long instead of 5 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits without limit.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }
}

impl<R: Send + 'static> Future for Call<R> {
    type Output = Result<R, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(timeout) = self.timeout.take() {
            self.state = match self.take_state() {
                State::Waiting(reply) => State::Waiting(reply.timeout(timeout)),
                other => other,
            };
        }
        let answer = match &mut self.state {
            State::Waiting(reply) => ready!(Pin::new(reply).poll(cx)).map_err(CallError::from),
            _ => match self.take_state() {
                State::Failed(error) => Err(error),
                _ => panic!("`Call` polled after it was done"),
            },
        };
        self.state = State::Done;
        Poll::Ready(answer)
    }
}

impl<R: Send + 'static> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Why a call has no reply.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No reply in time. The server may still be at it; its reply will be dropped.
    #[error("no reply in time")]
    Timeout,
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

impl From<ReplyError> for CallError {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::Timeout => CallError::Timeout,
            ReplyError::Exit(ExitReason::NoProc) => CallError::NoProc,
            ReplyError::Exit(reason) => CallError::Exit(reason),
            ReplyError::MailboxFull => CallError::MailboxFull,
            _ => CallError::NoReply,
        }
    }
}
