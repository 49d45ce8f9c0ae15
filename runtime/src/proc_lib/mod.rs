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

mod stop;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use crate::message::Exit;
use crate::pid::{MonitorRef, Pid};
use crate::process::alias::Alias;
use crate::process::links::{exit, unlink};
use crate::process::monitors::demonitor_flush;
use crate::process::receive::try_receive_matching;
use crate::process::receive_end::receive_exit;
use crate::process::reply::{Reply, ReplyError, ReplyTo, reply_channel};
use crate::process::spawn::{SpawnError, SpawnOptions, Spawned};
use crate::reason::{ExitReason, IntoExitReason};
use crate::scheduler;

use self::stop::has_ended;
pub use self::stop::{StopError, Terminate, about_to_end, send_system, stop, stop_with};

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
