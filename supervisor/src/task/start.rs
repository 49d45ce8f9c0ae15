//! Starting tasks below a supervisor.
//!
//! A task whose result somebody wants is started in two steps: the supervisor starts a process
//! that waits for its work, and then the caller, which knows that process by now and may have
//! linked to it, hands the work over. What hands it over is a reply handle, so whatever becomes of
//! the caller in between, the process hears of it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use regrow_runtime::{
    ExitReason, IntoExitReason, Pid, Reply, ReplyError, SpawnError, SpawnOptions, link,
    reply_channel, self_pid, wait_at,
};

use super::{CallerEnded, Task, TaskSupervisorRef};
use crate::{ChildSpec, Restart, Shutdown, StartChildError};

/// What a task does, with its type erased.
pub(super) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task about to be started, from [`TaskSupervisorRef::async_`] or
/// [`async_nolink`](TaskSupervisorRef::async_nolink); awaiting it gives the [`Task`].
#[must_use = "nothing is started until this is awaited"]
pub struct StartAsync<F> {
    supervisor: TaskSupervisorRef,
    body: F,
    link: bool,
    shutdown: Shutdown,
    place: &'static Location<'static>,
}

impl<F> StartAsync<F> {
    #[track_caller]
    pub(super) fn new(supervisor: &TaskSupervisorRef, body: F, link: bool) -> Self {
        StartAsync {
            supervisor: supervisor.clone(),
            body,
            link,
            shutdown: Shutdown::default(),
            place: Location::caller(),
        }
    }

    /// Sets how the supervisor stops the task, instead of by a request and 5 seconds of time.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }
}

impl<F> IntoFuture for StartAsync<F>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    type Output = Result<Task<F::Output>, StartChildError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let StartAsync {
            supervisor, body, ..
        } = self;
        let (link, shutdown, place) = (self.link, self.shutdown, self.place);
        let start = async move {
            let (reply_to, reply) = reply_channel();
            let work = Box::pin(async move {
                let value = body.await;
                reply_to.send(value);
            });
            let pid = start_with_work(&supervisor, work, link, shutdown, place).await?;
            Ok(Task::new(pid, link.then(self_pid), reply))
        };
        Box::pin(wait_at(place, start))
    }
}

/// Has a supervisor start a process, and hands it its work.
pub(super) async fn start_with_work(
    supervisor: &TaskSupervisorRef,
    work: Work,
    to_be_linked: bool,
    shutdown: Shutdown,
    place: &'static Location<'static>,
) -> Result<Pid, StartChildError> {
    // If this ends here, or is given up, so is the work.
    let (hand_over, handed_over) = reply_channel();
    let pid = supervisor
        .dynamic()
        .start_child(spec(shutdown, place, work_of(place, handed_over)))
        .await?;
    if to_be_linked {
        link(pid);
    }
    hand_over.send(work);
    Ok(pid)
}

/// The body of a process whose work is yet to come.
async fn work_of(place: &'static Location<'static>, handed_over: Reply<Work>) -> ExitReason {
    let reason = match wait_at(place, handed_over).await {
        Ok(work) => {
            work.await;
            return ExitReason::Normal;
        }
        Err(ReplyError::Exit(reason)) => reason,
        // It lives, and has given up the start.
        Err(_) => ExitReason::Normal,
    };
    ExitReason::shutdown_with(CallerEnded { reason })
}

/// A child that runs this body.
fn spec<F>(shutdown: Shutdown, place: &'static Location<'static>, body: F) -> ChildSpec
where
    F: Future + Send + 'static,
    F::Output: IntoExitReason,
{
    // A start function may be called any number of times. This one is temporary: once.
    let body = Mutex::new(Some(body));
    let start = move || {
        let body = body.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move {
            let body = body.expect("a temporary child is started once");
            let options = SpawnOptions::new().link().proc_lib().spawned_at(place);
            Ok::<Pid, SpawnError>(options.spawn(body)?.pid)
        }
    };
    ChildSpec::new("task", start)
        .restart(Restart::Temporary)
        .shutdown(shutdown)
}

impl<F> fmt::Debug for StartAsync<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartAsync")
            .field("supervisor", &self.supervisor)
            .field("link", &self.link)
            .field("shutdown", &self.shutdown)
            .finish_non_exhaustive()
    }
}

/// A task about to be started, from [`TaskSupervisorRef::start_child`]; awaiting it gives the pid.
#[must_use = "nothing is started until this is awaited"]
pub struct StartTask<F> {
    supervisor: TaskSupervisorRef,
    body: F,
    shutdown: Shutdown,
    place: &'static Location<'static>,
}

impl<F> StartTask<F> {
    #[track_caller]
    pub(super) fn new(supervisor: &TaskSupervisorRef, body: F) -> Self {
        StartTask {
            supervisor: supervisor.clone(),
            body,
            shutdown: Shutdown::default(),
            place: Location::caller(),
        }
    }

    /// Sets how the supervisor stops the task, instead of by a request and 5 seconds of time.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }
}

impl<F> IntoFuture for StartTask<F>
where
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    type Output = Result<Pid, StartChildError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let place = self.place;
        let spec = spec(self.shutdown, place, self.body);
        let start = async move { self.supervisor.dynamic().start_child(spec).await };
        Box::pin(wait_at(place, start))
    }
}

impl<F> fmt::Debug for StartTask<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartTask")
            .field("supervisor", &self.supervisor)
            .field("shutdown", &self.shutdown)
            .finish_non_exhaustive()
    }
}
