//! The same work on many items, some at a time.
//!
//! Two processes share the work. The *consumer* takes items from the iterator, at most as many
//! ahead as may be worked on, and takes the outcomes. The *spawner* is a process of the stream's
//! own: it starts a task for each item, watches and limits it, and keeps outcomes until they are
//! asked for. It ends what runs when the consumer ends or drops the stream, and it alone gets
//! exits, downs and time-outs, so that nothing of them is ever in the consumer's mailbox.
//!
//! ```text
//! consumer                         spawner                        tasks
//!    |--- Run(work), up to the limit ->|--- spawn, link, monitor --->|
//!    |--- Next(reply) ---------------->|<-- Done(value), Down -------|
//!    |<-- outcome ---------------------|
//!    |--- Close ---------------------->|--- kill ------------------->|
//! ```
//!
//! `window.rs` decides which outcome is next and is pure; `spawner.rs` acts.

mod spawner;
mod window;

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use regrow_runtime::{
    Pid, Reply, ReplyError, SpawnOptions, reply_channel, self_pid, send, system_info, trap_exit,
    try_self_pid, unlink,
};

use super::start::Work;
use super::{TIMEOUT_DEFAULT, Task, TaskError, TaskSupervisorRef, outcome};
use crate::call::wait_here;
use spawner::{Done, Request, Settings, Spawner};

impl Task<()> {
    /// Does the same work on many items, some at a time (Elixir: `Task.async_stream`).
    ///
    /// For each item a task is started that runs `f`. Awaiting [`AsyncStream::next`] gives the
    /// results one by one, in the order of the items. Items are taken from `items` only as tasks
    /// are started, and tasks are started only as results are taken: at most
    /// [`max_concurrency`](AsyncStream::max_concurrency) tasks and results that wait are there at
    /// any time, however long the iterator is. Nothing begins before the first `next`.
    ///
    /// A task that fails ends the caller, unless that traps exits: then it is an error in the
    /// stream. [`TaskSupervisorRef::async_stream_nolink`] is for tasks that may fail.
    ///
    /// ```
    /// use regrow_runtime::Runtime;
    /// use regrow_supervisor::Task;
    ///
    /// Runtime::new().unwrap().block_on(async {
    ///     let texts = ["one", "three"];
    ///     let mut lengths = Task::async_stream(texts, |text| async move { text.len() });
    ///     let mut total = 0;
    ///     while let Some(length) = lengths.next().await {
    ///         total += length.unwrap();
    ///     }
    ///     assert_eq!(total, 8);
    /// });
    /// ```
    #[track_caller]
    pub fn async_stream<'a, I, F, B>(items: I, f: F) -> AsyncStream<'a, B::Output>
    where
        I: IntoIterator<IntoIter: Send + 'a>,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> B + Send + Sync + 'static,
        B: Future<Output: Send + 'static> + Send + 'static,
    {
        new(items, f, Origin::Linked)
    }
}

/// How the tasks of a stream are started.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// By the spawner, linked to it.
    Linked,
    /// By a supervisor, and linked to the spawner as well.
    Supervised(TaskSupervisorRef),
    /// By a supervisor.
    NotLinked(TaskSupervisorRef),
}

impl Origin {
    fn is_linked(&self) -> bool {
        !matches!(self, Origin::NotLinked(_))
    }
}

/// What a stream does when one of its tasks takes longer than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnTimeout {
    /// Fails as a whole: all its tasks are killed, and the error is the last that comes. The
    /// default. (In Elixir the caller exits.)
    #[default]
    Exit,
    /// Kills that task, and goes on with the error in its place.
    KillTask,
}

/// The work on the next item, for the task of this number, which reports to this process.
type NextWork<'a> = dyn FnMut(Pid, u64) -> Option<Work> + Send + 'a;

/// The results of the same work on many items, from [`Task::async_stream`],
/// [`TaskSupervisorRef::async_stream`] or [`TaskSupervisorRef::async_stream_nolink`].
///
/// Dropping it kills the tasks that are running and leaves nothing in the mailbox. It is for the
/// process that has made the first [`next`](AsyncStream::next): the tasks end when that one does.
///
/// # Errors
///
/// An outcome is the result of the task, or the [`TaskError`] in its place:
/// [`Exit`](TaskError::Exit) if the task ended without a result,
/// [`Timeout`](TaskError::Timeout) if it took too long. The stream ends after a time-out unless
/// [`on_timeout`](AsyncStream::on_timeout) says otherwise, and after
/// [`NotStarted`](TaskError::NotStarted).
#[must_use = "nothing is done until `next` is awaited"]
pub struct AsyncStream<'a, T: Send + 'static> {
    /// None when there are no more items.
    works: Option<Box<NextWork<'a>>>,
    settings: Settings,
    /// As many as there are workers until it is set, or the stream begins.
    max_concurrency: Option<usize>,
    spawner: Option<Pid>,
    /// Whose spawner it is.
    consumer: Option<Pid>,
    /// The number of the next task.
    next: u64,
    /// Handed to the spawner, and not come back.
    outstanding: usize,
    asked: Option<Reply<Result<T, TaskError>>>,
    ended: bool,
}

