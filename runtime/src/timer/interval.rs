//! Timers that send again and again.

use std::sync::Arc;
use std::time::Duration;

use regrow_mailbox::Envelope;

use super::Action;
use super::errand::Errand;
use super::send::{Destination, TimerRef, arm_or_drop, whereis};
use crate::clock;
use crate::message::Message;
use crate::panic::{contain, discard};
use crate::pid::Pid;
use crate::process::info::seems_alive;
use crate::process::{offer_message, signal};
use crate::scheduler::{self, Shared};

/// What an interval sends, and where. The wheel keeps it; each firing has a share.
pub(crate) struct Repeat {
    to: Destination,
    runtime: u32,
    ticks: u64,
    make: Box<dyn Fn() -> Message + Send + Sync>,
}

impl Repeat {
    pub(super) fn aim(&self) -> Option<Pid> {
        match self.to {
            Destination::Pid(pid) => Some(pid),
            Destination::Name(_) => None,
        }
    }

    pub(super) fn ticks(&self) -> u64 {
        self.ticks
    }

    pub(super) fn fire(self: Arc<Self>, shared: &Arc<Shared>) {
        let receiver = match &self.to {
            Destination::Pid(pid) => Some(*pid).filter(|&pid| seems_alive(pid)),
            Destination::Name(name) => whereis(self.runtime, name),
        };
        let left = match receiver {
            Some(receiver) => Tick::send(receiver, self),
            None => Some(self),
        };
        // The last share has the message, whose drop is the user's code.
        if let Some(last) = left.and_then(Arc::into_inner) {
            Errand::DropRepeat(last).give_to_a_process(shared);
        }
    }

    pub(super) fn drop_unfired(self: Arc<Self>) {
        discard("the drop of an interval's message", self);
    }
}

/// What an interval sends: its receiver makes the message. A clone is the user's code, and
/// who turns the wheel must not wait for it.
pub(crate) struct Tick(Arc<Repeat>);

impl Tick {
    /// What did not get there comes back.
    fn send(to: Pid, repeat: Arc<Repeat>) -> Option<Arc<Repeat>> {
        let tick = Message(Envelope::new(0, signal::TICK, Tick(repeat)));
        let (_, refused) = offer_message(to, tick).err()?;
        refused.downcast::<Tick>().ok().map(|Tick(repeat)| repeat)
    }

    /// The message, unless making it panics.
    pub(crate) fn into_message(self) -> Option<Message> {
        let mut message = None;
        contain("the clone of an interval's message", || {
            message = Some((self.0.make)());
        });
        self.0.drop_unfired();
        message
    }
}

/// Sends a clone of `message` to a process or a name again and again, until
/// [`cancel_timer`](crate::cancel_timer) (OTP: `timer:send_interval/3`).
///
/// The time between two is rounded up to milliseconds, and is at least one. The first
/// comes after that time. Nothing adds up: the hundredth is due a hundred times `every`
/// after the call, however late the others came. When the runtime has been held up, those
/// that are due meanwhile come together. Each clone is made by the receiver, when it has its
/// next turn.
///
/// As for [`send_after`](crate::send_after), an interval for a [`Pid`] vanishes when that
/// process ends; one for a name goes on, and looks the name up each time.
///
/// # Panics
///
/// As [`send_after`](crate::send_after). A panic of the clone is reported, and that
/// message left out.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::time::Duration;
/// use regrow_runtime::{cancel_timer, receive, self_pid, send_interval};
///
/// let timer = send_interval(Duration::from_millis(2), self_pid(), "tick");
/// for _ in 0..3 {
///     assert_eq!(receive::<&str>().await, "tick");
/// }
/// assert!(cancel_timer(timer).is_some());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn send_interval<M: Clone + Send + Sync + 'static>(
    every: Duration,
    to: impl Into<Destination>,
    message: M,
) -> TimerRef {
    scheduler::with_current("send_interval", |shared| {
        send_interval_on(shared, every, to.into(), message)
    })
}

pub(crate) fn send_interval_on<M: Clone + Send + Sync + 'static>(
    shared: &Arc<Shared>,
    every: Duration,
    to: Destination,
    message: M,
) -> TimerRef {
    let every = every.max(Duration::from_millis(1));
    let repeat = Repeat {
        to,
        runtime: shared.id,
        ticks: clock::ticks(every),
        make: Box::new(move || Message::new(message.clone())),
    };
    let action = Action::Repeat(Arc::new(repeat));
    arm_or_drop(shared, clock::deadline(every), action, |_, _| {})
}
