//! Unix connections.

use std::future::Future;
use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::{Domain, Socket, Type};

use super::{Patience, system_address};
use crate::net::reactor;
use crate::net::stream::StreamSocket;
use crate::process::wait_site::wait_here;

/// A connection between two processes of this machine.
///
/// See [`StreamSocket`] for reading and writing it, its halves and its end.
///
/// ```
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use regrow_runtime::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// regrow_runtime::Runtime::new()?.block_on(async {
///     let (mut near, mut far) = UnixStream::pair()?;
///     near.write_all(b"hello").await?;
///     near.close().await?;
///     let mut text = String::new();
///     far.read_to_string(&mut text).await?;
///     assert_eq!(text, "hello");
///     Ok(())
/// })
/// # }
/// ```
pub type UnixStream = StreamSocket<std::os::unix::net::UnixStream>;

/// Who was at the other end of a Unix socket when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCredentials {
    /// The operating system's process.
    pub pid: i32,
    /// The user that it ran as.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl UnixStream {
    /// Two connected sockets without a name.
    ///
    /// # Errors
    ///
    /// Those of the system call; and it fails outside a process.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let reactor = reactor()?;
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        one.set_nonblocking(true)?;
        other.set_nonblocking(true)?;
        Ok((
            StreamSocket::register(reactor.clone(), one)?,
            StreamSocket::register(reactor, other)?,
        ))
    }

    /// Connects to the socket at a path. If its queue is full it waits until there is room, for as
    /// long as that takes.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is no such file, [`io::ErrorKind::ConnectionRefused`]
    /// if nobody listens there, [`io::ErrorKind::InvalidInput`] for a path of more than about 100
    /// bytes; those of the system call. It fails outside a process.
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> impl Future<Output = io::Result<UnixStream>> {
        wait_here(async move { UnixStream::connect_addr(&SocketAddr::from_pathname(path)?).await })
    }

    /// As [`connect`](UnixStream::connect), to an address, which may be an abstract one.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn connect_addr(address: &SocketAddr) -> impl Future<Output = io::Result<UnixStream>> {
        wait_here(async move {
            let reactor = reactor()?;
            let address = system_address(address)?;
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            let mut patience = Patience::default();
            while let Err(error) = socket.connect(&address) {
                match error.kind() {
                    io::ErrorKind::WouldBlock => patience.wait().await,
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                }
            }
            StreamSocket::register(reactor, socket.into())
        })
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// Those of the system call.
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

    /// Who was at the other end when this connection was made. The system vouches for it.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn peer_cred(&self) -> io::Result<PeerCredentials> {
        let peer = rustix::net::sockopt::socket_peercred(self.get_ref())?;
        Ok(PeerCredentials {
            pid: peer.pid.as_raw_pid(),
            uid: peer.uid.as_raw(),
            gid: peer.gid.as_raw(),
        })
    }
}
