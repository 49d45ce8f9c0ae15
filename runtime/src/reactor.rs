//! Readiness of sockets and other file descriptors: who waits for what is woken when it comes.
//!
//! A [`Reactor`] belongs to a runtime. A worker that has nothing else to do waits inside
//! [`Reactor::poll`]; there is no thread of its own. A [`Source`] is an I/O object registered
//! with it, once and for life, in edge mode: waiting again costs no system call.
//!
//! - `direction`: the word by which a waiting process and an event meet, with the proof that no
//!   wake-up is lost.
//!
//! An event names its source by an index that a later source may have inherited. That is
//! harmless: it finds itself told to try again, tries, and waits. So is an event for a process
//! that no longer waits, or no longer lives.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::fence;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use polling::{Event, Events, PollMode, Poller};
use slab::Slab;

use direction::{Direction, Waiter};

use crate::process::budget;

mod direction;

/// Wakes processes when their sources are ready; see the head of this file.
pub(crate) struct Reactor {
    poller: Poller,
    /// Held by the thread inside.
    inside: Mutex<Inside>,
    /// The sources by the key of their events. Held for a moment only, never while waking.
    sources: Mutex<Slab<Arc<Directions>>>,
    /// The length of `sources`, to be read without its lock.
    count: AtomicUsize,
}

/// What the thread inside works with.
struct Inside {
    events: Events,
    /// An empty buffer, kept for its memory.
    waiters: Vec<Waiter>,
}

#[derive(Default)]
struct Directions {
    read: Direction,
    write: Direction,
}

impl Reactor {
    /// Opens a poller of the operating system.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Reactor {
            poller: Poller::new()?,
            inside: Mutex::new(Inside {
                events: Events::new(),
                waiters: Vec::new(),
            }),
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
        inside.events.clear();
        self.poller.wait(&mut inside.events, timeout)?;
        let mut waiters = std::mem::take(&mut inside.waiters);
        if !inside.events.is_empty() {
            let sources = self.sources.lock();
            for event in inside.events.iter() {
                let Some(source) = sources.get(event.key) else {
                    continue;
                };
                if event.readable {
                    waiters.extend(source.read.signal());
                }
                if event.writable {
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
            inside.waiters = waiters;
        }
        Ok(Some(woken))
    }

    /// Makes the thread inside `poll` return, or the next one to enter.
    pub(crate) fn notify(&self) {
        // What the caller has done before is seen by the `stop` of a thread that this
        // notification does not reach.
        fence(SeqCst);
        // It can only fail if the event descriptor is gone, and this owns it.
        let _ = self.poller.notify();
    }

    /// Whether there are no sources, so that looking for events is a waste of time.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Relaxed) == 0
    }

    fn add(&self) -> (usize, Arc<Directions>) {
        let directions = Arc::new(Directions::default());
        let mut sources = self.sources.lock();
        let key = sources.insert(directions.clone());
        self.count.store(sources.len(), Relaxed);
        (key, directions)
    }

    fn remove(&self, key: usize) {
        let mut sources = self.sources.lock();
        let directions = sources.remove(key);
        self.count.store(sources.len(), Relaxed);
        // It may hold a foreign waker, whose drop is not for under the lock.
        drop(sources);
        drop(directions);
    }
}

/// An I/O object in nonblocking mode that processes can wait for.
///
/// It keeps the reactor, so it may outlive the runtime; then nobody wakes who waits for it.
pub(crate) struct Source<T: AsFd> {
    reactor: Arc<Reactor>,
    key: usize,
    directions: Arc<Directions>,
    /// Never given away or replaced: the registration is for its descriptor.
    io: T,
}

impl<T: AsFd> Source<T> {
    /// Registers an I/O object, which must be in nonblocking mode.
    pub(crate) fn new(reactor: Arc<Reactor>, io: T) -> io::Result<Self> {
        let (key, directions) = reactor.add();
        let source = io.as_fd().as_raw_fd();
        // SAFETY: the descriptor must be deleted from the poller before it is closed. `io` owns or
        // borrows it and is moved into a `Source`, which never lets go of it and whose `drop`
        // deletes the descriptor before `io` is dropped. If the source is forgotten, so is `io`,
        // and the descriptor stays open.
        let added = unsafe {
            reactor
                .poller
                .add_with_mode(source, Event::all(key), PollMode::Edge)
        };
        if let Err(error) = added {
            reactor.remove(key);
            return Err(error);
        }
        Ok(Source {
            reactor,
            key,
            directions,
            io,
        })
    }

    /// The I/O object. Reading and writing it is for the `poll_` functions.
    pub(crate) fn get_ref(&self) -> &T {
        &self.io
    }

    /// Attempts an operation that reads until it does not block.
    ///
    /// One process at a time can wait: a newer waiter takes the place of an older one.
    pub(crate) fn poll_read_with<R>(
        &self,
        cx: &mut Context<'_>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(&self.directions.read, cx, op)
    }

    /// The same for an operation that writes.
    pub(crate) fn poll_write_with<R>(
        &self,
        cx: &mut Context<'_>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(&self.directions.write, cx, op)
    }

    fn poll_with<R>(
        &self,
        direction: &Direction,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        ready!(budget::poll_budget(budget::IO, &direction.refused, cx));
        loop {
            let claim = direction.claim();
            match op(&self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    claim.spent();
                    if direction.wait(cx.waker()) {
                        return Poll::Pending;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl<T: AsFd> Drop for Source<T> {
    fn drop(&mut self) {
        // In this order, so that no event comes for a key that another source has by now. It can
        // fail only if the descriptor is not what was registered, and then there is nothing to do.
        let _ = self.reactor.poller.delete(&self.io);
        self.reactor.remove(self.key);
    }
}

#[cfg(test)]
mod tests;
