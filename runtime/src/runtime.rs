//! A runtime: its workers, and the ways in from outside.

use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::blocking::Blocking;
use crate::blocking::pool::MAX_THREADS;
use crate::events::{EventKinds, EventStream, Events};
use crate::local::{self, Local};
use crate::names::{RegisterError, SendError, UnregisterError};
use crate::panic::{catch_panic, contain, install_hook};
use crate::pid::Pid;
use crate::process::info::{self, ProcessInfo};
use crate::process::long_queue::LongQueue;
use crate::process::reply::{Reply, ReplyError, reply_channel};
use crate::process::spawn::{SpawnError, SpawnOptions, Spawned};
use crate::process::{links, table};
use crate::reason::{ExitReason, IntoExitReason};
use crate::scheduler::{self, Settings, Shared};
use crate::system_info::SystemInfo;
use crate::timer::{self, Destination, TimerRef};

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
    /// the place of its worker. The thread that was stuck has the
    /// lowest priority from then on (on Linux); it runs the processes that were
    /// found to do such things and ends when there are none for a second. So a
    /// program that keeps 30 processes in long computations has 30 spare threads.
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

    /// Starts the runtime.
    ///
    /// # Errors
    ///
    /// If the operating system gives no threads or no I/O event queue; in a
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
            Err(ReplyError::Exit(reason)) => panic!("the process of `block_on` ended: {reason}"),
            Err(error) => panic!("the process of `block_on` ended: {error}"),
        }
    }
}

#[track_caller]
fn must_not_be_a_worker(what: &str) {
    assert!(
        local::with(|local| local.worker.get().is_none()),
        "`{what}` must not be called inside a regrow process: await instead"
    );
}

/// Waits on this thread, which is no worker.
fn wait<R: Send + 'static>(reply: Reply<R>) -> Result<R, ReplyError> {
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
                tracing::error!(target: "regrow::runtime", %error, "the runtime could not be ended");
            }
        } else {
            end(shared, self.patience);
        }
    }
}

