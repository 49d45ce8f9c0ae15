//! Why a simulation came to nothing: who waits for what.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use regrow_mailbox::SaveQueue;

use super::driver::Loop;
use super::{outside, slots, trace::Trace};
use crate::panic::discard;
use crate::pid::Pid;
use crate::process::{turn, wake};
use crate::reason::ExitReason;

/// Why a [`Simulation`](super::Simulation) gave no result. Its text names the seed, and
/// each process with what it waits for.
#[derive(Debug)]
#[non_exhaustive]
pub struct SimulationError {
    /// The seed with which this happened, and will happen again.
    pub seed: u64,
    /// What happened.
    pub kind: SimulationErrorKind,
    /// The turns taken until then.
    pub turns: u64,
    /// The virtual time until then.
    pub virtual_time: Duration,
    /// What happened until then.
    pub trace: Trace,
}

/// What kept a simulation from its result.
#[derive(Debug)]
#[non_exhaustive]
pub enum SimulationErrorKind {
    /// The main process lives, nothing is runnable and no timer is armed: nothing will
    /// ever happen again.
    Deadlock(Box<Standstill>),
    /// The main process ended without a result: by a panic, or by a signal.
    Ended(ExitReason),
    /// The turns that it may take were spent. Perhaps it never ends.
    TooLong(Box<Standstill>),
    /// The operating system gave no thread, or no I/O event queue.
    NotStarted(io::Error),
}

/// How things stood when a simulation was given up.
#[derive(Debug)]
#[non_exhaustive]
pub struct Standstill {
    /// The processes that lived, in the order of their numbers.
    pub processes: Vec<ProcessState>,
    /// The first processes that ended with a panic, an error, or by a kill, and why.
    pub crashes: Vec<(Pid, ExitReason)>,
}

/// A process as it was when its simulation was given up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProcessState {
    /// The process.
    pub pid: Pid,
    /// Its registered name.
    pub name: Option<Arc<str>>,
    /// What it is, in a few words.
    pub label: Option<Arc<str>>,
    /// Who spawned it; none for the main process.
    pub parent: Option<Pid>,
    /// Where in the source it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The last place in the source where it began to wait, if it has.
    pub waiting_at: Option<&'static Location<'static>>,
    /// Whether it had something to do and waited for its turn.
    pub runnable: bool,
    /// The messages in its mailbox: how many of which type, oldest type first.
    pub messages: Vec<(&'static str, usize)>,
    /// How often a thread outside the simulation has tried, in vain, to reach it: to send
    /// to it or to wake it.
    pub tried_from_outside: usize,
}

/// So many crashes are remembered: the first tell most.
const CRASHES: usize = 16;

/// Processes that ended badly, and why.
#[derive(Default)]
pub(super) struct Crashes(RefCell<Vec<(Pid, ExitReason)>>);

impl Crashes {
    pub(super) fn note(&self, pid: Pid, reason: &ExitReason) {
        let mut crashes = self.0.borrow_mut();
        if !reason.is_normal_like() && crashes.len() < CRASHES {
            crashes.push((pid, reason.clone()));
        }
    }

    /// While the thread can still contain a panic, which at its end aborts the program.
    pub(super) fn forget(&self) {
        for (_, reason) in self.0.take() {
            discard("the drop of a reason", reason);
        }
    }
}

impl Loop<'_> {
    /// How things stand. All processes are runnable afterwards.
    pub(super) fn standstill(&self, first_note: u64) -> Box<Standstill> {
        let runnable = self.driver.runnable();
        let names = &self.worker.shared.names;
        // A look needs the token, which for one that waits comes with a wake.
        slots::pids().into_iter().for_each(wake);
        let mut processes: Vec<ProcessState> = self
            .driver
            .runnable()
            .into_iter()
            .filter_map(|index| {
                turn::look(index, |pid, header| ProcessState {
                    pid,
                    name: names.name_of(pid),
                    label: self.worker.shared.label_of(header, pid),
                    parent: header.parent(),
                    spawned_at: header.spawned_at,
                    waiting_at: header.waits_at.get(),
                    runnable: runnable.contains(&index),
                    messages: header.with_queue(|queue| types(queue)),
                    tried_from_outside: outside::attempts_since(first_note, pid),
                })
            })
            .collect();
        processes.sort_by_key(|process| process.pid);
        Box::new(Standstill {
            processes,
            crashes: self.driver.crashes.0.take(),
        })
    }
}

fn types(queue: &SaveQueue) -> Vec<(&'static str, usize)> {
    let mut types: Vec<(&'static str, usize)> = Vec::new();
    queue.for_each(|envelope| {
        let name = envelope.type_name();
        match types.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => types.push((name, 1)),
        }
    });
    types
}

impl std::error::Error for SimulationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            SimulationErrorKind::NotStarted(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the simulation with seed {} ", self.seed)?;
        match &self.kind {
            SimulationErrorKind::Deadlock(_) => f.write_str("came to a standstill")?,
            SimulationErrorKind::Ended(reason) => {
                write!(f, "has no result: its main process ended: {reason}")?;
            }
            SimulationErrorKind::TooLong(_) => f.write_str("did not end")?,
            SimulationErrorKind::NotStarted(_) => {
                return f.write_str("could not be started");
            }
        }
        let (turns, time) = (self.turns, self.virtual_time);
        write!(f, " (after {turns} turns and {time:?} of virtual time)")?;
        match &self.kind {
            SimulationErrorKind::Deadlock(standstill) => {
                let why = "nobody can run and no timer is armed";
                write!(f, ": {why}\n{standstill}")
            }
            SimulationErrorKind::TooLong(standstill) => write!(f, "\n{standstill}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Standstill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, process) in self.processes.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            write!(f, "  {process}")?;
        }
        for (pid, reason) in &self.crashes {
            write!(f, "\n  {pid} had ended: {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pid)?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        if let Some(label) = &self.label {
            write!(f, " ({label})")?;
        }
        write!(f, " spawned at {}", self.spawned_at)?;
        f.write_str(if self.runnable {
            ": has something to do"
        } else {
            ": waits"
        })?;
        if let Some(place) = self.waiting_at {
            write!(f, " at {place}")?;
        }
        if self.messages.is_empty() {
            f.write_str("; no messages")?;
        }
        for (number, (name, count)) in self.messages.iter().enumerate() {
            f.write_str(if number == 0 { "; messages: " } else { ", " })?;
            write!(f, "{count} {name}")?;
        }
        if self.tried_from_outside > 0 {
            write!(
                f,
                "; a thread outside the simulation tried to reach {}, {} times",
                self.pid, self.tried_from_outside
            )?;
        }
        Ok(())
    }
}
