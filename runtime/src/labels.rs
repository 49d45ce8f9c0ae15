//! Labels: what processes are, in a few words, for people.
//!
//! They are not in the processes because others read them: the thread that reports
//! a stuck process cannot ask that process. A label is set by its process only, or
//! at its birth, and taken away at its end; a flag of the process says whether it
//! has one, so that the others do not pay.

use std::sync::Arc;

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::pid::Pid;

/// Processes that set their labels at the same time mostly use different locks.
const SHARDS: usize = 16;

/// The labels of one runtime.
#[derive(Default)]
pub(crate) struct Labels {
    shards: [RwLock<FxHashMap<Pid, Arc<str>>>; SHARDS],
}

impl Labels {
    fn shard(&self, pid: Pid) -> &RwLock<FxHashMap<Pid, Arc<str>>> {
        &self.shards[pid.index() as usize % SHARDS]
    }

    pub(crate) fn set(&self, pid: Pid, label: Arc<str>) {
        self.shard(pid).write().insert(pid, label);
    }

    pub(crate) fn get(&self, pid: Pid) -> Option<Arc<str>> {
        self.shard(pid).read().get(&pid).cloned()
    }

    pub(crate) fn remove(&self, pid: Pid) {
        let mut shard = self.shard(pid).write();
        shard.remove(&pid);
        // What a crowd has left behind is given back.
        if shard.is_empty() && shard.capacity() > 1024 {
            *shard = FxHashMap::default();
        }
    }

    #[cfg(all(test, not(loom)))]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::scheduler::with_current;
    use crate::{Down, Runtime, SpawnOptions, receive, self_pid, set_label};

    #[test]
    fn a_label_is_readable_from_outside_its_process_and_goes_with_it() {
        let label_of = |pid| with_current("test", |shared| shared.labels.get(pid));
        let labels = || with_current("test", |shared| shared.labels.len());
        Runtime::new().unwrap().block_on(async move {
            set_label("asks");
            for round in 0..200 {
                let options = SpawnOptions::new().label("born with it").monitor();
                let child = options.spawn(async { assert_eq!(receive::<u8>().await, 1) });
                let child = child.unwrap().pid;
                assert_eq!(label_of(child).as_deref(), Some("born with it"));
                assert_eq!(labels(), 2);
                crate::send(child, 1_u8);
                receive::<Down>().await;
                assert_eq!(label_of(child), None);
                assert_eq!(labels(), 1, "round {round}");
            }
            assert_eq!(label_of(self_pid()).as_deref(), Some("asks"));
        });
    }
}
