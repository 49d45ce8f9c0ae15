//! A blocking IRC client that remembers what it saw.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{DEADLINE, Line};

/// One connection. It answers PING by itself while it waits.
pub(crate) struct Client {
    stream: TcpStream,
    pending: Vec<u8>,
    seen: Vec<Line>,
    answers_pings: bool,
}

impl Client {
    /// Connects and says nothing.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the server accepts");
        stream.set_nodelay(true).expect("nodelay");
        Self {
            stream,
            pending: Vec::new(),
            seen: Vec::new(),
            answers_pings: true,
        }
    }

    /// Connects, registers and waits until the server has welcomed it.
    pub(crate) fn register(address: SocketAddr, nick: &str) -> Self {
        let mut client = Self::connect(address);
        client.send(&format!("NICK {nick}"));
        client.send(&format!("USER {nick} 0 * :{nick} of the tests"));
        client.wait("the end of the welcome", |line| {
            line.is("376") || line.is("422")
        });
        client
    }

    /// [`Client::register`], then [`Client::join`].
    pub(crate) fn in_room(address: SocketAddr, nick: &str, room: &str) -> Self {
        let mut client = Self::register(address, nick);
        client.join(room);
        client
    }

    /// From now on it looks dead: connected, silent.
    pub(crate) fn ignore_pings(&mut self) {
        self.answers_pings = false;
    }

    /// Sends a line; the line end is added.
    pub(crate) fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\r\n").as_bytes())
            .expect("the server reads");
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends bytes for at most this long; returns how many the server has taken.
    pub(crate) fn send_for(&mut self, bytes: &[u8], time: Duration) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(time))?;
        let sent = match self.stream.write(bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
            other => other?,
        };
        self.stream.set_write_timeout(None)?;
        Ok(sent)
    }

    /// Says something to a room or a person.
    pub(crate) fn say(&mut self, target: &str, text: &str) {
        self.send(&format!("PRIVMSG {target} :{text}"));
    }

    /// Joins a room and waits until it is in it.
    pub(crate) fn join(&mut self, room: &str) {
        self.send(&format!("JOIN {room}"));
        self.wait("the end of the names", |line| {
            line.is("366") && line.param(1) == room
        });
    }

    /// The next line; `None` at the end of the connection.
    ///
    /// # Panics
    /// If nothing comes within the deadline.
    pub(crate) fn next(&mut self) -> Option<Line> {
        match self.next_within(DEADLINE) {
            Ok(line) => line,
            Err(_) => panic!("no line within {DEADLINE:?}\n{}", self.transcript()),
        }
    }

    /// The next line, `Ok(None)` at the end of the connection, an error if neither comes in time.
    pub(crate) fn next_within(&mut self, time: Duration) -> io::Result<Option<Line>> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(line) = self.take_line() {
                if line.is("PING") && self.answers_pings {
                    // At the very end the server may be gone already.
                    let _ = self.send_bytes(format!("PONG :{}\r\n", line.text()).as_bytes());
                }
                self.seen.push(line.clone());
                return Ok(Some(line));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => self.pending.extend_from_slice(&chunk[..count]),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => return Ok(None),
                    _ => return Err(error),
                },
            }
        }
    }

    fn take_line(&mut self) -> Option<Line> {
        let end = self.pending.iter().position(|&byte| byte == b'\n')?;
        let bytes: Vec<u8> = self.pending.drain(..=end).collect();
        let text = String::from_utf8_lossy(&bytes);
        Some(Line::parse(text.trim_end_matches(['\r', '\n'])))
    }

    /// The first line from here on that is as described.
    ///
    /// # Panics
    /// If it does not come within the deadline or the connection ends.
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&Line) -> bool) -> Line {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.next_within(left) {
                Ok(Some(line)) if wanted(&line) => return line,
                Ok(Some(_)) => {}
                Ok(None) => panic!("the connection ended before {what}\n{}", self.transcript()),
                Err(error) => panic!("no {what}: {error}\n{}", self.transcript()),
            }
        }
    }

    /// The first line from here on with this command or numeric.
    pub(crate) fn wait_for(&mut self, command: &str) -> Line {
        self.wait(command, |line| line.is(command))
    }

    /// Waits for this message and returns the lines before it.
    pub(crate) fn until_said(&mut self, nick: &str, text: &str) -> Vec<Line> {
        let before = self.seen.len();
        self.wait(&format!("{text:?} from {nick}"), |line| {
            line.says(nick, text)
        });
        self.seen[before..self.seen.len() - 1].to_vec()
    }

    /// All lines until the server has answered everything sent so far.
    pub(crate) fn settle(&mut self) -> Vec<Line> {
        let before = self.seen.len();
        let token = format!("settle-{before}");
        self.send(&format!("PING :{token}"));
        self.wait("the pong", |line| line.is("PONG") && line.text() == token);
        self.seen[before..self.seen.len() - 1].to_vec()
    }

    /// All lines up to the end of the connection.
    pub(crate) fn rest(&mut self) -> Vec<Line> {
        let before = self.seen.len();
        while self.next().is_some() {}
        self.seen[before..].to_vec()
    }

    /// All lines up to the end of the connection, `None` if it does not end in time.
    pub(crate) fn rest_within(&mut self, time: Duration) -> Option<Vec<Line>> {
        let before = self.seen.len();
        let deadline = Instant::now() + time;
        loop {
            match self.next_within(deadline.saturating_duration_since(Instant::now())) {
                Ok(Some(_)) => {}
                Ok(None) => return Some(self.seen[before..].to_vec()),
                Err(_) => return None,
            }
        }
    }

    /// Waits for the server's `ERROR` line and the end of the connection; returns its text.
    pub(crate) fn closed_with(&mut self) -> String {
        let rest = self.rest();
        match rest.iter().find(|line| line.is("ERROR")) {
            Some(line) => line.text().to_owned(),
            None => panic!("closed without an ERROR line\n{}", self.transcript()),
        }
    }

    /// Everything it has seen.
    pub(crate) fn seen(&self) -> &[Line] {
        &self.seen
    }

    fn transcript(&self) -> String {
        let from = self.seen.len().saturating_sub(30);
        let lines: Vec<&str> = self.seen[from..]
            .iter()
            .map(|line| line.raw.as_str())
            .collect();
        format!("the last lines seen:\n{}", lines.join("\n"))
    }
}
