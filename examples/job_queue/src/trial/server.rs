//! A server in a process of its own, on a port that the system gives.
//!
//! Both kinds are found in the same way: they are told port 0, and `/proc` says on which port the
//! process listens. So nothing depends on what a server prints, and no port is taken twice.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(60);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// This queue.
    JobQueue,
    /// The original.
    Beanstalkd,
}

impl Kind {
    /// Its name in what is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::JobQueue => "job-queue",
            Self::Beanstalkd => "beanstalkd",
        }
    }
}

/// When what is acknowledged is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sync {
    /// As the server does it if it is told nothing: this queue syncs always, beanstalkd keeps
    /// nothing.
    Default,
    /// It is synced before it is acknowledged.
    Always,
    /// It is written, and synced when the system likes.
    Never,
}

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Which one.
    pub kind: Kind,
    /// Its program.
    pub program: PathBuf,
    /// Where its files are; it must exist.
    pub directory: PathBuf,
    /// When what is acknowledged is on disk.
    pub sync: Sync,
    /// Options that both kinds have, such as `-z 100`.
    pub options: Vec<String>,
}

/// A server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program cannot be run.
    #[error("cannot run {program}: {error}; {advice}")]
    Run {
        /// Which one.
        program: String,
        /// Why.
        error: io::Error,
        /// How to get it.
        advice: &'static str,
    },
    /// It ended before it listened.
    #[error("{program} ended before it listened, {status}: {log}")]
    Ended {
        /// Which one.
        program: String,
        /// How.
        status: ExitStatus,
        /// What it printed.
        log: String,
    },
    /// It runs but does not listen.
    #[error("{program} does not listen after {} s: {log}", START.as_secs())]
    Deaf {
        /// Which one.
        program: String,
        /// What it printed.
        log: String,
    },
    /// The files around it cannot be read or written.
    #[error("starting a server: {0}")]
    Io(#[from] io::Error),
}

impl Launch {
    /// A server of this kind with its files in `directory`.
    pub fn new(kind: Kind, program: PathBuf, directory: &Path, sync: Sync) -> Self {
        Self {
            kind,
            program,
            directory: directory.to_path_buf(),
            sync,
            options: Vec::new(),
        }
    }

    /// Where it writes what it says.
    pub fn log(&self) -> PathBuf {
        self.directory.join(format!("{}.log", self.kind.name()))
    }

