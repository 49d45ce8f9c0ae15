//! A blocking client.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::DEADLINE;

/// One connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the server accepts");
        stream.set_nodelay(true).expect("nodelay");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// One that gets the jobs of these tubes only.
    pub(crate) fn watching(address: SocketAddr, tube: &str) -> Self {
        let mut client = Self::connect(address);
        assert_eq!(client.ask(&format!("watch {tube}")), "WATCHING 2");
        assert_eq!(client.ask("ignore default"), "WATCHING 1");
        client
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends a line.
    pub(crate) fn say(&mut self, line: &str) {
        self.send(format!("{line}\r\n").as_bytes())
            .expect("the server reads");
    }

    /// The next answer; of one with data, the line, a line end, the data.
    pub(crate) fn try_hear(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.strip_suffix("\r\n").expect("a whole line").to_owned();
        let words: Vec<&str> = line.split(' ').collect();
        if !["RESERVED", "FOUND", "OK"].contains(&words[0]) {
            return Ok(line);
        }
        let size: usize = words.last().and_then(|n| n.parse().ok()).expect("a size");
        let mut data = vec![0; size + 2];
        self.stream.read_exact(&mut data)?;
        assert_eq!(&data[size..], b"\r\n");
        Ok(format!(
            "{line}\n{}",
            String::from_utf8_lossy(&data[..size])
        ))
    }

    pub(crate) fn hear(&mut self) -> String {
        self.try_hear().expect("an answer")
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }

    /// Puts a job into the tube in use; its id.
    pub(crate) fn put(&mut self, body: &str) -> u64 {
        self.put_with(0, 60, body)
    }

    pub(crate) fn put_with(&mut self, delay: u32, ttr: u32, body: &str) -> u64 {
        let answer = self.ask(&format!("put 10 {delay} {ttr} {}\r\n{body}", body.len()));
        let id = answer.strip_prefix("INSERTED ");
        id.and_then(|id| id.parse().ok())
            .unwrap_or_else(|| panic!("{answer}"))
    }

    /// Puts a job into a tube.
    pub(crate) fn put_into(&mut self, tube: &str, ttr: u32, body: &str) -> u64 {
        assert_eq!(self.ask(&format!("use {tube}")), format!("USING {tube}"));
        self.put_with(0, ttr, body)
    }

    /// Waits for a job; its id and its body.
    pub(crate) fn reserve(&mut self) -> (u64, String) {
        let answer = self.ask("reserve-with-timeout 50");
        reserved(&answer)
    }

    /// A number of `stats` or the like.
    pub(crate) fn stat(&mut self, command: &str, key: &str) -> String {
        let answer = self.ask(command);
        stat_in(&answer, key).unwrap_or_else(|| panic!("no {key} in {answer}"))
    }

    /// Asks again until the number is as wanted. A tube, or a note, may not be there yet.
    pub(crate) fn wait_stat(&mut self, command: &str, key: &str, wanted: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let answer = self.ask(command);
            if stat_in(&answer, key).is_some_and(|found| found == wanted) {
                return;
            }
            let late = Instant::now() >= deadline;
            assert!(!late, "{command}: {key} is not {wanted}: {answer}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends nothing more; answers still come.
    pub(crate) fn close_writing(&mut self) {
        self.stream
            .get_ref()
            .shutdown(Shutdown::Write)
            .expect("open");
    }

    /// Asserts that the server closes, and says nothing before.
    pub(crate) fn is_closed(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = self.stream.read_to_end(&mut rest);
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

/// Id and body.
pub(crate) fn reserved(answer: &str) -> (u64, String) {
    let (line, body) = answer.split_once('\n').unwrap_or((answer, ""));
    let id = line
        .strip_prefix("RESERVED ")
        .and_then(|rest| rest.split(' ').next());
    let id = id
        .and_then(|id| id.parse().ok())
        .unwrap_or_else(|| panic!("{answer}"));
    (id, body.to_owned())
}

fn stat_in(answer: &str, key: &str) -> Option<String> {
    let start = format!("{key}: ");
    let found = answer.lines().find_map(|line| line.strip_prefix(&start));
    found.map(str::to_owned)
}
