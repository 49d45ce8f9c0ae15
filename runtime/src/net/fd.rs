//! Any file descriptor that can be waited for.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::bytes::{async_read, async_write};
use super::reactor;
use crate::process::wait_site::wait_here;
use crate::reactor::Source;

/// Any file descriptor that can be waited for: pipes, terminals, `eventfd`, `timerfd`, `signalfd`,
/// `inotify`, devices, sockets of other kinds.
///
/// It takes whatever has a descriptor: the thing itself, a reference, an `Arc`. If a reference to
/// that can be read or written ([`Read`] for `&T`, as of [`std::fs::File`] and
/// [`std::io::PipeReader`]), then this is [`AsyncRead`](futures_io::AsyncRead) or
/// [`AsyncWrite`](futures_io::AsyncWrite); for anything else there are
/// [`read_with`](Fd::read_with) and [`write_with`](Fd::write_with). Dropping it drops the thing.
///
/// For each direction one process at a time may wait. Regular files and directories are refused:
/// for the system they are always ready, also when a read of them takes long.
///
/// Being nonblocking is a property of the open file, and not of the descriptor: all who have
/// inherited or duplicated the descriptor have it then. For the terminal of the program that may
/// be the shell; open `/dev/tty` anew rather than wrap the standard input.
///
/// ```
/// use std::fs::File;
/// use std::os::fd::OwnedFd;
/// use std::process::{Command, Stdio};
///
/// use futures_lite::AsyncReadExt;
/// use regrow_runtime::net::Fd;
///
/// # fn main() -> std::io::Result<()> {
/// regrow_runtime::Runtime::new()?.block_on(async {
///     let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
///     let Some(output) = child.stdout.take() else { unreachable!("it is piped") };
///     let mut output = Fd::new(File::from(OwnedFd::from(output)))?;
///     let mut text = String::new();
///     output.read_to_string(&mut text).await?;
///     assert_eq!(text, "hello\n");
///     child.wait().map(drop)
/// })
/// # }
/// ```
pub struct Fd<T: AsFd> {
    source: Source<T>,
}

impl<T: AsFd> Fd<T> {
    /// Makes it nonblocking and watches it from now on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] for what cannot be waited for, such as regular files;
    /// [`io::ErrorKind::AlreadyExists`] if this very descriptor has a wrapper already. It fails
    /// outside a process.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use regrow_runtime::net::Fd;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// let directory = std::fs::File::open("/")?;
    /// assert_eq!(Fd::new(directory).unwrap_err().kind(), ErrorKind::Unsupported);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn new(io: T) -> io::Result<Fd<T>> {
        // In this order, so that what is refused is not changed.
        let source = Source::new(reactor()?, io)?;
        rustix::io::ioctl_fionbio(source.get_ref(), true)?;
        Ok(Fd { source })
    }

    /// The thing inside. It may be used directly as well; it does not block.
    pub fn get_ref(&self) -> &T {
        self.source.get_ref()
    }

    /// Waits until a read would not block: there is something, or the end, or an error.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        wait_here(async move { self.read_with(|io| is_ready(io, PollFlags::IN)).await })
    }

    /// Waits until a write would not block: there is room, or an error.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        wait_here(async move { self.write_with(|io| is_ready(io, PollFlags::OUT)).await })
    }

    /// Attempts an operation that reads, again each time that there may be something to read,
    /// until it does not fail with [`io::ErrorKind::WouldBlock`]. It must not block.
    ///
    /// # Errors
    ///
    /// Those of the operation.
    ///
    /// ```
    /// use regrow_runtime::net::Fd;
    /// use rustix::event::{EventfdFlags, eventfd};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// let counter = Fd::new(eventfd(0, EventfdFlags::CLOEXEC)?)?;
    /// for number in [3u64, 4] {
    ///     counter.write_with(|fd| Ok(rustix::io::write(fd, &number.to_ne_bytes())?)).await?;
    /// }
    /// let mut sum = [0; 8];
    /// counter.read_with(|fd| Ok(rustix::io::read(fd, &mut sum)?)).await?;
    /// assert_eq!(u64::from_ne_bytes(sum), 7);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    #[track_caller]
    pub fn read_with<R>(
        &self,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        wait_here(async move { poll_fn(|cx| self.source.poll_read_with(cx, &mut op)).await })
    }

    /// As [`read_with`](Fd::read_with), for an operation that writes.
    ///
    /// # Errors
    ///
    /// Those of the operation.
    #[track_caller]
    pub fn write_with<R>(
        &self,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        wait_here(async move { poll_fn(|cx| self.source.poll_write_with(cx, &mut op)).await })
    }

    fn poll_read_io(
        &self,
        cx: &mut Context<'_>,
        _room: usize,
        mut op: impl FnMut(&mut dyn Read) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>
    where
        for<'a> &'a T: Read,
    {
        // Whether a short read has taken everything depends on what it is.
        self.source.poll_read_with(cx, |mut io| op(&mut io))
    }

    fn poll_write_io(
        &self,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&mut dyn Write) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>
    where
        for<'a> &'a T: Write,
    {
        self.source.poll_write_with(cx, |mut io| op(&mut io))
    }

    fn poll_flush_io(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        for<'a> &'a T: Write,
    {
        self.source.poll_write_with(cx, |mut io| io.flush())
    }

    fn poll_close_io(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        for<'a> &'a T: Write,
    {
        self.poll_flush_io(cx)
    }
}

/// "Would block", if it would.
fn is_ready(io: &impl AsFd, what: PollFlags) -> io::Result<()> {
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut asked = [PollFd::from_borrowed_fd(io.as_fd(), what)];
    match poll(&mut asked, Some(&at_once))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

async_read!(Fd<T>; [T: AsFd]; [for<'a> &'a T: Read]);
async_write!(
    Fd<T>; [T: AsFd]; [for<'a> &'a T: Write];
    "Flushes what is inside; a descriptor itself keeps nothing back.",
    "Flushes. A descriptor is closed by dropping it."
);

impl<T: AsFd> AsFd for Fd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Fd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fd").field(self.get_ref()).finish()
    }
}
