//! Tasks below a supervisor: the supervisor, and what it can be asked.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid};

use super::{AsyncStream, StartAsync, StartTask, stream};
use crate::call::wait_here;
use crate::{
    CallError, Child, Counts, DynamicSupervisor, DynamicSupervisorRef, StartError, StopError,
    TerminateChildError,
};

/// A supervisor for tasks, about to be started (Elixir: `Task.Supervisor`).
///
/// It is a [`DynamicSupervisor`] whose children are tasks; they are
/// [`Temporary`](crate::Restart::Temporary), so none is started again. When it ends, its tasks are
/// stopped.
///
/// ```
/// use regrow_runtime::{ExitReason, Runtime};
/// use regrow_supervisor::{ChildSpec, Strategy, Supervisor, TaskError, TaskSupervisor};
/// use regrow_supervisor::TaskSupervisorRef;
///
/// Runtime::new().unwrap().block_on(async {
///     let tasks = || TaskSupervisor::new().name("tasks").max_children(100).start_link();
///     Supervisor::new(Strategy::OneForOne)
///         .child(ChildSpec::supervisor("tasks", tasks))
///         .start_link()
///         .await
///         .unwrap();
///
///     let tasks = TaskSupervisorRef::named("tasks");
///     let good = tasks.async_nolink(async { 6 * 7 }).await.unwrap();
///     assert_eq!(good.await, Ok(42));
///
///     // Not linked: that it fails is told, and no more.
///     let bad = tasks.async_nolink(async { panic!("no") }).await.unwrap();
///     let Err(TaskError::Exit(ExitReason::Panic(info))) = bad.await.map(|()| ()) else { panic!() };
///     assert_eq!(info.message(), "no");
/// });
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is started before `start_link`"]
pub struct TaskSupervisor {
    dynamic: DynamicSupervisor,
}

impl TaskSupervisor {
    /// A task supervisor without a limit on tasks.
    pub fn new() -> Self {
        TaskSupervisor::default()
    }

    /// Registers the supervisor under this name.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.dynamic = self.dynamic.name(name);
        self
    }

    /// Allows at most this many tasks at a time. Without limit by default; zero is legal.
    pub fn max_children(mut self, max: usize) -> Self {
        self.dynamic = self.dynamic.max_children(max);
        self
    }

    /// Allows `restarts` restarts within `period`, 3 in 5 seconds unless set. It concerns only
    /// children that were given to it as a [dynamic supervisor](TaskSupervisorRef::dynamic) and
    /// are not temporary.
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.dynamic = self.dynamic.intensity(restarts, period);
        self
    }

    /// Starts the supervisor, linked to the calling process.
    ///
    /// # Errors
    ///
    /// As [`DynamicSupervisor::start_link`].
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn start_link(self) -> impl Future<Output = Result<TaskSupervisorRef, StartError>> + Send {
        let start = self.dynamic.start_link();
        async move { start.await.map(TaskSupervisorRef::from) }
    }
}

/// A reference to a running task supervisor, by pid or by name. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TaskSupervisorRef {
    dynamic: DynamicSupervisorRef,
}

impl TaskSupervisorRef {
    /// The task supervisor running as this process.
    pub fn from_pid(pid: Pid) -> Self {
        DynamicSupervisorRef::from_pid(pid).into()
    }

    /// The task supervisor that has this name when it is asked.
    pub fn named(name: impl Into<String>) -> Self {
        DynamicSupervisorRef::named(name).into()
    }

    /// Its process; for a reference by name, whoever has the name now.
    ///
    /// # Panics
    ///
    /// For a name, outside a process; so does everything else here.
    pub fn pid(&self) -> Option<Pid> {
        self.dynamic.pid()
    }

    /// Starts a task that is linked to the calling process too, its owner (Elixir:
    /// `Task.Supervisor.async`): each dies with the other.
    ///
    /// Awaiting gives the [`Task`](crate::Task). If the caller ends before it has handed the work over, the
    /// task ends with [`ShutdownWith`](ExitReason::ShutdownWith), which holds a [`CallerEnded`](crate::CallerEnded).
    ///
    /// # Errors
    ///
    /// See [`StartChildError`](crate::StartChildError);
    /// [`MaxChildren`](crate::StartChildError::MaxChildren) if there are as many tasks as there may be. `body` is then dropped, never run.
    ///
    /// # Panics
    ///
    /// When awaited outside a process.
    ///
    /// ```
    /// # use regrow_supervisor::{StartChildError, TaskSupervisor};
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let tasks = TaskSupervisor::new().max_children(1).start_link().await.unwrap();
    /// let task = tasks.async_(std::future::pending::<()>()).await.unwrap();
    /// let refused = tasks.async_(async {}).await.unwrap_err();
    /// assert_eq!(refused, StartChildError::MaxChildren);
    /// # drop(task);
    /// # });
    /// ```
    #[track_caller]
    pub fn async_<F>(&self, body: F) -> StartAsync<F> {
        StartAsync::new(self, body, true)
    }

    /// As [`async_`](TaskSupervisorRef::async_), without the link (Elixir:
    /// `Task.Supervisor.async_nolink`): neither dies with the other, and that the task has failed
    /// is an error where it is waited for.
    ///
    /// # Errors
    ///
    /// As [`async_`](TaskSupervisorRef::async_).
    #[track_caller]
    pub fn async_nolink<F>(&self, body: F) -> StartAsync<F> {
        StartAsync::new(self, body, false)
    }