#[track_caller]
pub(super) fn new<'a, I, F, B>(items: I, f: F, origin: Origin) -> AsyncStream<'a, B::Output>
where
    I: IntoIterator<IntoIter: Send + 'a>,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> B + Send + Sync + 'static,
    B: Future<Output: Send + 'static> + Send + 'static,
{
    let mut items = items.into_iter();
    let f = Arc::new(f);
    let works = move |spawner, number| {
        let item = items.next()?;
        let f = f.clone();
        Some(Box::pin(async move {
            let value = f(item).await;
            send(spawner, Done { number, value });
        }) as Work)
    };
    AsyncStream {
        works: Some(Box::new(works)),
        settings: Settings {
            origin,
            ordered: true,
            timeout: Some(TIMEOUT_DEFAULT),
            on_timeout: OnTimeout::default(),
            place: Location::caller(),
        },
        max_concurrency: None,
        spawner: None,
        consumer: None,
        next: 0,
        outstanding: 0,
        asked: None,
        ended: false,
    }
}

/// Settings.
///
/// # Panics
///
/// After the first [`next`](AsyncStream::next), when they would have no effect.
impl<T: Send + 'static> AsyncStream<'_, T> {
    /// Works on at most this many items at a time, results that wait to be taken included. As many
    /// as the runtime has workers unless set: one for each core, and one in a simulation.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn max_concurrency(mut self, max: usize) -> Self {
        self.has_not_begun("max_concurrency");
        assert!(max > 0, "`max_concurrency` must be at least 1");
        self.max_concurrency = Some(max);
        self
    }

    /// Whether results come in the order of the items, as they do unless set, or as they are done.
    ///
    /// ```
    /// # use regrow_supervisor::Task;
    /// # use std::time::Duration;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let nap = |millis| async move {
    ///     regrow_runtime::sleep(Duration::from_millis(millis)).await;
    ///     millis
    /// };
    /// let done = Task::async_stream([200, 1], nap).max_concurrency(2).ordered(false);
    /// assert_eq!(done.collect().await, [Ok(1), Ok(200)]);
    /// # });
    /// ```
    #[track_caller]
    pub fn ordered(mut self, ordered: bool) -> Self {
        self.has_not_begun("ordered");
        self.settings.ordered = ordered;
        self
    }

    /// Gives each task this long instead of 5 seconds.
    #[track_caller]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.has_not_begun("timeout");
        self.settings.timeout = Some(timeout);
        self
    }

    /// Gives the tasks all the time they take.
    #[track_caller]
    pub fn no_timeout(mut self) -> Self {
        self.has_not_begun("no_timeout");
        self.settings.timeout = None;
        self
    }

    /// Sets what is done when a task takes too long.
    ///
    /// ```
    /// # use regrow_supervisor::{OnTimeout, Task, TaskError};
    /// # use std::time::Duration;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let nap = |millis| regrow_runtime::sleep(Duration::from_millis(millis));
    /// let naps = Task::async_stream([5_000, 1], nap)
    ///     .timeout(Duration::from_millis(200))
    ///     .on_timeout(OnTimeout::KillTask);
    /// assert_eq!(naps.collect().await, [Err(TaskError::Timeout), Ok(())]);
    /// # });
    /// ```
    #[track_caller]
    pub fn on_timeout(mut self, what: OnTimeout) -> Self {
        self.has_not_begun("on_timeout");
        self.settings.on_timeout = what;
        self
    }

    #[track_caller]
    fn has_not_begun(&self, setting: &str) {
        assert!(
            self.consumer.is_none(),
            "`{setting}` must be set before the first `next`"
        );
    }
}

