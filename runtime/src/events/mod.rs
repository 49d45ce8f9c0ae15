//! What happens in a runtime, for whoever wants to know.
//!
//! Nobody wants to know, mostly: then an event costs one relaxed load of the kinds
//! that are wanted. A subscriber is a process, which gets messages, or a
//! [stream](EventStream) with room for so many and a count of those it missed, so
//! a slow one costs no memory.
//!
//! The list of subscribers is replaced as a whole, under its lock, and emitted to
//! outside of it: what follows from an event (a wake, a drop) may be user code,
//! and may subscribe.

mod kinds;
mod stream;

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

pub use self::kinds::EventKinds;
use self::stream::Feed;
pub use self::stream::{EventIter, EventStream, NextEvent};
use crate::message::Message;
use crate::pid::Pid;
use crate::process::cell::Flag;
use crate::process::links::with_header_or;
use crate::process::{self, self_pid};
use crate::reason::ExitReason;
use crate::scheduler;

/// Something that has happened in a runtime (OTP: messages of
/// `erlang:system_monitor/2` and trace messages about processes).
///
/// See [`subscribe`] and [`Handle::events`](crate::Handle::events). Events about one
/// process, and those about one name, arrive in the order in which they happened;
/// between others there is none.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A process was born.
    #[non_exhaustive]
    Spawned {
        /// The process.
        pid: Pid,
        /// Who spawned it, unless that was no process.
        parent: Option<Pid>,
        /// Where in the source that was.
        place: &'static Location<'static>,
    },
    /// A process has ended. Its name is free, and whoever is linked to it or
    /// monitors it hears of it next.
    #[non_exhaustive]
    Exited {
        /// The process.
        pid: Pid,
        /// Why it ended.
        reason: ExitReason,
    },
    /// A process does not let its worker go, or has not done so for long (OTP:
    /// `long_schedule`). See [`Builder::spare_workers`](crate::Builder::spare_workers).
    #[non_exhaustive]
    LongSchedule {
        /// The process.
        pid: Pid,
        /// Its registered name.
        name: Option<Arc<str>>,
        /// Its label.
        label: Option<Arc<str>>,
        /// Where it was spawned.
        place: &'static Location<'static>,
        /// How long its turn has lasted, so far if it goes on.
        ran_for: Duration,
    },
    /// The mailbox of a process has grown long (OTP: `long_message_queue`).
    #[non_exhaustive]
    LongQueue {
        /// The process.
        pid: Pid,
        /// The number of messages in it.
        len: usize,
    },
    /// A process got a name.
    #[non_exhaustive]
    Registered {
        /// The name.
        name: Arc<str>,
        /// The process.
        pid: Pid,
    },
    /// A name was taken away from a process, which may have ended.
    #[non_exhaustive]
    Unregistered {
        /// The name.
        name: Arc<str>,
        /// The process that had it.
        pid: Pid,
    },
}

impl Event {
    /// The process that it happened to.
    pub fn pid(&self) -> Pid {
        match self {
            Event::Spawned { pid, .. }
            | Event::Exited { pid, .. }
            | Event::LongSchedule { pid, .. }
            | Event::LongQueue { pid, .. }
            | Event::Registered { pid, .. }
            | Event::Unregistered { pid, .. } => *pid,
        }
    }

    /// Its kind, as one asks for it.
    pub fn kind(&self) -> EventKinds {
        match self {
            Event::Spawned { .. } => EventKinds::SPAWNED,
            Event::Exited { .. } => EventKinds::EXITED,
            Event::LongSchedule { .. } => EventKinds::LONG_SCHEDULE,
            Event::LongQueue { .. } => EventKinds::LONG_QUEUE,
            Event::Registered { .. } => EventKinds::REGISTERED,
            Event::Unregistered { .. } => EventKinds::UNREGISTERED,
        }
    }
}

/// Who wants to know.
struct Subscriber {
    kinds: EventKinds,
    way: Way,
}

/// How it is told.
enum Way {
    Process(Pid),
    Stream(Feed),
}

/// Who has got an event, and may wait for it.
#[must_use = "whoever waits must be woken"]
pub(crate) struct Told {
    subscribers: Arc<[Arc<Subscriber>]>,
    kind: EventKinds,
}

impl Told {
    pub(crate) fn wake(self) {
        for subscriber in self.subscribers.iter() {
            if let Way::Stream(feed) = &subscriber.way
                && subscriber.kinds.contains(self.kind)
            {
                feed.wake();
            }
        }
    }
}

#[derive(Default)]
struct List {
    subscribers: Arc<[Arc<Subscriber>]>,
    /// The runtime is over: nothing will happen any more.
    closed: bool,
}

