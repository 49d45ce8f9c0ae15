//! UDP sockets: `std::net` sockets in nonblocking mode, as sources of the reactor.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};

use super::queued::Queued;
use super::reactor;
use crate::process::wait_site::wait_here;

/// A UDP socket: it sends and receives datagrams, which may get lost, be doubled and overtake each
/// other on the way.
///
/// Any number of processes may send and receive with it side by side, through `&` or `Arc`; each
/// datagram is received by one of them. Options that have no method here are set through its
/// descriptor, with `socket2::SockRef` for one.
///
/// ```
/// use regrow_runtime::net::UdpSocket;
/// use regrow_runtime::{Runtime, spawn};
///
/// # fn main() -> std::io::Result<()> {
/// Runtime::new()?.block_on(async {
///     let server = UdpSocket::bind("127.0.0.1:0")?;
///     let address = server.local_addr()?;
///     spawn(async move {
///         let mut datagram = [0; 1500];
///         loop {
///             let (count, from) = server.recv_from(&mut datagram).await?;
///             datagram[..count].make_ascii_uppercase();
///             server.send_to(&datagram[..count], from).await?;
///         }
///         # #[allow(unreachable_code)]
///         Ok::<(), std::io::Error>(())
///     });
///
///     let client = UdpSocket::bind("127.0.0.1:0")?;
///     client.connect(address)?;
///     client.send(b"hello").await?;
///     let mut answer = [0; 1500];
///     let count = client.recv(&mut answer).await?;
///     assert_eq!(&answer[..count], b"HELLO");
///     Ok(())
/// })
/// # }
/// ```
pub struct UdpSocket {
    socket: Queued<std::net::UdpSocket>,
}

impl UdpSocket {
    /// Opens a socket at the first of the addresses that can be had. Port 0 lets the system choose
    /// a port.
    ///
    /// A host name is looked up on the spot, which may block; where that matters give what
    /// [`lookup_host`](super::lookup_host) has found.
    ///
    /// # Errors
    ///
    /// Those of `std::net::UdpSocket::bind`, such as [`io::ErrorKind::AddrInUse`]; and it fails
    /// outside a process.
    pub fn bind(addresses: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        // First, so that nothing is bound outside a process.
        reactor()?;
        UdpSocket::from_std(std::net::UdpSocket::bind(addresses)?)
    }

    /// Takes over a socket of the standard library, which becomes nonblocking. That is the way for
    /// options that must be set before a socket is bound.
    ///
    /// # Errors
    ///
    /// Those of the system calls; and it fails outside a process.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        let reactor = reactor()?;
        socket.set_nonblocking(true)?;
        let socket = Queued::new(reactor, socket)?;
        Ok(UdpSocket { socket })
    }

    fn get_ref(&self) -> &std::net::UdpSocket {
        self.socket.get_ref()
    }

    /// Makes the first of the addresses that will do the only one to [`send`](UdpSocket::send) to
    /// and to receive from. Nothing is sent, so nobody need be there.
    ///
    /// A host name is looked up on the spot, which may block; where that matters give what
    /// [`lookup_host`](super::lookup_host) has found.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn connect(&self, addresses: impl ToSocketAddrs) -> io::Result<()> {
        self.get_ref().connect(addresses)
    }

    /// Sends a datagram; returns its length. It waits for room in the system's buffer only.
    ///
    /// # Errors
    ///
    /// Those of the system call: a datagram may be too long, or what became of an earlier one is
    /// told now, such as [`io::ErrorKind::ConnectionRefused`] when nobody is there.
    #[track_caller]
    pub fn send_to(
        &self,
        datagram: &[u8],
        to: SocketAddr,
    ) -> impl Future<Output = io::Result<usize>> {
        wait_here(async move {
            self.socket
                .write(|socket| socket.send_to(datagram, to))
                .await
        })
    }

    /// As [`send_to`](UdpSocket::send_to), to where the socket is connected.
    ///
    /// # Errors
    ///
    /// As there, and [`io::ErrorKind::NotConnected`] (or the system's "destination address
    /// required") if it is not connected.
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
    /// Those of the system call, such as [`io::ErrorKind::ConnectionRefused`] if the socket is
    /// connected and a datagram reached nobody. None ends the socket.
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
    /// As [`recv_from`](UdpSocket::recv_from).
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        wait_here(async move { self.socket.read(|socket| socket.recv(buffer)).await })
    }

    /// As [`recv`](UdpSocket::recv), but the datagram is there for the next receive.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        wait_here(async move { self.socket.read(|socket| socket.peek(buffer)).await })
    }

    /// As [`recv_from`](UdpSocket::recv_from), but the datagram is there for the next receive.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn peek_from(
        &self,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> {
        wait_here(async move { self.socket.read(|socket| socket.peek_from(buffer)).await })
    }

    /// The address that it receives at, with the port that the system has chosen.
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

    /// Joins a multicast group, on the interface with this address; with the unspecified one the
    /// system chooses.
    ///
    /// # Errors
    ///
    /// Those of the system call, such as [`io::ErrorKind::InvalidInput`] for an address that is
    /// none of a group.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.get_ref().join_multicast_v4(group, interface)
    }

    /// Leaves a multicast group.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.get_ref().leave_multicast_v4(group, interface)
    }

    /// Joins a multicast group, on the interface with this index; with 0 the system chooses.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.get_ref().join_multicast_v6(group, interface)
    }

    /// Leaves a multicast group.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.get_ref().leave_multicast_v6(group, interface)
    }
}

/// Options that are read and set in the same way.
macro_rules! options {
    ($($get:ident, $set:ident: $type:ty, $is:literal;)*) => {
        impl UdpSocket {
            $(
                #[doc = $is]
                ///
                /// # Errors
                ///
                /// Those of the system call.
                pub fn $get(&self) -> io::Result<$type> {
                    self.get_ref().$get()
                }

                #[doc = concat!("Sets [`", stringify!($get), "`](UdpSocket::", stringify!($get), ").")]
                ///
                /// # Errors
                ///
                /// Those of the system call.
                pub fn $set(&self, value: $type) -> io::Result<()> {
                    self.get_ref().$set(value)
                }
            )*
        }
    };
}

options! {
    broadcast, set_broadcast: bool, "Whether it may send to broadcast addresses; at first not.";
    ttl, set_ttl: u32, "How many routers a datagram may pass.";
    multicast_ttl_v4, set_multicast_ttl_v4: u32,
        "How many routers a datagram to an IPv4 group may pass; at first 1: it stays in the local network.";
    multicast_loop_v4, set_multicast_loop_v4: bool,
        "Whether what it sends to an IPv4 group reaches members on this machine.";
    multicast_loop_v6, set_multicast_loop_v6: bool,
        "Whether what it sends to an IPv6 group reaches members on this machine.";
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get_ref().fmt(f)
    }
}
