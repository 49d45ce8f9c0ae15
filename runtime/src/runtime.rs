//! A runtime: how it is built, and how it ends.

use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::beside::Beside;
use crate::blocking::pool::MAX_THREADS;
use crate::handle::Handle;
use crate::local::{self, Local};
use crate::panic::{catch_panic, contain, install_hook, text_of};
use crate::pid::Pid;
use crate::process::long_queue::LongQueue;
use crate::process::reply::{Reply, ReplyError, reply_channel};
use crate::process::{links, table};
use crate::reason::{ExitReason, IntoExitReason};
use crate::scheduler::{Settings, Shared};

const SPARE_WORKERS: usize = 256;
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Builds a [`Runtime`].
///
/// ```
/// let runtime = regrow_runtime::Runtime::builder().workers(2).build()?;
/// assert_eq!(runtime.handle().workers(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    workers: Option<NonZeroUsize>,
    blocking_threads: Option<NonZeroUsize>,
    max_processes: Option<NonZeroUsize>,
    long_queue: LongQueue,
    spare_workers: usize,
    shutdown_patience: Duration,
    beside: Beside,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            workers: None,
            blocking_threads: None,
            max_processes: None,
            long_queue: LongQueue::default(),
            spare_workers: SPARE_WORKERS,
            shutdown_patience: SHUTDOWN_PATIENCE,
            beside: Beside::default(),
        }
    }
}

impl Builder {
    /// The number of worker threads; one for each core unless said otherwise.
    ///
    /// # Panics
    ///
    /// If it is zero: nothing would ever run.
    #[track_caller]
    pub fn workers(mut self, workers: usize) -> Self {
        let Some(workers) = NonZeroUsize::new(workers) else {
            panic!("a runtime needs at least one worker");
        };
        self.workers = Some(workers);
        self
    }

