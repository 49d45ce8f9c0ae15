//! Births without options, for which a failure is a panic.

use std::future::Future;

use super::{SpawnOptions, Spawned};
use crate::pid::{MonitorRef, Pid};
use crate::reason::IntoExitReason;

#[track_caller]
fn spawn_or_panic<F>(options: SpawnOptions, body: F) -> Spawned
where
    F: Future + Send + 'static,
    F::Output: IntoExitReason,
{
    match options.spawn(body) {
        Ok(spawned) => spawned,
        Err(error) => panic!("cannot spawn: {error}"),
    }
}

/// Spawns a process (OTP: `spawn/1`).
///
/// The body runs concurrently with everything else; it ends with the process.
///
/// # Panics
///
/// Outside a process, and when there may be no more processes;
/// [`SpawnOptions::spawn`] returns that as an error.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{receive, self_pid, send, spawn};
///
/// let me = self_pid();
/// spawn(async move { send(me, 6 * 7) });
/// assert_eq!(receive::<i32>().await, 42);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn<F>(body: F) -> Pid
where
    F: Future + Send + 'static,
    F::Output: IntoExitReason,
{
    spawn_or_panic(SpawnOptions::new(), body).pid
}

/// Spawns a local process: a body that is not `Send`, on the worker that runs the
/// caller. See [`SpawnOptions::spawn_local`].
///
/// # Panics
///
/// As [`spawn`].
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{receive, self_pid, send, spawn_local, yield_now};
///
/// let me = self_pid();
/// spawn_local(async move {
///     let text = std::rc::Rc::new("not for other threads");
///     yield_now().await;
///     send(me, text.len());
/// });
/// assert_eq!(receive::<usize>().await, 21);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn_local<F>(body: F) -> Pid
where
    F: Future + 'static,
    F::Output: IntoExitReason,
{
    match SpawnOptions::new().spawn_local(body) {
        Ok(spawned) => spawned.pid,
        Err(error) => panic!("cannot spawn: {error}"),
    }
}

/// Spawns a process linked to the current one (OTP: `spawn_link/1`).
///
/// # Panics
///
/// As [`spawn`].
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Exit, receive, spawn_link, trap_exit};
///
/// trap_exit(true);
/// let child = spawn_link(async { panic!("oops") });
/// let exit = receive::<Exit>().await;
/// assert_eq!(exit.pid, child);
/// assert!(exit.reason.to_string().ends_with("oops"));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn_link<F>(body: F) -> Pid
where
    F: Future + Send + 'static,
    F::Output: IntoExitReason,
{
    spawn_or_panic(SpawnOptions::new().link(), body).pid
}

/// Spawns a process monitored by the current one (OTP: `spawn_monitor/1`).
///
/// # Panics
///
/// As [`spawn`].
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Down, ExitReason, receive, spawn_monitor};
///
/// let (pid, reference) = spawn_monitor(async {});
/// let down = receive::<Down>().await;
/// assert_eq!((down.pid, down.reference, down.reason), (pid, reference, ExitReason::Normal));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn_monitor<F>(body: F) -> (Pid, MonitorRef)
where
    F: Future + Send + 'static,
    F::Output: IntoExitReason,
{
    let spawned = spawn_or_panic(SpawnOptions::new().monitor(), body);
    match spawned.monitor {
        Some(reference) => (spawned.pid, reference),
        None => unreachable!("a monitor was asked for"),
    }
}
