//! The asker's side.

use std::any::{Any, type_name};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use regrow_runtime::proc_lib::send_system;
use regrow_runtime::{ExitReason, Pid, reply_channel, try_self_pid};

use super::status::{Statistics, Status};
use super::system::{Answer, SystemMessage};
use super::trace::TraceEvent;
use crate::report::caught;
use crate::{Call, CallError, DynamicSupervisorRef, Name, ServerRef, SupervisorRef};

/// What leads to a behaviour that can be asked: a pid or a reference, by name too.
pub trait Target {
    /// The process meant; for a name, whoever has it now.
    ///
    /// # Panics
    ///
    /// For a name, outside a process.
    fn target(&self) -> Option<Pid>;
}

impl Target for Pid {
    fn target(&self) -> Option<Pid> {
        Some(*self)
    }
}

impl<M: Send + 'static> Target for ServerRef<M> {
    fn target(&self) -> Option<Pid> {
        self.pid()
    }
}

impl<M: Send + 'static> Target for Name<M> {
    fn target(&self) -> Option<Pid> {
        self.whereis()
    }
}

impl Target for SupervisorRef {
    fn target(&self) -> Option<Pid> {
        self.pid()
    }
}

impl Target for DynamicSupervisorRef {
    fn target(&self) -> Option<Pid> {
        self.pid()
    }
}

/// Why a system message came to nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SysError {
    /// No answer: there is no such process, it has ended, is busy, or is no behaviour.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The server's state is of another type.
    #[error("the state is a `{found}`, not a `{expected}`")]
    WrongState {
        /// The type that was asked for.
        expected: &'static str,
        /// The type that it is.
        found: &'static str,
    },
    /// The closure panicked, or the clone of the state did. The state is as before.
    #[error("the callback failed, and the state is as before: {0}")]
    CallbackFailed(ExitReason),
}

/// A system message on its way; awaiting it gives the answer. It was sent when this was made.
///
/// # Errors
///
/// See [`SysError`].
#[must_use = "the answer is only received if this is awaited"]
pub struct SysCall<R: Send + 'static>(Call<Result<R, SysError>>);

impl<R: Send + 'static> SysCall<R> {
    /// Waits at most this long instead of 5 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        SysCall(self.0.timeout(timeout))
    }

    /// Waits without limit.
    pub fn no_timeout(self) -> Self {
        SysCall(self.0.no_timeout())
    }
}

impl<R: Send + 'static> Future for SysCall<R> {
    type Output = Result<R, SysError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(answer.map_err(SysError::Call).and_then(|answer| answer))
    }
}

impl<R: Send + 'static> fmt::Debug for SysCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SysCall").finish_non_exhaustive()
    }
}

#[track_caller]
fn ask<R: Send + 'static>(
    target: &impl Target,
    request: impl FnOnce(Answer<R>) -> SystemMessage,
) -> SysCall<R> {
    let Some(pid) = target.target() else {
        return SysCall(Call::no_proc());
    };
    if try_self_pid() == Some(pid) {
        return SysCall(Call::failed(CallError::CallingSelf));
    }
    let (reply_to, reply) = reply_channel();
    send_system(pid, request(reply_to));
    SysCall(Call::sent(reply, pid))
}

/// Works on the state, if it is an `S`; a panic leaves the server as it was.
#[track_caller]
fn with_state<S: 'static, R: Send + 'static>(
    target: &impl Target,
    work: impl FnOnce(&mut S) -> R + Send + 'static,
) -> SysCall<R> {
    ask(target, |reply| {
        SystemMessage::State(Box::new(move |state: &mut dyn Any, found| {
            let expected = type_name::<S>();
            let answer = match state.downcast_mut::<S>() {
                Some(state) => caught(|| work(state)).map_err(SysError::CallbackFailed),
                None => Err(SysError::WrongState { expected, found }),
            };
            reply.send(answer);
        }))
    })
}

