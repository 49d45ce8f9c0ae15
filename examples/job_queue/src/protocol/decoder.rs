//! Cuts the bytes of a connection into requests.
//!
//! | state | what comes next | left by |
//! |---|---|---|
//! | `Line` | a command line | CRLF; or more bytes than a line may have: `LongLine` |
//! | `LongLine` | the rest of a line that is too long | CRLF: BAD_FORMAT |
//! | `Body` | the body of a put and a CRLF | so many bytes: the put, or EXPECTED_CRLF |
//! | `BigBody` | a body that is too big, and a CRLF | so many bytes: JOB_TOO_BIG |
//! | `Quit` | nothing: the client is done | never |
//!
//! Only [`Decoder::next_request`] changes the state. Bytes of lines and bodies that will be refused are
//! dropped as they come: never more is kept than a line, or a body that is allowed.

use std::sync::Arc;

use crate::protocol::command::{self, Line};
use crate::protocol::{Command, LINE_MAX, Response};

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Something to be done.
    Command(Command),
    /// Something that cannot be a command: this is the answer, in the order of the requests.
    Refused(Response),
    /// The client is done: the connection is to be closed once the answers before are sent.
    Quit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Line,
    LongLine,
    Body {
        pri: u32,
        delay: u32,
        ttr: u32,
        size: usize,
    },
    BigBody {
        left: u64,
    },
    Quit,
}

/// Turns the bytes of a connection into [`Request`]s.
#[derive(Debug)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Start of the first unused byte.
    start: usize,
    /// No CRLF begins between `start` and here.
    scanned: usize,
    state: State,
    job_size_max: usize,
}

impl Decoder {
    /// For bodies of at most `job_size_max` bytes.
    pub fn new(job_size_max: usize) -> Decoder {
        Decoder {
            bytes: Vec::new(),
            start: 0,
            scanned: 0,
            state: State::Line,
            job_size_max,
        }
    }

    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            // What was used goes first. Little is moved: requests are taken before more is read.
            self.bytes.drain(..self.start);
            self.scanned = self.scanned.saturating_sub(self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes of something unfinished, or not yet asked for, are kept.
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// The next whole request, if there is one.
    pub fn next_request(&mut self) -> Option<Request> {
        let request = self.step();
        if self.start == self.bytes.len() {
            self.reset();
        }
        request
    }

    fn step(&mut self) -> Option<Request> {
        loop {
            match self.state {
                State::Line => {
                    let Some(end) = self.find_line_end() else {
                        if self.pending() >= LINE_MAX {
                            self.state = State::LongLine;
                            continue;
                        }
                        return None;
                    };
                    let line = &self.bytes[self.start..end];
                    let parsed = if line.len() + 2 > LINE_MAX {
                        Line::Refused(Response::BadFormat)
                    } else {
                        command::parse(line)
                    };
                    self.start = end + 2;
                    match parsed {
                        Line::Command(command) => return Some(Request::Command(command)),
                        Line::Refused(response) => return Some(Request::Refused(response)),
                        Line::Quit => self.state = State::Quit,
                        Line::Put {
                            pri,
                            delay,
                            ttr,
                            size,
                        } => {
                            self.state = self.after_put(pri, delay, ttr, size);
                        }
                    }
                    if self.state == State::Quit {
                        return Some(Request::Quit);
                    }
                }
                State::LongLine => {
                    let Some(end) = self.find_line_end() else {
                        // A CR may be the first half of the end.
                        let keep = usize::from(self.bytes.last() == Some(&b'\r'));
                        self.start = self.bytes.len() - keep;
                        self.scanned = self.start;
                        return None;
                    };
                    self.start = end + 2;
                    self.state = State::Line;
                    return Some(Request::Refused(Response::BadFormat));
                }
                State::Body {
                    pri,
                    delay,
                    ttr,
                    size,
                } => {
                    let body = self.bytes[self.start..].get(..size + 2)?;
                    let (body, end) = body.split_at(size);
                    let request = if end == b"\r\n" {
                        let body: Arc<[u8]> = Arc::from(body);
                        Request::Command(Command::Put {
                            pri,
                            delay,
                            ttr,
                            body,
                        })
                    } else {
                        Request::Refused(Response::ExpectedCrlf)
                    };
                    self.start += size + 2;
                    self.state = State::Line;
                    return Some(request);
                }
                State::BigBody { left } => {
                    let here = self
                        .pending()
                        .min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.start += here;
                    let left = left - here as u64;
                    if left > 0 {
                        self.state = State::BigBody { left };
                        return None;
                    }
                    self.state = State::Line;
                    return Some(Request::Refused(Response::JobTooBig));
                }
                State::Quit => {
                    self.start = self.bytes.len();
                    return None;
                }
            }
        }
    }

    fn after_put(&mut self, pri: u32, delay: u32, ttr: u32, size: u32) -> State {
        let fits = usize::try_from(size)
            .ok()
            .filter(|size| *size <= self.job_size_max);
        match fits {
            Some(size) => State::Body {
                pri,
                delay,
                ttr,
                size,
            },
            None => State::BigBody {
                left: u64::from(size) + 2,
            },
        }
    }

    /// Where the next CRLF begins.
    fn find_line_end(&mut self) -> Option<usize> {
        let mut from = self.scanned.max(self.start);
        while let Some(at) = self.bytes[from..].iter().position(|b| *b == b'\n') {
            let lf = from + at;
            if lf > self.start && self.bytes[lf - 1] == b'\r' {
                return Some(lf - 1);
            }
            from = lf + 1;
        }
        self.scanned = self.bytes.len();
        None
    }

    fn reset(&mut self) {
        self.bytes.clear();
        self.start = 0;
        self.scanned = 0;
        // The room of a large body is not kept by a connection that is idle most of the time.
        if self.bytes.capacity() > 16 * 1024 {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests;
