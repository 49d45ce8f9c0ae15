//! Timers: one wheel for each seat of a worker, turned by whoever notices that it is due.

mod wheel;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use self::wheel::{Key, Wheel};
use crate::clock;
use crate::local;
use crate::message::Message;
use crate::panic::wake_caught;
use crate::pid::Pid;
use crate::scheduler::{self, Shared, Worker};

/// What a timer does when its time has come.
pub(crate) enum Action {
    Wake(Waker),
    Send(Pid, Message),
}

/// The timers of one worker.
pub(crate) struct Timers {
    wheel: Mutex<Wheel<Action>>,
    /// The runtime is over. Written under the lock.
    closed: AtomicBool,
    /// The next deadline, or `u64::MAX`. Written under the lock; read without it,
    /// by threads that look again later.
    next: AtomicU64,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Timers {
            wheel: Mutex::new(Wheel::new(clock::now())),
            closed: AtomicBool::new(false),
            next: AtomicU64::new(u64::MAX),
        }
    }

    /// Arms a timer; says whether it is now the first to fire. Gives the action
    /// back if the runtime is over.
    fn insert(&self, deadline: u64, action: Action) -> Result<(Key, bool), Action> {
        let mut wheel = self.wheel.lock();
        if self.closed.load(Ordering::Relaxed) {
            return Err(action);
        }
        let key = wheel.insert(deadline, action);
        let first = deadline < self.next.load(Ordering::Relaxed);
        if first {
            self.next.store(deadline, Ordering::Relaxed);
        }
        Ok((key, first))
    }

    /// The tick at which somebody must look, if any.
    pub(crate) fn next(&self) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        (next != u64::MAX).then_some(next)
    }

    /// Fires what is due. Returns how many timers fired.
    pub(crate) fn fire(&self, now: u64) -> usize {
        if self.next().is_none_or(|next| next > now) {
            return 0;
        }
        let mut due = Vec::new();
        let mut wheel = self.wheel.lock();
        wheel.advance(now, &mut due);
        let next = wheel.next_deadline().unwrap_or(u64::MAX);
        self.next.store(next, Ordering::Relaxed);
        drop(wheel);
        let fired = due.len();
        for action in due {
            match action {
                Action::Wake(waker) => wake_caught(waker),
                Action::Send(to, message) => crate::process::send_message(to, message),
            }
        }
        fired
    }

    /// The runtime is over: whoever waits must look for another one.
    pub(crate) fn close(&self) {
        let mut left = Vec::new();
        let mut wheel = self.wheel.lock();
        self.closed.store(true, Ordering::Relaxed);
        wheel.advance(u64::MAX, &mut left);
        drop(wheel);
        self.next.store(u64::MAX, Ordering::Relaxed);
        for action in left {
            match action {
                Action::Wake(waker) => wake_caught(waker),
                Action::Send(_, message) => crate::process::drop_dead_letter(message.0),
            }
        }
    }

    /// How many timers are armed.
    pub(crate) fn len(&self) -> usize {
        self.wheel.lock().len()
    }
}

/// Names one timer of [`send_after`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerRef {
    runtime: u32,
    wheel: u32,
    key: Key,
}

impl TimerRef {
    /// Works on the wheel that the timer is in, if its runtime still exists.
    fn with_wheel<T>(self, work: impl FnOnce(&mut Wheel<Action>) -> T) -> Option<T> {
        let mut work = Some(work);
        // Mostly it is the wheel of this very worker.
        let here = local::try_with(|local| {
            let worker = local.worker.get()?;
            if (worker.shared.id, worker.seat) != (self.runtime, self.wheel as usize) {
                return None;
            }
            work.take()
                .map(|work| work(&mut worker.timers().wheel.lock()))
        });
        if let Some(result) = here.flatten() {
            return Some(result);
        }
        let work = work?;
        scheduler::with_runtime(self.runtime, |shared| {
            let timers = shared.timers(self.wheel as usize);
            work(&mut timers.wheel.lock())
        })
    }

    fn cancel(self) -> Option<(u64, Action)> {
        self.with_wheel(|wheel| wheel.remove(self.key))?
    }
}

impl Worker {
    /// Arms a timer on this worker's wheel. Gives the action back if the runtime
    /// is over.
    fn arm(&self, deadline: u64, action: Action) -> Result<TimerRef, Action> {
        // The worker is awake, and looks at its wheel before it sleeps.
        let (key, _) = self.timers().insert(deadline, action)?;
        Ok(TimerRef {
            runtime: self.shared.id,
            wheel: self.seat as u32,
            key,
        })
    }
}

/// Arms a timer on the current worker, else on the first one of `shared`. Gives
/// the action back if that runtime is over.
fn arm(shared: &Shared, deadline: u64, action: Action) -> Result<TimerRef, Action> {
    let mut action = Some(action);
    let here = local::try_with(|local| {
        let worker = local
            .worker
            .get()
            .filter(|worker| worker.shared.id == shared.id)?;
        action.take().map(|action| worker.arm(deadline, action))
    });
    if let Some(armed) = here.flatten() {
        return armed;
    }
    let Some(action) = action else {
        unreachable!("taken only to be armed");
    };
    let wheel = 0;
    let (key, first) = shared.timers(wheel).insert(deadline, action)?;
    if first {
        // The worker may sleep past the new deadline.
        shared.wheel_has_changed(wheel);
    }
    Ok(TimerRef {
        runtime: shared.id,
        wheel: wheel as u32,
        key,
    })
}

