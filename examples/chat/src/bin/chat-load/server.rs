//! The server under load: its process, its directory, its end.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::options::Options;

/// How long the server may take to print its address.
const START: Duration = Duration::from_secs(20);
/// How long it may take to stop after SIGTERM.
const STOP: Duration = Duration::from_secs(30);

/// The server: a child of this process, or one that was running already.
pub(crate) struct Server {
    address: SocketAddr,
    database: PathBuf,
    own: Option<Own>,
}

struct Own {
    child: Child,
    directory: PathBuf,
    keep: bool,
}

/// How the server ended.
pub(crate) enum End {
    /// It was not ours to stop.
    NotOurs,
    /// It ended with this status; `panics` are the lines of its log that tell of one.
    Ended {
        status: ExitStatus,
        panics: Vec<String>,
        took: Duration,
    },
    /// It did not end in time and was killed.
    Killed,
    /// Nothing could be found out.
    Unknown(String),
}

impl Server {
    /// Starts a server on a free port, or takes the one that runs already.
    pub(crate) fn start(options: &Options) -> io::Result<Self> {
        if let (Some(address), Some(database)) = (options.connect, &options.database) {
            return Ok(Self {
                address,
                database: database.clone(),
                own: None,
            });
        }
        let program = match &options.server {
            Some(program) => program.clone(),
            None => beside()?,
        };
        let directory = std::env::temp_dir().join(format!("chat-load-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let database = directory.join("chat.db");
        let log = directory.join("chat.log");
        let output = File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new(&program);
        command
            .args(["--listen", "127.0.0.1:0", "--database"])
            .arg(&database)
            .args([
                "--max-connections",
                &(options.connections + 100).to_string(),
            ])
            // Programs type faster than people.
            .args(["--flood-burst", "100000", "--flood-rate", "100000"])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        if options.crashes > 0 {
            // What is acknowledged must be stored, however long the pool is away.
            command.args([
                "--chaos",
                "--restart-intensity",
                "100000",
                "--history-wait",
                "60",
            ]);
        }
        let child = command.spawn().map_err(|error| {
            let program = program.display();
            io::Error::other(format!(
                "cannot start {program}: {error}; build it with `cargo build --release -p chat`"
            ))
        })?;
        let mut own = Own {
            child,
            directory,
            keep: false,
        };
        let deadline = Instant::now() + START;
        loop {
            if let Some(address) = announced(&log)? {
                return Ok(Self {
                    address,
                    database,
                    own: Some(own),
                });
            }
            if let Some(status) = own.child.try_wait()? {
                let said = std::fs::read_to_string(&log)?;
                return Err(io::Error::other(format!(
                    "the server ended, {status}: {said}"
                )));
            }
            if Instant::now() > deadline {
                return Err(io::Error::other("the server printed no address"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// Leaves the files of our own server in place at the end, and says where they are.
    pub(crate) fn keep_files(&mut self) -> Option<&Path> {
        let own = self.own.as_mut()?;
        own.keep = true;
        Some(&own.directory)
    }

    /// Stops our own server with SIGTERM and says how it ended.
    pub(crate) fn stop(&mut self) -> End {
        match &mut self.own {
            None => End::NotOurs,
            Some(own) => own
                .stop()
                .unwrap_or_else(|error| End::Unknown(error.to_string())),
        }
    }
}

impl Own {
    fn stop(&mut self) -> io::Result<End> {
        let begun = Instant::now();
        if self.child.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        }
        loop {
            if let Some(status) = self.child.try_wait()? {
                let log = BufReader::new(File::open(self.directory.join("chat.log"))?);
                let lines = log.lines().map_while(Result::ok);
                return Ok(End::Ended {
                    status,
                    panics: lines.filter(|line| line.contains("panic")).collect(),
                    took: begun.elapsed(),
                });
            }
            if begun.elapsed() > STOP {
                self.child.kill()?;
                self.child.wait()?;
                return Ok(End::Killed);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// The server beside this program. `cargo run` builds only what it runs, so cargo is asked to
/// build the server too.
fn beside() -> io::Result<PathBuf> {
    if let (Some(cargo), Some(package)) = (
        std::env::var_os("CARGO"),
        std::env::var_os("CARGO_MANIFEST_DIR"),
    ) {
        let mut build = Command::new(cargo);
        let manifest = Path::new(&package).join("Cargo.toml");
        build
            .args(["build", "--quiet", "--bin", "chat", "--manifest-path"])
            .arg(manifest);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.status()?;
        if !status.success() {
            return Err(io::Error::other(format!("building the server: {status}")));
        }
    }
    Ok(std::env::current_exe()?.with_file_name("chat"))
}

/// The address in the server's start-up lines, once it has one.
fn announced(log: &Path) -> io::Result<Option<SocketAddr>> {
    let text = std::fs::read_to_string(log)?;
    Ok(text
        .split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))
        .filter_map(|word| word.parse::<SocketAddr>().ok())
        .find(|address| address.port() != 0))
}
