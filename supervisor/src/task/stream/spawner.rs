//! The stream's own process, which has the tasks.
//!
//! A task is *running* from its start to its `Down`, its value being kept meanwhile, or until its
//! time is up. Then its outcome is in the window until the consumer takes it.

use std::ops::ControlFlow;
use std::panic::Location;
use std::time::Duration;

use regrow_runtime::{
    Down, Exit, ExitReason, Message, MonitorRef, Pid, ReplyTo, SpawnOptions, TimerRef,
    cancel_timer, demonitor, exit, monitor, receive_any, self_pid, send_after, wait_at,
};
use rustc_hash::FxHashMap;

use super::window::Window;
use super::{OnTimeout, Origin};
use crate::report::discard;
use crate::task::TaskError;
use crate::task::start::{Work, start_with_work};
use crate::{Shutdown, StartChildError};

/// What the consumer says to the spawner.
pub(super) enum Request<T: Send + 'static> {
    /// Here is the work of the next task.
    Run(Work),
    /// The next outcome, please.
    Next(ReplyTo<Result<T, TaskError>>),
    /// No more is wanted.
    Close,
}

/// From a task, as the last thing it does.
pub(super) struct Done<T> {
    pub(super) number: u64,
    pub(super) value: T,
}

/// From a timer: a task has had its time.
struct TimeIsUp(u64);

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) origin: Origin,
    pub(super) ordered: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) on_timeout: OnTimeout,
    pub(super) place: &'static Location<'static>,
}

impl Settings {
    /// Starts a task, and watches it.
    async fn spawn(&self, work: Work) -> Result<(Pid, MonitorRef), StartChildError> {
        let place = self.place;
        let (supervisor, link) = match &self.origin {
            Origin::Linked => {
                let options = SpawnOptions::new().link().proc_lib().spawned_at(place);
                let spawned = options.spawn(work);
                let pid = spawned
                    .map_err(|error| StartChildError::Failed(error.into()))?
                    .pid;
                return Ok((pid, monitor(pid)));
            }
            Origin::Supervised(supervisor) => (supervisor, true),
            Origin::NotLinked(supervisor) => (supervisor, false),
        };
        let shutdown = Shutdown::default();
        let pid = start_with_work(supervisor, work, link, shutdown, place).await?;
        Ok((pid, monitor(pid)))
    }
}

pub(super) struct Spawner<T: Send + 'static> {
    settings: Settings,
    consumer: Pid,
    /// Whether the consumer outlives a failure of a linked task.
    consumer_traps: bool,
    next: u64,
    running: FxHashMap<u64, Running<T>>,
    numbers: FxHashMap<MonitorRef, u64>,
    window: Window<Result<T, TaskError>>,
    /// What ends the stream: it comes before everything else.
    failure: Option<TaskError>,
    waiting: Option<ReplyTo<Result<T, TaskError>>>,
}

struct Running<T> {
    pid: Pid,
    reference: MonitorRef,
    timer: Option<TimerRef>,
    value: Option<T>,
}

