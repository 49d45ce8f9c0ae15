//! Waiting for the answer of a handler.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use regrow_runtime::{timeout, wait_at};

use super::CallHandlerError;
use super::handlers::Asked;
use crate::{Call, CallError, Callee};

/// How long a call waits unless told otherwise, as in OTP.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// A request to a handler on its way, from
/// [`EventManagerRef::call`](super::EventManagerRef::call).
#[must_use = "the reply is only received if the call is awaited"]
pub struct HandlerCall<R: Send + 'static> {
    /// What has become of the request, which is told when the handler has had it.
    asked: Call<Asked>,
    reply: Call<R>,
    manager: Callee,
    timeout: Option<Duration>,
    place: &'static Location<'static>,
}

impl<R: Send + 'static> HandlerCall<R> {
    #[track_caller]
    pub(super) fn new(asked: Call<Asked>, reply: Call<R>, manager: Callee) -> Self {
        HandlerCall {
            asked,
            reply,
            manager,
            timeout: Some(TIMEOUT_DEFAULT),
            place: Location::caller(),
        }
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

impl<R: Send + 'static> IntoFuture for HandlerCall<R> {
    type Output = Result<R, CallHandlerError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let HandlerCall {
            asked,
            reply,
            manager,
            ..
        } = self;
        let answer = async move {
            match asked.no_timeout().await? {
                Asked::Done => Ok(reply.no_timeout().await?),
                Asked::NotFound => Err(CallHandlerError::NotFound),
                Asked::Failed(reason) => Err(CallHandlerError::Failed(reason)),
            }
        };
        match self.timeout {
            None => Box::pin(wait_at(self.place, answer)),
            Some(limit) => Box::pin(wait_at(self.place, async move {
                let answer = timeout(limit, answer).await;
                answer.unwrap_or(Err(CallHandlerError::Call(CallError::Timeout(manager))))
            })),
        }
    }
}

impl<R: Send + 'static> fmt::Debug for HandlerCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerCall")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
