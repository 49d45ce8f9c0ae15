//! Waiting for several tasks.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use regrow_runtime::{ExitReason, ReplyError, wait_at};

use super::gather::gather;
use super::{TIMEOUT_DEFAULT, Task, TaskError};
use crate::Shutdown;

impl<T: Send + 'static> Task<T> {
    /// Waits for several tasks, and says of each what has become of it (Elixir:
    /// `Task.yield_many`).
    ///
    /// The answer has the tasks in the order given, each with what
    /// [`yield_for`](Task::yield_for) would have said: those that are still running can be waited
    /// for again. One common time, 5 seconds unless set, counts for all. See [`YieldMany`].
    ///
    /// ```
    /// use regrow_runtime::{ExitReason, Runtime};
    /// use regrow_supervisor::{Shutdown, Task};
    /// use std::time::Duration;
    ///
    /// Runtime::new().unwrap().block_on(async {
    ///     let quick = Task::spawn(async { 1 });
    ///     let slow = Task::spawn(std::future::pending());
    ///     let mut found = Vec::new();
    ///     for (task, outcome) in Task::yield_many([quick, slow]).timeout(Duration::from_millis(5)).await {
    ///         found.push(match outcome {
    ///             Some(outcome) => Some(outcome),
    ///             None => task.shutdown(Shutdown::BrutalKill).await,
    ///         });
    ///     }
    ///     assert_eq!(found, [Some(Ok(1)), None]);
    /// });
    /// ```
    #[track_caller]
    pub fn yield_many(tasks: impl IntoIterator<Item = Task<T>>) -> YieldMany<T> {
        YieldMany {
            tasks: tasks.into_iter().collect(),
            limit: usize::MAX,
            timeout: Some(TIMEOUT_DEFAULT),
            on_timeout: OnYieldTimeout::Nothing,
            place: Location::caller(),
        }
    }

    /// Waits for the results of several tasks, in the order given (Elixir: `Task.await_many`).
    ///
    /// One common time, 5 seconds unless set, counts for all. See [`AwaitMany`].
    ///
    /// ```
    /// # use regrow_supervisor::Task;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let squares = (1..=3).map(|n| Task::spawn(async move { n * n }));
    /// assert_eq!(Task::await_many(squares).await, Ok(vec![1, 4, 9]));
    /// # });
    /// ```
    #[track_caller]
    pub fn await_many(tasks: impl IntoIterator<Item = Task<T>>) -> AwaitMany<T> {
        AwaitMany {
            tasks: tasks.into_iter().collect(),
            timeout: Some(TIMEOUT_DEFAULT),
            place: Location::caller(),
        }
    }
}

/// What a [`YieldMany`] does with tasks that are still running when the time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnYieldTimeout {
    /// Leaves them as they are. The default.
    #[default]
    Nothing,
    /// Lets them go, as [`Task::ignore`] does.
    Ignore,
    /// Kills them, as [`Task::shutdown`] with [`Shutdown::BrutalKill`] does.
    KillTask,
}

/// A wait for several tasks, from [`Task::yield_many`]; awaiting it gives a pair for each task.
#[must_use = "nothing is waited for until this is awaited"]
pub struct YieldMany<T: Send + 'static> {
    tasks: Vec<Task<T>>,
    limit: usize,
    timeout: Option<Duration>,
    on_timeout: OnYieldTimeout,
    place: &'static Location<'static>,
}

/// A task and, unless it is still running, what has become of it.
type Yielded<T> = (Task<T>, Option<Result<T, ExitReason>>);

