//! Stream sockets: what TCP and Unix connections have in common.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::bytes::{async_read, async_write};
use super::reactor;
use super::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::reactor::{Reactor, Source};

/// A stream socket of the standard library. Nothing else can be one.
pub trait Socket: AsFd + fmt::Debug + Send + Sync + sealed::Socket {}

impl Socket for std::net::TcpStream {}
impl Socket for UnixStream {}

pub(super) mod sealed {
    use super::*;

    pub trait Socket: Sized {
        /// Whether a read that is short has taken every byte there was; see
        /// `Source::poll_read_some`.
        const SHORT_IS_ALL: bool;

        fn shutdown(&self, how: Shutdown) -> io::Result<()>;
        fn set_nonblocking(&self) -> io::Result<()>;
        fn take_error(&self) -> io::Result<Option<io::Error>>;
        fn reader(&self) -> impl Read;
        fn writer(&self) -> impl Write;
    }

    impl Socket for std::net::TcpStream {
        const SHORT_IS_ALL: bool = true;

        fn shutdown(&self, how: Shutdown) -> io::Result<()> {
            self.shutdown(how)
        }

        fn set_nonblocking(&self) -> io::Result<()> {
            self.set_nonblocking(true)
        }

        fn take_error(&self) -> io::Result<Option<io::Error>> {
            self.take_error()
        }

        fn reader(&self) -> impl Read {
            self
        }

        fn writer(&self) -> impl Write {
            self
        }
    }

    impl Socket for UnixStream {
        /// A read ends where descriptors were sent along.
        const SHORT_IS_ALL: bool = false;

        fn shutdown(&self, how: Shutdown) -> io::Result<()> {
            self.shutdown(how)
        }

        fn set_nonblocking(&self) -> io::Result<()> {
            self.set_nonblocking(true)
        }

        fn take_error(&self) -> io::Result<Option<io::Error>> {
            self.take_error()
        }

        fn reader(&self) -> impl Read {
            self
        }

        fn writer(&self) -> impl Write {
            self
        }
    }
}

/// A connection: a [`TcpStream`](super::TcpStream) or a [`UnixStream`](super::UnixStream).
///
/// It is read and written through [`AsyncRead`](futures_io::AsyncRead) and
/// [`AsyncWrite`](futures_io::AsyncWrite), which a reference to it implements as well: one process
/// can read while another writes, each with its own reference, be it `&` or `Arc`, or with one of
/// the halves of [`into_split`](StreamSocket::into_split). Dropping it closes the connection.
pub struct StreamSocket<T: Socket> {
    source: Source<T>,
}

impl<T: Socket> StreamSocket<T> {
    /// Takes over a connected socket of the standard library, which becomes nonblocking.
    ///
    /// # Errors
    ///
    /// Those of the system calls; and it fails outside a process.
    pub fn from_std(socket: T) -> io::Result<Self> {
        let reactor = reactor()?;
        socket.set_nonblocking()?;
        Self::register(reactor, socket)
    }

    /// `from_std`, for one that is nonblocking already.
    pub(super) fn register(reactor: Arc<Reactor>, socket: T) -> io::Result<Self> {
        let source = Source::new(reactor, socket)?;
        Ok(StreamSocket { source })
    }

    pub(super) fn get_ref(&self) -> &T {
        self.source.get_ref()
    }

    /// Attempts an operation that reads, or looks, until it does not block.
    pub(super) async fn read_with<R>(
        &self,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        poll_fn(|cx| self.source.poll_read_with(cx, &mut op)).await
    }

    /// The same for one that writes, or connects.
    pub(super) async fn write_with<R>(
        &self,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        poll_fn(|cx| self.source.poll_write_with(cx, &mut op)).await
    }

    /// Two borrowed halves, one to read and one to write, for a process that does both at a time.
    ///
    /// ```
    /// use futures_lite::future::zip;
    /// use futures_lite::{AsyncReadExt, AsyncWriteExt};
    /// use regrow_runtime::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// regrow_runtime::Runtime::new()?.block_on(async {
    ///     let (mut near, mut far) = UnixStream::pair()?;
    ///     let (mut from_far, mut to_far) = near.split();
    ///     let (mut from_near, mut to_near) = far.split();
    ///     // More than there is room for on the way: both have to read while they write.
    ///     let (question, answer) = (vec![1; 1 << 20], vec![2; 1 << 20]);
    ///     let (mut asked, mut answered) = (question.clone(), answer.clone());
    ///     let writing = zip(to_far.write_all(&question), to_near.write_all(&answer));
    ///     let reading = zip(from_near.read_exact(&mut asked), from_far.read_exact(&mut answered));
    ///     let ((a, b), (c, d)) = zip(writing, reading).await;
    ///     a.and(b).and(c).and(d)
    /// })
    /// # }
    /// ```
    pub fn split(&mut self) -> (ReadHalf<'_, T>, WriteHalf<'_, T>) {
        (ReadHalf(self), WriteHalf(self))
    }

    /// Two halves that go their own ways, each to a process of its own, say. Dropping the one that
    /// writes ends the writing side; the connection is closed when both are dropped.
    ///
    /// ```
    /// use futures_lite::{AsyncReadExt, AsyncWriteExt};
    /// use regrow_runtime::net::UnixStream;
    /// use regrow_runtime::spawn;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// regrow_runtime::Runtime::new()?.block_on(async {
    ///     let (near, mut far) = UnixStream::pair()?;
    ///     let (mut from_far, mut to_far) = near.into_split();
    ///     // However this process ends, the other end sees the end of what it has written.
    ///     spawn(async move { to_far.write_all(b"question").await });
    ///     let mut question = String::new();
    ///     far.read_to_string(&mut question).await?;
    ///     far.write_all(b"answer").await?;
    ///     let mut answer = [0; 6];
    ///     from_far.read_exact(&mut answer).await?;
    ///     assert_eq!((question.as_str(), &answer), ("question", b"answer"));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf<T>, OwnedWriteHalf<T>) {
        let stream = Arc::new(self);
        (
            OwnedReadHalf::new(stream.clone()),
            OwnedWriteHalf::new(stream),
        )
    }

    /// Ends reading, writing or both, for all who use this connection. The other end reads what
    /// was written and then the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of the system call, such as [`io::ErrorKind::NotConnected`].
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.get_ref().shutdown(how)
    }

    /// The error that the system has kept for this socket since the last look, if any.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.get_ref().take_error()
    }

    fn poll_read_io(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        mut op: impl FnMut(&mut dyn Read) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let op = |socket: &T| op(&mut socket.reader());
        if T::SHORT_IS_ALL {
            self.source.poll_read_some(cx, room, op)
        } else {
            self.source.poll_read_with(cx, op)
        }
    }

    fn poll_write_io(
        &self,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&mut dyn Write) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.source
            .poll_write_with(cx, |socket| op(&mut socket.writer()))
    }

    fn poll_flush_io(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close_io(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.shutdown(Shutdown::Write) {
            // The other end was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

async_read!(StreamSocket<T>; [T: Socket]; []);
async_write!(
    StreamSocket<T>; [T: Socket]; [];
    "Does nothing: a socket sends by itself what was written.",
    "Ends the writing side, and only that: the answer can still be read."
);

impl<T: Socket> AsFd for StreamSocket<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: Socket> fmt::Debug for StreamSocket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get_ref().fmt(f)
    }
}
