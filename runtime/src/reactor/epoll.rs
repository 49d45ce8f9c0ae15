//! The operating system's queue of events: Linux' epoll.
//!
//! One system call for a look, and one more for a sleep that ends at a time. That is why this is
//! not left to a portable crate: the one that we had made five for each, hid the end of a stream
//! among its events, and had to be called unsafely.
//!
//! Everything is registered in edge mode, the two descriptors of our own as well. So neither is
//! ever read: each write to `bell`, and each time that `alarm` goes off, is one event. One that
//! nobody waits for is kept for the next who comes. An alarm may go off after its sleeper was
//! woken by something else; then it wakes somebody for nothing, once.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

/// The key of our own descriptors. No source has it: a slab is never that large.
const OWN: u64 = u64::MAX;
/// How many events one look brings at most. There is room for them on the stack.
const EVENTS: usize = 256;

/// A queue of events.
pub(super) struct Poller {
    epoll: OwnedFd,
    /// An eventfd, written to by `notify`.
    bell: OwnedFd,
    /// A timer, because the timeout of epoll itself counts in milliseconds on older systems.
    alarm: OwnedFd,
}

/// Room for what one look brings.
pub(super) struct Events([MaybeUninit<epoll::Event>; EVENTS]);

/// One of them.
pub(super) struct Event {
    pub(super) key: usize,
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
    /// It tells of more than bytes; see `Directions::marked`.
    pub(super) is_mark: bool,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let poller = Poller {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            alarm: timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
        };
        for own in [&poller.bell, &poller.alarm] {
            let flags = EventFlags::IN | EventFlags::ET;
            epoll::add(&poller.epoll, own, EventData::new_u64(OWN), flags)?;
        }
        Ok(poller)
    }

    /// Registers a descriptor for all that can happen to it.
    pub(super) fn add(&self, io: BorrowedFd<'_>, key: usize) -> io::Result<()> {
        let flags =
            EventFlags::IN | EventFlags::OUT | EventFlags::PRI | EventFlags::RDHUP | EventFlags::ET;
        match epoll::add(&self.epoll, io, EventData::new_u64(key as u64), flags) {
            Err(Errno::PERM) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "files of this kind, such as regular files and directories, never wait and \
                 cannot be waited for: read and write them in `blocking`",
            )),
            result => Ok(result?),
        }
    }

    /// Undoes `add`. After that no event of it comes.
    pub(super) fn delete(&self, io: BorrowedFd<'_>) {
        // It can fail only if the descriptor is not the one that was added, because somebody has
        // closed that behind our back. Then there is nothing to delete.
        let _ = epoll::delete(&self.epoll, io);
    }

    /// Waits for events until `timeout`; without one, for as long as it takes.
    pub(super) fn wait<'a>(
        &self,
        events: &'a mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<impl ExactSizeIterator<Item = Event> + use<'a>> {
        const AT_ONCE: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let at_once = timeout.is_some_and(|timeout| timeout.is_zero());
        if let Some(timeout) = timeout
            && !at_once
        {
            let alarm = Itimerspec {
                it_interval: AT_ONCE,
                it_value: Timespec {
                    // Centuries, if it does not fit: as good as never.
                    tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: timeout.subsec_nanos().into(),
                },
            };
            timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &alarm)?;
        }
        let timeout = at_once.then_some(&AT_ONCE);
        let events = match epoll::wait(&self.epoll, &mut events.0, timeout) {
            Ok((events, _)) => events,
            // A signal came; whoever waits looks around, and waits again.
            Err(Errno::INTR) => &mut [],
            Err(error) => return Err(error.into()),
        };
        Ok(events.iter().map(Event::from))
    }

    /// Ends the wait that is going on, or the next.
    pub(super) fn notify(&self) {
        // It can fail only if the counter is full, which takes centuries, and then it has rung.
        let _ = rustix::io::write(self.bell.as_fd(), &1u64.to_ne_bytes());
    }
}

impl Events {
    pub(super) fn new() -> Self {
        Events([const { MaybeUninit::uninit() }; EVENTS])
    }
}

impl From<&epoll::Event> for Event {
    fn from(event: &epoll::Event) -> Self {
        let (flags, data) = (event.flags, event.data);
        let ends = EventFlags::HUP | EventFlags::ERR;
        let marks = ends | EventFlags::PRI | EventFlags::RDHUP;
        Event {
            key: data.u64() as usize,
            is_readable: flags.intersects(EventFlags::IN | marks),
            is_writable: flags.intersects(EventFlags::OUT | ends),
            is_mark: flags.intersects(marks),
        }
    }
}