    /// The number of threads that [`blocking`](crate::blocking()) work may have at
    /// most; 64 unless said otherwise. They start when they are needed.
    ///
    /// # Panics
    ///
    /// If it is zero: such work would wait for ever.
    ///
    /// ```
    /// let runtime = regrow_runtime::Runtime::builder().blocking_threads(4).build()?;
    /// assert_eq!(runtime.handle().system_info().blocking.max_threads, 4);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn blocking_threads(mut self, max: usize) -> Self {
        let Some(max) = NonZeroUsize::new(max) else {
            panic!("blocking work needs at least one thread");
        };
        self.blocking_threads = Some(max);
        self
    }

    /// How many processes there may be at a time (OTP: `+P`); 134 million unless said
    /// otherwise, which is what the table of the whole program has room for. Spawning
    /// beyond it is [`SpawnError::SystemLimit`](crate::SpawnError::SystemLimit).
    ///
    /// There are never more. Workers that spawn at the same time may be refused a little
    /// early, as each has a small part of the room set aside.
    ///
    /// # Panics
    ///
    /// If it is zero: nothing would ever run.
    ///
    /// ```
    /// use regrow_runtime::{Runtime, SpawnError, SpawnOptions};
    ///
    /// let runtime = Runtime::builder().max_processes(2).build()?;
    /// let spawn = move || SpawnOptions::new().spawn(std::future::pending::<()>());
    /// runtime.block_on(async move {
    ///     spawn().unwrap();
    ///     assert_eq!(spawn().unwrap_err(), SpawnError::SystemLimit);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn max_processes(mut self, max: usize) -> Self {
        let Some(max) = NonZeroUsize::new(max) else {
            panic!("a runtime needs room for at least one process");
        };
        self.max_processes = Some(max);
        self
    }

    /// When a long mailbox is reported, by a `tracing` event with target `regrow::mailbox`
    /// (OTP: `long_message_queue` of `system_monitor`): once when it holds `enable` messages or
    /// more, and again only after it has fallen to `disable` or less. Looked at once in each
    /// turn of the process. 10,000 and 1,000 unless said otherwise; `usize::MAX` to `enable` is
    /// never.
    ///
    /// # Panics
    ///
    /// If `disable` is not less than `enable`.
    ///
    /// ```
    /// let runtime = regrow_runtime::Runtime::builder().long_queue(500, 50).build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn long_queue(mut self, enable: usize, disable: usize) -> Self {
        assert!(disable < enable, "`disable` must be less than `enable`");
        self.long_queue = LongQueue { enable, disable };
        self
    }

    /// How many threads there may be besides the workers; 256 unless said otherwise.
    ///
    /// A process that computes or blocks for more than about five milliseconds
    /// without an await is reported as a `tracing` event (target
    /// `regrow::scheduler`, once a second for each process at most) and as an
    /// [`Event::LongSchedule`](crate::Event::LongSchedule), and a spare thread takes
    /// the place of its worker. The thread that was stuck has the lowest priority
    /// from then on (on Linux), and so have threads and programs that such a process
    /// starts itself; it runs the processes that were found to do such things and
    /// ends when there are none for a second. So a
    /// program that keeps 30 processes in long computations has 30 spare threads.
    ///
    /// Workers and these are 65,535 at most.
    ///
    /// When there may be no more, or with 0, such processes are only reported. What
    /// waits in the queue of their worker is run by the others; when all workers are
    /// stuck, nothing runs.
    ///
    /// ```
    /// use std::time::Duration;
    /// use regrow_runtime::{Runtime, receive, self_pid, send, spawn};
    ///
    /// let runtime = Runtime::builder().workers(1).spare_workers(8).build()?;
    /// runtime.block_on(async {
    ///     let me = self_pid();
    ///     spawn(async { std::thread::sleep(Duration::from_millis(300)) });
    ///     spawn(async move { send(me, "not held up") });
    ///     assert_eq!(receive::<&str>().await, "not held up");
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spare_workers(mut self, threads: usize) -> Self {
        self.spare_workers = threads;
        self
    }

    /// How long the drop of the runtime waits for its processes to end; 5 seconds
    /// unless said otherwise.
    ///
    /// They are killed, which takes no time unless one computes or blocks without an
    /// await. A thread that is in such a process after this time, and a tenth of it
    /// more, is left behind, with an event that names the process (target
    /// `regrow::runtime`). When it gets out of the process, that is dropped, and the
    /// thread ends. [Blocking work](crate::blocking()) that has begun is waited for as
    /// long, counted anew.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use regrow_runtime::Runtime;
    ///
    /// let patience = Duration::from_millis(100);
    /// let runtime = Runtime::builder().shutdown_patience(patience).build()?;
    /// let (started, is_started) = std::sync::mpsc::channel();
    /// runtime.spawn(async move {
    ///     started.send(()).unwrap();
    ///     loop {
    ///         std::thread::sleep(Duration::from_millis(1));
    ///     }
    /// });
    /// is_started.recv().unwrap();
    /// let start = Instant::now();
    /// drop(runtime);
    /// assert!(start.elapsed() < Duration::from_secs(4));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown_patience(mut self, patience: Duration) -> Self {
        self.shutdown_patience = patience;
        self
    }

    /// Lets futures of tokio work in processes: every thread of the runtime enters `handle`
    /// before it does anything else, those for blocking work and those that start later too.
    ///
    /// Then `tokio::net`, `tokio::time`, `tokio::spawn`, and all that builds on them (axum,
    /// reqwest, sqlx, ...) can be used wherever a process runs, and also in the drop of one
    /// that was killed. tokio's own threads turn its timers and sockets, so its runtime must
    /// have some: one of the kind `current_thread` does so only while somebody is in its
    /// `block_on`.
    ///
    /// Either runtime may be dropped first, but let it be this one: processes that wait for
    /// tokio when that is shut down fail.
    /// The book has a chapter on the two, *Beside tokio*.
    ///
    /// Only with the feature `tokio`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use regrow_runtime::Runtime;
    ///
    /// let tokio = tokio::runtime::Runtime::new()?;
    /// let runtime = Runtime::builder().tokio(tokio.handle().clone()).build()?;
    /// let answer = runtime.block_on(async {
    ///     tokio::time::sleep(Duration::from_millis(5)).await;
    ///     tokio::spawn(async { 42 }).await
    /// });
    /// assert_eq!(answer.unwrap(), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "tokio")]
    pub fn tokio(mut self, handle: tokio::runtime::Handle) -> Self {
        self.beside = Beside::tokio(handle);
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    ///
    /// If the operating system gives no threads or no I/O event queue; with more than
    /// 65,535 workers, [`io::ErrorKind::InvalidInput`]; in a
    /// [simulation](crate::simulation), [`io::ErrorKind::Unsupported`].
    pub fn build(self) -> io::Result<Runtime> {
        install_hook();
        if local::with(Local::is_simulated) {
            let why = "a runtime has threads and real time, which a simulation has not";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        let workers = match self.workers {
            Some(workers) => workers.get(),
            None => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        };
        let max_processes = self
            .max_processes
            .map_or(table::CAPACITY, |max| table::CAPACITY.min(max.get() as u64));
        let shared = Shared::new(Settings {
            workers,
            spare_workers: self.spare_workers,
            blocking_threads: self.blocking_threads.map_or(MAX_THREADS, NonZeroUsize::get),
            max_processes,
            long_queue: self.long_queue,
            beside: self.beside,
        })?;
        shared.start()?;
        Ok(Runtime {
            handle: Handle { shared },
            patience: self.shutdown_patience,
        })
    }
}

/// A scheduler with its processes, names and timers.
///
/// Several may live side by side in one OS process; they share nothing but the
/// table that numbers processes. Dropping a runtime kills every process in it
/// and joins its threads; a thread that is stuck in a process, or in blocking work,
/// for long is left behind, with a report (see [`Builder::shutdown_patience`]).
/// Blocking work that has not begun is dropped.
///
/// ```
/// use regrow_runtime::{Runtime, receive, self_pid, send, spawn};
///
/// let runtime = Runtime::new()?;
/// let answer = runtime.block_on(async {
///     let me = self_pid();
///     spawn(async move { send(me, 42) });
///     receive::<i32>().await
/// });
/// assert_eq!(answer, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    patience: Duration,
}