impl<T: Send + 'static> YieldMany<T> {
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

    /// Returns as soon as this many tasks have ended. The time is then not up, so the others are
    /// left as they are.
    ///
    /// # Panics
    ///
    /// If it is zero.
    ///
    /// ```
    /// # use regrow_supervisor::Task;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let slow = Task::spawn(std::future::pending());
    /// let quick = Task::spawn(async { 1 });
    /// let raced = Task::yield_many([slow, quick]).limit(1).await;
    /// assert_eq!((&raced[0].1, &raced[1].1), (&None, &Some(Ok(1))));
    /// # });
    /// ```
    #[track_caller]
    pub fn limit(mut self, tasks: usize) -> Self {
        assert!(tasks > 0, "`limit` must be at least 1");
        self.limit = tasks;
        self
    }

    /// Sets what is done with tasks that are still running when the time is up.
    ///
    /// # Panics
    ///
    /// The wait does, if such a task is linked to another process, as [`Task::shutdown`] does.
    pub fn on_timeout(mut self, what: OnYieldTimeout) -> Self {
        self.on_timeout = what;
        self
    }

    async fn run(mut self) -> Vec<Yielded<T>> {
        let mut left = self.limit;
        let enough = |_: &Result<T, ReplyError>| {
            left = left.saturating_sub(1);
            left == 0
        };
        let (outcomes, time_is_up) = gather(&mut self.tasks, self.timeout, enough).await;
        let mut yielded = Vec::with_capacity(self.tasks.len());
        for (mut task, outcome) in self.tasks.into_iter().zip(outcomes) {
            let outcome = match outcome {
                Some(outcome) => Some(outcome),
                None if !time_is_up => None,
                None => match self.on_timeout {
                    OnYieldTimeout::Nothing => None,
                    OnYieldTimeout::Ignore => {
                        task.check_owner("ignore");
                        task.let_go().await
                    }
                    OnYieldTimeout::KillTask => {
                        task.check_owner("shutdown");
                        task.stop(Shutdown::BrutalKill).await
                    }
                },
            };
            yielded.push((task, outcome));
        }
        yielded
    }
}

impl<T: Send + 'static> IntoFuture for YieldMany<T> {
    type Output = Vec<(Task<T>, Option<Result<T, ExitReason>>)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(wait_at(self.place, self.run()))
    }
}

impl<T: Send + 'static> fmt::Debug for YieldMany<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("YieldMany")
            .field("tasks", &self.tasks)
            .field("limit", &self.limit)
            .field("timeout", &self.timeout)
            .field("on_timeout", &self.on_timeout)
            .finish_non_exhaustive()
    }
}

/// A wait for the results of several tasks, from [`Task::await_many`]; awaiting it gives them in
/// the order of the tasks.
///
/// # Errors
///
/// At the first task that ends without a result, at once, with its [`TaskError`]; and when the
/// common time is up, with [`TaskError::Timeout`]. The other tasks go on in either case, and
/// their results are dropped.
#[must_use = "nothing is waited for until this is awaited"]
pub struct AwaitMany<T: Send + 'static> {
    tasks: Vec<Task<T>>,
    timeout: Option<Duration>,
    place: &'static Location<'static>,
}

impl<T: Send + 'static> AwaitMany<T> {
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

    async fn run(mut self) -> Result<Vec<T>, TaskError> {
        if self.tasks.iter().any(|task| task.reply.is_none()) {
            return Err(TaskError::Taken);
        }
        let (mut outcomes, _) = gather(&mut self.tasks, self.timeout, Result::is_err).await;
        let failed = outcomes.iter().position(|it| matches!(it, Some(Err(_))));
        if let Some(Some(Err(reason))) = failed.map(|index| outcomes.swap_remove(index)) {
            return Err(TaskError::Exit(reason));
        }
        let results = outcomes.into_iter();
        let results: Option<Vec<T>> = results.map(|it| it.and_then(Result::ok)).collect();
        results.ok_or(TaskError::Timeout)
    }
}

impl<T: Send + 'static> IntoFuture for AwaitMany<T> {
    type Output = Result<Vec<T>, TaskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(wait_at(self.place, self.run()))
    }
}

impl<T: Send + 'static> fmt::Debug for AwaitMany<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitMany")
            .field("tasks", &self.tasks)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
