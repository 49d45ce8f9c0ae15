//! Unix sockets: `std::os::unix::net` sockets in nonblocking mode, as sources of the reactor.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::time::Duration;

use socket2::SockAddr;

use crate::timer::sleep;

mod datagram;
mod listener;
mod stream;

pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub use stream::{PeerCredentials, UnixStream};

/// The system's form of an address.
fn system_address(address: &SocketAddr) -> io::Result<SockAddr> {
    if let Some(path) = address.as_pathname() {
        return SockAddr::unix(path);
    }
    let Some(name) = address.as_abstract_name() else {
        let error = "an unnamed socket cannot be reached by its address";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
    };
    // An abstract name is told by a zero at its start.
    let name: Vec<u8> = std::iter::once(&0).chain(name).copied().collect();
    SockAddr::unix(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&name))
}

/// Waits for the other end where the system has no event for that: whether there is room in its
/// queue, of connections to be accepted or of datagrams to be received. A blocking call would wait
/// inside the system; all that is left to a nonblocking one is to try again, less and less often.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    /// 1 ms at first, and never more than 64.
    async fn wait(&mut self) {
        sleep(Duration::from_millis(1 << self.0)).await;
        self.0 = (self.0 + 1).min(6);
    }
}
