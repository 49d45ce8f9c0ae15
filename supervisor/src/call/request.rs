//! A request that has been sent, whenever its response is wanted.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use regrow_runtime::{Reply, ReplyError, timeout, yield_now};

use super::{CallError, ResponseTimeout, wait_here};
use crate::target::Target;

/// A request that has been sent, from [`ServerRef::send_request`](crate::ServerRef::send_request)
/// (OTP: `request_id()`).
///
/// The sender goes on with other things and comes back for the response later, in one of three
/// ways:
///
/// | | waits | when there is none |
/// |---|---|---|
/// | [`receive_response`](RequestId::receive_response) | yes | the request is abandoned |
/// | [`wait_response`](RequestId::wait_response) | yes | it can be asked again |
/// | [`check_response`](RequestId::check_response) | no | it can be asked again |
///
/// That there is no such server, or that it has ended, is a response: a [`CallError`]. Responses
/// do not pass through the mailbox, so `check_response` takes no message as OTP's does: it looks
/// whether the response has come. Many requests are kept in [`RequestIds`](crate::RequestIds).
///
/// Dropping a request abandons it: the server is not told, and its reply is dropped.
///
/// ```
/// use regrow_runtime::{ExitReason, ReplyTo, Runtime};
/// use regrow_supervisor::{Context, GenServer, Next};
/// use std::time::Duration;
///
/// struct Doorman(Vec<ReplyTo<&'static str>>);
/// enum Command { Knock(ReplyTo<&'static str>), Open }
///
/// impl GenServer for Doorman {
///     type Args = ();
///     type Message = Command;
///
///     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
///         Ok(Doorman(Vec::new()))
///     }
///
///     async fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Next {
///         match command {
///             Command::Knock(reply) => self.0.push(reply),
///             Command::Open => self.0.drain(..).for_each(|reply| reply.send("come in")),
///         }
///         Next::Continue
///     }
/// }
///
/// Runtime::new().unwrap().block_on(async {
///     let doorman = Doorman::start_link(()).await.unwrap();
///     let mut request = doorman.send_request(Command::Knock);
///     assert_eq!(request.check_response(), None);
///     assert_eq!(request.wait_response(Duration::from_millis(1)).await, None);
///     doorman.cast(Command::Open);
///     let response = request.receive_response(Duration::from_secs(5)).await;
///     assert_eq!(response, Ok("come in"));
/// });
/// ```
#[must_use = "a request that is dropped is abandoned"]
pub struct RequestId<R: Send + 'static> {
    state: State<R>,
}

/// `Waiting -> Done`, or `Refused -> Done`.
enum State<R: Send + 'static> {
    /// For the reply of this server.
    Waiting(Reply<R>, Target),
    /// It was never sent.
    Refused(CallError),
    /// The response has been taken.
    Done,
}

impl<R: Send + 'static> RequestId<R> {
    pub(crate) fn sent(reply: Reply<R>, server: Target) -> Self {
        let state = State::Waiting(reply, server);
        RequestId { state }
    }

    pub(crate) fn refused(error: CallError) -> Self {
        let state = State::Refused(error);
        RequestId { state }
    }

    /// Waits for the response and takes it. If it does not come in time the request is abandoned:
    /// a late reply is dropped (OTP: `gen_server:receive_response/2`).
    ///
    /// A [call](crate::ServerRef::call) is this, at once after the sending.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    ///
    /// # Panics
    ///
    /// When polled, if the response was taken before.
    #[track_caller]
    pub fn receive_response(
        mut self,
        timeout: impl Into<ResponseTimeout>,
    ) -> impl Future<Output = Result<R, CallError>> + Send {
        let limit = timeout.into();
        wait_here(async move {
            let response = in_time(limit, |cx| self.poll_response(cx)).await;
            response.unwrap_or_else(|| self.late())
        })
    }

    /// Waits for the response and takes it. If it does not come in time, that is `None`, and it
    /// can be waited for again (OTP: `gen_server:wait_response/2`).
    ///
    /// It is cancel safe: if what it returns is dropped, nothing was taken.
    ///
    /// # Panics
    ///
    /// When polled, if the response was taken before.
    #[track_caller]
    pub fn wait_response(
        &mut self,
        timeout: impl Into<ResponseTimeout>,
    ) -> impl Future<Output = Option<Result<R, CallError>>> + Send {
        let limit = timeout.into();
        wait_here(in_time(limit, move |cx| self.poll_response(cx)))
    }

    /// Takes the response if it has come; does not wait (OTP: `gen_server:check_response/2`).
    ///
    /// Other than one that is waited for, it may be ahead of what the server sent before it, by up
    /// to a turn.
    ///
    /// # Panics
    ///
    /// If the response was taken before.
    pub fn check_response(&mut self) -> Option<Result<R, CallError>> {
        let mut cx = Context::from_waker(Waker::noop());
        // A process that has spent its reductions is turned away, but not twice.
        for _ in 0..2 {
            if let Poll::Ready(response) = self.poll_response(&mut cx) {
                return Some(response);
            }
        }
        None
    }

    /// Has the waker woken once the response is there.
    pub(super) fn set_waker(&mut self, waker: &Waker) {
        match &mut self.state {
            State::Waiting(reply, _) => reply.set_waker(waker),
            State::Refused(_) => waker.wake_by_ref(),
            State::Done => taken(),
        }
    }

    pub(super) fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, CallError>> {
        let response = match &mut self.state {
            State::Waiting(reply, server) => {
                let answer = ready!(Pin::new(reply).poll(cx));
                answer.map_err(|error| CallError::new(error, server))
            }
            State::Refused(error) => Err(error.clone()),
            State::Done => taken(),
        };
        self.state = State::Done;
        Poll::Ready(response)
    }

    /// A time for the reply, counted from the next poll.
    pub(super) fn set_timeout(&mut self, time: Duration) {
        if let State::Waiting(reply, _) = &mut self.state {
            reply.set_timeout(Some(time));
        }
    }

    /// What there is instead of a response that did not come in time.
    fn late(&self) -> Result<R, CallError> {
        match &self.state {
            State::Waiting(_, server) => Err(CallError::new(ReplyError::Timeout, server)),
            State::Refused(error) => Err(error.clone()),
            State::Done => taken(),
        }
    }
}

fn taken() -> ! {
    panic!("the response to this request has been taken already")
}

/// Polls until it is ready, or the time is up: `None`.
pub(super) async fn in_time<T>(
    limit: ResponseTimeout,
    poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let mut ready = pin!(poll_fn(poll));
    let Some(time) = limit.left() else {
        return Some(ready.await);
    };
    if let Ok(value) = timeout(time, ready.as_mut()).await {
        return Some(value);
    }
    // A reply that is there may be given a turn later, after what was sent before it.
    yield_now().await;
    match poll_fn(|cx| Poll::Ready(ready.as_mut().poll(cx))).await {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl<R: Send + 'static> fmt::Debug for RequestId<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Waiting(_, server) => write!(f, "RequestId({server})"),
            State::Refused(error) => write!(f, "RequestId({error})"),
            State::Done => f.write_str("RequestId(done)"),
        }
    }
}
