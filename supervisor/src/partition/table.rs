//! Which process each partition has.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use regrow_runtime::{Pid, seems_alive, self_pid};
use rustc_hash::FxHashMap;

use crate::Via;

/// The tables of a runtime by name. One that is there stays, so that whoever has it finds what a
/// supervisor of that name puts into it later.
#[derive(Default)]
pub(super) struct Tables(RwLock<FxHashMap<Arc<str>, Arc<Table>>>);

impl Tables {
    pub(super) fn named(&self, name: &str) -> Arc<Table> {
        if let Some(table) = read(&self.0).get(name) {
            return table.clone();
        }
        let name: Arc<str> = name.into();
        let table = || {
            Arc::new(Table {
                name: name.clone(),
                pids: RwLock::default(),
            })
        };
        write(&self.0)
            .entry(name.clone())
            .or_insert_with(table)
            .clone()
    }
}

/// The pids of the partitions of one supervisor. An old one stays until there is a new one.
pub(super) struct Table {
    name: Arc<str>,
    pids: RwLock<Vec<Option<Pid>>>,
}

impl Table {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn len(&self) -> usize {
        read(&self.pids).len()
    }

    /// Begins anew, with so many partitions.
    pub(super) fn reset(&self, partitions: usize) {
        *write(&self.pids) = vec![None; partitions];
    }

    pub(super) fn set(&self, partition: usize, pid: Option<Pid>) {
        if let Some(slot) = write(&self.pids).get_mut(partition) {
            *slot = pid;
        }
    }
}

/// A place in a table.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Index(usize),
    /// Of a key with this hash, however many partitions there are.
    Hash(u64),
}

impl Slot {
    fn index(self, partitions: usize) -> usize {
        match self {
            Slot::Index(index) => index,
            // The product of a number below 1 and the number of partitions.
            Slot::Hash(hash) => ((u128::from(hash) * partitions as u128) >> 64) as usize,
        }
    }
}

/// The address of a partition.
pub(super) struct Partition {
    pub(super) table: Arc<Table>,
    pub(super) slot: Slot,
}

impl Via for Partition {
    /// Not used: the supervisor fills the table.
    fn register(&self) -> Result<(), Pid> {
        if let Some(pid) = self.whereis() {
            return Err(pid);
        }
        let partition = self.slot.index(self.table.len());
        self.table.set(partition, Some(self_pid()));
        Ok(())
    }

    fn whereis(&self) -> Option<Pid> {
        let pids = read(&self.table.pids);
        let pid = pids.get(self.slot.index(pids.len())).copied().flatten();
        pid.filter(|&pid| seems_alive(pid))
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partition = self.slot.index(self.table.len());
        write!(f, "{}/{partition}", self.table.name)
    }
}

/// Nobody panics with one of these locks, and what they protect would be whole if somebody did.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
