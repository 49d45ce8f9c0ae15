//! Starting a process and waiting until it is ready, and stopping one and waiting
//! until it has (OTP: `proc_lib`).
//!
//! This is what behaviours begin and end with; a process that is no behaviour can
//! do the same. [`spawn_link`](crate::spawn_link) returns before the process has
//! run; [`start_link`] returns when the process says so, or why it never will.
//!
//! Such a process knows its ancestors, and reports whatever ends it but the ordinary
//! ([`SpawnOptions::proc_lib`]).
//!
//! ```
//! # regrow_runtime::Runtime::new()?.block_on(async {
//! use regrow_runtime::{ExitReason, proc_lib, receive, send};
//!
//! let started = proc_lib::start_link(|ready| async move {
//!     let port: u16 = "4000".parse()?; // an error here is the starter's error
//!     ready.ack(port);
//!     let proc_lib::Terminate { reason, .. } = receive().await;
//!     Err::<(), ExitReason>(reason)
//! })
//! .await
//! .unwrap();
//! assert_eq!(started.value, 4000);
//!
//! assert_eq!(proc_lib::stop(started.pid).await, Ok(()));
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use crate::local;
use crate::message::Exit;
use crate::pid::{MonitorRef, Pid};
use crate::process::alias::Alias;
use crate::process::cell::Flag;
use crate::process::links::{exit, unlink, with_header};
use crate::process::monitors::{demonitor_flush, monitor};
use crate::process::receive::try_receive_matching;
use crate::process::receive_end::{receive_down, receive_exit};
use crate::process::reply::{Reply, ReplyError, ReplyTo, reply_channel};
use crate::process::spawn::{SpawnError, SpawnOptions, Spawned};
use crate::process::wait_site::waiting_at;
use crate::process::{drop_dead_letter, push_new, signal, try_self_pid};
use crate::reason::{ExitReason, IntoExitReason};
use crate::scheduler;

/// What a process that is being started says: that it is ready, or that it will not be.
///
/// One that ends without having said anything has failed to start. One that drops
/// this and goes on is killed: nobody would ever hear of it. (A body that does not
/// use this does not own it either, and so has dropped it before it was born.)
#[must_use = "the starter waits for it"]
pub struct InitAck<A: Send + 'static>(ReplyTo<Result<A, ExitReason>>);

impl<A: Send + 'static> InitAck<A> {
    /// The process is ready: its starter goes on, with this value (OTP:
    /// `init_ack/1`).
    pub fn ack(self, value: A) {
        self.0.send(Ok(value));
    }

    /// The process will not be ready, and is about to end: its starter gets the
    /// error *after* that, when the name is free (OTP: `init_fail/2`).
    ///
    /// The error may be another than what the process ends with: one that ends as
    /// [`ExitReason::Normal`] has failed without a noise.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{ExitReason, proc_lib};
    ///
    /// let error = proc_lib::start(|ready| async move {
    ///     ready.fail(ExitReason::error("no licence"));
    ///     // The process ends here, as normal.
    /// })
    /// .await
    /// .map(|_: proc_lib::Started<()>| ())
    /// .unwrap_err();
    /// assert_eq!(error.to_string(), "ended before it was ready: no licence");
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn fail(self, error: ExitReason) {
        self.0.send_at_end(Err(error));
    }
}

impl<A: Send + 'static> fmt::Debug for InitAck<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitAck").finish_non_exhaustive()
    }
}

/// A process that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Started<A> {
    /// The process.
    pub pid: Pid,
    /// The monitor on it, if one was asked for.
    pub monitor: Option<MonitorRef>,
    /// The alias that goes with the monitor, if one was asked for.
    pub alias: Option<Alias>,
    /// What the process said when it was ready.
    pub value: A,
}

/// Why a process was not started. It is gone by then and its name free.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It was never born.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It was not ready in time, and has been killed.
    #[error("not ready in time")]
    Timeout,
    /// It dropped its [`InitAck`] and went on, and has been killed.
    #[error("the process did not say whether it is ready: call `InitAck::ack`")]
    NoAck,
    /// It ended, with this reason, or gave this error with [`InitAck::fail`].
    #[error("ended before it was ready: {0}")]
    Exit(ExitReason),
}

