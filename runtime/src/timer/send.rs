//! Timers that send a message, to a process or to a name.

use std::sync::Arc;
use std::time::Duration;

use super::errand::Errand;
use super::wheel::{Key, Load, Wheel};
use super::{Action, NotArmed, arm, too_many};
use crate::clock;
use crate::local;
use crate::message::Message;
use crate::panic::contain;
use crate::pid::Pid;
use crate::process::{Undelivered, drop_dead_letter, offer_message, owner, table};
use crate::scheduler::{self, Shared};

/// Where a timer sends its message: a process, or whoever has a name by then.
///
/// Made from a [`Pid`] or from a name, so that [`send_after`] and its kin take either.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Destination {
    /// A process. The timer goes with it.
    Pid(Pid),
    /// Whoever has this name when the time has come; if nobody has, the message is dropped.
    Name(Arc<str>),
}

impl From<Pid> for Destination {
    fn from(pid: Pid) -> Self {
        Destination::Pid(pid)
    }
}

impl From<&str> for Destination {
    fn from(name: &str) -> Self {
        Destination::Name(name.into())
    }
}

impl From<String> for Destination {
    fn from(name: String) -> Self {
        Destination::Name(name.into())
    }
}

impl From<Arc<str>> for Destination {
    fn from(name: Arc<str>) -> Self {
        Destination::Name(name)
    }
}

/// A message for whoever has a name when its time has come.
pub(crate) struct Named {
    runtime: u32,
    name: Arc<str>,
    message: Message,
}

impl Named {
    pub(super) fn fire(self, shared: &Arc<Shared>) {
        match whereis(self.runtime, &self.name) {
            Some(pid) => send_or_leave(shared, pid, self.message),
            None => Errand::Drop(Undelivered::NoProc, self.message).give_to_a_process(shared),
        }
    }

    pub(super) fn drop_unfired(self) {
        drop_dead_letter(self.message.0);
    }
}

/// Sends what is due; what does not get there is dropped by somebody else.
pub(super) fn send_or_leave(shared: &Arc<Shared>, to: Pid, message: Message) {
    if let Err((why, message)) = offer_message(to, message) {
        Errand::Drop(why, message).give_to_a_process(shared);
    }
}

/// Who has a name in a runtime.
pub(super) fn whereis(runtime: u32, name: &str) -> Option<Pid> {
    scheduler::with_runtime(runtime, |shared| shared.names.whereis(name)).flatten()
}

/// Names one timer, for ever: [`cancel_timer`] and [`read_timer`] take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerRef {
    runtime: u32,
    wheel: u32,
    key: Key,
}

impl TimerRef {
    /// Names no timer.
    fn none() -> Self {
        TimerRef::new(0, 0, Key::default())
    }

    pub(super) fn new(runtime: u32, wheel: usize, key: Key) -> Self {
        TimerRef {
            runtime,
            wheel: wheel as u32,
            key,
        }
    }

    /// Works on the wheel that the timer is in, if its runtime still exists.
    /// Whether it is in a wheel of that runtime.
    pub(super) fn is_of(self, shared: &Shared) -> bool {
        self.runtime == shared.id
    }

    fn with_wheel<T>(self, work: impl FnOnce(&mut Wheel<Action>) -> T) -> Option<T> {
        scheduler::with_runtime(self.runtime, |shared| {
            let timers = shared.timers(self.wheel as usize);
            work(&mut timers.wheel.lock())
        })
    }

    /// Looks at the action of the timer, and at its deadline, while it waits.
    pub(super) fn look<T>(self, work: impl FnOnce(u64, &Action) -> T) -> Option<T> {
        self.with_wheel(|wheel| {
            let (deadline, action) = wheel.get(self.key)?;
            Some(work(deadline, action))
        })?
    }

    /// Takes the timer out, with its deadline. What is aimed at a dead process stays: it
    /// is that one's end that takes it out, and drops it.
    pub(super) fn take(self) -> Option<(u64, Action)> {
        self.with_wheel(|wheel| wheel.remove_if(self.key, Action::has_receiver))?
    }