impl Runtime {
    /// A runtime with one worker for each core.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Runtime::builder().build()
    }

    /// A builder, for other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A handle, for use from other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Spawns a process; see [`Handle::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, body: F) -> Pid
    where
        F: Future + Send + 'static,
        F::Output: IntoExitReason,
    {
        self.handle.spawn(body)
    }

    /// Runs a future as a process and waits for its output.
    ///
    /// # Panics
    ///
    /// If the process panics or is ended by a signal: with that reason. And when
    /// called inside a process, where waiting would block a worker.
    #[track_caller]
    pub fn block_on<F>(&self, body: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        must_not_be_a_worker("block_on");
        // A reply handle: dropped by the end of the process, it says why that ended.
        let (output, reply) = reply_channel();
        self.handle.spawn(async move {
            match catch_panic(body).await {
                Ok(value) => {
                    output.send(value);
                    ExitReason::Normal
                }
                Err(reason) => reason,
            }
        });
        match wait(reply) {
            Ok(value) => value,
            Err(ReplyError::Exit(reason)) => {
                let why = text_of(&reason);
                panic!("the process of `block_on` ended: {why}")
            }
            Err(error) => panic!("the process of `block_on` ended: {error}"),
        }
    }
}

#[track_caller]
pub(crate) fn must_not_be_a_worker(what: &str) {
    assert!(
        local::with(|local| local.worker.get().is_none()),
        "`{what}` must not be called inside a regrow process: await instead"
    );
}

/// Waits on this thread, which is no worker.
pub(crate) fn wait<R: Send + 'static>(reply: Reply<R>) -> Result<R, ReplyError> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut reply = pin!(reply);
    loop {
        match reply.as_mut().poll(&mut cx) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let shared = &self.handle.shared;
        let on_own_thread = local::try_with(|local| {
            let worker = local.worker.get();
            worker.is_some_and(|worker| worker.shared.id == shared.id)
                || local.pool.get() == shared.id
        });
        if on_own_thread == Some(true) {
            // A thread cannot wait for its own end: somebody else must.
            let (shared, patience) = (shared.clone(), self.patience);
            let waiter = thread::Builder::new().name("regrow-drop".into());
            if let Err(error) = waiter.spawn(move || end(&shared, patience)) {
                contain("a report", || {
                    tracing::error!(target: "regrow::runtime", %error, "the runtime could not be ended");
                });
            }
        } else {
            end(shared, self.patience);
        }
    }
}

/// Kills every process, those that the dying ones spawn too, and ends the threads.
fn end(shared: &Shared, patience: Duration) {
    // What is given up is the user's, and dropped here.
    shared.beside.within(|| end_within(shared, patience));
}

fn end_within(shared: &Shared, patience: Duration) {
    shared.stop();
    let ended = shared.wait_until_empty(patience, || {
        for pid in table::pids_of(shared.id) {
            links::exit(pid, ExitReason::Kill);
        }
    });
    // Nobody of ours waits any more; work that has begun ends while we halt.
    shared.pool.stop();
    // The threads that can end do so at once.
    let halted = shared.halt(if ended { patience } else { patience / 10 });
    let all = ended && halted;
    let at_work = shared.pool.wait(if all { patience } else { patience / 10 });
    if at_work > 0 {
        // A subscriber is the user's code.
        contain("a report", || {
            tracing::error!(
                target: "regrow::runtime",
                threads = at_work,
                "blocking work would not end: its threads are left behind"
            );
        });
    }
    if !ended || !halted {
        report_left_behind(shared);
    }
    shared.give_up_timers();
    shared.events.close();
}

#[cold]
fn report_left_behind(shared: &Shared) {
    let processes = shared.running();
    let processes = processes
        .iter()
        .map(|(pid, place)| format!("{pid}, spawned at {place}"));
    let processes: Vec<_> = processes.collect();
    contain("a report", || {
        tracing::error!(
            target: "regrow::runtime",
            ?processes,
            "a process would not end: its thread is left behind"
        );
    });
}
