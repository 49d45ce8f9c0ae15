//! What a supervisor tells about its children.

use std::sync::Arc;

use regrow_runtime::Pid;

use crate::{ChildType, Restart};

/// Where a child is in its life, as its supervisor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChildState {
    /// It was started as this process and its supervisor has not seen it end. (A child that
    /// has unlinked itself ends unseen.)
    Running(Pid),
    /// It has no process: it was terminated by hand, finished and was not to be started again,
    /// or its start function answered [`Child::ignored`](crate::Child::ignored).
    Stopped,
    /// Its last restart failed and the next attempt is due.
    Restarting,
}

impl ChildState {
    /// The process, if there is one.
    pub fn pid(self) -> Option<Pid> {
        match self {
            ChildState::Running(pid) => Some(pid),
            ChildState::Stopped | ChildState::Restarting => None,
        }
    }
}

impl std::fmt::Display for ChildState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ChildState::Running(pid) => pid.fmt(f),
            ChildState::Stopped => f.write_str("stopped"),
            ChildState::Restarting => f.write_str("restarting"),
        }
    }
}

/// One child in the answer to `which_children`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildInfo {
    /// The id of its spec.
    pub id: Arc<str>,
    /// Its process, or why it has none.
    pub state: ChildState,
    /// Worker or supervisor, as its spec says.
    pub child_type: ChildType,
    /// When it is started again.
    pub restart: Restart,
    /// Whether its end counts for the supervisor's auto-shutdown.
    pub significant: bool,
}

/// The answer to `count_children`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Children the supervisor knows, with or without a process.
    pub specs: usize,
    /// Children with a living process.
    pub active: usize,
    /// Children that are supervisors, with or without a process.
    pub supervisors: usize,
    /// Children that are workers, with or without a process.
    pub workers: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, child_type: ChildType, active: bool) {
        self.specs += 1;
        self.active += usize::from(active);
        match child_type {
            ChildType::Worker => self.workers += 1,
            ChildType::Supervisor => self.supervisors += 1,
        }
    }
}