impl<T: Send + 'static> AsyncStream<'_, T> {
    /// The next outcome; `None` when there is none any more. Cancel safe.
    ///
    /// # Panics
    ///
    /// When first awaited outside a process.
    #[track_caller]
    #[allow(clippy::should_implement_trait)] // as of every stream of futures
    pub fn next(&mut self) -> impl Future<Output = Option<Result<T, TaskError>>> + Send {
        wait_here(poll_fn(|cx| self.poll_next(cx)))
    }

    /// All outcomes that are left.
    ///
    /// # Panics
    ///
    /// As [`next`](AsyncStream::next).
    #[track_caller]
    pub fn collect(mut self) -> impl Future<Output = Vec<Result<T, TaskError>>> + Send {
        wait_here(async move {
            let mut outcomes = Vec::new();
            while let Some(outcome) = self.next().await {
                outcomes.push(outcome);
            }
            outcomes
        })
    }

    /// As [`next`](AsyncStream::next), for whoever writes futures by hand: this is what the
    /// `Stream` trait of other crates asks for, so `poll_fn(move |cx| stream.poll_next(cx))`
    /// makes one.
    ///
    /// # Panics
    ///
    /// As [`next`](AsyncStream::next).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, TaskError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let spawner = self.spawner();
        self.fill(spawner);
        if self.outstanding == 0 {
            self.close();
            return Poll::Ready(None);
        }
        let asked = self.asked.get_or_insert_with(|| {
            let (reply_to, reply) = reply_channel();
            send(spawner, Request::<T>::Next(reply_to));
            reply
        });
        let answer = ready!(Pin::new(asked).poll(cx));
        self.asked = None;
        self.outstanding -= 1;
        let (outcome, is_last) = self.judge(answer);
        if is_last {
            self.close();
        }
        Poll::Ready(Some(outcome))
    }

    /// What came, and whether nothing will come after it.
    fn judge(
        &self,
        answer: Result<Result<T, TaskError>, ReplyError>,
    ) -> (Result<T, TaskError>, bool) {
        match answer {
            Ok(outcome) => {
                let is_last = match &outcome {
                    Err(TaskError::Timeout) => self.settings.on_timeout == OnTimeout::Exit,
                    Err(TaskError::NotStarted(_)) => true,
                    _ => false,
                };
                (outcome, is_last)
            }
            // The spawner was killed.
            Err(error) => match outcome(Err(error)) {
                Ok(()) => unreachable!("an error stays one"),
                Err(reason) => (Err(TaskError::Exit(reason)), true),
            },
        }
    }

    /// The spawner, from the first time on.
    fn spawner(&mut self) -> Pid {
        if let Some(spawner) = self.spawner {
            return spawner;
        }
        let consumer = self_pid();
        // Its flag can only be read by being set.
        let traps = trap_exit(true);
        trap_exit(traps);
        let settings = self.settings.clone();
        let body = async move { Spawner::<T>::new(settings, consumer, traps).run().await };
        let options = SpawnOptions::new().link().trap_exit(true);
        let options = options.spawned_at(self.settings.place);
        let spawner = match options.spawn(body) {
            Ok(spawned) => spawned.pid,
            Err(error) => panic!("cannot spawn the process of a stream: {error}"),
        };
        self.spawner = Some(spawner);
        self.consumer = Some(consumer);
        spawner
    }

    /// Hands out as much work as may be done at a time.
    fn fill(&mut self, spawner: Pid) {
        let max = *self.max_concurrency.get_or_insert_with(workers);
        while self.outstanding < max
            && let Some(works) = &mut self.works
        {
            match works(spawner, self.next) {
                Some(work) => send(spawner, Request::<T>::Run(work)),
                None => {
                    self.works = None;
                    return;
                }
            }
            self.next += 1;
            self.outstanding += 1;
        }
    }

    /// Ends everything that belongs to the stream.
    fn close(&mut self) {
        self.ended = true;
        if let Some(spawner) = self.spawner.take() {
            // First, so that its end is nothing to us.
            if self.consumer == try_self_pid() {
                unlink(spawner);
            }
            send(spawner, Request::<T>::Close);
        }
        // Last, since their drops are the user's.
        self.asked = None;
        self.works = None;
    }
}

/// How many processes the runtime runs at a time.
fn workers() -> usize {
    let info = system_info();
    let workers = info.workers.iter().filter(|worker| !worker.surplus);
    workers.count().max(1)
}

impl<T: Send + 'static> Drop for AsyncStream<'_, T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T: Send + 'static> fmt::Debug for AsyncStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncStream")
            .field("settings", &self.settings)
            .field("max_concurrency", &self.max_concurrency)
            .field("outstanding", &self.outstanding)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
