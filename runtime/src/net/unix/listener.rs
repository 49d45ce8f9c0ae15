//! Sockets that accept Unix connections.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::SockRef;

use super::UnixStream;
use crate::net::queued::Queued;
use crate::net::stream::StreamSocket;
use crate::net::{BACKLOG, reactor};
use crate::process::wait_site::wait_here;

/// A socket that accepts connections from this machine, at a path in the file system.
///
/// Dropping it closes the socket. The file stays, as with every Unix socket, and the path cannot be
/// bound again while it is there: remove it, before binding or after dropping.
///
/// ```
/// use futures_lite::AsyncReadExt;
/// use regrow_runtime::net::{UnixListener, UnixStream};
/// use regrow_runtime::{Runtime, spawn};
///
/// # fn main() -> std::io::Result<()> {
/// # let directory = std::env::temp_dir().join(format!("regrow-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// let path = directory.join("control");
/// Runtime::new()?.block_on({
///     let path = path.clone();
///     async move {
///         let listener = UnixListener::bind(&path)?;
///         spawn(async move { UnixStream::connect(path).await.map(drop) });
///         let (mut stream, _) = listener.accept().await?;
///         assert_eq!(stream.read(&mut [0]).await?, 0);
///         Ok::<(), std::io::Error>(())
///     }
/// })?;
/// std::fs::remove_file(path)
/// # ?; std::fs::remove_dir(directory)
/// # }
/// ```
pub struct UnixListener {
    socket: Queued<std::os::unix::net::UnixListener>,
}

impl UnixListener {
    /// Makes a socket file and listens there.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] if there is a file of that name, also when nobody listens;
    /// [`io::ErrorKind::InvalidInput`] for a path of more than about 100 bytes; those of the system
    /// call. It fails outside a process.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`bind`](UnixListener::bind), at an address, which may be an abstract one: a name that is
    /// no file and is gone with its socket.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        // First, so that no file is made outside a process.
        reactor()?;
        let listener = std::os::unix::net::UnixListener::bind_addr(address)?;
        SockRef::from(&listener).listen(BACKLOG)?;
        UnixListener::from_std(listener)
    }

    /// Takes over a listening socket of the standard library, which becomes nonblocking.
    ///
    /// # Errors
    ///
    /// Those of the system calls; and it fails outside a process.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        let reactor = reactor()?;
        listener.set_nonblocking(true)?;
        let socket = Queued::new(reactor, listener)?;
        Ok(UnixListener { socket })
    }

    /// Waits for a connection; returns it and the address of its other end, which mostly has none.
    ///
    /// Several processes may accept from one listener, as with
    /// [`TcpListener`](crate::net::TcpListener::accept).
    ///
    /// # Errors
    ///
    /// Those of the system call, none of which ends the listener. The program may have too many
    /// open files: then the connection stays where it is, and it is wise to pause before the next
    /// attempt.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = io::Result<(UnixStream, SocketAddr)>> {
        wait_here(async move {
            // Before a connection is taken that nobody could have.
            let reactor = reactor()?;
            let (stream, peer) = self.socket.read(|socket| socket.accept()).await?;
            stream.set_nonblocking(true)?;
            Ok((StreamSocket::register(reactor, stream)?, peer))
        })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get_ref().as_fd()
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.get_ref().fmt(f)
    }
}
