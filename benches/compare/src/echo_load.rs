//! The load on the echo servers: one thread, one epoll instance, one request a connection at a time.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// Connections, if nothing else is asked for.
pub(crate) const CONNECTIONS: usize = 64;

const REQUEST: usize = 64;

struct Connection {
    stream: TcpStream,
    answer: [u8; REQUEST],
    received: usize,
    requests: u64,
}

impl Connection {
    fn request(&mut self) -> io::Result<()> {
        let mut request = [0; REQUEST];
        request[..8].copy_from_slice(&self.requests.to_le_bytes());
        self.received = 0;
        // 64 bytes fit into an empty socket buffer: one request is under way at a time.
        let written = self.stream.write(&request)?;
        if written == REQUEST {
            Ok(())
        } else {
            Err(io::Error::other("short write"))
        }
    }

    /// Reads what there is and sends the next request once the answer is whole.
    fn readable(&mut self) -> io::Result<bool> {
        while self.received < REQUEST {
            match self.stream.read(&mut self.answer[self.received..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => self.received += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if self.answer[..8] != self.requests.to_le_bytes() {
            return Err(io::Error::other("the echo differs from the request"));
        }
        self.requests += 1;
        self.request()?;
        Ok(true)
    }
}

/// Loads the server for a warm-up and then for `time`; requests answered a second in the latter.
pub(crate) fn run(server: SocketAddr, connections: usize, time: Duration) -> io::Result<f64> {
    let mut poll = Poll::new()?;
    let mut peers = Vec::with_capacity(connections);
    for index in 0..connections {
        let stream = std::net::TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry()
            .register(&mut stream, Token(index), Interest::READABLE)?;
        let mut peer = Connection {
            stream,
            answer: [0; REQUEST],
            received: 0,
            requests: 0,
        };
        peer.request()?;
        peers.push(peer);
    }
    answered(&mut poll, &mut peers, time / 4)?;
    let start = Instant::now();
    let requests = answered(&mut poll, &mut peers, time)?;
    Ok(requests as f64 / start.elapsed().as_secs_f64())
}

fn answered(poll: &mut Poll, peers: &mut [Connection], time: Duration) -> io::Result<u64> {
    let mut events = Events::with_capacity(peers.len());
    let end = Instant::now() + time;
    let mut requests = 0;
    while Instant::now() < end {
        match poll.poll(&mut events, Some(Duration::from_secs(5))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        if events.is_empty() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer for 5 s"));
        }
        for event in &events {
            requests += u64::from(peers[event.token().0].readable()?);
        }
    }
    Ok(requests)
}
