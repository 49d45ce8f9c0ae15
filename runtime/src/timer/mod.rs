//! Timers: one wheel for each seat of a worker, turned by whoever notices that it is due.
//!
//! - [`wheel`]: the wheel, pure; [`alarm`]: what wakes; [`dormant`]: what was to wake and is not
//!   wanted any more; [`send`]: what sends a message; [`interval`]: again and again; [`limit`]: a
//!   time for any future; [`errand`]: what is nobody's work when it is due.
//!
//! # A timer goes with the process that it is aimed at
//!
//! | who | does | in this order |
//! |---|---|---|
//! | arms | marks the owner word, and finds the process's runtime in it; locks one of that runtime's wheels; sees that the generation is still the process's; inserts; unlocks | [`owner::mark_timed`], `Timers::insert` |
//! | dies | takes the mark away with the runtime (`swap`); advances the generation; if it was marked, locks each wheel in turn and takes its entries out | `exit.rs`, [`release`] |
//!
//! Nothing is left behind: the arming thread found a runtime in the word, so the mark was
//! there before the swap, which sees it. Then both lock the same wheel. If the dying thread
//! is second it finds the entry. If it is first, its unlock hands its new generation to the
//! arming thread, which sees it and inserts nothing. An entry that has left the wheel is
//! nobody's any more: whoever took it (to fire or to cancel it) sends or drops it.
//! The model is in `loom.rs`.
//!
//! Messages are dropped outside of all locks: their drop is the user's code. Those of a dead
//! process are dropped as that process; no link or monitor has been told of its end by then.

mod alarm;
mod dormant;
mod errand;
mod interval;
mod limit;
#[cfg(all(test, loom))]
mod loom;
mod send;
mod wheel;

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::{Mutex, MutexGuard};

pub(crate) use self::alarm::Alarm;
pub use self::alarm::{Sleep, sleep};
pub(crate) use self::dormant::Dormant;
use self::errand::Errand;
use self::interval::Repeat;
pub use self::interval::send_interval;
pub(crate) use self::interval::{Tick, send_interval_on};
pub use self::limit::{TimeLimit, timeout};
pub use self::send::{
    Destination, TimedOut, TimerRef, cancel_timer, read_timer, send_after, start_timer,
};
use self::send::{Named, send_or_leave};
pub(crate) use self::send::{send_after_on, start_timer_on};
use self::wheel::{Key, Load, Wheel};
use crate::clock;
use crate::local;
use crate::message::Message;
use crate::panic::{contain, wake_caught};
use crate::pid::Pid;
use crate::process::drop_dead_letter;
use crate::process::info::seems_alive;
use crate::process::waker::plain_pid;
use crate::scheduler::{self, Shared};

/// How many entries of a dead process are taken out under one lock.
const LOT: usize = 256;

/// What a timer does when its time has come.
pub(crate) enum Action {
    Wake(Waker),
    Send(Pid, Message),
    SendNamed(Box<Named>),
    Repeat(Arc<Repeat>),
}

impl Action {
    /// Runs none of the user's code.
    fn fire(self, shared: &Arc<Shared>) {
        match self {
            Action::Wake(waker) if plain_pid(&waker).is_some() => waker.wake(),
            Action::Wake(waker) => Errand::Wake(waker).give_to_a_process(shared),
            Action::Send(to, message) => send_or_leave(shared, to, message),
            Action::SendNamed(named) => named.fire(shared),
            Action::Repeat(repeat) => repeat.fire(shared),
        }
    }

    /// Drops what will never fire.
    fn drop_unfired(self) {
        match self {
            Action::Wake(waker) => wake_caught(waker),
            Action::Send(_, message) => drop_dead_letter(message.0),
            Action::SendNamed(named) => named.drop_unfired(),
            Action::Repeat(repeat) => repeat.drop_unfired(),
        }
    }

    /// Whether there is, as far as one can see, somebody to fire at.
    fn has_receiver(&self) -> bool {
        self.aim().is_none_or(seems_alive)
    }
}

impl Load for Action {
    fn aim(&self) -> Option<Pid> {
        match self {
            Action::Send(to, _) => Some(*to),
            Action::Repeat(repeat) => repeat.aim(),
            Action::Wake(_) | Action::SendNamed(_) => None,
        }
    }

    fn again(&self) -> Option<(Self, u64)> {
        match self {
            Action::Repeat(repeat) => Some((Action::Repeat(repeat.clone()), repeat.ticks())),
            _ => None,
        }
    }
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

/// Why a timer was not armed. The action comes back.
enum NotArmed {
    /// The runtime is over, or the process that it is aimed at is dead.
    Over(Action),
    /// The wheel is full.
    Full(Action),
}

impl Timers {
    pub(crate) fn new() -> Self {
        Timers {
            wheel: Mutex::new(Wheel::new(clock::now())),
            closed: AtomicBool::new(false),
            next: AtomicU64::new(u64::MAX),
        }
    }