/// Spawns a process and waits until it is ready (OTP: `proc_lib:start`).
///
/// # Errors
///
/// See [`start_with`].
///
/// # Panics
///
/// When awaited outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::proc_lib;
///
/// let started = proc_lib::start(|ready| async { ready.ack("here I am") }).await.unwrap();
/// assert_eq!(started.value, "here I am");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn start<A, F, B>(body: F) -> impl Future<Output = Result<Started<A>, StartError>> + Send
where
    A: Send + 'static,
    F: FnOnce(InitAck<A>) -> B,
    B: Future + Send + 'static,
    B::Output: IntoExitReason,
{
    start_with(SpawnOptions::new(), None, body)
}

/// Spawns a process linked to the current one and waits until it is ready (OTP:
/// `proc_lib:start_link`).
///
/// # Errors
///
/// See [`start_with`].
///
/// # Panics
///
/// When awaited outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Exit, ExitReason, proc_lib, trap_exit, try_receive};
///
/// trap_exit(true);
/// let error = proc_lib::start_link(|ready| async move {
///     let port: u16 = "no number".parse()?;
///     ready.ack(port);
///     Ok::<(), ExitReason>(())
/// })
/// .await
/// .unwrap_err();
/// assert!(error.to_string().ends_with("invalid digit found in string"));
/// assert!(try_receive::<Exit>().is_none()); // all is said
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn start_link<A, F, B>(body: F) -> impl Future<Output = Result<Started<A>, StartError>> + Send
where
    A: Send + 'static,
    F: FnOnce(InitAck<A>) -> B,
    B: Future + Send + 'static,
    B::Output: IntoExitReason,
{
    start_with(SpawnOptions::new().link(), None, body)
}

/// Spawns a process monitored by the current one and waits until it is ready (OTP:
/// `proc_lib:start_monitor`).
///
/// # Errors
///
/// See [`start_with`].
///
/// # Panics
///
/// When awaited outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Down, proc_lib, receive};
///
/// let started = proc_lib::start_monitor(|ready| async { ready.ack(()) }).await.unwrap();
/// assert_eq!(Some(receive::<Down>().await.reference), started.monitor);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn start_monitor<A, F, B>(
    body: F,
) -> impl Future<Output = Result<Started<A>, StartError>> + Send
where
    A: Send + 'static,
    F: FnOnce(InitAck<A>) -> B,
    B: Future + Send + 'static,
    B::Output: IntoExitReason,
{
    start_with(SpawnOptions::new().monitor(), None, body)
}

/// Spawns a process with options and waits until it is ready, or for a time.
///
/// `body` is called here, and what it returns is run by the new process.
///
/// # Errors
///
/// If the process could not be spawned, was not ready in time, or ended instead.
/// Whatever the error, the process is gone and its name free, and neither an
/// [`Exit`] nor a [`Down`](crate::Down) of it is left in the mailbox, or comes later. But a
/// caller that does *not* trap exits dies with a process that it had linked to,
/// unless that ends as [`ExitReason::Normal`] or was killed for its slowness.
///
/// # Panics
///
/// When awaited outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{SpawnOptions, proc_lib, whereis};
/// use std::time::Duration;
///
/// let options = SpawnOptions::new().link().name("sleeper");
/// let asleep = |ready: proc_lib::InitAck<()>| async move {
///     std::future::pending::<()>().await;
///     ready.ack(());
/// };
/// let limit = Some(Duration::from_millis(5));
/// let error = proc_lib::start_with(options, limit, asleep).await.unwrap_err();
/// assert_eq!(error, proc_lib::StartError::Timeout);
/// assert_eq!(whereis("sleeper"), None);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn start_with<A, F, B>(
    options: SpawnOptions,
    timeout: Option<Duration>,
    body: F,
) -> impl Future<Output = Result<Started<A>, StartError>> + Send
where
    A: Send + 'static,
    F: FnOnce(InitAck<A>) -> B,
    B: Future + Send + 'static,
    B::Output: IntoExitReason,
{
    let place = Location::caller();
    let (reply_to, reply) = reply_channel();
    let body = body(InitAck(reply_to));
    async move {
        let spawned = scheduler::with_current("proc_lib::start", |shared| {
            options.proc_lib().spawn_on(shared, place, body)
        })?;
        ready(spawned, timeout, reply).await
    }
}