    /// Takes the timer out, if it still waits; for one that is aimed at nobody.
    pub(super) fn disarm(self) -> Option<Action> {
        let (_, action) = self.with_wheel(|wheel| wheel.remove(self.key))??;
        Some(action)
    }
}

/// What [`start_timer`] delivers (OTP: `{timeout, TimerRef, Message}`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedOut<M> {
    /// What `start_timer` returned.
    pub timer: TimerRef,
    /// What it was given.
    pub message: M,
}

/// Sends `message` to a process or a name after a time (OTP: `erlang:send_after/3`).
///
/// The time is rounded up to milliseconds and may be of any length; a message never comes
/// early. The timer is a separate sender: there is no order between its message and others.
/// Timers expire in their order; those that expire in the same millisecond, in any. Where
/// threads are held up, the message of one may still come before that of an earlier one:
/// two threads may be firing at a time, so that one that is stuck holds up no timer.
///
/// A timer for a [`Pid`] vanishes when that process ends: its message is dropped then,
/// before links and monitors are told. A timer for a name goes with nobody: the name is
/// looked up when the time has come, so it may be registered later, and if nobody has it
/// then the message is dropped.
///
/// # Panics
///
/// Outside a process; [`Handle::send_after`](crate::Handle::send_after) works anywhere.
/// And, as all that waits for a time, if 2^32 - 1 timers of one worker wait already; they
/// would need more than 200 GB of memory.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::time::Duration;
/// use regrow_runtime::{cancel_timer, read_timer, receive, register, self_pid, send_after};
///
/// send_after(Duration::from_millis(1), self_pid(), "tick");
/// assert_eq!(receive::<&str>().await, "tick");
///
/// send_after(Duration::from_millis(1), "clock", "tack");
/// register("clock", self_pid()).unwrap();
/// assert_eq!(receive::<&str>().await, "tack");
///
/// let timer = send_after(Duration::from_secs(60), self_pid(), "never");
/// assert!(read_timer(timer).is_some());
/// assert!(cancel_timer(timer).unwrap() > Duration::from_secs(50));
/// assert_eq!(cancel_timer(timer), None);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn send_after<M: Send + 'static>(
    after: Duration,
    to: impl Into<Destination>,
    message: M,
) -> TimerRef {
    scheduler::with_current("send_after", |shared| {
        send_after_on(shared, after, to.into(), message)
    })
}

/// As [`send_after`], but what comes is a [`TimedOut`] that says which timer it is of
/// (OTP: `erlang:start_timer/3`). So a message that was under way when its timer was
/// cancelled can be told from that of the next timer.
///
/// # Panics
///
/// Outside a process; [`Handle::start_timer`](crate::Handle::start_timer) works anywhere.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::time::Duration;
/// use regrow_runtime::{TimedOut, receive, self_pid, start_timer};
///
/// let timer = start_timer(Duration::from_millis(1), self_pid(), "wake up");
/// let timed_out = receive::<TimedOut<&str>>().await;
/// assert_eq!((timed_out.timer, timed_out.message), (timer, "wake up"));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn start_timer<M: Send + 'static>(
    after: Duration,
    to: impl Into<Destination>,
    message: M,
) -> TimerRef {
    scheduler::with_current("start_timer", |shared| {
        start_timer_on(shared, after, to.into(), message)
    })
}

/// Cancels a timer and returns the time that was left, or `None` if it has fired,
/// was cancelled, never was, or has vanished with its process (OTP: `erlang:cancel_timer/1`).
///
/// Anybody may, from any thread. After `Some` the message never comes. After `None` it may
/// wait in the mailbox, or be on its way there.
///
/// It takes a lock for a moment and waits for nobody, so OTP's options `async` and `info`
/// would save nothing and do not exist here.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::time::Duration;
/// use regrow_runtime::{cancel_timer, self_pid, send_after};
/// let timer = send_after(Duration::from_secs(9), self_pid(), ());
/// assert!(cancel_timer(timer).is_some());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn cancel_timer(timer: TimerRef) -> Option<Duration> {
    let (deadline, action) = timer.take()?;
    let left = time_left(deadline);
    // The message is whoever's; the caller must not suffer from it.
    contain("the drop of a cancelled message", || drop(action));
    Some(left)
}

