//! Tasks: processes that do one piece of work, whose result somebody may wait for.
//!
//! The result travels in a reply cell and not through the mailbox, and the cell fails with the
//! task's exit reason if there is no result. So a handle that is dropped leaves nothing behind,
//! a result that comes too late reaches nobody, and a wait can be taken up again.
//!
//! ```text
//!            result sent                 taken
//! running ---------------> finished  ---------------> spent
//!    |                                                  ^
//!    +-- ended without one --> failed with the reason --+
//! ```
//!
//! `shutdown.rs` has what a stop comes to, `many.rs` and `gather.rs` the waits for several, `stream/` the work on
//! many items, `supervisor.rs` and `start.rs` tasks below a supervisor, `detached.rs` those that
//! nobody waits for.

mod detached;
mod error;
mod gather;
mod many;
mod shutdown;
mod start;
mod stream;
mod supervisor;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use regrow_runtime::{
    ExitReason, Pid, Reply, ReplyError, SpawnOptions, reply_channel, self_pid, sleep, spawn,
    timeout, try_self_pid, wait_at, yield_now,
};

use crate::ServerRef;
use crate::call::wait_here;

pub use error::{CallerEnded, TaskError};
pub use many::{AwaitMany, OnYieldTimeout, YieldMany};
pub use start::{StartAsync, StartTask};
pub use stream::{AsyncStream, OnTimeout};
pub use supervisor::{TaskSupervisor, TaskSupervisorRef};

/// How long one waits for tasks unless told otherwise, as in Elixir.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// A process that does one piece of work, and the handle to its result (Elixir: `Task`).
///
/// [`Task::spawn`] starts one; awaiting the handle gives the result. Task and owner are *linked*:
/// if the task fails, so does the process that has spawned it (unless it traps exits), and if
/// that one fails, the task ends too. Tasks that must not take their owner along are started by
/// [`TaskSupervisorRef::async_nolink`].
///
/// | how to wait | until | then the task |
/// |---|---|---|
/// | `task.await` | 5 seconds, or [`timeout`](Task::timeout) | goes on, its result is dropped |
/// | [`yield_for`](Task::yield_for) | a while | goes on, and can be waited for again |
/// | [`shutdown`](Task::shutdown) | it has ended | is made to end |
/// | [`ignore`](Task::ignore) | not at all | goes on, unlinked |
/// | [`deliver_to`](Task::deliver_to) | a server gets it as a message | goes on |
///
/// Dropping a handle does not end the task: it goes on, still linked, and its result is dropped.
/// Nothing of a task is ever put into the owner's mailbox but, if that traps exits, the
/// [`Exit`](regrow_runtime::Exit) of the link.
///
/// ```
/// use regrow_runtime::Runtime;
/// use regrow_supervisor::Task;
///
/// Runtime::new().unwrap().block_on(async {
///     let one = Task::spawn(async { 6 * 7 });
///     let two = Task::spawn(async { "meanwhile".len() });
///     assert_eq!(one.await, Ok(42));
///     assert_eq!(two.await, Ok(9));
/// });
/// ```
///
/// # When not to use one
///
/// For something that is done at once anyway: `f().await` does it in this process. A task is for
/// work that goes on beside yours, or that may fail or be given up without you.
#[must_use = "dropping the handle drops the result; `Task::start` runs something without one"]
pub struct Task<T: Send + 'static> {
    /// None if there never was a process.
    pid: Option<Pid>,
    /// Who is linked to it, if anybody.
    linked_to: Option<Pid>,
    /// None once the result was taken.
    reply: Option<Reply<T>>,
    /// Of `await`.
    timeout: Option<Duration>,
}