    /// Arms a timer, and tells the action its key; says whether it is now the first to
    /// fire. The process that it is aimed at must have been marked before.
    fn insert(
        &self,
        deadline: u64,
        action: Action,
        tell: impl FnOnce(&mut Action, Key),
    ) -> Result<(Key, bool), NotArmed> {
        let mut wheel = self.wheel.lock();
        // Under the lock: see the head of this file.
        if self.closed.load(Ordering::Relaxed) || !action.has_receiver() {
            return Err(NotArmed::Over(action));
        }
        let key = wheel
            .insert(deadline, action, tell)
            .map_err(NotArmed::Full)?;
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
    ///
    /// Whoever turns a wheel is in no turn, so nobody would notice if it were held up: what
    /// runs here is ours alone (`errand.rs`).
    pub(crate) fn fire(&self, now: u64, shared: &Arc<Shared>) -> usize {
        if self.next().is_none_or(|next| next > now) {
            return 0;
        }
        self.fire_from(self.wheel.lock(), now, shared)
    }

    /// The same, unless somebody is at the wheel: who does this for another must not wait for one
    /// who gets no processor.
    pub(crate) fn fire_if_free(&self, now: u64, shared: &Arc<Shared>) -> usize {
        if self.next().is_none_or(|next| next > now) {
            return 0;
        }
        let wheel = self.wheel.try_lock();
        wheel.map_or(0, |wheel| self.fire_from(wheel, now, shared))
    }

    fn fire_from(
        &self,
        mut wheel: MutexGuard<'_, Wheel<Action>>,
        now: u64,
        shared: &Arc<Shared>,
    ) -> usize {
        let mut due = Vec::new();
        wheel.advance(now, &mut due);
        let next = wheel.next_deadline().unwrap_or(u64::MAX);
        self.next.store(next, Ordering::Relaxed);
        drop(wheel);
        let fired = due.len();
        for action in due {
            action.fire(shared);
        }
        fired
    }

    /// Takes out what is aimed at a process that has died, for `end` to drop.
    fn release(&self, dead: Pid, end: fn(Action)) {
        let mut removed = Vec::new();
        loop {
            // Not all at once: others wait for the lock.
            let more = self.wheel.lock().remove_aimed(dead, LOT, &mut removed);
            removed.drain(..).for_each(end);
            if !more {
                return;
            }
        }
    }

    /// The runtime is over: whoever waits must look for another one.
    pub(crate) fn close(&self) {
        let mut wheel = self.wheel.lock();
        self.closed.store(true, Ordering::Relaxed);
        let left = wheel.clear();
        drop(wheel);
        self.next.store(u64::MAX, Ordering::Relaxed);
        for action in left {
            action.drop_unfired();
        }
    }

    /// Whoever arms a timer after this sees what the caller did before; what was
    /// armed before is seen by the caller.
    pub(crate) fn see_all(&self) {
        drop(self.wheel.lock());
    }

    /// How many timers are armed.
    pub(crate) fn len(&self) -> usize {
        self.wheel.lock().len()
    }
}

/// At the end of a process that timers were aimed at, once its generation has advanced:
/// takes them out of all wheels of its runtime, and drops their messages as whoever is
/// current. That must be the process itself: calls in them then fail when the others do,
/// and with its reason.
#[cold]
pub(crate) fn release(shared: &Shared, dead: Pid) {
    release_with(shared, dead, |action| {
        contain("the drop of a timer's message", || drop(action));
    });
}

/// The same for a process that was born in vain, and is nobody.
#[cold]
pub(crate) fn release_unborn(shared: &Shared, dead: Pid) {
    release_with(shared, dead, Action::drop_unfired);
}

fn release_with(shared: &Shared, dead: Pid, end: fn(Action)) {
    for wheel in 0..shared.workers() {
        shared.timers(wheel).release(dead, end);
    }
}

/// Arms a timer: in the wheel of the current worker, else in the first one of `shared`.
#[inline]
fn arm(
    shared: &Shared,
    deadline: u64,
    action: Action,
    tell: impl FnOnce(&mut Action, TimerRef),
) -> Result<TimerRef, NotArmed> {
    let here = local::try_with(|local| {
        let worker = local.worker.get()?;
        ptr::eq(&*worker.shared, shared).then_some(worker.seat)
    });
    let here = here.flatten();
    if here.is_none() && is_beyond(shared) {
        return Err(NotArmed::Over(action));
    }
    let wheel = here.unwrap_or(0);
    let timer = |key| TimerRef::new(shared.id, wheel, key);
    let (key, first) = shared
        .timers(wheel)
        .insert(deadline, action, |action, key| tell(action, timer(key)))?;
    // A worker is awake, and looks at its own wheel before it sleeps. Another one, or
    // who has our seat if we have lost it, may sleep past the new deadline.
    if first && (here.is_none() || scheduler::has_lost_seat()) {
        shared.wheel_has_changed(wheel);
    }
    Ok(timer(key))
}

/// The clocks of a simulation and of what is outside have nothing to do with each other.
#[cold]
fn is_beyond(shared: &Shared) -> bool {
    local::try_with(|local| shared.is_beyond(local)).unwrap_or(shared.is_simulated())
}

/// The error of whoever asks for one timer too many (OTP: `system_limit`).
#[cold]
fn too_many() -> ! {
    panic!("too many timers: 4294967295 wait in one wheel already")
}