/// Waits for what a newborn process says.
async fn ready<A: Send>(
    spawned: Spawned,
    timeout: Option<Duration>,
    reply: Reply<Result<A, ExitReason>>,
) -> Result<Started<A>, StartError> {
    let Spawned {
        pid,
        monitor,
        alias,
    } = spawned;
    let said = match timeout {
        None => reply.await,
        Some(timeout) => reply.timeout(timeout).await,
    };
    let error = match said {
        Ok(Ok(value)) => {
            return Ok(Started {
                pid,
                monitor,
                alias,
                value,
            });
        }
        Ok(Err(reason)) | Err(ReplyError::Exit(reason)) => {
            // The process has ended, and links are told before calls: its exit
            // signal is in our inbox by now, and another turn will see it. If that
            // ends us, it does so here.
            let _ = receive_exit(pid).timeout(Duration::ZERO).await;
            StartError::Exit(reason)
        }
        Err(failed) => {
            unlink(pid);
            exit(pid, ExitReason::Kill);
            has_ended(pid).await;
            match failed {
                ReplyError::Timeout => StartError::Timeout,
                _ => StartError::NoAck,
            }
        }
    };
    if let Some(reference) = monitor {
        demonitor_flush(reference);
    }
    unlink(pid);
    drop(try_receive_matching(|exit: &Exit| exit.pid == pid));
    Err(error)
}

/// Waits for a process's end, and returns the reason.
async fn has_ended(pid: Pid) -> ExitReason {
    receive_down(monitor(pid)).await.reason
}

/// Asks its receiver to end, with a reason: what [`stop`] sends. It is an ordinary
/// message that waits for its turn (OTP: the system message `{terminate, Reason}`).
///
/// Behaviours handle it; a process of one's own that wants to be stopped in this
/// way receives it and ends with the reason.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Terminate {
    /// What the process should end with.
    pub reason: ExitReason,
}

/// Sends a message past any [limit](crate::mailbox_limit) of the receiver's mailbox: whoever
/// has too much to do must hear of this (OTP: system messages, which a behaviour answers beside
/// its own). Everything else is as for [`send`](crate::send()): it waits behind the messages
/// sent before.
///
/// For those who look after processes, and not for their work: what has no limit can fill the
/// memory.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{MailboxPolicy, SpawnOptions, proc_lib, receive, self_pid, send};
///
/// struct HowAreYou;
///
/// let me = self_pid();
/// let options = SpawnOptions::new().mailbox_limit(1, MailboxPolicy::Refuse);
/// let busy = options.spawn(async move {
///     let HowAreYou = receive().await;
///     send(me, "busy");
/// });
/// let busy = busy.unwrap().pid;
/// send(busy, "work"); // now it is full
/// proc_lib::send_system(busy, HowAreYou);
/// assert_eq!(receive::<&str>().await, "busy");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// In a [simulation](crate::simulation), if `pid` is not of it.
pub fn send_system<M: Send + 'static>(pid: Pid, message: M) {
    local::try_with(|local| {
        local.check_receiver(pid);
        local.spend(1);
    });
    if let Err(dead) = push_new(pid, signal::MESSAGE, message) {
        drop_dead_letter(dead);
    }
}

