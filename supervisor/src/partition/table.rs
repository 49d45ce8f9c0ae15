//! Which process each partition has.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use regrow_runtime::{Pid, seems_alive, self_pid};
use rustc_hash::FxHashMap;

use crate::Via;

/// The tables of a runtime by name. One that somebody has stays, so that they find what a
/// supervisor of that name puts into it later; so does one whose partitions run.
pub(super) struct Tables(RwLock<ByName>);

struct ByName {
    tables: FxHashMap<Arc<str>, Arc<Table>>,
    /// At so many, look for tables that nobody needs.
    clean_at: usize,
}

impl Default for Tables {
    fn default() -> Self {
        Tables(RwLock::new(ByName {
            tables: FxHashMap::default(),
            clean_at: 16,
        }))
    }
}

impl Tables {
    pub(super) fn named(&self, name: &str) -> Arc<Table> {
        if let Some(table) = read(&self.0).tables.get(name) {
            return table.clone();
        }
        let mut by_name = write(&self.0);
        if by_name.tables.len() >= by_name.clean_at {
            by_name.tables.retain(|_, table| Table::is_needed(table));
            by_name.clean_at = 16.max(2 * by_name.tables.len());
        }
        let name: Arc<str> = name.into();
        let table = || {
            Arc::new(Table {
                name: name.clone(),
                pids: RwLock::default(),
            })
        };
        let table = by_name.tables.entry(name.clone()).or_insert_with(table);
        table.clone()
    }
}

/// The pids of the partitions of one supervisor. An old one stays until there is a new one.
pub(super) struct Table {
    name: Arc<str>,
    pids: RwLock<Vec<Option<Pid>>>,
}

impl Table {
    /// Whether anybody else has it, or a partition lives. The supervisor's specs have it too, but
    /// not those of temporary partitions.
    fn is_needed(table: &Arc<Table>) -> bool {
        let lives = |pid: &Option<Pid>| pid.is_some_and(seems_alive);
        Arc::strong_count(table) > 1 || read(&table.pids).iter().any(lives)
    }

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

#[cfg(test)]
mod tests {
    use regrow_runtime::{Runtime, receive, spawn};

    use super::*;

    #[test]
    fn tables_of_supervisors_that_are_gone_do_not_pile_up() {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let tables = Tables::default();
            let held = tables.named("held");
            let lives = tables.named("lives");
            lives.reset(1);
            lives.set(0, Some(spawn(receive::<()>())));
            let dead = tables.named("dead");
            dead.reset(3);
            drop((lives, dead));
            for number in 0..1000 {
                tables.named(&number.to_string());
            }
            assert!(read(&tables.0).tables.len() <= 16);
            assert!(Arc::ptr_eq(&held, &tables.named("held")));
            assert_eq!(tables.named("lives").len(), 1);
            assert_eq!(tables.named("dead").len(), 0, "a new one");
        });
    }
}