/// Sends `message` to `to` after a time (OTP: `erlang:send_after/3`).
///
/// The time is rounded up to milliseconds. If `to` is gone by then the message is
/// dropped. The timer is a separate sender: there is no order between its
/// message and others.
///
/// # Panics
///
/// Outside a process; [`Handle::send_after`](crate::Handle::send_after) works anywhere.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::time::Duration;
/// use regrow_runtime::{cancel_timer, read_timer, receive, self_pid, send_after};
///
/// send_after(Duration::from_millis(1), self_pid(), "tick");
/// assert_eq!(receive::<&str>().await, "tick");
///
/// let timer = send_after(Duration::from_secs(60), self_pid(), "never");
/// assert!(read_timer(timer).is_some());
/// assert!(cancel_timer(timer).unwrap() > Duration::from_secs(50));
/// assert_eq!(cancel_timer(timer), None);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn send_after<M: Send + 'static>(after: Duration, to: Pid, message: M) -> TimerRef {
    let message = Message::new(message);
    scheduler::with_current("send_after", |shared| {
        send_after_on(shared, after, to, message)
    })
}

/// Cancels a timer and returns the time that was left, or `None` if it has fired,
/// was cancelled, or never was (OTP: `erlang:cancel_timer/1`). A message that has
/// fired may still wait in the mailbox.
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
    let (deadline, action) = timer.cancel()?;
    has_receiver(&action).then(|| time_left(deadline))
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
    let deadline = timer.with_wheel(|wheel| {
        let (deadline, action) = wheel.get(timer.key)?;
        has_receiver(action).then_some(deadline)
    })??;
    Some(time_left(deadline))
}

/// A timer vanishes with its receiver.
fn has_receiver(action: &Action) -> bool {
    match action {
        Action::Send(to, _) => crate::process::seems_alive(*to),
        Action::Wake(_) => true,
    }
}

/// In whole milliseconds, so that it is never more than what was asked for.
fn time_left(deadline: u64) -> Duration {
    Duration::from_millis(clock::until(deadline).as_millis() as u64)
}

/// Wakes whoever polls it once a time is over. Disarmed when dropped.
#[derive(Debug)]
pub(crate) struct Alarm {
    after: Duration,
    armed: Option<(TimerRef, u64)>,
}

impl Alarm {
    pub(crate) fn new(after: Duration) -> Self {
        Alarm { after, armed: None }
    }

    /// Ready once the time, counted from the first poll, is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((timer, deadline)) = self.armed else {
            return self.arm(clock::deadline(self.after), cx.waker());
        };
        let waiting = timer.with_wheel(|wheel| {
            let (_, action) = wheel.get(timer.key)?;
            Some(matches!(action, Action::Wake(waker) if waker.will_wake(cx.waker())))
        });
        match waiting.flatten() {
            Some(true) => return Poll::Pending,
            Some(false) => drop(timer.cancel()),
            None if clock::now() >= deadline => {
                self.armed = None;
                return Poll::Ready(());
            }
            // The runtime whose timer it was has ended: another one's will do.
            None => {}
        }
        self.arm(deadline, cx.waker())
    }

    fn arm(&mut self, deadline: u64, waker: &Waker) -> Poll<()> {
        let here = local::try_with(|local| {
            let worker = local.worker.get()?;
            worker.arm(deadline, Action::Wake(waker.clone())).ok()
        });
        if let Some(timer) = here.flatten() {
            self.armed = Some((timer, deadline));
            return Poll::Pending;
        }
        self.arm_elsewhere(deadline, waker)
    }

    #[cold]
    fn arm_elsewhere(&mut self, deadline: u64, waker: &Waker) -> Poll<()> {
        loop {
            let action = Action::Wake(waker.clone());
            let armed = scheduler::any_runtime(|shared| arm(shared, deadline, action));
            if let Some(Ok(timer)) = armed {
                self.armed = Some((timer, deadline));
                return Poll::Pending;
            }
            // In a process: its runtime is over, and it has been killed already.
            if crate::process::try_self_pid().is_some() {
                return Poll::Pending;
            }
            // Without a runtime nothing would ever wake us. If there was one, it
            // ended just now, and the next question finds another.
            if armed.is_none() {
                return Poll::Ready(());
            }
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some((timer, _)) = self.armed.take() {
            drop(timer.cancel());
        }
    }
}

/// The future of [`sleep`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep(Alarm);

/// Waits for a time, rounded up to milliseconds and counted from the first poll.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::time::{Duration, Instant};
/// let start = Instant::now();
/// regrow_runtime::sleep(Duration::from_millis(5)).await;
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn sleep(after: Duration) -> Sleep {
    Sleep(Alarm::new(after))
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx)
    }
}

/// Arms a timer for a message. If the runtime is over, the message is dropped.
pub(crate) fn send_after_on(
    shared: &Shared,
    after: Duration,
    to: Pid,
    message: Message,
) -> TimerRef {
    match arm(shared, clock::deadline(after), Action::Send(to, message)) {
        Ok(timer) => timer,
        Err(action) => {
            if let Action::Send(_, message) = action {
                crate::process::drop_dead_letter(message.0);
            }
            TimerRef {
                runtime: 0,
                wheel: 0,
                key: Key::default(),
            }
        }
    }
}
