//! Sockets and other file descriptors for processes: TCP, UDP, Unix sockets, and [`Fd`] for the
//! rest.
//!
//! A process that waits for a socket costs no thread: an idle worker of the runtime watches all
//! of them. Reading and writing go through the `futures-io` traits, so the helpers of
//! `futures-lite` and the crates built on these traits work here.
//!
//! A socket belongs to the runtime in which it was made. It may be handed from process to process,
//! in a message for instance, and like every value it is dropped, and so closed, when the process
//! that holds it ends, however it ends. It may outlive its runtime, but then nobody wakes who waits
//! for it.
//!
//! For each direction of a connection, or of an [`Fd`], one process at a time may wait: if two wait
//! for the same one, only the later is woken. Any number may wait for a listener or a datagram
//! socket: they are served in the order in which they came, so a future that is kept without being
//! polled holds up those behind it.
//!
//! Every future here may be dropped at any time, by a `select` or with its process: what was not
//! returned has not been taken. (A `write_all` of `futures-lite` may have written a part.) There
//! are no timeouts on sockets: [`timeout`](crate::timeout()) gives an operation a time, and ends it at
//! whatever await it is in, those of a whole protocol as well.
//!
//! Each attempt to read, write or accept spends reductions, so a process whose socket is always
//! ready does not keep the others from running.
//!
//! ```
//! use futures_lite::{AsyncReadExt, AsyncWriteExt};
//! use regrow_runtime::net::{TcpListener, TcpStream};
//! use regrow_runtime::{Runtime, spawn};
//!
//! # fn main() -> std::io::Result<()> {
//! Runtime::new()?.block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     spawn(async move {
//!         while let Ok((mut stream, _)) = listener.accept().await {
//!             // One process for each connection: what goes wrong in it ends nothing else.
//!             spawn(async move {
//!                 let mut line = [0; 5];
//!                 stream.read_exact(&mut line).await?;
//!                 stream.write_all(&line).await
//!             });
//!         }
//!     });
//!
//!     let mut stream = TcpStream::connect(address).await?;
//!     stream.write_all(b"hello").await?;
//!     let mut echo = String::new();
//!     stream.read_to_string(&mut echo).await?;
//!     assert_eq!(echo, "hello");
//!     Ok(())
//! })
//! # }
//! ```

use std::io;
use std::sync::Arc;

use crate::reactor::Reactor;

mod bytes;
mod fd;
mod line;
mod names;
mod queued;
mod split;
mod stream;
mod tcp;
mod udp;
mod unix;

pub use fd::Fd;
pub use names::{ToSocketAddrs, lookup_host};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::{Socket, StreamSocket};
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{PeerCredentials, UnixDatagram, UnixListener, UnixStream};

/// Connections that may wait to be accepted. The system cuts it down to its own limit.
const BACKLOG: i32 = 4096;

/// The reactor of the runtime whose process this is.
fn reactor() -> io::Result<Arc<Reactor>> {
    if crate::clock::virtual_time().is_some() {
        // What comes from a network differs each time.
        let why = "a simulation has no network: what comes from outside could not be repeated";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    let outside = "must be used inside a regrow process";
    crate::scheduler::current_reactor().ok_or_else(|| io::Error::other(outside))
}
