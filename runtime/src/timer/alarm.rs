//! Timers that wake: under every sleep and timeout.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{Action, NotArmed, TimerRef, arm, dormant, too_many};
use crate::clock;
use crate::local;
use crate::process::wait_site::waiting_at;
use crate::process::waker::plain_pid;
use crate::scheduler;

/// Wakes whoever polls it once a time is over. Disarmed when dropped.
#[derive(Debug)]
pub(crate) struct Alarm(State);

#[derive(Debug)]
enum State {
    /// Not polled yet; the time counts from then.
    New(Duration),
    /// Polled, and without a timer: it is about to get one, or could not.
    Due(u64),
    Armed(Armed),
    Over,
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    deadline: u64,
    timer: TimerRef,
    /// When the timer fires: not before the deadline, unless it was another alarm's before.
    due: u64,
    /// The process that it wakes, packed, if that is by its plain waker.
    wakes: Option<u64>,
    /// The simulation that this was in; 0: none.
    simulation: u64,
}

impl Alarm {
    pub(crate) fn new(after: Duration) -> Self {
        Alarm(State::New(after))
    }

    /// Ready once the time, counted from the first poll, is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Armed {
            deadline, timer, ..
        } = match self.0 {
            State::Armed(armed) => armed,
            State::New(after) => return self.first_poll(after, cx),
            State::Due(deadline) if clock::now() < deadline => {
                return self.arm(deadline, cx.waker());
            }
            State::Due(_) | State::Over => return Poll::Ready(()),
        };
        let waiting = timer
            .look(|_, action| matches!(action, Action::Wake(waker) if waker.will_wake(cx.waker())));
        match waiting {
            Some(true) => return Poll::Pending,
            Some(false) => drop(timer.disarm()),
            None if clock::now() >= deadline => {
                self.0 = State::Over;
                return Poll::Ready(());
            }
            // It was due before, or the runtime whose timer it was has ended.
            None => {}
        }
        // First: to clone a waker is the user's code, and may panic.
        self.0 = State::Due(deadline);
        self.arm(deadline, cx.waker())
    }

    fn first_poll(&mut self, after: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let (now, deadline) = clock::now_and_deadline(after);
        let wakes = plain_pid(cx.waker());
        let Some((timer, due)) = wakes.and_then(|wakes| dormant::take(wakes, now, deadline)) else {
            self.0 = State::Due(deadline);
            return self.arm(deadline, cx.waker());
        };
        self.set(deadline, timer, due, wakes)
    }

    fn arm(&mut self, deadline: u64, waker: &Waker) -> Poll<()> {
        let here = local::try_with(|local| {
            let worker = local.worker.get()?;
            let action = Action::Wake(waker.clone());
            Some(arm(&worker.shared, deadline, action, |_, _| {}))
        });
        match here.flatten() {
            Some(Ok(timer)) => return self.armed(deadline, timer, waker),
            Some(Err(NotArmed::Full(_))) => too_many(),
            Some(Err(NotArmed::Over(_))) | None => {}
        }
        self.arm_elsewhere(deadline, waker)
    }

    #[cold]
    fn arm_elsewhere(&mut self, deadline: u64, waker: &Waker) -> Poll<()> {
        loop {
            let action = Action::Wake(waker.clone());
            let armed = scheduler::any_runtime(|shared| arm(shared, deadline, action, |_, _| {}));
            match &armed {
                Some(Ok(timer)) => return self.armed(deadline, *timer, waker),
                Some(Err(NotArmed::Full(_))) => too_many(),
                Some(Err(NotArmed::Over(_))) | None => {}
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

    fn armed(&mut self, deadline: u64, timer: TimerRef, waker: &Waker) -> Poll<()> {
        self.set(deadline, timer, deadline, plain_pid(waker))
    }

    fn set(&mut self, deadline: u64, timer: TimerRef, due: u64, wakes: Option<u64>) -> Poll<()> {
        self.0 = State::Armed(Armed {
            deadline,
            timer,
            due,
            wakes,
            simulation: this_simulation(),
        });
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let State::Armed(armed) = self.0 else {
            return;
        };
        match armed.wakes {
            // Simulations number processes and timers alike.
            Some(wakes) if armed.simulation == this_simulation() => {
                dormant::keep(wakes, armed.due, armed.timer);
            }
            _ => drop(armed.timer.disarm()),
        }
    }
}

fn this_simulation() -> u64 {
    local::try_with(|local| local.simulation.get()).unwrap_or(0)
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
#[track_caller]
pub fn sleep(after: Duration) -> Sleep {
    waiting_at(Location::caller());
    Sleep(Alarm::new(after))
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx)
    }
}
