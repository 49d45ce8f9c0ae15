//! What happened in a simulation, in its order.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher;
use std::time::Duration;

use rustc_hash::FxHasher;

use crate::panic;
use crate::pid::Pid;
use crate::reason::ExitReason;

/// What happened in a simulation: its events in their order if it was asked to
/// [keep](super::Simulation::trace) them, and always a number that stands for them.
///
/// Two runs with equal traces took the same turns in the same order. Texts of errors
/// count, so an error that shows an address makes a difference.
///
/// ```
/// use regrow_runtime::simulation::Simulation;
///
/// let run = |seed| {
///     let two = async {
///         for _ in 0..10 { regrow_runtime::spawn(regrow_runtime::yield_now()); }
///         regrow_runtime::sleep(std::time::Duration::from_secs(1)).await;
///     };
///     Simulation::new(seed).trace(true).run(two).unwrap().trace
/// };
/// assert_eq!(run(1), run(1));
/// assert_ne!(run(1).hash(), run(2).hash());
/// println!("{}", run(1)); // one line for each event
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    hash: u64,
    events: Vec<TraceEvent>,
}

/// One entry of a [`Trace`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEvent {
    /// When, in virtual time.
    pub at: Duration,
    /// What.
    pub kind: TraceEventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceEventKind {
    /// A process was born.
    Spawn {
        /// The process.
        pid: Pid,
        /// Who spawned it; none for the main process.
        parent: Option<Pid>,
    },
    /// A process had its turn.
    Turn {
        /// The process.
        pid: Pid,
    },
    /// A process ended.
    Exit {
        /// The process.
        pid: Pid,
        /// Why.
        reason: String,
    },
    /// The time of some timers had come.
    Timers {
        /// How many.
        fired: usize,
    },
}

impl Trace {
    pub(super) fn empty() -> Self {
        Recorder::new(false).into_trace()
    }

    /// A number that stands for everything that happened. It is the same for the same
    /// program, on whatever machine of the same kind.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The events; none if they were not kept.
    pub fn events(&self) -> &[TraceEvent] {
        &self.events
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({:016x}, {} events)", self.hash, self.events.len())
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            writeln!(f, "{event}")?;
        }
        write!(f, "hash {:016x}", self.hash)
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.at.as_secs(), self.at.subsec_nanos());
        write!(f, "{seconds:>4}.{:06} ", nanos / 1_000)?;
        match &self.kind {
            TraceEventKind::Spawn { pid, parent } => match parent {
                Some(parent) => write!(f, "{parent} spawns {pid}"),
                None => write!(f, "{pid} is spawned"),
            },
            TraceEventKind::Turn { pid } => write!(f, "{pid} runs"),
            TraceEventKind::Exit { pid, reason } => write!(f, "{pid} ends: {reason}"),
            TraceEventKind::Timers { fired: 1 } => f.write_str("a timer fires"),
            TraceEventKind::Timers { fired } => write!(f, "{fired} timers fire"),
        }
    }
}

/// Writes the trace of a simulation that runs.
pub(super) struct Recorder {
    hasher: FxHasher,
    keeps: bool,
    events: Vec<TraceEvent>,
}

/// The text of a reason. That of an error is the user's code.
pub(super) fn text_of(reason: &ExitReason) -> Cow<'static, str> {
    match reason {
        // Most ends are of this kind.
        ExitReason::Normal => Cow::Borrowed("normal"),
        reason => panic::text_of(reason),
    }
}

/// What tells the kinds of events apart in the hash.
mod tag {
    pub(super) const SPAWN: u64 = 1;
    pub(super) const TURN: u64 = 2;
    pub(super) const EXIT: u64 = 3;
    pub(super) const TIMERS: u64 = 4;
}

impl Recorder {
    pub(super) fn new(keeps: bool) -> Self {
        Recorder {
            hasher: FxHasher::default(),
            keeps,
            events: Vec::new(),
        }
    }

    pub(super) fn into_trace(self) -> Trace {
        Trace {
            hash: self.hasher.finish(),
            events: self.events,
        }
    }

    fn count(&mut self, at: u64, tag: u64, what: u64) {
        self.hasher.write_u64(at << 3 | tag);
        self.hasher.write_u64(what);
    }

    fn keep(&mut self, at: u64, kind: impl FnOnce() -> TraceEventKind) {
        if self.keeps {
            let at = Duration::from_nanos(at);
            self.events.push(TraceEvent { at, kind: kind() });
        }
    }

    pub(super) fn spawn(&mut self, at: u64, pid: Pid, parent: Option<Pid>) {
        self.count(at, tag::SPAWN, pid.pack());
        self.hasher.write_u64(parent.map_or(0, Pid::pack));
        self.keep(at, || TraceEventKind::Spawn { pid, parent });
    }

    pub(super) fn turn(&mut self, at: u64, pid: Pid) {
        self.count(at, tag::TURN, pid.pack());
        self.keep(at, || TraceEventKind::Turn { pid });
    }

    pub(super) fn exit(&mut self, at: u64, pid: Pid, reason: &str) {
        self.count(at, tag::EXIT, pid.pack());
        self.hasher.write(reason.as_bytes());
        let reason = || reason.to_owned();
        self.keep(at, || TraceEventKind::Exit {
            pid,
            reason: reason(),
        });
    }

    pub(super) fn timers(&mut self, at: u64, fired: usize) {
        self.count(at, tag::TIMERS, fired as u64);
        self.keep(at, || TraceEventKind::Timers { fired });
    }
}
