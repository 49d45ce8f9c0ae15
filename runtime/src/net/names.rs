//! Host names, and what else says where to connect to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use sealed::Target;

use super::reactor;
use crate::handle::Handle;
use crate::process::wait_site::wait_here;

/// What says where to connect to: socket addresses, pairs of an address or a host name and a port,
/// and strings like `"example.org:80"`.
///
/// As `std::net::ToSocketAddrs`, and for the same types, but without looking names up: that may
/// block, and is left to [`lookup_host`] and [`TcpStream::connect`](super::TcpStream::connect).
pub trait ToSocketAddrs: sealed::ToTarget {}

impl<T: sealed::ToTarget + ?Sized> ToSocketAddrs for T {}

mod sealed {
    use super::*;

    pub trait ToTarget {
        fn to_target(&self) -> Target;
    }

    #[derive(Debug)]
    pub enum Target {
        Known(Vec<SocketAddr>),
        /// A host name and a port.
        Host(String, u16),
        /// Both in one string, or nonsense: looking it up says.
        Name(String),
    }
}

/// The addresses of a host, and of what else can be connected to.
///
/// The look-up is done by [`blocking`](crate::blocking()) threads, so no worker waits for it. What
/// is an address already is answered on the spot.
///
/// # Errors
///
/// Those of the system's look-up; [`io::ErrorKind::InvalidInput`] for a string that is no host and
/// port. It fails outside a process.
///
/// ```
/// use regrow_runtime::net::{TcpListener, lookup_host};
///
/// # fn main() -> std::io::Result<()> {
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// let addresses = lookup_host(("localhost", 0)).await?;
/// assert!(addresses.iter().all(|address| address.ip().is_loopback()));
/// let listener = TcpListener::bind(&addresses[..])?; // looks nothing up
/// # drop(listener);
/// # Ok(())
/// # })
/// # }
/// ```
#[track_caller]
pub fn lookup_host(host: impl ToSocketAddrs) -> impl Future<Output = io::Result<Vec<SocketAddr>>> {
    wait_here(async move {
        let target = host.to_target();
        if let Target::Known(addresses) = target {
            return Ok(addresses);
        }
        // There is none outside a process, and in a simulation.
        reactor()?;
        let looked_up = Handle::current().blocking(move || match target {
            Target::Known(addresses) => Ok(addresses),
            Target::Host(host, port) => all(&(host.as_str(), port)),
            Target::Name(name) => all(&name.as_str()),
        });
        looked_up.await.map_err(io::Error::other)?
    })
}

fn all(addresses: &impl std::net::ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    Ok(addresses.to_socket_addrs()?.collect())
}

impl sealed::ToTarget for SocketAddr {
    fn to_target(&self) -> Target {
        Target::Known(vec![*self])
    }
}

impl sealed::ToTarget for [SocketAddr] {
    fn to_target(&self) -> Target {
        Target::Known(self.to_vec())
    }
}

impl sealed::ToTarget for str {
    fn to_target(&self) -> Target {
        match self.parse() {
            Ok(address) => Target::Known(vec![address]),
            Err(_) => Target::Name(self.into()),
        }
    }
}

impl sealed::ToTarget for String {
    fn to_target(&self) -> Target {
        self.as_str().to_target()
    }
}

impl sealed::ToTarget for (&str, u16) {
    fn to_target(&self) -> Target {
        match self.0.parse::<IpAddr>() {
            Ok(address) => (address, self.1).to_target(),
            Err(_) => Target::Host(self.0.into(), self.1),
        }
    }
}

impl sealed::ToTarget for (String, u16) {
    fn to_target(&self) -> Target {
        (self.0.as_str(), self.1).to_target()
    }
}

impl<T: sealed::ToTarget + ?Sized> sealed::ToTarget for &T {
    fn to_target(&self) -> Target {
        (**self).to_target()
    }
}

macro_rules! known {
    ($($type:ty),*) => {
        $(impl sealed::ToTarget for $type {
            fn to_target(&self) -> Target {
                SocketAddr::from(*self).to_target()
            }
        })*
    };
}

known!(
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);
