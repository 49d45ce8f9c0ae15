//! A chat server of one's own.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{DEADLINE, Directory};

/// How to start a server.
pub(crate) struct Launch {
    program: PathBuf,
    before: Vec<OsString>,
    listen: String,
    database: PathBuf,
    arguments: Vec<String>,
    user: Option<u32>,
}

impl Launch {
    /// On a free port, with this database file.
    pub(crate) fn on(database: PathBuf) -> Self {
        Self {
            program: env!("CARGO_BIN_EXE_chat").into(),
            before: Vec::new(),
            listen: "127.0.0.1:0".into(),
            database,
            arguments: Vec::new(),
            user: None,
        }
    }

    /// With more arguments.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// On this address.
    pub(crate) fn listen(mut self, address: &str) -> Self {
        self.listen = address.to_owned();
        self
    }

    /// Another copy of the program.
    pub(crate) fn program(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    /// As this user, whose id is also the group's.
    pub(crate) fn user(mut self, user: u32) -> Self {
        self.user = Some(user);
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
        words.push(self.program.into());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(["--listen", &self.listen, "--database"])
            .arg(&self.database)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        let mut child = command.spawn().expect("the chat program starts");
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
        let mut server = Launch::on(directory.file("chat.db"))
            .with(arguments)
            .start();
        server.directory = Some(directory);
        server
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("a server that has said its address")
    }

    /// Its database file, if it was started with [`Server::start`].
    pub(crate) fn database(&self) -> PathBuf {
        self.directory
            .as_ref()
            .expect("a directory of its own")
            .file("chat.db")
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All it has printed so far, both streams.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The first line of the log that is as described, waiting for it.
    pub(crate) fn wait_log(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        let mut lines = self
            .log
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "the server printed no {what}:\n{}",
                lines.join("\n")
            );
            lines = self
                .log
                .changed
                .wait_timeout(lines, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("the server is there");
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server is there");
        self.child.wait().expect("it ends");
    }

    /// Whether it runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_none()
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

    /// SIGTERM, and the exit status.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.wait_exit()
    }

    /// Hands the directory to whoever starts the next server on it.
    pub(crate) fn take_directory(&mut self) -> Directory {
        self.directory.take().expect("a directory of its own")
    }

    /// Asserts that it still runs and that nobody's panic is in the log.
    pub(crate) fn is_unharmed(&mut self) {
        assert!(
            self.is_running(),
            "the server ended:\n{}",
            self.log().join("\n")
        );
        let log = self.log();
        let panics: Vec<&String> = log.iter().filter(|line| line.contains("panic")).collect();
        assert!(panics.is_empty(), "{panics:?}");
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
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            log.lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
            log.changed.notify_all();
        }
    })
}

/// An address with a real port in a line of the log.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))
        .filter_map(|word| word.parse::<SocketAddr>().ok())
        .find(|address| address.port() != 0)
}

/// Copies the chat program to where every user may run it.
pub(crate) fn copy_program(to: &Path) -> PathBuf {
    let copy = to.join("chat");
    std::fs::copy(env!("CARGO_BIN_EXE_chat"), &copy).expect("a copy of the program");
    copy
}
