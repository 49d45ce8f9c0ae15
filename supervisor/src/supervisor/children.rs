//! The children of a static supervisor, in start order.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry as MapEntry;
use std::sync::Arc;

use regrow_runtime::Pid;
use rustc_hash::FxHashMap;

use super::strategy::Member;
use crate::{ChildInfo, ChildSpec, ChildState, Restart};

/// One child: what was asked for and what has become of it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) spec: ChildSpec,
    /// Changed through [`Children::set_state`] only, which keeps the index by pid.
    state: ChildState,
}

impl Entry {
    pub(crate) fn state(&self) -> ChildState {
        self.state
    }

    pub(crate) fn info(&self) -> ChildInfo {
        ChildInfo {
            id: self.spec.id.clone(),
            state: self.state,
            child_type: self.spec.child_type,
            restart: self.spec.restart,
            significant: self.spec.significant,
        }
    }
}

/// The children by key; keys are given in start order and never again. The two indexes keep
/// every operation logarithmic or better: a supervisor may have very many children.
#[derive(Debug, Default)]
pub(crate) struct Children {
    entries: BTreeMap<u64, Entry>,
    by_id: FxHashMap<Arc<str>, u64>,
    by_pid: FxHashMap<Pid, u64>,
    /// Younger children of a pid that is in the index already: two start functions have returned
    /// the same. Nearly always empty.
    by_pid_more: Vec<(Pid, u64)>,
    key_next: u64,
}

impl Children {
    /// Adds a child, not running yet, as the youngest; the caller has checked that its id is new.
    pub(crate) fn insert(&mut self, spec: ChildSpec) -> u64 {
        let key = self.key_next;
        self.key_next += 1;
        self.by_id.insert(spec.id.clone(), key);
        let state = ChildState::Stopped;
        self.entries.insert(key, Entry { spec, state });
        key
    }

    pub(crate) fn remove(&mut self, key: u64) {
        self.set_state(key, ChildState::Stopped);
        if let Some(entry) = self.entries.remove(&key) {
            self.by_id.remove(&entry.spec.id);
        }
    }

    pub(crate) fn set_state(&mut self, key: u64, state: ChildState) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        let old = std::mem::replace(&mut entry.state, state);
        if let ChildState::Running(_) = state {
            entry.spec.forget_start_if_temporary();
        }
        if let ChildState::Running(old) = old {
            self.leave_index(old, key);
        }
        if let ChildState::Running(new) = state {
            self.enter_index(new, key);
        }
    }

    fn enter_index(&mut self, pid: Pid, key: u64) {
        match self.by_pid.entry(pid) {
            MapEntry::Vacant(entry) => {
                entry.insert(key);
            }
            MapEntry::Occupied(_) => self.by_pid_more.push((pid, key)),
        }
    }

    fn leave_index(&mut self, pid: Pid, key: u64) {
        if self.by_pid.get(&pid) != Some(&key) {
            self.by_pid_more.retain(|&other| other != (pid, key));
            return;
        }
        self.by_pid.remove(&pid);
        let next = self.by_pid_more.iter().position(|&(other, _)| other == pid);
        if let Some(next) = next {
            let (_, key) = self.by_pid_more.remove(next);
            self.by_pid.insert(pid, key);
        }
    }

    pub(crate) fn get(&self, key: u64) -> Option<&Entry> {
        self.entries.get(&key)
    }

    pub(crate) fn key_of_id(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn key_of_pid(&self, pid: Pid) -> Option<u64> {
        self.by_pid.get(&pid).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.entries.keys().copied()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Entry)> + '_ {
        self.entries.iter().map(|(&key, entry)| (key, entry))
    }

    /// What strategies look at, in start order.
    pub(crate) fn members(&self) -> impl Iterator<Item = Member> + '_ {
        self.iter().map(|(key, entry)| Member {
            key,
            temporary: entry.spec.restart == Restart::Temporary,
        })
    }
}