/// The current process is about to end: calls whose reply handles it has dropped in this turn,
/// or drops from now on, are told what it ends with, and not that the handle was dropped.
///
/// For behaviours, whose callers get the reason of the end (OTP: `gen_server:call` monitors
/// the server) though something is left to do between the last request and that.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{
///     ExitReason, ReplyError, ReplyTo, proc_lib, receive, reply_channel, send, spawn, yield_now,
/// };
///
/// let server = spawn(async {
///     let request: ReplyTo<u8> = receive().await;
///     drop(request);
///     proc_lib::about_to_end();
///     yield_now().await; // cleans up
///     ExitReason::Shutdown
/// });
/// let (reply_to, reply) = reply_channel::<u8>();
/// send(server, reply_to);
/// assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::Shutdown)));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// Outside a process.
#[track_caller]
pub fn about_to_end() {
    with_header("about_to_end", |header| header.set(Flag::FailsAtEnd, true));
}

/// Why [`stop`] did not see the process end as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// There was no such process, or nobody had the name.
    #[error("no such process")]
    NoProc,
    /// The process was still running when the time was over. It will stop when it
    /// comes to the request.
    #[error("the process did not stop in time")]
    Timeout,
    /// The process ended, but with another reason.
    #[error("the process ended with another reason: {0}")]
    Exit(ExitReason),
    /// A process cannot wait for its own end.
    #[error("a process cannot stop itself this way")]
    CallingSelf,
}

/// Asks a process to end as [`ExitReason::Normal`] and waits until it has (OTP:
/// `proc_lib:stop/1`).
///
/// # Errors
///
/// As [`stop_with`].
///
/// # Panics
///
/// When awaited outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::proc_lib::{self, Terminate};
/// use regrow_runtime::{receive, spawn};
///
/// let obedient = spawn(async { receive::<Terminate>().await.reason });
/// assert_eq!(proc_lib::stop(obedient).await, Ok(()));
/// assert_eq!(proc_lib::stop(obedient).await, Err(proc_lib::StopError::NoProc));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn stop(pid: Pid) -> impl Future<Output = Result<(), StopError>> + Send {
    stop_with(pid, ExitReason::Normal, None)
}

/// Asks a process to end with a reason and waits until it has, or for a time (OTP:
/// `proc_lib:stop/3`). The request is a [`Terminate`], behind the messages sent
/// before.
///
/// # Errors
///
/// If there is no such process, it ends with another reason, or does not end in
/// time; the request then stays in its mailbox.
///
/// # Panics
///
/// When awaited outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{ExitReason, proc_lib, spawn};
/// use std::time::Duration;
///
/// let deaf = spawn(std::future::pending::<()>());
/// let limit = Some(Duration::from_millis(5));
/// let stopped = proc_lib::stop_with(deaf, ExitReason::Shutdown, limit).await;
/// assert_eq!(stopped, Err(proc_lib::StopError::Timeout));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn stop_with(
    pid: Pid,
    reason: ExitReason,
    timeout: Option<Duration>,
) -> impl Future<Output = Result<(), StopError>> + Send {
    stop_from(pid, reason, timeout, Location::caller())
}

async fn stop_from(
    pid: Pid,
    reason: ExitReason,
    timeout: Option<Duration>,
    place: &'static Location<'static>,
) -> Result<(), StopError> {
    if try_self_pid() == Some(pid) {
        return Err(StopError::CallingSelf);
    }
    let reference = monitor(pid);
    let request = Terminate {
        reason: reason.clone(),
    };
    // Past any limit of its mailbox: whoever has too much to do must hear of this. And
    // if it is dead, the monitor tells.
    let _ = push_new(pid, signal::MESSAGE, request);
    let down = receive_down(reference);
    waiting_at(place);
    let ended = match timeout {
        None => down.await,
        Some(timeout) => match down.timeout(timeout).await {
            Ok(ended) => ended,
            Err(_) => {
                demonitor_flush(reference);
                return Err(StopError::Timeout);
            }
        },
    };
    match ended.reason {
        actual if actual == reason => Ok(()),
        ExitReason::NoProc => Err(StopError::NoProc),
        actual => Err(StopError::Exit(actual)),
    }
}
