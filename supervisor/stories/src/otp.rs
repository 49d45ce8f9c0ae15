//! One Erlang node that is told many stories at once.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use crate::AnyStory;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/otp/stories.erl");

/// Why OTP has no trace for a story.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtpError {
    /// `escript` cannot be run.
    #[error("no Erlang here ({0}): on Debian, apt-get install erlang-base")]
    Missing(io::Error),
    /// The node has ended.
    #[error("the Erlang node has ended; its own words are above, if it had any")]
    Gone,
}

type Waiting = Arc<Mutex<HashMap<u64, Sender<Vec<String>>>>>;

/// A running Erlang node; dropped, it ends.
#[derive(Debug)]
pub struct Otp {
    node: Child,
    input: Mutex<Option<ChildStdin>>,
    waiting: Waiting,
    number: AtomicU64,
}

impl Otp {
    /// Starts the node.
    ///
    /// # Errors
    ///
    /// [`OtpError::Missing`] without Erlang.
    pub fn start() -> Result<Self, OtpError> {
        let mut node = Command::new("escript")
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(OtpError::Missing)?;
        let waiting = Waiting::default();
        let input = Mutex::new(node.stdin.take());
        if let Some(output) = node.stdout.take() {
            let waiting = waiting.clone();
            thread::spawn(move || read(output, &waiting));
        }
        let number = AtomicU64::new(1);
        Ok(Otp {
            node,
            input,
            waiting,
            number,
        })
    }

    /// Tells a story and waits for its trace; any number of threads may.
    ///
    /// # Errors
    ///
    /// [`OtpError::Gone`] if the node has ended.
    pub fn tell(&self, story: &AnyStory) -> Result<Vec<String>, OtpError> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (send, receive) = channel();
        lock(&self.waiting).insert(number, send);
        {
            let mut input = lock(&self.input);
            let input = input.as_mut().ok_or(OtpError::Gone)?;
            let line = story.line(number);
            input
                .write_all(line.as_bytes())
                .and_then(|()| input.flush())
                .map_err(|_| OtpError::Gone)?;
        }
        receive.recv().map_err(|_| OtpError::Gone)
    }
}

impl Drop for Otp {
    fn drop(&mut self) {
        // The end of its input is the end of the node.
        lock(&self.input).take();
        let _ = self.node.wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the traces to those who wait for them, until there are no more.
fn read(output: ChildStdout, waiting: &Waiting) {
    let mut trace = Vec::new();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if line.starts_with("story ") {
            trace.clear();
        } else if let Some(number) = line.strip_prefix("end ") {
            let teller = number.parse().ok();
            if let Some(teller) = teller.and_then(|number: u64| lock(waiting).remove(&number)) {
                // Whoever has stopped waiting does not want it.
                let _ = teller.send(std::mem::take(&mut trace));
            }
        } else {
            trace.push(line);
        }
    }
    lock(waiting).clear();
}