    /// The words of its command line after the program.
    pub fn arguments(&self) -> Vec<String> {
        let mut words: Vec<String> = ["-l", "127.0.0.1", "-p", "0"].map(String::from).into();
        let directory = self.directory.display();
        match (self.kind, self.sync) {
            (Kind::JobQueue, sync) => {
                words.extend(["--database".into(), format!("{directory}/jobs.db")]);
                match sync {
                    Sync::Default => {}
                    Sync::Always => words.extend(["--sync".into(), "always".into()]),
                    Sync::Never => words.extend(["--sync".into(), "never".into()]),
                }
            }
            (Kind::Beanstalkd, Sync::Default) => {}
            (Kind::Beanstalkd, Sync::Always) => {
                words.extend(["-b".into(), directory.to_string(), "-f0".into()]);
            }
            (Kind::Beanstalkd, Sync::Never) => {
                words.extend(["-b".into(), directory.to_string(), "-F".into()]);
            }
        }
        words.extend(self.options.iter().cloned());
        words
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// If it does not run, or ends, or does not listen.
    pub fn start(&self) -> Result<Server, StartError> {
        let program = || self.program.display().to_string();
        let output = File::options().create(true).append(true).open(self.log())?;
        let begun = Instant::now();
        let child = Command::new(&self.program)
            .args(self.arguments())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| StartError::Run {
                program: program(),
                error,
                advice: match self.kind {
                    Kind::JobQueue => "build it with `cargo build --release -p job-queue`",
                    Kind::Beanstalkd => "install it with `apt-get install beanstalkd`",
                },
            })?;
        let mut server = Server {
            kind: self.kind,
            child,
            log: self.log(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            begun,
        };
        loop {
            if let Some(port) = listening_port(server.id())? {
                server.address.set_port(port);
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(StartError::Ended {
                    program: program(),
                    status,
                    log: server.log(),
                });
            }
            if begun.elapsed() > START {
                return Err(StartError::Deaf {
                    program: program(),
                    log: server.log(),
                });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    child: Child,
    log: PathBuf,
    address: SocketAddr,
    begun: Instant,
}

impl Server {
    /// Which one it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// When its process was started.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Kills it in the middle of whatever it does.
    ///
    /// # Errors
    ///
    /// If its end cannot be awaited.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Waits for its end; `None` if it does not end in time.
    ///
    /// # Errors
    ///
    /// If its status cannot be read.
    pub fn wait(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Bytes of memory that it has in use (resident).
    ///
    /// # Errors
    ///
    /// If `/proc` does not say.
    pub fn resident(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
            .and_then(|number| number.trim().parse::<u64>().ok())
            .map(|kilobytes| kilobytes * 1024)
            .ok_or_else(|| io::Error::other("no VmRSS in /proc"))
    }

    /// Processor time that it has used, all its threads together.
    ///
    /// # Errors
    ///
    /// If `/proc` does not say.
    pub fn processor_time(&self) -> io::Result<Duration> {
        processor_time(&format!("/proc/{}", self.id()))
    }
}

/// Processor time of the process, or of the thread, with this directory in `/proc`.
///
/// # Errors
///
/// If there is no such directory.
pub fn processor_time(process: &str) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("{process}/stat"))?;
    // The name, second, may have spaces in it; after its parenthesis come 11 fields until utime.
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    let mut fields = after.split(' ').skip(11).map(str::parse::<u64>);
    match (fields.next(), fields.next()) {
        (Some(Ok(user)), Some(Ok(system))) => {
            let ticks = rustix::param::clock_ticks_per_second();
            Ok(Duration::from_millis((user + system) * 1000 / ticks))
        }
        _ => Err(io::Error::other("no processor time in /proc")),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port on which a process listens, once it does.
fn listening_port(id: u32) -> io::Result<Option<u16>> {
    let mut sockets = HashSet::new();
    let Ok(files) = std::fs::read_dir(format!("/proc/{id}/fd")) else {
        // It has just ended.
        return Ok(None);
    };
    for file in files.flatten() {
        // A file may be closed in the meantime.
        let Ok(target) = std::fs::read_link(file.path()) else {
            continue;
        };
        let name = target.to_string_lossy();
        if let Some(inode) = name
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'))
        {
            sockets.insert(inode.to_owned());
        }
    }
    let Ok(table) = std::fs::read_to_string(format!("/proc/{id}/net/tcp")) else {
        return Ok(None);
    };
    Ok(listener_of(&sockets, &table))
}

/// The port of the line that listens (state 0A) with one of these inodes.
fn listener_of(sockets: &HashSet<String>, table: &str) -> Option<u16> {
    table.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.get(3) != Some(&"0A") || !sockets.contains(*words.get(9)?) {
            return None;
        }
        let (_, port) = words[1].split_once(':')?;
        u16::from_str_radix(port, 16).ok()
    })
}

/// The server beside the program that runs, as `cargo build` puts it there.
///
/// # Errors
///
/// If the running program does not know where it is.
pub fn beside() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let directory = own.parent().unwrap_or(Path::new("."));
    // Tests run in a directory below.
    let directory = match directory.file_name() {
        Some(name) if name == "deps" => directory.parent().unwrap_or(directory),
        _ => directory,
    };
    Ok(directory.join("job-queue"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::listener_of;

    #[test]
    fn the_port_is_that_of_the_listening_socket_of_the_process() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0000 100 0 0 10 0\n\
   1: 0100007F:2C24 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0000 100 0 0 10 0\n\
   2: 0100007F:2C25 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 333 1 0000 100 0 0 10 0\n";
        let of = |inode: &str| listener_of(&HashSet::from([inode.to_owned()]), table);
        assert_eq!(of("222"), Some(0x2c24));
        assert_eq!(of("333"), None, "it is connected, not listening");
        assert_eq!(of("444"), None);
    }
}