/// The time left of a timer, or `None` as for [`cancel_timer`] (OTP:
/// `erlang:read_timer/1`).
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::time::Duration;
/// use regrow_runtime::{read_timer, self_pid, send_after};
/// let timer = send_after(Duration::from_secs(9), self_pid(), ());
/// assert!(read_timer(timer).unwrap() <= Duration::from_secs(9));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_timer(timer: TimerRef) -> Option<Duration> {
    let deadline = timer.look(|deadline, action| action.has_receiver().then_some(deadline))?;
    deadline.map(time_left)
}

/// In whole milliseconds, so that it is never more than what was asked for.
fn time_left(deadline: u64) -> Duration {
    Duration::from_millis(clock::until(deadline).as_millis() as u64)
}

pub(crate) fn send_after_on<M: Send + 'static>(
    shared: &Arc<Shared>,
    after: Duration,
    to: Destination,
    message: M,
) -> TimerRef {
    arm_for(shared, after, to, Message::new(message), |_, _| {})
}

pub(crate) fn start_timer_on<M: Send + 'static>(
    shared: &Arc<Shared>,
    after: Duration,
    to: Destination,
    message: M,
) -> TimerRef {
    let timer = TimerRef::none();
    let message = Message::new(TimedOut { timer, message });
    arm_for(shared, after, to, message, |action, timer| {
        let message = match action {
            Action::Send(_, message) => message,
            Action::SendNamed(named) => &mut named.message,
            Action::Wake(_) | Action::Repeat(_) => return,
        };
        if let Some(timed_out) = message.0.peek_mut::<TimedOut<M>>() {
            timed_out.timer = timer;
        }
    })
}

fn arm_for(
    shared: &Arc<Shared>,
    after: Duration,
    to: Destination,
    message: Message,
    tell: impl FnOnce(&mut Action, TimerRef),
) -> TimerRef {
    let deadline = clock::deadline(after);
    let action = match to {
        Destination::Pid(pid) => Action::Send(pid, message),
        Destination::Name(name) => Action::SendNamed(Box::new(Named {
            runtime: shared.id,
            name,
            message,
        })),
    };
    arm_or_drop(shared, deadline, action, tell)
}

/// Arms a timer: for a process in the runtime of that one, else in `shared`. If the
/// runtime is over or the process dead, what it would have sent is dropped.
pub(super) fn arm_or_drop(
    shared: &Arc<Shared>,
    deadline: u64,
    action: Action,
    tell: impl FnOnce(&mut Action, TimerRef),
) -> TimerRef {
    if let Some(aim) = action.aim() {
        local::try_with(|local| local.check_receiver(aim));
    }
    let armed = match action.aim() {
        None => arm(shared, deadline, action, tell),
        Some(aim) => match mark(aim) {
            Some(id) if id == shared.id => arm(shared, deadline, action, tell),
            Some(id) => arm_in(id, deadline, action, tell),
            None => Err(NotArmed::Over(action)),
        },
    };
    match armed {
        Ok(timer) => timer,
        Err(NotArmed::Over(action)) => {
            action.drop_unfired();
            TimerRef::none()
        }
        Err(NotArmed::Full(action)) => {
            action.drop_unfired();
            too_many();
        }
    }
}

/// Arms a timer in another runtime.
#[cold]
fn arm_in(
    runtime: u32,
    deadline: u64,
    action: Action,
    tell: impl FnOnce(&mut Action, TimerRef),
) -> Result<TimerRef, NotArmed> {
    let mut work = Some((action, tell));
    let armed = scheduler::with_runtime(runtime, |shared| {
        let (action, tell) = work.take()?;
        Some(arm(shared, deadline, action, tell))
    });
    match (armed.flatten(), work) {
        (Some(armed), _) => armed,
        (None, Some((action, _))) => Err(NotArmed::Over(action)),
        (None, None) => unreachable!("taken only to be armed"),
    }
}

/// Marks that a timer is aimed at a process; the runtime of that, if it lives.
fn mark(to: Pid) -> Option<u32> {
    let inbox = &table::slot(to.index())?.inbox;
    (inbox.generation() == to.generation()).then(|| owner::mark_timed(inbox))?
}
