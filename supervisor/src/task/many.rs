//! Waiting for several tasks.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::mem;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use regrow_runtime::{ExitReason, Reply, ReplyError, timeout, wait_at};

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
    /// ```
    /// # use regrow_supervisor::Task;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let slow = Task::spawn(std::future::pending());
    /// let quick = Task::spawn(async { 1 });
    /// let raced = Task::yield_many([slow, quick]).limit(1).await;
    /// assert_eq!((&raced[0].1, &raced[1].1), (&None, &Some(Ok(1))));
    /// # });
    /// ```
    pub fn limit(mut self, tasks: usize) -> Self {
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
        let replies = self.tasks.iter_mut().map(|task| task.reply.take());
        let mut gather = Gather::new(replies.collect());
        let limit = self.limit.min(gather.running());
        let mut answers: Vec<Option<Result<T, ReplyError>>> = Vec::new();
        answers.resize_with(self.tasks.len(), || None);
        let mut ended = 0;
        {
            let all = async {
                while ended < limit {
                    let (index, answer) = gather.next().await;
                    answers[index] = Some(answer);
                    ended += 1;
                }
            };
            match self.timeout {
                Some(time) => drop(timeout(time, pin!(all)).await),
                None => all.await,
            }
        }
        for (task, reply) in self.tasks.iter_mut().zip(gather.replies) {
            task.reply = reply;
        }
        let mut yielded = Vec::with_capacity(self.tasks.len());
        for (mut task, answer) in self.tasks.into_iter().zip(answers) {
            let outcome = match answer {
                Some(answer) => Some(task.settle(answer).await),
                None if ended >= limit => None,
                None => match self.on_timeout {
                    // Of very many, not all may have had a look spared for them.
                    OnYieldTimeout::Nothing => task.look_for(Duration::ZERO).await,
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
        let replies = self.tasks.iter_mut().map(|task| task.reply.take());
        let replies: Vec<_> = replies.collect();
        if replies.iter().any(Option::is_none) {
            return Err(TaskError::Taken);
        }
        let mut gather = Gather::new(replies);
        let mut results: Vec<Option<T>> = Vec::new();
        results.resize_with(self.tasks.len(), || None);
        let tasks = &self.tasks;
        let all = async {
            while gather.running() > 0 {
                let (index, answer) = gather.next().await;
                let settled = tasks[index].settle(answer).await;
                results[index] = Some(settled.map_err(TaskError::Exit)?);
            }
            Ok(())
        };
        match self.timeout {
            Some(time) => timeout(time, pin!(all)).await.unwrap_or(Ok(()))?,
            None => all.await?,
        }
        for (index, task) in self.tasks.iter_mut().enumerate() {
            // The time is up; of very many, not all may have had a look spared for them.
            if results[index].is_none() {
                task.reply = gather.replies[index].take();
                let found = task.look_for(Duration::ZERO).await;
                results[index] = Some(found.ok_or(TaskError::Timeout)?.map_err(TaskError::Exit)?);
            }
        }
        Ok(results.into_iter().flatten().collect())
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

/// Several replies, taken in the order in which they come. Only those whose waker was called are
/// looked at again, so waiting for many costs no more for each.
struct Gather<T: Send + 'static> {
    /// None where there is nothing to come any more.
    replies: Vec<Option<Reply<T>>>,
    running: usize,
    /// To be looked at, the next one last.
    due: Vec<usize>,
    bells: Vec<Waker>,
    rung: Arc<Rung>,
}

/// Which replies there is news of, and who is to be told.
#[derive(Default)]
struct Rung(Mutex<(Vec<usize>, Option<Waker>)>);

/// The waker of one reply.
struct Bell {
    index: usize,
    rung: Arc<Rung>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let waker = {
            let mut rung = self.rung.0.lock().unwrap_or_else(PoisonError::into_inner);
            rung.0.push(self.index);
            rung.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Send + 'static> Gather<T> {
    fn new(replies: Vec<Option<Reply<T>>>) -> Self {
        let rung = Arc::new(Rung::default());
        let bell = |index| {
            let rung = rung.clone();
            Waker::from(Arc::new(Bell { index, rung }))
        };
        Gather {
            running: replies.iter().flatten().count(),
            due: (0..replies.len()).rev().collect(),
            bells: (0..replies.len()).map(bell).collect(),
            replies,
            rung,
        }
    }

    /// How many are still to come.
    fn running(&self) -> usize {
        self.running
    }

    /// The next that comes; for ever if there is none to come.
    async fn next(&mut self) -> (usize, Result<T, ReplyError>) {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(usize, Result<T, ReplyError>)> {
        loop {
            while let Some(index) = self.due.pop() {
                let Some(reply) = &mut self.replies[index] else {
                    continue;
                };
                let mut bell = Context::from_waker(&self.bells[index]);
                if let Poll::Ready(answer) = Pin::new(reply).poll(&mut bell) {
                    self.replies[index] = None;
                    self.running -= 1;
                    return Poll::Ready((index, answer));
                }
            }
            let mut rung = self.rung.0.lock().unwrap_or_else(PoisonError::into_inner);
            if rung.0.is_empty() {
                rung.1 = Some(cx.waker().clone());
                return Poll::Pending;
            }
            self.due = mem::take(&mut rung.0);
            // In the order in which they rang.
            self.due.reverse();
        }
    }
}