    /// Starts a task that nobody waits for (Elixir: `Task.Supervisor.start_child`). Awaiting gives
    /// its pid.
    ///
    /// The task does not depend on the caller in any way. It is not started again when it fails;
    /// for that there is [`Task::child_spec`](crate::Task::child_spec), for a [dynamic
    /// supervisor](TaskSupervisorRef::dynamic).
    ///
    /// # Errors
    ///
    /// As [`async_`](TaskSupervisorRef::async_).
    ///
    /// ```
    /// # use regrow_supervisor::TaskSupervisor;
    /// # use regrow_runtime::{receive, self_pid, send};
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let tasks = TaskSupervisor::new().start_link().await.unwrap();
    /// let me = self_pid();
    /// tasks.start_child(async move { send(me, "sent") }).await.unwrap();
    /// assert_eq!(receive::<&str>().await, "sent");
    /// # });
    /// ```
    #[track_caller]
    pub fn start_child<F>(&self, body: F) -> StartTask<F> {
        StartTask::new(self, body)
    }

    /// As [`Task::async_stream`](crate::Task::async_stream), with tasks of this supervisor (Elixir:
    /// `Task.Supervisor.async_stream`).
    #[track_caller]
    pub fn async_stream<'a, I, F, B>(&self, items: I, f: F) -> AsyncStream<'a, B::Output>
    where
        I: IntoIterator<IntoIter: Send + 'a>,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> B + Send + Sync + 'static,
        B: Future<Output: Send + 'static> + Send + 'static,
    {
        stream::new(items, f, stream::Origin::Supervised(self.clone()))
    }

    /// As [`async_stream`](TaskSupervisorRef::async_stream), with tasks that are not linked to the
    /// calling process (Elixir: `Task.Supervisor.async_stream_nolink`): one that fails is an error
    /// in the stream and nothing else, whether the caller traps exits or not.
    ///
    /// ```
    /// # use regrow_supervisor::{TaskError, TaskSupervisor};
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let tasks = TaskSupervisor::new().start_link().await.unwrap();
    /// let mut halves = tasks.async_stream_nolink([4, 0, 2], |n| async move { 8 / n });
    /// assert_eq!(halves.next().await, Some(Ok(2)));
    /// let Some(Err(TaskError::Exit(reason))) = halves.next().await else { panic!() };
    /// assert!(reason.to_string().ends_with("attempt to divide by zero"));
    /// assert_eq!(halves.next().await, Some(Ok(4)));
    /// assert_eq!(halves.next().await, None);
    /// # });
    /// ```
    #[track_caller]
    pub fn async_stream_nolink<'a, I, F, B>(&self, items: I, f: F) -> AsyncStream<'a, B::Output>
    where
        I: IntoIterator<IntoIter: Send + 'a>,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> B + Send + Sync + 'static,
        B: Future<Output: Send + 'static> + Send + 'static,
    {
        stream::new(items, f, stream::Origin::NotLinked(self.clone()))
    }

    /// The tasks that are running, in no order (Elixir: `Task.Supervisor.children`).
    ///
    /// # Errors
    ///
    /// If the supervisor could not be asked.
    #[track_caller]
    pub fn children(&self) -> impl Future<Output = Result<Vec<Pid>, CallError>> + Send {
        wait_here(async move {
            let children = self.dynamic.which_children().await?;
            Ok(children.iter().filter_map(|it| it.state.pid()).collect())
        })
    }

    /// How many tasks there are; all are active workers.
    ///
    /// # Errors
    ///
    /// If the supervisor could not be asked.
    #[track_caller]
    pub fn count_children(&self) -> impl Future<Output = Result<Counts, CallError>> + Send {
        self.dynamic.count_children()
    }

    /// Stops a task (Elixir: `Task.Supervisor.terminate_child`). Whoever waits for it is told the
    /// reason, mostly [`Shutdown`](ExitReason::Shutdown); whoever is linked to it gets that too.
    ///
    /// # Errors
    ///
    /// See [`TerminateChildError`].
    #[track_caller]
    pub fn terminate_child(
        &self,
        pid: Pid,
    ) -> impl Future<Output = Result<(), TerminateChildError>> + Send {
        self.dynamic.terminate_child(pid)
    }

    /// Stops the tasks, then the supervisor; see [`ServerRef::stop`](crate::ServerRef::stop).
    ///
    /// # Errors
    ///
    /// See [`StopError`].
    #[track_caller]
    pub fn stop(
        &self,
        reason: ExitReason,
        timeout: Option<Duration>,
    ) -> impl Future<Output = Result<(), StopError>> + Send {
        self.dynamic.stop(reason, timeout)
    }

    /// The dynamic supervisor that it is, which takes any child.
    ///
    /// ```
    /// # use regrow_supervisor::{Restart, Task, TaskSupervisor};
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let tasks = TaskSupervisor::new().start_link().await.unwrap();
    /// let poller = Task::child_spec("poller", || std::future::pending::<()>());
    /// tasks.dynamic().start_child(poller.restart(Restart::Transient)).await.unwrap();
    /// assert_eq!(tasks.children().await.unwrap().len(), 1);
    /// # });
    /// ```
    pub fn dynamic(&self) -> &DynamicSupervisorRef {
        &self.dynamic
    }
}

impl From<DynamicSupervisorRef> for TaskSupervisorRef {
    fn from(dynamic: DynamicSupervisorRef) -> Self {
        TaskSupervisorRef { dynamic }
    }
}

impl From<TaskSupervisorRef> for Child {
    fn from(supervisor: TaskSupervisorRef) -> Self {
        supervisor.dynamic.into()
    }
}

impl fmt::Debug for TaskSupervisorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskSupervisorRef")
            .field(&self.dynamic)
            .finish()
    }
}
