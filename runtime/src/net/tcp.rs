//! TCP sockets: `std::net` sockets in nonblocking mode, as sources of the reactor.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::line::Line;
use super::reactor;
use crate::reactor::Source;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// A socket that accepts TCP connections.
///
/// Dropping it closes the socket, and connections that were not accepted are reset.
///
/// ```
/// use regrow_runtime::net::{TcpListener, TcpStream};
/// use regrow_runtime::{Runtime, spawn};
///
/// # fn main() -> std::io::Result<()> {
/// Runtime::new()?.block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     spawn(async move { TcpStream::connect(address).await.map(drop) });
///     let (stream, peer) = listener.accept().await?;
///     assert_eq!(stream.peer_addr()?, peer);
///     Ok(())
/// })
/// # }
/// ```
pub struct TcpListener {
    source: Source<std::net::TcpListener>,
    /// A source has room for one waiting process; the acceptors queue here.
    acceptors: Line,
}

impl TcpListener {
    /// Opens a socket that listens on the first of the addresses that can be had. Port 0 lets the
    /// system choose a port.
    ///
    /// A host name is looked up on the spot, which may block; give a socket address where that
    /// matters.
    ///
    /// # Errors
    ///
    /// Those of `std::net::TcpListener::bind`, such as [`io::ErrorKind::AddrInUse`]; and it fails
    /// outside a process.
    pub fn bind(addresses: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let reactor = reactor()?;
        let listener = std::net::TcpListener::bind(addresses)?;
        // Again, with more room than the standard library gives: where a crowd
        // overflows it, each of the rest waits a second for its next try. The
        // system cuts this down to its own limit.
        SockRef::from(&listener).listen(BACKLOG)?;
        listener.set_nonblocking(true)?;
        Ok(TcpListener {
            source: Source::new(reactor, listener)?,
            acceptors: Line::default(),
        })
    }

    /// Waits for a connection; returns it and the address of its other end.
    ///
    /// Several processes may accept from one listener: they are served in the order in which they
    /// came, so a future that is kept without being polled holds up those behind it. Dropping it
    /// loses no connection.
    ///
    /// # Errors
    ///
    /// Those of the system call, none of which ends the listener. A connection may be gone before
    /// it was accepted ([`io::ErrorKind::ConnectionAborted`]), or the program may have too many
    /// open files: then the connection stays where it is, and it is wise to pause before the next
    /// attempt, which would fail at once.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let reactor = reactor()?;
        let place = self.acceptors.join();
        let (stream, peer) = poll_fn(|cx| {
            ready!(place.poll_first(cx));
            self.source.poll_read_with(cx, |socket| socket.accept())
        })
        .await?;
        stream.set_nonblocking(true)?;
        let source = Source::new(reactor, stream)?;
        Ok((TcpStream { source }, peer))
    }

    /// The address that it listens on, with the port that the system has chosen.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}

/// A TCP connection.
///
/// It is read and written through [`AsyncRead`] and [`AsyncWrite`], which `&TcpStream` implements
/// as well: one process can read while another writes, each with its own reference, be it `&`
/// or `Arc`. Dropping it closes the connection.
///
/// ```
/// use std::sync::Arc;
///
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use regrow_runtime::net::{TcpListener, TcpStream};
/// use regrow_runtime::{Runtime, spawn};
///
/// # fn main() -> std::io::Result<()> {
/// Runtime::new()?.block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let near = Arc::new(TcpStream::connect(listener.local_addr()?).await?);
///     let (far, _) = listener.accept().await?;
///
///     // One process writes, this one reads.
///     let writer = near.clone();
///     spawn(async move {
///         (&*writer).write_all(b"ping").await?;
///         (&*writer).close().await
///     });
///     let mut request = String::new();
///     (&far).read_to_string(&mut request).await?;
///     (&far).write_all(request.to_uppercase().as_bytes()).await?;
///     let mut answer = [0; 4];
///     (&*near).read_exact(&mut answer).await?;
///     assert_eq!(&answer, b"PING");
///     Ok(())
/// })
/// # }
/// ```
pub struct TcpStream {
    source: Source<std::net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first of the addresses that answers, trying one after the other.
    ///
    /// There is no timeout but the system's, which is minutes; race it against
    /// [`sleep`](crate::sleep) for another. A host name is looked up on the spot, which may block;
    /// give a socket address where that matters.
    ///
    /// # Errors
    ///
    /// That of the last address tried, such as [`io::ErrorKind::ConnectionRefused`], or of the
    /// look-up; [`io::ErrorKind::InvalidInput`] if there is no address. It fails outside a process.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use regrow_runtime::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// regrow_runtime::Runtime::new()?.block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = listener.local_addr()?;
    ///     drop(listener);
    ///     let refused = TcpStream::connect(address).await.unwrap_err();
    ///     assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn connect(addresses: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let addresses: Vec<SocketAddr> = addresses.to_socket_addrs()?.collect();
        let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to");
        for address in addresses {
            match TcpStream::connect_to(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
        let reactor = reactor()?;
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        let source = Source::new(reactor, std::net::TcpStream::from(socket))?;
        poll_fn(|cx| source.poll_write_with(cx, connected)).await?;
        Ok(TcpStream { source })
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// Those of the system call, for instance after the other end has reset the connection.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }

    /// Ends reading, writing or both, for all who use this connection. The other end reads what
    /// was written and then the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of the system call, such as [`io::ErrorKind::NotConnected`].
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.source.get_ref().shutdown(how)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.source.get_ref().nodelay()
    }

    /// Sends small writes at once (`true`) or gathers them while earlier ones are not yet
    /// acknowledged (`false`, the default).
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.source.get_ref().set_nodelay(nodelay)
    }
}

/// Whether a nonblocking `connect` goes on in the background. A signal does not end it either.
fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
        || matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
        )
}

/// How a `connect` in the background has ended; "would block" if it has not.
fn connected(socket: &std::net::TcpStream) -> io::Result<()> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}

impl AsyncRead for &TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.source
            .poll_read_some(cx, buffer.len(), |mut socket| socket.read(buffer))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        self.source
            .poll_read_some(cx, room, |mut socket| socket.read_vectored(buffers))
    }
}

impl AsyncWrite for &TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.source
            .poll_write_with(cx, |mut socket| socket.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.source
            .poll_write_with(cx, |mut socket| socket.write_vectored(buffers))
    }

    /// Does nothing: a socket sends by itself what was written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends the writing side, and only that: the answer can still be read.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.shutdown(Shutdown::Write) {
            // The other end was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buffer)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, buffers)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, buffers)
    }

    /// Does nothing: a socket sends by itself what was written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    /// Ends the writing side, and only that: the answer can still be read.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}
