//! A registered I/O object, and attempts on it.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::direction::Direction;
use super::{Directions, Reactor};
use crate::process::budget;

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

/// What a successful attempt says about the next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// It may succeed as well.
    Open,
    /// It would block, unless there is a mark.
    Blocks,
}

impl<T: AsFd> Source<T> {
    /// Registers an I/O object, which must be in nonblocking mode.
    pub(crate) fn new(reactor: Arc<Reactor>, io: T) -> io::Result<Self> {
        let (key, directions) = reactor.add(io.as_fd())?;
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

    #[cfg(test)]
    pub(super) fn key(&self) -> usize {
        self.key
    }

    /// Attempts an operation that reads until it does not block.
    ///
    /// One process at a time can wait: a newer waiter takes the place of an older one.
    pub(crate) fn poll_read_with<R>(
        &self,
        cx: &mut Context<'_>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(&self.directions.read, cx, op, |_| Next::Open)
    }

    /// The same for a read from a stream of bytes that is short only if there was no more to read:
    /// TCP. (Records, or a Unix stream with descriptors among its bytes, end a read before that.)
    ///
    /// After a read of less than `room` bytes, the next one waits without an attempt.
    pub(crate) fn poll_read_some(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        op: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_with(&self.directions.read, cx, op, |&count| {
            // Nothing at all is the end of the stream, which everybody may read.
            if 0 < count && count < room {
                Next::Blocks
            } else {
                Next::Open
            }
        })
    }

    /// As `poll_read_with`, for an operation that writes.
    pub(crate) fn poll_write_with<R>(
        &self,
        cx: &mut Context<'_>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(&self.directions.write, cx, op, |_| Next::Open)
    }

    fn poll_with<R>(
        &self,
        direction: &Direction,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&T) -> io::Result<R>,
        next: impl FnOnce(&R) -> Next,
    ) -> Poll<io::Result<R>> {
        ready!(budget::poll_budget(budget::IO, &direction.refused, cx));
        loop {
            if let Some(claim) = direction.claim() {
                match op(&self.io) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => claim.spent(),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Poll::Ready(Err(error)),
                    Ok(value) => {
                        if next(&value) == Next::Blocks && !self.directions.is_marked() {
                            claim.drained();
                        }
                        return Poll::Ready(Ok(value));
                    }
                }
            }
            if direction.wait(cx.waker()) {
                return Poll::Pending;
            }
        }
    }
}

impl<T: AsFd> Drop for Source<T> {
    fn drop(&mut self) {
        self.reactor.remove(self.key, self.io.as_fd());
    }
}
