//! Unix datagram sockets.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;

use super::Patience;
use crate::net::queued::Queued;
use crate::net::reactor;
use crate::process::budget::{self, Refused, poll_budget};
use crate::process::wait_site::wait_here;

/// A socket for datagrams between processes of this machine. None is lost, doubled or overtaken;
/// a sender waits while the receiver's queue is full.
///
/// Any number of processes may send and receive with it side by side, through `&` or `Arc`; each
/// datagram is received by one of them. The file of a socket with a name stays when the socket is
/// dropped, as with [`UnixListener`](super::UnixListener).
///
/// ```
/// use regrow_runtime::net::UnixDatagram;
///
/// # fn main() -> std::io::Result<()> {
/// regrow_runtime::Runtime::new()?.block_on(async {
///     let (near, far) = UnixDatagram::pair()?;
///     near.send(b"one").await?;
///     near.send(b"two").await?;
///     let mut datagram = [0; 16];
///     let count = far.recv(&mut datagram).await?;
///     assert_eq!(&datagram[..count], b"one");
///     Ok(())
/// })
/// # }
/// ```
pub struct UnixDatagram {
    socket: Queued<std::os::unix::net::UnixDatagram>,
}

impl UnixDatagram {
    /// Makes a socket file and receives there.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] if there is a file of that name;
    /// [`io::ErrorKind::InvalidInput`] for a path of more than about 100 bytes; those of the system
    /// call. It fails outside a process.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`bind`](UnixDatagram::bind), at an address, which may be an abstract one.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        // First, so that no file is made outside a process.
        reactor()?;
        UnixDatagram::from_std(std::os::unix::net::UnixDatagram::bind_addr(address)?)
    }

    /// A socket without a name: it can send, and receive once it is connected and only from there,
    /// for nobody else can name it.
    ///
    /// # Errors
    ///
    /// Those of the system call; and it fails outside a process.
    pub fn unbound() -> io::Result<UnixDatagram> {
        reactor()?;
        UnixDatagram::from_std(std::os::unix::net::UnixDatagram::unbound()?)
    }

    /// Two connected sockets without a name.
    ///
    /// # Errors
    ///
    /// Those of the system call; and it fails outside a process.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        reactor()?;
        let (one, other) = std::os::unix::net::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_std(one)?, UnixDatagram::from_std(other)?))
    }

    /// Takes over a socket of the standard library, which becomes nonblocking.
    ///
    /// # Errors
    ///
    /// Those of the system calls; and it fails outside a process.
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> io::Result<UnixDatagram> {
        let reactor = reactor()?;
        socket.set_nonblocking(true)?;
        let socket = Queued::new(reactor, socket)?;
        Ok(UnixDatagram { socket })
    }

    fn get_ref(&self) -> &std::os::unix::net::UnixDatagram {
        self.socket.get_ref()
    }

    /// Makes the socket at this path the only one to [`send`](UnixDatagram::send) to and to receive
    /// from.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is no such file, [`io::ErrorKind::ConnectionRefused`]
    /// if nobody receives there; those of the system call.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.get_ref().connect(path)
    }

    /// As [`connect`](UnixDatagram::connect), to an address, which may be an abstract one.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        self.get_ref().connect_addr(address)
    }

    /// Sends a datagram to the socket at a path; returns its length.
    ///
    /// If the queue of that is full it tries again after 1 ms, and then less and less often, down
    /// to every 64: the system has no event for that. [`send`](UnixDatagram::send) has one.
    ///
    /// # Errors
    ///
    /// As [`connect`](UnixDatagram::connect), and those of sending: a datagram may be too long.
    #[track_caller]
    pub fn send_to(
        &self,
        datagram: &[u8],
        path: impl AsRef<Path>,
    ) -> impl Future<Output = io::Result<usize>> {
        wait_here(async move {
            self.send_to_addr(datagram, &SocketAddr::from_pathname(path)?)
                .await
        })
    }

    /// As [`send_to`](UnixDatagram::send_to), to an address, which may be an abstract one.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn send_to_addr(
        &self,
        datagram: &[u8],
        to: &SocketAddr,
    ) -> impl Future<Output = io::Result<usize>> {
        wait_here(async move {
            let mut patience = Patience::default();
            let refused = Refused::default();
            loop {
                // Past the queue of senders and the source: what these wait for is room at the other
                // end of the connection.
                poll_fn(|cx| poll_budget(budget::IO, &refused, cx)).await;
                match self.get_ref().send_to_addr(datagram, to) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        patience.wait().await
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result,
                }
            }
        })
    }

    /// Sends a datagram to where the socket is connected, and waits while the queue there is full.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotConnected`] if it is not connected,
    /// [`io::ErrorKind::ConnectionRefused`] or [`io::ErrorKind::ConnectionReset`] if the other end
    /// is gone; those of sending.
    #[track_caller]
    pub fn send(&self, datagram: &[u8]) -> impl Future<Output = io::Result<usize>> {
        wait_here(async move { self.socket.write(|socket| socket.send(datagram)).await })
    }

    /// Receives a datagram; returns its length and where it is from. What does not fit into the
    /// buffer is lost.
    ///
    /// A future that is dropped has received nothing.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    #[track_caller]
    pub fn recv_from(
        &self,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> {
        wait_here(async move { self.socket.read(|socket| socket.recv_from(buffer)).await })
    }

    /// Receives a datagram and returns its length. What does not fit into the buffer is lost.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UnixDatagram::recv_from).
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        wait_here(async move { self.socket.read(|socket| socket.recv(buffer)).await })
    }

    /// The address that it receives at.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().local_addr()
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotConnected`] if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().peer_addr()
    }

    /// The error that the system has kept for this socket since the last look, if any.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.get_ref().take_error()
    }

    /// Ends receiving, sending or both, for all who use this socket.
    ///
    /// # Errors
    ///
    /// Those of the system call, such as [`io::ErrorKind::NotConnected`].
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.get_ref().shutdown(how)
    }
}

impl AsFd for UnixDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get_ref().fmt(f)
    }
}