impl<T: Send + 'static> Spawner<T> {
    pub(super) fn new(settings: Settings, consumer: Pid, consumer_traps: bool) -> Self {
        Spawner {
            window: Window::new(settings.ordered),
            settings,
            consumer,
            consumer_traps,
            next: 0,
            running: FxHashMap::default(),
            numbers: FxHashMap::default(),
            failure: None,
            waiting: None,
        }
    }

    pub(super) async fn run(mut self) {
        let place = self.settings.place;
        loop {
            let message = wait_at(place, receive_any()).await;
            if self.handle(message).await.is_break() {
                self.kill_all();
                return;
            }
            self.answer();
        }
    }

    /// Handles one message; a break ends the stream.
    async fn handle(&mut self, message: Message) -> ControlFlow<()> {
        let message = match message.downcast::<Request<T>>() {
            Ok(Request::Run(work)) => {
                self.start(work).await;
                return ControlFlow::Continue(());
            }
            Ok(Request::Next(reply)) => {
                self.waiting = Some(reply);
                return ControlFlow::Continue(());
            }
            Ok(Request::Close) => return ControlFlow::Break(()),
            Err(other) => other,
        };
        let message = match message.downcast::<Done<T>>() {
            Ok(Done { number, value }) => {
                if let Some(running) = self.running.get_mut(&number) {
                    running.value = Some(value);
                }
                return ControlFlow::Continue(());
            }
            Err(other) => other,
        };
        let message = match message.downcast::<Down>() {
            Ok(down) => return self.ended(down),
            Err(other) => other,
        };
        let message = match message.downcast::<TimeIsUp>() {
            Ok(TimeIsUp(number)) => {
                self.time_is_up(number);
                return ControlFlow::Continue(());
            }
            Err(other) => other,
        };
        // The tasks' own ends are known from their downs.
        match message.downcast::<Exit>() {
            Ok(exit) if exit.pid == self.consumer => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    async fn start(&mut self, work: Work) {
        let number = self.next;
        self.next += 1;
        let (pid, reference) = match self.settings.spawn(work).await {
            Ok(started) => started,
            Err(error) => {
                self.failure = Some(TaskError::NotStarted(error));
                return;
            }
        };
        let timer = self
            .settings
            .timeout
            .map(|time| send_after(time, self_pid(), TimeIsUp(number)));
        self.numbers.insert(reference, number);
        let running = Running {
            pid,
            reference,
            timer,
            value: None,
        };
        self.running.insert(number, running);
    }

    fn ended(&mut self, down: Down) -> ControlFlow<()> {
        let Some(number) = self.numbers.remove(&down.reference) else {
            return ControlFlow::Continue(());
        };
        let Some(running) = self.running.remove(&number) else {
            return ControlFlow::Continue(());
        };
        if let Some(timer) = running.timer {
            cancel_timer(timer);
        }
        let outcome = match running.value {
            Some(value) => Ok(value),
            None if self.is_fatal(&down.reason) => {
                // As by a link. Not by ours, whose end with this reason would be one more crash.
                exit(self.consumer, down.reason.clone());
                if let Some(reply) = self.waiting.take() {
                    reply.send(Err(TaskError::Exit(down.reason)));
                }
                return ControlFlow::Break(());
            }
            None => Err(TaskError::Exit(down.reason)),
        };
        self.window.insert(number, outcome);
        ControlFlow::Continue(())
    }

    /// Whether the end of a task with this reason is the end of the consumer.
    fn is_fatal(&self, reason: &ExitReason) -> bool {
        self.settings.origin.is_linked() && !self.consumer_traps && *reason != ExitReason::Normal
    }

    fn time_is_up(&mut self, number: u64) {
        let (pid, reference) = match self.running.get(&number) {
            // One that is done, and only has to end, has made it.
            Some(running) if running.value.is_none() => (running.pid, running.reference),
            _ => return,
        };
        self.running.remove(&number);
        self.numbers.remove(&reference);
        demonitor(reference);
        exit(pid, ExitReason::Kill);
        match self.settings.on_timeout {
            OnTimeout::Exit => self.failure = Some(TaskError::Timeout),
            OnTimeout::KillTask => self.window.insert(number, Err(TaskError::Timeout)),
        }
    }

    /// Gives the consumer the next outcome, if it waits for one and that has come.
    fn answer(&mut self) {
        if self.waiting.is_none() {
            return;
        }
        let outcome = match self.failure.take() {
            Some(error) => Some(Err(error)),
            None => self.window.take(),
        };
        if let Some(outcome) = outcome
            && let Some(reply) = self.waiting.take()
        {
            reply.send(outcome);
        }
    }

    fn kill_all(&mut self) {
        for running in std::mem::take(&mut self.running).into_values() {
            exit(running.pid, ExitReason::Kill);
            discard(running.value);
        }
    }
}
