//! The clients of a measurement: processes of regrow, one for each connection.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use job_queue::trial::answer::parse;
use job_queue::trial::wire::put;
use regrow::net::TcpStream;
use regrow::{Pid, Runtime, receive, self_pid, send, spawn};

use super::histogram::Histogram;
use crate::options::Work;

/// How long clients may take to connect, or to end when the time is over.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all clients have done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) jobs: u64,
    pub(crate) put: Histogram,
    pub(crate) reserve: Histogram,
    pub(crate) delete: Histogram,
}

impl Tally {
    fn merge(&mut self, other: &Self) {
        self.jobs += other.jobs;
        self.put.merge(&other.put);
        self.reserve.merge(&other.reserve);
        self.delete.merge(&other.delete);
    }
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Drive {
    pub(crate) address: SocketAddr,
    pub(crate) work: Work,
    pub(crate) connections: usize,
    pub(crate) body: usize,
    pub(crate) time: Duration,
    pub(crate) threads: usize,
}

struct Ready;

#[derive(Clone, Copy)]
struct Go {
    until: Instant,
}

struct Done(io::Result<Tally>);

/// Runs the clients; `begin` is called when all are connected, just before they work. What they
/// have done and how long it took until the last one was done.
pub(crate) fn drive(
    drive: Drive,
    begin: impl FnOnce() + Send + 'static,
) -> io::Result<(Tally, Duration)> {
    let runtime = Runtime::builder().workers(drive.threads).build()?;
    runtime.block_on(conduct(drive, begin))
}

async fn conduct(drive: Drive, begin: impl FnOnce()) -> io::Result<(Tally, Duration)> {
    let conductor = self_pid();
    let mut clients = Vec::new();
    for _ in 0..drive.connections {
        let drive = drive.clone();
        clients.push(spawn(async move {
            let result = client(&drive, conductor).await;
            send(conductor, Done(result));
        }));
    }
    for _ in 0..drive.connections {
        regrow::receive! {
            Ready => {}
            Done(result) => {
                result?;
            }
            after PATIENCE => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
    begin();
    let begun = Instant::now();
    let go = Go {
        until: begun + drive.time,
    };
    for client in clients {
        send(client, go);
    }
    let mut tally = Tally::default();
    for _ in 0..drive.connections {
        match receive::<Done>().timeout(drive.time + PATIENCE).await {
            Ok(Done(result)) => tally.merge(&result?),
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
    Ok((tally, begun.elapsed()))
}

async fn client(drive: &Drive, conductor: Pid) -> io::Result<Tally> {
    let mut wire = Wire::connect(drive.address).await?;
    wire.ask(b"list-tube-used\r\n", b"USING ").await?;
    send(conductor, Ready);
    let go: Go = receive().await;
    let put = put(1024, 0, 600, &vec![b'x'; drive.body]);
    let mut tally = Tally::default();
    let mut delete = Vec::new();
    let mut last = Instant::now();
    while last < go.until {
        wire.ask(&put, b"INSERTED ").await?;
        last = lap(&mut tally.put, last);
        if drive.work == Work::Cycle {
            let line = wire.ask(b"reserve\r\n", b"RESERVED ").await?;
            delete.clear();
            delete.extend_from_slice(b"delete ");
            delete.extend(line.split(|&byte| byte == b' ').nth(1).unwrap_or_default());
            delete.extend_from_slice(b"\r\n");
            last = lap(&mut tally.reserve, last);
            wire.ask(&delete, b"DELETED").await?;
            last = lap(&mut tally.delete, last);
        }
        tally.jobs += 1;
    }
    Ok(tally)
}

/// Adds the time since `last`; the time now.
fn lap(histogram: &mut Histogram, last: Instant) -> Instant {
    let now = Instant::now();
    histogram.add(now - last);
    now
}

struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    /// The answer that was given out last, to be forgotten.
    taken: usize,
}

impl Wire {
    async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 4096],
            filled: 0,
            taken: 0,
        })
    }

    /// Sends a command and waits for its answer; the line, which must begin with `wanted`.
    async fn ask(&mut self, command: &[u8], wanted: &[u8]) -> io::Result<&[u8]> {
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        self.stream.write_all(command).await?;
        loop {
            match parse(&self.buffer[..self.filled]) {
                Ok(Some(parsed)) => {
                    self.taken = parsed.length;
                    let line = &self.buffer[parsed.line];
                    if line.starts_with(wanted) {
                        return Ok(line);
                    }
                    let line = String::from_utf8_lossy(line);
                    return Err(io::Error::other(format!("the server says {line}")));
                }
                Ok(None) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
            if self.filled == self.buffer.len() {
                self.buffer.resize(2 * self.filled, 0);
            }
            match self.stream.read(&mut self.buffer[self.filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.filled += count,
            }
        }
    }
}