/// A clone of the server's state (OTP: `sys:get_state/1`).
///
/// The state of a [`GenServer`](crate::GenServer) is the type that implements it. One that is
/// not `Clone` is looked at by [`get_state_with`].
///
/// # Errors
///
/// See [`SysError`].
///
/// # Panics
///
/// For a name, outside a process; so do all functions here.
#[track_caller]
pub fn get_state<S: Clone + Send + 'static>(server: &impl Target) -> SysCall<S> {
    with_state(server, |state: &mut S| state.clone())
}

/// What a closure makes of the server's state. It runs in the server's process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// # use regrow_runtime::ExitReason;
/// # use regrow_supervisor::{Context, GenServer, Next, sys};
/// struct Cache { lines: Vec<String> }
/// # impl GenServer for Cache {
/// #   type Args = ();
/// #   type Message = ();
/// #   async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
/// #       Ok(Cache { lines: Vec::new() })
/// #   }
/// #   async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Next { Next::Continue }
/// # }
/// # let cache = Cache::start_link(()).await.unwrap();
/// let lines = sys::get_state_with(&cache, |cache: &Cache| cache.lines.len()).await;
/// assert_eq!(lines, Ok(0));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn get_state_with<S: 'static, R: Send + 'static>(
    server: &impl Target,
    look: impl FnOnce(&S) -> R + Send + 'static,
) -> SysCall<R> {
    with_state(server, |state: &mut S| look(state))
}

/// Puts what a closure makes of the server's state into its place (OTP:
/// `sys:replace_state/2`). If the closure panics, the state stays.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// # use regrow_runtime::ExitReason;
/// # use regrow_supervisor::{Context, GenServer, Next, sys};
/// struct Cache { lines: Vec<String> }
/// # impl GenServer for Cache {
/// #   type Args = ();
/// #   type Message = ();
/// #   async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
/// #       Ok(Cache { lines: vec!["stale".into()] })
/// #   }
/// #   async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Next { Next::Continue }
/// # }
/// # let cache = Cache::start_link(()).await.unwrap();
/// sys::replace_state(&cache, |_: &Cache| Cache { lines: Vec::new() }).await.unwrap();
/// # assert_eq!(sys::get_state_with(&cache, |it: &Cache| it.lines.len()).await, Ok(0));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn replace_state<S: 'static>(
    server: &impl Target,
    replace: impl FnOnce(&S) -> S + Send + 'static,
) -> SysCall<()> {
    with_state(server, |state: &mut S| {
        let after = replace(state);
        let before = std::mem::replace(state, after);
        // Its drop is the user's, and may fail when all is done.
        crate::report::discard(before);
    })
}

/// Makes the server handle no more messages until it is [resumed](resume) (OTP:
/// `sys:suspend/1`). They wait; system messages, a `stop` and the exit of the parent do not. A
/// server that is suspended already stays so, and one resume is enough.
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn suspend(server: &impl Target) -> SysCall<()> {
    ask(server, SystemMessage::Suspend)
}

/// Lets a [suspended](suspend) server go on (OTP: `sys:resume/1`); one that runs is not touched.
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn resume(server: &impl Target) -> SysCall<()> {
    ask(server, SystemMessage::Resume)
}

/// What the server is, how it is, and what it shows of its state (OTP: `sys:get_status/1`).
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_supervisor::{Strategy, Supervisor, sys};
///
/// let supervisor = Supervisor::new(Strategy::OneForOne).name("root").start_link().await.unwrap();
/// let status = sys::get_status(&supervisor).await.unwrap();
/// assert_eq!(status.name.as_deref(), Some("root"));
/// assert!(!status.suspended);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn get_status(server: &impl Target) -> SysCall<Status> {
    ask(server, SystemMessage::GetStatus)
}

