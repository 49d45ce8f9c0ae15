//! TCP sockets: `std::net` sockets in nonblocking mode, as sources of the reactor.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::queued::Queued;
use super::stream::StreamSocket;
use super::{BACKLOG, ToSocketAddrs, lookup_host, reactor};
use crate::process::wait_site::wait_here;

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
    socket: Queued<std::net::TcpListener>,
}

impl TcpListener {
    /// Opens a socket that listens on the first of the addresses that can be had. Port 0 lets the
    /// system choose a port.
    ///
    /// A host name is looked up on the spot, which may block; where that matters give what
    /// [`lookup_host`](super::lookup_host) has found.
    ///
    /// # Errors
    ///
    /// Those of `std::net::TcpListener::bind`, such as [`io::ErrorKind::AddrInUse`]; and it fails
    /// outside a process.
    pub fn bind(addresses: impl std::net::ToSocketAddrs) -> io::Result<TcpListener> {
        // First, so that nothing is bound outside a process.
        reactor()?;
        let listener = std::net::TcpListener::bind(addresses)?;
        // Again, with more room than the standard library gives: where a crowd
        // overflows it, each of the rest waits a second for its next try. The
        // system cuts this down to its own limit.
        SockRef::from(&listener).listen(BACKLOG)?;
        TcpListener::from_std(listener)
    }

    /// Takes over a listening socket of the standard library, which becomes nonblocking. That is
    /// the way for options that must be set before a socket is bound.
    ///
    /// # Errors
    ///
    /// Those of the system calls; and it fails outside a process.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let reactor = reactor()?;
        listener.set_nonblocking(true)?;
        let socket = Queued::new(reactor, listener)?;
        Ok(TcpListener { socket })
    }

    /// Waits for a connection; returns it and the address of its other end.
    ///
    /// Several processes may accept from one listener; see [`net`](crate::net). Dropping the future
    /// loses no connection.
    ///
    /// # Errors
    ///
    /// Those of the system call, none of which ends the listener. A connection may be gone before
    /// it was accepted ([`io::ErrorKind::ConnectionAborted`]), or the program may have too many
    /// open files: then the connection stays where it is, and it is wise to pause before the next
    /// attempt, which would fail at once.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> {
        wait_here(async move {
            // Before a connection is taken that nobody could have.
            let reactor = reactor()?;
            let (stream, peer) = self.socket.read(|socket| socket.accept()).await?;
            stream.set_nonblocking(true)?;
            Ok((StreamSocket::register(reactor, stream)?, peer))
        })
    }

    /// The address that it listens on, with the port that the system has chosen.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }

    /// How many routers a packet of its connections may pass.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.get_ref().ttl()
    }

    /// Sets [`ttl`](TcpListener::ttl).
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get_ref().set_ttl(ttl)
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get_ref().as_fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.get_ref().fmt(f)
    }
}

/// A TCP connection.
///
/// See [`StreamSocket`] for reading and writing it, its halves and its end. Options that have no
/// method here are set through its descriptor, with `socket2::SockRef` for one. Not kTLS
/// (`TCP_ULP`) and not `SO_RCVLOWAT`: a read that brings less than asked for is taken to have
/// brought all that is there, and the next one waits for an event, which with these may not come
/// though there are bytes. An [`Fd`](super::Fd) of such a socket tries each time.
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
pub type TcpStream = StreamSocket<std::net::TcpStream>;

impl TcpStream {
    /// Connects to the first of the addresses that answers, trying one after the other.
    ///
    /// There is no timeout but the system's, which is minutes; [`timeout`](crate::timeout()) sets
    /// another. A host name is looked up by [`lookup_host`](super::lookup_host): meanwhile the
    /// worker runs other processes.
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
    #[track_caller]
    pub fn connect(addresses: impl ToSocketAddrs) -> impl Future<Output = io::Result<TcpStream>> {
        wait_here(async move {
            let addresses = lookup_host(addresses).await?;
            let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to");
            for address in addresses {
                match TcpStream::connect_to(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
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
        let stream = StreamSocket::register(reactor, std::net::TcpStream::from(socket))?;
        stream.write_with(connected).await?;
        Ok(stream)
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// Those of the system call, for instance after the other end has reset the connection.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().local_addr()
    }

    /// Waits for bytes, and copies them without taking them: they are there for the next read. 0 is
    /// the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        wait_here(async move { self.read_with(|socket| socket.peek(buffer)).await })
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.get_ref().nodelay()
    }

    /// Sends small writes at once (`true`) or gathers them while earlier ones are not yet
    /// acknowledged (`false`, the default).
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.get_ref().set_nodelay(nodelay)
    }

    /// How many routers a packet may pass.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn ttl(&self) -> io::Result<u32> {
        self.get_ref().ttl()
    }

    /// Sets [`ttl`](TcpStream::ttl).
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.get_ref().set_ttl(ttl)
    }

    /// How long the system goes on sending after the connection is dropped (`SO_LINGER`), in
    /// seconds; `None`, the default: until it is done.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self.get_ref()).linger()
    }

    /// Sets [`linger`](TcpStream::linger). Zero is the one value to use: dropping the connection
    /// then resets it at once, and what was not sent yet is lost. With any other the drop *blocks*
    /// its worker until everything is sent or the time is over; to know that the other end has got
    /// everything, close the writing side and read to the end instead.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for more than zero; those of the system call.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        if linger.is_some_and(|linger| !linger.is_zero()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "lingering would block a worker: close the writing side and read to the end",
            ));
        }
        SockRef::from(self.get_ref()).set_linger(linger)
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
