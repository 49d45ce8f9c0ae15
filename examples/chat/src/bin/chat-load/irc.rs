//! The client's side of the protocol: a connection that yields lines.

use std::io;
use std::net::SocketAddr;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow::net::TcpStream;

/// A connection to the server.
pub(crate) struct Wire {
    stream: TcpStream,
    chunk: Vec<u8>,
    pending: Vec<u8>,
    /// Where the lines not yet taken begin in `pending`.
    taken: usize,
}

impl Wire {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            chunk: vec![0; 4096],
            pending: Vec::new(),
            taken: 0,
        })
    }

    /// Sends one line; the line end is added.
    pub(crate) async fn send(&mut self, line: &str) -> io::Result<()> {
        self.stream
            .write_all(format!("{line}\r\n").as_bytes())
            .await
    }

    /// Waits for bytes and keeps them; an error at the end of the stream. Dropping the future
    /// before it is ready loses nothing.
    pub(crate) async fn fill(&mut self) -> io::Result<()> {
        let count = self.stream.read(&mut self.chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.pending.drain(..self.taken);
        self.taken = 0;
        self.pending.extend_from_slice(&self.chunk[..count]);
        Ok(())
    }

    /// The next whole line that has arrived, if there is one.
    pub(crate) fn take_line(&mut self) -> Option<String> {
        let rest = &self.pending[self.taken..];
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let line = String::from_utf8_lossy(&rest[..end])
            .trim_end_matches('\r')
            .to_owned();
        self.taken += end + 1;
        Some(line)
    }

    /// The next line, waiting for it.
    pub(crate) async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    /// The next line with one of these commands, answering pings on the way. `ERROR` and the
    /// numerics from 400 on that are not waited for end the wait with their text.
    pub(crate) async fn expect(&mut self, commands: &[&str]) -> io::Result<String> {
        loop {
            let text = self.line().await?;
            let line = Line::parse(&text);
            if commands.contains(&line.command) {
                return Ok(text);
            }
            if line.command == "PING" {
                self.send(&format!("PONG :{}", line.text())).await?;
            } else if line.command == "ERROR" || line.is_refusal() {
                return Err(io::Error::other(text));
            }
        }
    }
}

/// The parts of one line, borrowed from it.
pub(crate) struct Line<'a> {
    /// Who sent it, without `!user@host`; empty if it does not say.
    pub(crate) nick: &'a str,
    pub(crate) command: &'a str,
    pub(crate) middle: Vec<&'a str>,
    pub(crate) trailing: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// Takes a line apart: `[@tags ][:prefix ]COMMAND[ middle...][ :trailing]`.
    pub(crate) fn parse(line: &'a str) -> Self {
        let mut rest = line;
        if rest.starts_with('@') {
            rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
        }
        let mut nick = "";
        if let Some(prefixed) = rest.strip_prefix(':') {
            let (prefix, after) = prefixed.split_once(' ').unwrap_or((prefixed, ""));
            nick = prefix.split('!').next().unwrap_or(prefix);
            rest = after;
        }
        let (head, trailing) = match rest.split_once(" :") {
            Some((head, trailing)) => (head, Some(trailing)),
            None => (rest, None),
        };
        let mut words = head.split_ascii_whitespace();
        let command = words.next().unwrap_or("");
        Self {
            nick,
            command,
            middle: words.collect(),
            trailing,
        }
    }

    /// The last parameter.
    pub(crate) fn text(&self) -> &'a str {
        self.trailing
            .or_else(|| self.middle.last().copied())
            .unwrap_or("")
    }

    /// Whether it is a numeric that refuses something. 422, "no message of the day", does not.
    pub(crate) fn is_refusal(&self) -> bool {
        self.command.len() == 3
            && self.command != "422"
            && (self.command.starts_with('4') || self.command.starts_with('5'))
    }
}