impl<T: Send + 'static> Task<T> {
    /// Starts a task, linked to the current process, its *owner* (Elixir: `Task.async`).
    ///
    /// Whatever `body` gives is the result, a `Result` too: an `Err` does not make the task fail.
    ///
    /// # Panics
    ///
    /// Outside a process, and when there may be no more processes.
    ///
    /// ```
    /// # use regrow_supervisor::Task;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let task = Task::spawn(async { "12".parse::<u8>() });
    /// assert_eq!(task.await, Ok(Ok(12)));
    /// # });
    /// ```
    #[doc(alias = "async")]
    #[doc(alias = "Task.async")]
    #[track_caller]
    pub fn spawn<F>(body: F) -> Task<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (reply_to, reply) = reply_channel();
        let body = async move {
            let value = body.await;
            reply_to.send(value);
        };
        match SpawnOptions::new().link().proc_lib().spawn(body) {
            Ok(spawned) => Task::new(spawned.pid, Some(self_pid()), reply),
            Err(error) => panic!("cannot spawn a task: {error}"),
        }
    }

    /// A task that is done already (Elixir: `Task.completed`): for functions that return a task
    /// and sometimes know the result at once. It never had a process.
    ///
    /// ```
    /// # use regrow_supervisor::Task;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let cached = Task::completed(5);
    /// assert_eq!(cached.pid(), None);
    /// assert_eq!(cached.await, Ok(5));
    /// # });
    /// ```
    #[track_caller]
    pub fn completed(value: T) -> Task<T> {
        let (reply_to, reply) = reply_channel();
        reply_to.send(value);
        Task {
            pid: None,
            linked_to: None,
            reply: Some(reply),
            timeout: Some(TIMEOUT_DEFAULT),
        }
    }

    fn new(pid: Pid, linked_to: Option<Pid>, reply: Reply<T>) -> Self {
        Task {
            pid: Some(pid),
            linked_to,
            reply: Some(reply),
            timeout: Some(TIMEOUT_DEFAULT),
        }
    }

    /// The task's process; none for a [`completed`](Task::completed) one.
    pub fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// Lets `await` wait for at most this long instead of 5 seconds. The time runs from the
    /// await, not from the start of the task.
    ///
    /// ```
    /// # use regrow_supervisor::{Task, TaskError};
    /// # use std::time::Duration;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let task = Task::spawn(std::future::pending::<()>());
    /// let late = task.timeout(Duration::from_millis(1)).await;
    /// assert_eq!(late, Err(TaskError::Timeout)); // the task is still running
    /// # });
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets `await` wait without limit.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// Waits for the result, for this long; the task can be waited for again afterwards
    /// (Elixir: `Task.yield`).
    ///
    /// `None` if it is still running when the time is up, `Some(Err(reason))` if it has ended
    /// without a result. Zero looks, and does not wait. A result is given once; of a task whose
    /// result was taken there is nothing to come, and the time passes. It is cancel safe: a wait
    /// that is given up has taken nothing.
    ///
    /// ```
    /// # use regrow_supervisor::Task;
    /// # use regrow_runtime::{receive, send};
    /// # use std::time::Duration;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let mut task = Task::spawn(async { receive::<u32>().await });
    /// assert_eq!(task.yield_for(Duration::from_millis(1)).await, None);
    /// send(task.pid().unwrap(), 7_u32);
    /// assert_eq!(task.yield_for(Duration::from_secs(5)).await, Some(Ok(7)));
    /// # });
    /// ```
    #[doc(alias = "yield")]
    #[track_caller]
    pub fn yield_for(
        &mut self,
        time: Duration,
    ) -> impl Future<Output = Option<Result<T, ExitReason>>> + Send {
        wait_here(self.look_for(time))
    }

    async fn look_for(&mut self, time: Duration) -> Option<Result<T, ExitReason>> {
        let Some(reply) = &mut self.reply else {
            sleep(time).await;
            return None;
        };
        let answer = match timeout(time, reply).await {
            Ok(answer) => answer,
            // An answer that is there may be put off for a turn, lest it overtake something.
            Err(_) => {
                yield_now().await;
                return self.glance().await;
            }
        };
        self.reply = None;
        Some(outcome(answer))
    }

    /// What there is to be had at once.
    async fn glance(&mut self) -> Option<Result<T, ExitReason>> {
        let answer = timeout(Duration::ZERO, self.reply.as_mut()?).await.ok()?;
        self.reply = None;
        Some(outcome(answer))
    }

    /// Lets the task go: unlinked, and without anybody who waits for it (Elixir: `Task.ignore`).
    ///
    /// Gives the result, or the reason of an end without one, if that was there already.
    ///
    /// # Panics
    ///
    /// If the task is linked, in any other process than the one linked to it.
    ///
    /// ```
    /// # use regrow_supervisor::Task;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let task = Task::spawn(std::future::pending::<()>());
    /// assert_eq!(task.ignore().await, None); // it goes on, also after our end
    /// # });
    /// ```
    #[track_caller]
    pub fn ignore(mut self) -> impl Future<Output = Option<Result<T, ExitReason>>> + Send {
        self.check_owner("ignore");
        wait_here(async move { self.let_go().await })
    }

    async fn let_go(&mut self) -> Option<Result<T, ExitReason>> {
        let found = self.look_for(Duration::ZERO).await;
        shutdown::flush(self.unlink()).await;
        self.reply = None;
        found
    }

    /// Has the outcome sent to a server, as one of its messages.
    ///
    /// This is how a server gets work done that takes long: it stays free for other requests,
    /// and `handle` gets the result, or the reason of an end without one. For tasks that may fail
    /// without the server, see [`TaskSupervisorRef::async_nolink`]. (Elixir's servers are sent
    /// `{ref, result}` and a `:DOWN` message instead.)
    ///
    /// A small process waits for the task meanwhile. A message to a server that has gone is
    /// dropped.
    ///
    /// # Panics
    ///
    /// Outside a process, and when there may be no more processes.
    ///
    /// ```
    /// use regrow_runtime::{ExitReason, ReplyTo, Runtime};
    /// use regrow_supervisor::{Context, GenServer, Next, Task};
    ///
    /// struct Sums;
    /// enum Request {
    ///     Sum(Vec<u64>, ReplyTo<u64>),
    ///     Done(Result<u64, ExitReason>, ReplyTo<u64>),
    /// }
    ///
    /// impl GenServer for Sums {
    ///     type Args = ();
    ///     type Message = Request;
    ///
    ///     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Sums) }
    ///
    ///     async fn handle(&mut self, request: Request, cx: &mut Context<Self>) -> Next {
    ///         match request {
    ///             Request::Sum(numbers, reply) => Task::spawn(async move { numbers.iter().sum() })
    ///                 .deliver_to(cx.server_ref(), |sum| Request::Done(sum, reply)),
    ///             Request::Done(Ok(sum), reply) => reply.send(sum),
    ///             Request::Done(Err(reason), reply) => reply.fail(reason),
    ///         }
    ///         Next::Continue
    ///     }
    /// }
    ///
    /// Runtime::new().unwrap().block_on(async {
    ///     let sums = Sums::start_link(()).await.unwrap();
    ///     let sum = sums.call(|reply| Request::Sum(vec![1, 2, 3], reply)).await;
    ///     assert_eq!(sum, Ok(6));
    /// });
    /// ```
    #[track_caller]
    pub fn deliver_to<M: Send + 'static>(
        mut self,
        server: ServerRef<M>,
        message: impl FnOnce(Result<T, ExitReason>) -> M + Send + 'static,
    ) {
        spawn(async move {
            if let Some(reply) = self.reply.take() {
                server.cast(message(outcome(reply.await)));
            }
        });
    }

    /// # Panics
    ///
    /// If somebody else is linked to the task, whose link only that one can remove.
    #[track_caller]
    fn check_owner(&self, what: &str) {
        assert!(
            self.linked_to.is_none() || self.linked_to == try_self_pid(),
            "`Task::{what}` is for the owner of a linked task only, which is {}",
            self.linked_to.map_or(String::new(), |pid| pid.to_string()),
        );
    }
}

