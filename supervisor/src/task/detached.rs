//! Tasks that nobody waits for.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use regrow_runtime::{IntoExitReason, Pid, SpawnError, SpawnOptions};

use super::Task;
use crate::{ChildSpec, Restart};

impl Task<()> {
    /// Starts a task that nobody waits for (Elixir: `Task.start`). It stands alone; whether and
    /// how it ends is only seen in its crash report.
    ///
    /// # Panics
    ///
    /// As [`Task::spawn`].
    ///
    /// ```
    /// # use regrow_supervisor::Task;
    /// # use regrow_runtime::{receive, self_pid, send};
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let me = self_pid();
    /// Task::start(async move { send(me, "done") });
    /// assert_eq!(receive::<&str>().await, "done");
    /// # });
    /// ```
    #[track_caller]
    pub fn start<F>(body: F) -> Pid
    where
        F: Future + Send + 'static,
        F::Output: IntoExitReason,
    {
        match SpawnOptions::new().proc_lib().spawn(body) {
            Ok(spawned) => spawned.pid,
            Err(error) => panic!("cannot spawn a task: {error}"),
        }
    }

    /// As [`Task::start`], linked to the current process (Elixir: `Task.start_link`). For tasks
    /// below a supervisor there is [`Task::child_spec`].
    ///
    /// # Panics
    ///
    /// As [`Task::spawn`].
    ///
    /// ```
    /// # use regrow_supervisor::Task;
    /// # use regrow_runtime::{receive_exit, ExitReason, trap_exit};
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// trap_exit(true);
    /// let task = Task::start_link(async { Err::<(), _>(ExitReason::error("no luck")) });
    /// assert_eq!(receive_exit(task).await.reason, ExitReason::error("no luck"));
    /// # });
    /// ```
    #[track_caller]
    pub fn start_link<F>(body: F) -> Pid
    where
        F: Future + Send + 'static,
        F::Output: IntoExitReason,
    {
        match SpawnOptions::new().link().proc_lib().spawn(body) {
            Ok(spawned) => spawned.pid,
            Err(error) => panic!("cannot spawn a task: {error}"),
        }
    }

    /// A child that runs a task each time it is started (Elixir: `use Task`). It is
    /// [`Temporary`](Restart::Temporary) unless said otherwise: a task that is done is not done
    /// again. A [`Transient`](Restart::Transient) one is, if it has failed.
    ///
    /// `body` is called in the new process, so what fails in it is the task, not its start.
    ///
    /// ```
    /// use regrow_runtime::{ExitReason, Runtime, receive, self_pid, send};
    /// use regrow_supervisor::{Restart, Strategy, Supervisor, Task};
    ///
    /// Runtime::new().unwrap().block_on(async {
    ///     let me = self_pid();
    ///     let warm_up = Task::child_spec("warm_up", move || async move {
    ///         send(me, "warm");
    ///         Ok::<(), ExitReason>(())
    ///     });
    ///     let supervisor = Supervisor::new(Strategy::OneForOne)
    ///         .child(warm_up.restart(Restart::Transient))
    ///         .start_link();
    ///     supervisor.await.unwrap();
    ///     assert_eq!(receive::<&str>().await, "warm");
    /// });
    /// ```
    #[track_caller]
    pub fn child_spec<F, B>(id: impl Into<Arc<str>>, body: F) -> ChildSpec
    where
        F: Fn() -> B + Send + Sync + 'static,
        B: Future + Send + 'static,
        B::Output: IntoExitReason,
    {
        let place = Location::caller();
        let body = Arc::new(body);
        let start = move || {
            let body = body.clone();
            async move {
                let options = SpawnOptions::new().link().proc_lib().spawned_at(place);
                let spawned = options.spawn(async move { body().await })?;
                Ok::<Pid, SpawnError>(spawned.pid)
            }
        };
        ChildSpec::new(id, start).restart(Restart::Temporary)
    }
}
