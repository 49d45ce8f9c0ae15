//! Requests and their responses.
//!
//! `request.rs` is a request that has been sent, and what everything else is made of; a [`Call`]
//! waits for one at once. `requests.rs` is many of them, `line.rs` in which order their responses
//! came; `multi_call.rs` is one request to many servers.

mod error;
mod line;
mod multi_call;
mod request;
mod requests;
mod timeout;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, Reply, WaitAt, reply_channel, wait_at};

use crate::name::Text;
use crate::target::Target;

pub use error::{CallError, Callee};
pub use multi_call::{abcast, multi_call};
pub use request::RequestId;
pub use requests::{RequestIds, Response};
pub use timeout::ResponseTimeout;

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
/// its timing out, does not touch the server; a late reply is dropped. Who wants to wait more
/// than once takes [`send_request`](crate::ServerRef::send_request).
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
    request: RequestId<R>,
    /// None from the first poll on, which starts it.
    timeout: Option<Duration>,
}

impl<R: Send + 'static> Call<R> {
    /// For what is sent in another way than to a [`ServerRef`](crate::ServerRef).
    pub(crate) fn sent(reply: Reply<R>, server: Pid) -> Self {
        Call::new(RequestId::sent(reply, Target::Pid(server)))
    }

    pub(crate) fn failed(error: CallError) -> Self {
        Call::new(RequestId::refused(error))
    }

    /// To nobody. That comes by the way of a reply, so that a process that tries again and again
    /// lets others run.
    pub(crate) fn no_proc() -> Self {
        let (reply_to, reply) = reply_channel();
        reply_to.fail(ExitReason::NoProc);
        let nobody = Target::Name(Text::Static("nobody"));
        Call::new(RequestId::sent(reply, nobody))
    }

    pub(crate) fn new(request: RequestId<R>) -> Self {
        let timeout = Some(TIMEOUT_DEFAULT);
        Call { request, timeout }
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
        if let Some(time) = self.timeout.take() {
            self.request.set_timeout(time);
        }
        self.request.poll_response(cx)
    }
}

impl<R: Send + 'static> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("request", &self.request)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