/// What became of a task: its result, or why there is none.
fn outcome<T>(answer: Result<T, ReplyError>) -> Result<T, ExitReason> {
    answer.map_err(|error| match error {
        ReplyError::Exit(reason) => reason,
        // It was gone before it got the work, which was dropped where it was to be sent.
        ReplyError::Dropped => ExitReason::NoProc,
        other => ExitReason::error(other),
    })
}

/// Awaiting a task gives its result (Elixir: `Task.await`).
///
/// After 5 seconds, or the time set by [`Task::timeout`], it is given up: the task goes on, and
/// its result is dropped. That is for tasks without which the caller cannot go on, so a failure
/// is usually passed on with `?`; [`Task::yield_for`] and [`Task::shutdown`] are for others.
///
/// # Errors
///
/// See [`TaskError`].
impl<T: Send + 'static> IntoFuture for Task<T> {
    type Output = Result<T, TaskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    #[track_caller]
    fn into_future(mut self) -> Self::IntoFuture {
        let place = Location::caller();
        let work = async move {
            let reply = self.reply.take().ok_or(TaskError::Taken)?;
            let answer = match self.timeout {
                Some(time) => reply.timeout(time).await,
                None => reply.await,
            };
            if let Err(ReplyError::Timeout) = answer {
                return Err(TaskError::Timeout);
            }
            outcome(answer).map_err(TaskError::Exit)
        };
        Box::pin(wait_at(place, work))
    }
}

impl<T: Send + 'static> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("pid", &self.pid)
            .field("linked_to", &self.linked_to)
            .field("taken", &self.reply.is_none())
            .finish_non_exhaustive()
    }
}