/// Turns the counting of [`Statistics`] on, from zero, or off (OTP: `sys:statistics/2`).
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn statistics(server: &impl Target, on: bool) -> SysCall<()> {
    ask(server, |reply| SystemMessage::Statistics(on, reply))
}

/// What has been counted; `None` if nothing is (OTP: `sys:statistics(Name, get)`).
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn get_statistics(server: &impl Target) -> SysCall<Option<Statistics>> {
    ask(server, SystemMessage::GetStatistics)
}

/// Makes the server tell of each message and each answer of a callback as a `tracing` event, or
/// stop to (OTP: `sys:trace/2`). Their target is `regrow::sys`, their level info; fields: `pid`
/// and `event`, which is `in` or `next`.
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn trace(server: &impl Target, on: bool) -> SysCall<()> {
    ask(server, |reply| SystemMessage::Trace(on, reply))
}

/// Makes the server send what [`trace`] tells to a process, as [`TraceEvent`]s,
/// or stop to (OTP: `sys:install/2`). Any number of processes may have themselves told.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{receive, self_pid};
/// use regrow_supervisor::sys::{self, TraceEvent, Traced};
/// # use regrow_runtime::ExitReason;
/// # use regrow_supervisor::{Context, GenServer, Next};
/// # struct Door;
/// # impl GenServer for Door {
/// #   type Args = ();
/// #   type Message = ();
/// #   async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Door) }
/// #   async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Next { Next::Continue }
/// # }
/// # let door = Door::start_link(()).await.unwrap();
///
/// sys::trace_to(&door, self_pid(), true).await.unwrap();
/// door.cast(());
/// assert_eq!(receive::<TraceEvent>().await.what, Traced::In("()".into()));
/// assert_eq!(receive::<TraceEvent>().await.what, Traced::Next("continue".into()));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn trace_to(server: &impl Target, tracer: Pid, on: bool) -> SysCall<()> {
    ask(server, |reply| SystemMessage::TraceTo(tracer, on, reply))
}

/// Makes the server keep its last steps, at most so many: each message and each answer of a
/// callback, as [`trace`] tells them. Zero keeps none any more (OTP: `sys:log(Name, {true, N})`
/// and `false`). If the server ends abnormally, they are in the report.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_supervisor::sys;
/// # use regrow_runtime::{ExitReason, ReplyTo};
/// # use regrow_supervisor::{Context, GenServer, Next};
/// # struct Door;
/// # #[derive(Debug)]
/// # enum Knock { Soft, Loud(ReplyTo<()>) }
/// # impl GenServer for Door {
/// #   type Args = ();
/// #   type Message = Knock;
/// #   async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Door) }
/// #   async fn handle(&mut self, knock: Knock, _: &mut Context<Self>) -> Next {
/// #       if let Knock::Loud(reply) = knock { reply.send(()) }
/// #       Next::Continue
/// #   }
/// #   fn format_message(knock: &Knock) -> Option<String> {
/// #       Some(match knock { Knock::Soft => "Soft", Knock::Loud(_) => "Loud" }.into())
/// #   }
/// # }
/// # let door = Door::start_link(()).await.unwrap();
///
/// sys::log(&door, 3).await.unwrap();
/// door.cast(Knock::Soft);
/// door.call(Knock::Loud).await.unwrap();
/// let steps = sys::get_log(&door).await.unwrap();
/// let steps: Vec<String> = steps.iter().map(|step| step.what.to_string()).collect();
/// assert_eq!(steps, ["next: continue", "in: Loud", "next: continue"]);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn log(server: &impl Target, max: usize) -> SysCall<()> {
    ask(server, |reply| SystemMessage::Log(max, reply))
}

/// The steps that [`log`] has kept, the oldest first (OTP: `sys:log(Name, get)`).
///
/// # Errors
///
/// See [`SysError`].
#[track_caller]
pub fn get_log(server: &impl Target) -> SysCall<Vec<TraceEvent>> {
    ask(server, SystemMessage::GetLog)
}
