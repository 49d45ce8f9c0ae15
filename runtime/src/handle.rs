//! The ways into a runtime from outside.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::blocking::Blocking;
use crate::events::{EventKinds, EventStream, Events};
use crate::names::{RegisterError, SendError, UnregisterError};
use crate::pid::Pid;
use crate::process::info::{self, ProcessInfo};
use crate::process::spawn::{SpawnError, SpawnOptions, Spawned};
use crate::process::table;
use crate::reason::IntoExitReason;
use crate::runtime::{must_not_be_a_worker, wait};
use crate::scheduler::{self, Shared};
use crate::system_info::SystemInfo;
use crate::timer::{self, Destination, TimerRef};

/// A way to a runtime from any thread. Cloning it is cheap.
///
/// A handle does not keep the runtime running.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
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
