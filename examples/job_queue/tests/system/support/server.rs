//! A job queue of one's own.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Client, DEADLINE, Directory};

/// How to start a server.
pub(crate) struct Launch {
    before: Vec<OsString>,
    database: PathBuf,
    arguments: Vec<String>,
}

impl Launch {
    /// On a free port, with this database file.
    pub(crate) fn on(database: PathBuf) -> Self {
        Self {
            before: Vec::new(),
            database,
            arguments: Vec::new(),
        }
    }

    /// With more arguments.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        self.arguments.extend(arguments);
        self
    }

    /// Through another program, which gets the server's command line as its last arguments and
    /// must become the server (`exec`).
    pub(crate) fn through(mut self, command: &[&str]) -> Self {
        self.before = command.iter().map(OsString::from).collect();
        self
    }

    /// Starts the process and does not wait for anything.
    pub(crate) fn spawn(self) -> Server {
        let mut words = self.before;
        words.push(env!("CARGO_BIN_EXE_job-queue").into());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(["-p", "0", "--database"])
            .arg(&self.database)
            .args(&self.arguments)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Arc::new(Log::default());
        let readers = vec![
            follow(child.stdout.take().expect("a pipe"), &log),
            follow(child.stderr.take().expect("a pipe"), &log),
        ];
        Server {
            child,
            log,
            readers,
            address: None,
            directory: None,
        }
    }

    /// Starts the server and waits until it has said where it listens.
    pub(crate) fn start(self) -> Server {
        let mut server = self.spawn();
        let line = server.wait_log("the address", |line| address_in(line).is_some());
        server.address = address_in(&line);
        server
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    log: Arc<Log>,
    readers: Vec<JoinHandle<()>>,
    address: Option<SocketAddr>,
    directory: Option<Directory>,
}

impl Server {
    /// With a fresh database in a directory of its own.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let directory = Directory::new();
        let database = directory.file("jobs.db");
        let mut server = Launch::on(database).with(arguments).start();
        server.directory = Some(directory);
        server
    }

    /// On the file of this one, which has ended.
    pub(crate) fn again(mut self, arguments: &[&str]) -> Self {
        let directory = self.directory.take().expect("a directory of its own");
        let database = directory.file("jobs.db");
        let mut server = Launch::on(database).with(arguments).start();
        server.directory = Some(directory);
        server
    }

    /// Its database file, if it was started with [`Server::start`].
    pub(crate) fn database(&self) -> PathBuf {
        let directory = self.directory.as_ref().expect("a directory of its own");
        directory.file("jobs.db")
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("a server that has said its address")
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// All it has printed so far, both streams.
    pub(crate) fn log(&self) -> Vec<String> {
        let lines = self.log.lines.lock();
        lines.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first line of the log that is as described, waiting for it.
    pub(crate) fn wait_log(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        let lines = self.log.lines.lock();
        let mut lines = lines.unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let all = || lines.join("\n");
            assert!(!left.is_zero(), "the server printed no {what}:\n{}", all());
            let waited = self.log.changed.wait_timeout(lines, left);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many lines of the log are as described.
    pub(crate) fn count_log(&self, wanted: impl Fn(&str) -> bool) -> usize {
        self.log().iter().filter(|line| wanted(line)).count()
    }

    /// Waits until so many lines of the log are as described.
    pub(crate) fn wait_count(&self, count: usize, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while self.count_log(&wanted) < count {
            assert!(Instant::now() < deadline, "not {count} such lines");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the server is there");
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server is there");
        self.child.wait().expect("it ends");
    }

    /// Waits for its end; then the log is whole.
    pub(crate) fn wait_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                break status;
            }
            let log = self.log().join("\n");
            assert!(Instant::now() < deadline, "the server did not end:\n{log}");
            std::thread::sleep(Duration::from_millis(5));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("the log is read");
        }
        status
    }

    /// SIGTERM; asserts that it ends in order.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.wait_exit().code(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(40);
            eprintln!("--- the server's last lines:\n{}", log[from..].join("\n"));
        }
    }
}

/// The lines that a server has printed.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

fn follow(stream: impl Read + Send + 'static, log: &Arc<Log>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let lines = BufReader::new(stream).split(b'\n');
        for line in lines.map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let all = log.lines.lock();
            all.unwrap_or_else(PoisonError::into_inner).push(line);
            log.changed.notify_all();
        }
    })
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let address = line.strip_prefix("job-queue listens on ")?;
    address.split(',').next()?.parse().ok()
}
