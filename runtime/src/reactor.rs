//! Readiness of sockets and other file descriptors: who waits for what is woken when it comes.
//!
//! A [`Reactor`] belongs to a runtime. A worker that has nothing else to do waits inside
//! [`Reactor::poll`]; there is no thread of its own. A [`Source`] is an I/O object registered
//! with it, once and for life, in edge mode: waiting again costs no system call.
//!
//! - `epoll`: the operating system's part of it.
//! - `direction`: the word by which a waiting process and an event meet, with the proof that no
//!   wake-up is lost.
//! - `source`: a registered I/O object, and attempts on it.
//!
//! An event names its source by an index that a later source may have inherited. That is
//! harmless: it finds itself told to try again, tries, and waits. So is an event for a process
//! that no longer waits, or no longer lives.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicUsize, fence};
use std::time::Duration;

use parking_lot::Mutex;
use slab::Slab;

use direction::{Direction, Waiter};
use epoll::{Events, Poller};

use crate::primitive::AtomicBool;

mod direction;
mod epoll;
#[cfg(all(test, loom))]
mod loom;
mod source;

pub(crate) use source::Source;

/// Wakes processes when their sources are ready; see the head of this file.
pub(crate) struct Reactor {
    poller: Poller,
    /// Held by the thread inside. An empty buffer, kept for its memory.
    inside: Mutex<Vec<Waiter>>,
    /// The sources by the key of their events. Held for a moment only, never while waking.
    sources: Mutex<Slab<Arc<Directions>>>,
    /// The length of `sources`, to be read without its lock.
    count: AtomicUsize,
}

/// What the reactor knows of one source.
#[derive(Default)]
struct Directions {
    read: Direction,
    write: Direction,
    /// An event has told of more than bytes: the end of the stream, an error, urgent data. From
    /// then on a short read does not mean that the next would block; see `direction`.
    marked: AtomicBool,
}

impl Directions {
    /// Before the event is told to the directions: whoever claims it must see this.
    fn mark(&self) {
        self.marked.store(true, Release);
    }

    fn is_marked(&self) -> bool {
        self.marked.load(Acquire)
    }
}

impl Reactor {
    /// Opens a poller of the operating system.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Reactor {
            poller: Poller::new()?,
            inside: Mutex::default(),
            sources: Mutex::default(),
            count: AtomicUsize::new(0),
        })
    }

    /// Waits for events, or for `notify`, and wakes the processes concerned; returns how many.
    /// Without a timeout it waits until there is a reason to return.
    ///
    /// `Ok(None)`, at once: another thread is inside.
    ///
    /// A notification is used up by the first thread that comes, also by one that only looks in
    /// with a timeout of zero. So a thread that goes to sleep uses `poll_unless`.
    pub(crate) fn poll(&self, timeout: Option<Duration>) -> io::Result<Option<usize>> {
        self.poll_unless(timeout, || false)
    }

    /// `poll`, but only looks in when `stop` is true. It is called once the thread has the reactor
    /// to itself, so whoever makes it true and then calls `notify` can be sure: this thread sees
    /// it, or its sleep is cut short.
    pub(crate) fn poll_unless(
        &self,
        timeout: Option<Duration>,
        stop: impl FnOnce() -> bool,
    ) -> io::Result<Option<usize>> {
        let Some(mut inside) = self.inside.try_lock() else {
            return Ok(None);
        };
        // Pairs with the fence in `notify`.
        fence(SeqCst);
        let timeout = if stop() {
            Some(Duration::ZERO)
        } else {
            timeout
        };
        let mut events = Events::new();
        let events = self.poller.wait(&mut events, timeout)?;
        let mut waiters = std::mem::take(&mut *inside);
        if events.len() > 0 {
            let sources = self.sources.lock();
            for event in events {
                let Some(source) = sources.get(event.key) else {
                    continue;
                };
                if event.is_mark {
                    source.mark();
                }
                if event.is_readable {
                    waiters.extend(source.read.signal());
                }
                if event.is_writable {
                    waiters.extend(source.write.signal());
                }
            }
        }
        drop(inside);
        let woken = waiters.len();
        for waiter in waiters.drain(..) {
            waiter.wake();
        }
        if let Some(mut inside) = self.inside.try_lock() {
            *inside = waiters;
        }
        Ok(Some(woken))
    }

    /// Makes the thread inside `poll` return, or the next one to enter.
    pub(crate) fn notify(&self) {
        // What the caller has done before is seen by the `stop` of a thread that this
        // notification does not reach.
        fence(SeqCst);
        self.poller.notify();
    }

    /// Whether there are no sources, so that looking for events is a waste of time.
    pub(crate) fn is_empty(&self) -> bool {
        self.sources() == 0
    }

    /// How many sources there are.
    pub(crate) fn sources(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Whether there are sources and nobody is inside.
    pub(crate) fn is_unattended(&self) -> bool {
        !self.is_empty() && !self.inside.is_locked()
    }

    fn add(&self, io: BorrowedFd<'_>) -> io::Result<(usize, Arc<Directions>)> {
        let directions = Arc::new(Directions::default());
        let mut sources = self.sources.lock();
        let key = sources.insert(directions.clone());
        self.count.store(sources.len(), Relaxed);
        drop(sources);
        if let Err(error) = self.poller.add(io, key) {
            self.forget(key);
            return Err(error);
        }
        Ok((key, directions))
    }

    /// Undoes `add`, while the descriptor is open still.
    fn remove(&self, key: usize, io: BorrowedFd<'_>) {
        // First, so that no event comes for a key that another source has by now.
        self.poller.delete(io);
        self.forget(key);
    }

    fn forget(&self, key: usize) {
        let mut sources = self.sources.lock();
        let directions = sources.remove(key);
        self.count.store(sources.len(), Relaxed);
        // It may hold a foreign waker, whose drop is not for under the lock.
        drop(sources);
        drop(directions);
    }
}

#[cfg(test)]
mod tests;
