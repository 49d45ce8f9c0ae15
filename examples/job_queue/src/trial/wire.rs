//! A connection that sends and waits, on a thread of its own.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::answer::{Answer, parse};

/// A client's connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// What has come and is not taken.
    pending: Vec<u8>,
    patience: Duration,
}

impl Wire {
    /// Connects. `patience` is how long an answer may take before it counts as missing.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    pub fn connect(address: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            pending: Vec::new(),
            patience,
        })
    }

    /// Sends these bytes as they are.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more will be sent; answers still come.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn half_close(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// The next answer.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the server closed, `TimedOut` if it says nothing in time, `InvalidData`
    /// if what it says is no answer.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let deadline = Instant::now() + self.patience;
        loop {
            match parse(&self.pending) {
                Ok(Some(parsed)) => {
                    let answer = Answer::new(&self.pending, &parsed);
                    self.pending.drain(..parsed.length);
                    return Ok(answer);
                }
                Ok(None) => {}
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
            match self.fill(deadline)? {
                Filled::Some => {}
                Filled::Closed => return Err(io::ErrorKind::UnexpectedEof.into()),
                Filled::Nothing => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    /// Sends a line, whose end is added, and waits for its answer.
    ///
    /// # Errors
    ///
    /// As [`Wire::answer`].
    pub fn ask(&mut self, line: &str) -> io::Result<Answer> {
        self.send(format!("{line}\r\n").as_bytes())?;
        self.answer()
    }

    /// Puts a job and waits for its answer.
    ///
    /// # Errors
    ///
    /// As [`Wire::answer`].
    pub fn put(&mut self, pri: u32, delay: u32, ttr: u32, body: &[u8]) -> io::Result<Answer> {
        self.send(&put(pri, delay, ttr, body))?;
        self.answer()
    }

    /// Waits until something comes, the server closes or the deadline is over.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub fn fill(&mut self, deadline: Instant) -> io::Result<Filled> {
        let mut chunk = [0; 16 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Filled::Nothing);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(Filled::Closed),
                Ok(count) => {
                    self.pending.extend_from_slice(&chunk[..count]);
                    return Ok(Filled::Some);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    return Ok(Filled::Nothing);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What has come and is not taken.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Takes everything that has come.
    pub fn take_pending(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }

    /// Gives back what was taken too much; it comes first again.
    pub fn put_back(&mut self, bytes: Vec<u8>) {
        self.pending.splice(..0, bytes);
    }
}

/// What a wait has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// More bytes.
    Some,
    /// The end of the connection.
    Closed,
    /// The end of the time.
    Nothing,
}

/// The bytes of a put command.
pub fn put(pri: u32, delay: u32, ttr: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("put {pri} {delay} {ttr} {}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(b"\r\n");
    bytes
}
