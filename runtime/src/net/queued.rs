//! An I/O object that any number of processes may use side by side.

use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::ready;

use super::line::Line;
use crate::reactor::{Reactor, Source};

/// A source has room for one waiting process in each direction; the others queue here.
pub(super) struct Queued<T: AsFd> {
    source: Source<T>,
    readers: Line,
    writers: Line,
}

impl<T: AsFd> Queued<T> {
    /// Registers an I/O object, which must be in nonblocking mode.
    pub(super) fn new(reactor: Arc<Reactor>, io: T) -> io::Result<Self> {
        Ok(Queued {
            source: Source::new(reactor, io)?,
            readers: Line::default(),
            writers: Line::default(),
        })
    }

    pub(super) fn get_ref(&self) -> &T {
        self.source.get_ref()
    }

    /// Waits for its turn, and then attempts an operation that reads until it does not block.
    pub(super) async fn read<R>(&self, mut op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let place = self.readers.join();
        poll_fn(|cx| {
            ready!(place.poll_first(cx));
            self.source.poll_read_with(cx, &mut op)
        })
        .await
    }

    /// The same for one that writes.
    pub(super) async fn write<R>(&self, mut op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let place = self.writers.join();
        poll_fn(|cx| {
            ready!(place.poll_first(cx));
            self.source.poll_write_with(cx, &mut op)
        })
        .await
    }
}
