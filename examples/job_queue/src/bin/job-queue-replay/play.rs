//! Plays a script to one server and writes down what it says.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use job_queue::trial::answer::parse;
use job_queue::trial::directory::Directory;
use job_queue::trial::server::{Kind, Launch, Server, StartError, Sync};
use job_queue::trial::wire::{Filled, Wire};
use rustix::process::Signal;

use crate::script::{Action, Script};

/// Nothing comes for so long: the server has said all.
const QUIET: Duration = Duration::from_millis(250);

/// What a server has said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript {
    /// One for each step of the script that waits, and one for each connection at the end.
    pub(crate) heard: Vec<Heard>,
}

/// What was heard at one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Which step of the script; `None`: what was left on the connection at its end.
    pub(crate) step: Option<usize>,
    pub(crate) connection: char,
    pub(crate) bytes: Vec<u8>,
    pub(crate) after: After,
}

/// What ended the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// All that was waited for has come.
    Done,
    /// The server has closed the connection.
    Closed,
    /// The connection broke.
    Broken,
    /// What was waited for did not come.
    Silent,
}

/// A script could not be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlayError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("line {line}: {error}")]
    Step { line: usize, error: io::Error },
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the server ended during the script: {0}")]
    Ended(String),
}

/// Where the servers are and how long they may take.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) beanstalkd: PathBuf,
    pub(crate) job_queue: PathBuf,
    pub(crate) parent: Option<PathBuf>,
    pub(crate) patience: Duration,
}

impl Stage {
    fn launch(&self, kind: Kind, script: &Script, directory: &Path) -> Launch {
        let program = match kind {
            Kind::Beanstalkd => self.beanstalkd.clone(),
            Kind::JobQueue => self.job_queue.clone(),
        };
        let sync = if script.durable {
            Sync::Always
        } else {
            Sync::Default
        };
        let mut launch = Launch::new(kind, program, directory, sync);
        launch.options = script.options.clone();
        launch
    }

    /// Plays the script to a fresh server of this kind.
    pub(crate) fn play(&self, kind: Kind, script: &Script) -> Result<Transcript, PlayError> {
        let directory = Directory::new(self.parent.as_deref())?;
        let launch = self.launch(kind, script, directory.path());
        let mut player = Player {
            server: launch.start()?,
            launch,
            patience: self.patience,
            connections: BTreeMap::new(),
            transcript: Transcript::default(),
        };
        for (index, step) in script.steps.iter().enumerate() {
            player
                .step(index, &step.action)
                .map_err(|error| match error {
                    PlayError::Io(error) => PlayError::Step {
                        line: step.line,
                        error,
                    },
                    other => other,
                })?;
        }
        player.finish()
    }
}

struct Player {
    server: Server,
    launch: Launch,
    patience: Duration,
    connections: BTreeMap<char, Wire>,
    transcript: Transcript,
}

impl Player {
    fn step(&mut self, index: usize, action: &Action) -> Result<(), PlayError> {
        match action {
            Action::Send(connection, bytes) => self.send(*connection, bytes)?,
            Action::Ask(connection, bytes) => {
                self.send(*connection, bytes)?;
                self.listen(Some(index), *connection, Until::Answers(1))?;
            }
            Action::Answers(connection, count) => {
                self.listen(Some(index), *connection, Until::Answers(*count))?;
            }
            Action::Quiet(connection) => self.listen(Some(index), *connection, Until::Quiet)?,
            Action::End(connection) => self.listen(Some(index), *connection, Until::End)?,
            Action::HalfClose(connection) => self.wire(*connection)?.half_close()?,
            Action::Close(connection) => {
                self.connections.remove(connection);
            }
            Action::Wait(time) => std::thread::sleep(*time),
            Action::Drain => self.server.signal(Signal::USR1)?,
            Action::Restart => {
                self.connections.clear();
                self.server.kill()?;
                self.server = self.launch.start()?;
            }
        }
        Ok(())
    }

    fn wire(&mut self, connection: char) -> io::Result<&mut Wire> {
        use std::collections::btree_map::Entry;
        Ok(match self.connections.entry(connection) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(Wire::connect(self.server.address(), self.patience)?)
            }
        })
    }

    /// Sends; a server that has closed the connection is heard when it is listened to.
    fn send(&mut self, connection: char, bytes: &[u8]) -> io::Result<()> {
        match self.wire(connection)?.send(bytes) {
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn listen(&mut self, step: Option<usize>, connection: char, until: Until) -> io::Result<()> {
        let patience = self.patience;
        let wire = self.wire(connection)?;
        let (bytes, after) = hear(wire, until, patience);
        self.transcript.heard.push(Heard {
            step,
            connection,
            bytes,
            after,
        });
        Ok(())
    }

    /// Hears what is left on every connection and sees whether the server still runs.
    fn finish(mut self) -> Result<Transcript, PlayError> {
        let connections: Vec<char> = self.connections.keys().copied().collect();
        for connection in connections {
            self.listen(None, connection, Until::Quiet)?;
        }
        if let Some(status) = self.server.wait(Duration::ZERO)? {
            return Err(PlayError::Ended(format!("{status}\n{}", self.server.log())));
        }
        Ok(self.transcript)
    }
}

/// How long a step waits.
#[derive(Clone, Copy)]
enum Until {
    Answers(usize),
    Quiet,
    End,
}

fn hear(wire: &mut Wire, until: Until, patience: Duration) -> (Vec<u8>, After) {
    let begun = Instant::now();
    let mut heard = Vec::new();
    loop {
        // What is no answer is heard until it is quiet: the comparison shows it.
        let quiet = match until {
            Until::Quiet => true,
            Until::End => false,
            Until::Answers(count) => match take(wire.pending(), count) {
                Taken::All(length) => {
                    let mut bytes = wire.take_pending();
                    let rest = bytes.split_off(length);
                    wire.put_back(rest);
                    heard.extend(bytes);
                    return (heard, After::Done);
                }
                Taken::More => false,
                Taken::Nonsense => true,
            },
        };
        let deadline = if quiet {
            Instant::now() + QUIET
        } else {
            begun + patience
        };
        let after = match wire.fill(deadline) {
            Ok(Filled::Some) => continue,
            Ok(Filled::Closed) => After::Closed,
            Ok(Filled::Nothing) if quiet && matches!(until, Until::Quiet) => After::Done,
            Ok(Filled::Nothing) => After::Silent,
            Err(_) => After::Broken,
        };
        heard.extend(wire.take_pending());
        return (heard, after);
    }
}

enum Taken {
    /// The answers are there, and take so many bytes.
    All(usize),
    More,
    Nonsense,
}

fn take(bytes: &[u8], count: usize) -> Taken {
    let mut length = 0;
    for _ in 0..count {
        match parse(&bytes[length..]) {
            Ok(Some(parsed)) => length += parsed.length,
            Ok(None) => return Taken::More,
            Err(_) => return Taken::Nonsense,
        }
    }
    Taken::All(length)
}