/// The subscribers of one runtime.
#[derive(Default)]
pub(crate) struct Events {
    /// The bits of all kinds that somebody wants. Written under the lock of `list`;
    /// whoever reads it a moment too early or too late has only then subscribed.
    wanted: AtomicU8,
    list: Mutex<List>,
}

impl Events {
    /// Whether anybody wants events of this kind. To be asked first: the rest is slow.
    #[inline]
    pub(crate) fn want(&self, kind: EventKinds) -> bool {
        self.wanted.load(Ordering::Relaxed) & kind.bits() != 0
    }

    /// Tells everybody who wants to know.
    #[cold]
    pub(crate) fn emit(&self, event: &Event) {
        self.put(event).wake();
    }

    /// The part of `emit` that runs no user code, for those who hold a lock: what is
    /// returned must be woken when they do not any more.
    ///
    /// Nobody is told about himself, lest an event bring about the next.
    #[cold]
    pub(crate) fn put(&self, event: &Event) -> Told {
        let subscribers = self.list.lock().subscribers.clone();
        let kind = event.kind();
        for subscriber in subscribers.iter() {
            if !subscriber.kinds.contains(kind) {
                continue;
            }
            match &subscriber.way {
                Way::Process(pid) if *pid == event.pid() => {}
                Way::Process(pid) => process::send_message(*pid, Message::new(event.clone())),
                Way::Stream(feed) => feed.put(event),
            }
        }
        Told { subscribers, kind }
    }

    pub(crate) fn subscribers(&self) -> usize {
        self.list.lock().subscribers.len()
    }

    /// Gives a process these events and no others; returns which it had.
    fn subscribe(&self, pid: Pid, kinds: EventKinds) -> EventKinds {
        let mut before = EventKinds::NONE;
        if kinds.is_empty() && position_of(&self.list.lock().subscribers, pid).is_none() {
            return before;
        }
        self.change(|subscribers| {
            if let Some(at) = position_of(subscribers, pid) {
                before = subscribers.swap_remove(at).kinds;
            }
            if !kinds.is_empty() {
                let way = Way::Process(pid);
                subscribers.push(Arc::new(Subscriber { kinds, way }));
            }
        });
        before
    }

    /// The end of a process that may have subscribed.
    pub(crate) fn forget(&self, pid: Pid) {
        // Most have a label only, and mostly nobody has subscribed at all.
        if self.want(EventKinds::ALL) {
            self.subscribe(pid, EventKinds::NONE);
        }
    }

    /// Nothing happens any more: streams end.
    pub(crate) fn close(&self) {
        let mut list = self.list.lock();
        list.closed = true;
        drop(list);
        self.change(Vec::clear);
    }

    /// Replaces the list of subscribers.
    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Subscriber>>)) {
        let mut list = self.list.lock();
        let mut subscribers = list.subscribers.to_vec();
        change(&mut subscribers);
        if list.closed {
            subscribers.clear();
        }
        let wanted = subscribers.iter().fold(0, |all, it| all | it.kinds.bits());
        self.wanted.store(wanted, Ordering::Relaxed);
        let former = std::mem::replace(&mut list.subscribers, subscribers.into());
        drop(list);
        // The end of a feed wakes whoever waits for it: not under the lock.
        drop(former);
    }
}

fn position_of(subscribers: &[Arc<Subscriber>], pid: Pid) -> Option<usize> {
    let is_it = |it: &Arc<Subscriber>| matches!(it.way, Way::Process(its) if its == pid);
    subscribers.iter().position(is_it)
}

/// Has events of these kinds sent to the current process, as messages of type
/// [`Event`], until it ends or asks for others; returns what it had asked for before
/// (OTP: `erlang:system_monitor/2`). [`EventKinds::NONE`] ends it.
///
/// A process hears nothing about itself. A mailbox is not bounded by itself: a
/// process that may fall behind uses [`Handle::events`](crate::Handle::events), which
/// counts what it missed.
///
/// # Panics
///
/// Outside a process; [`Handle::events`](crate::Handle::events) works anywhere.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Event, EventKinds, receive, spawn, subscribe};
///
/// subscribe(EventKinds::SPAWNED | EventKinds::EXITED);
/// let child = spawn(async {});
/// let Event::Spawned { pid, .. } = receive::<Event>().await else { panic!() };
/// assert_eq!(pid, child);
/// let Event::Exited { reason, .. } = receive::<Event>().await else { panic!() };
/// assert_eq!(reason.to_string(), "normal");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn subscribe(kinds: EventKinds) -> EventKinds {
    let elsewhere = "; `Handle::events` works anywhere";
    with_header_or("subscribe", elsewhere, |header| {
        header.set(Flag::Listed, true);
    });
    let pid = self_pid();
    scheduler::with_current("subscribe", |shared| shared.events.subscribe(pid, kinds))
}