/// Kills every process, those that the dying ones spawn too, and ends the threads.
fn end(shared: &Shared, patience: Duration) {
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
        tracing::error!(
            target: "regrow::runtime",
            threads = at_work,
            "blocking work would not end: its threads are left behind"
        );
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

/// A way to a runtime from any thread. Cloning it is cheap.
///
/// A handle does not keep the runtime running.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// The runtime of the current process.
    ///
    /// # Panics
    ///
    /// Outside a process; see [`Handle::try_current`].
    #[track_caller]
    pub fn current() -> Self {
        scheduler::with_current("Handle::current", |shared| Handle {
            shared: shared.clone(),
        })
    }

    /// The runtime of the current process, or `None` outside one.
    pub fn try_current() -> Option<Self> {
        scheduler::current().map(|shared| Handle { shared })
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Spawns a process.
    ///
    /// # Panics
    ///
    /// If the runtime was dropped or there may be no more processes;
    /// [`Handle::spawn_with`] returns these as errors.
    ///
    /// ```
    /// let runtime = regrow_runtime::Runtime::new()?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// runtime.handle().spawn(async move {
    ///     sender.send("from inside").unwrap();
    /// });
    /// assert_eq!(receiver.recv().unwrap(), "from inside");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, body: F) -> Pid
    where
        F: Future + Send + 'static,
        F::Output: IntoExitReason,
    {
        match self.spawn_with(SpawnOptions::new(), body) {
            Ok(spawned) => spawned.pid,
            Err(error) => panic!("cannot spawn: {error}"),
        }
    }

    /// Spawns a process with options. Outside a process there is nobody to link
    /// or monitor it: these two are then without effect.
    ///
    /// # Errors
    ///
    /// As [`SpawnOptions::spawn`], and if the runtime was dropped.
    #[track_caller]
    pub fn spawn_with<F>(&self, options: SpawnOptions, body: F) -> Result<Spawned, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: IntoExitReason,
    {
        options.spawn_on(&self.shared, Location::caller(), body)
    }

    /// Spawns a local process (see [`SpawnOptions::spawn_local`]) on a worker that the
    /// runtime chooses, each in turn. `make` goes there and makes the body, which need
    /// not be `Send`; if `make` panics, the process ends with that.
    ///
    /// # Errors
    ///
    /// As [`Handle::spawn_with`]; then `make` is dropped, never called.
    ///
    /// ```
    /// use regrow_runtime::{Runtime, SpawnOptions, receive};
    /// use std::{cell::RefCell, rc::Rc, sync::mpsc};
    ///
    /// let runtime = Runtime::new()?;
    /// let (sender, receiver) = mpsc::channel();
    /// let make = || async move {
    ///     let seen = Rc::new(RefCell::new(Vec::new()));
    ///     while seen.borrow().len() < 2 {
    ///         let word: &str = receive().await;
    ///         seen.borrow_mut().push(word);
    ///     }
    ///     sender.send(seen.borrow().join(" ")).unwrap();
    /// };
    /// let spawned = runtime.handle().spawn_local_with(SpawnOptions::new(), make).unwrap();
    /// regrow_runtime::send(spawned.pid, "stay");
    /// regrow_runtime::send(spawned.pid, "here");
    /// assert_eq!(receiver.recv().unwrap(), "stay here");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_local_with<M, F>(
        &self,
        options: SpawnOptions,
        make: M,
    ) -> Result<Spawned, SpawnError>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: IntoExitReason,
    {
        options.spawn_local_on(&self.shared, Location::caller(), make)
    }

    /// As [`register`](crate::register()).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn register(&self, name: impl Into<Arc<str>>, pid: Pid) -> Result<(), RegisterError> {
        self.shared.register(name.into(), pid)
    }

    /// As [`unregister`](crate::unregister()).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn unregister(&self, name: &str) -> Result<(), UnregisterError> {
        self.shared.unregister(name)
    }

    /// As [`whereis`](crate::whereis()).
    pub fn whereis(&self, name: &str) -> Option<Pid> {
        self.shared.names.whereis(name)
    }

    /// As [`send_named`](crate::send_named()).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_named<M: Send + 'static>(
        &self,
        name: &str,
        message: M,
    ) -> Result<(), SendError<M>> {
        self.shared.names.send(name, message)
    }

    /// As [`send_after`](crate::send_after()).
    pub fn send_after<M: Send + 'static>(
        &self,
        after: Duration,
        to: impl Into<Destination>,
        message: M,
    ) -> TimerRef {
        timer::send_after_on(&self.shared, after, to.into(), message)
    }

    /// As [`start_timer`](crate::start_timer()).
    pub fn start_timer<M: Send + 'static>(
        &self,
        after: Duration,
        to: impl Into<Destination>,
        message: M,
    ) -> TimerRef {
        timer::start_timer_on(&self.shared, after, to.into(), message)
    }

    /// As [`send_interval`](crate::send_interval()).
    pub fn send_interval<M: Clone + Send + Sync + 'static>(
        &self,
        every: Duration,
        to: impl Into<Destination>,
        message: M,
    ) -> TimerRef {
        timer::send_interval_on(&self.shared, every, to.into(), message)
    }

    /// Does blocking work in this runtime's pool, as [`blocking`](crate::blocking()),
    /// for whoever awaits it: a process of any runtime, a task of another executor,
    /// or a thread. It does nothing until it is polled.
    ///
    /// # Errors
    ///
    /// If the work panics, with message and place; if the runtime is dropped before the
    /// work has begun; if there is no thread to do it.
    ///
    /// ```
    /// use futures_lite::future::block_on;
    ///
    /// let runtime = regrow_runtime::Runtime::new()?;
    /// let sum = runtime.handle().blocking(|| (1..=10).sum::<u32>());
    /// assert_eq!(block_on(sum), Ok(55));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn blocking<F, T>(&self, work: F) -> Blocking<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Blocking::new(self.shared.pool.clone(), work)
    }

    /// As [`processes`](crate::processes()).
    pub fn processes(&self) -> Vec<Pid> {
        table::pids_of(self.shared.id)
    }

    /// Tells of events of these kinds from now on, by a stream with room for
    /// `capacity` of them (at least one); what does not fit is counted and lost, so a
    /// stream that nobody reads costs no more than that.
    ///
    /// ```
    /// use regrow_runtime::{Event, EventKinds, Runtime};
    ///
    /// let runtime = Runtime::new()?;
    /// let events = runtime.handle().events(EventKinds::EXITED, 100);
    /// let pid = runtime.spawn(async {});
    /// let Some(Event::Exited { pid: dead, reason, .. }) = events.recv() else { panic!() };
    /// assert_eq!((dead, reason.to_string()), (pid, "normal".into()));
    /// assert_eq!(events.missed(), 0);
    /// drop(runtime);
    /// assert!(events.recv().is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn events(&self, kinds: EventKinds, capacity: usize) -> EventStream {
        Events::stream(&self.shared, kinds, capacity)
    }

    /// As [`process_info`](crate::process_info()), for threads: waits for the answer by
    /// blocking.
    ///
    /// # Panics
    ///
    /// Inside a process, where waiting would block a worker: await the function of that
    /// name instead.
    ///
    /// ```
    /// let runtime = regrow_runtime::Runtime::new()?;
    /// let pid = runtime.spawn(std::future::pending::<()>());
    /// regrow_runtime::send(pid, 5_u8);
    /// let info = runtime.handle().process_info(pid).unwrap();
    /// assert_eq!((info.parent, info.messages), (None, vec!["u8"]));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn process_info(&self, pid: Pid) -> Option<ProcessInfo> {
        must_not_be_a_worker("Handle::process_info");
        wait(info::ask(pid)?).ok()
    }

    /// The number of workers.
    pub fn workers(&self) -> usize {
        self.shared.workers()
    }

    /// As [`system_info`](crate::system_info()).
    pub fn system_info(&self) -> SystemInfo {
        self.shared.info()
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("runtime", &self.shared.id)
            .field("workers", &self.workers())
            .finish()
    }
}
