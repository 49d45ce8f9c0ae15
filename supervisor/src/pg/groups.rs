//! Who is in which group: read by everybody, changed by the process of the scope alone.
//!
//! Each time that a process joins has a number, and the newest is the first of its group. So a list
//! that joins together is numbered from its end.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};

use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::owned::Owned;

/// Enough that readers of different groups seldom meet at a lock.
const SHARDS: usize = 16;

/// The groups of a scope; `P` is a pid, or a number in a test. A group has a member.
pub(super) struct Groups<G, P> {
    shards: Box<[Shard<G, P>]>,
    server: Mutex<Option<P>>,
}

type Shard<G, P> = RwLock<FxHashMap<G, BTreeMap<u64, P>>>;

impl<G, P> Default for Groups<G, P> {
    fn default() -> Self {
        Groups {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            server: Mutex::default(),
        }
    }
}

impl<G: Hash + Eq + Clone, P: Copy + Eq> Groups<G, P> {
    fn shard(&self, group: &G) -> &Shard<G, P> {
        &self.shards[(FxBuildHasher.hash_one(group) >> 20) as usize % SHARDS]
    }

    /// The process that serves the scope.
    pub(super) fn server(&self) -> Option<P> {
        *self.server.lock()
    }

    /// A process serves the scope from now on, without groups.
    pub(super) fn open(&self, server: P) {
        self.change_server(|_| true, Some(server));
    }

    /// This process serves the scope no more.
    pub(super) fn close(&self, server: P) {
        self.change_server(|now| now == Some(server), None);
    }

    fn change_server(&self, if_so: impl FnOnce(Option<P>) -> bool, next: Option<P>) {
        let mut server = self.server.lock();
        if !if_so(*server) {
            return;
        }
        *server = next;
        for shard in &self.shards {
            let groups = std::mem::take(&mut *shard.write());
            drop(groups);
        }
    }

    /// The members of a group, the newest first.
    pub(super) fn members(&self, group: &G) -> Vec<P> {
        let shard = self.shard(group).read();
        let members = shard.get(group);
        members.map(newest_first).unwrap_or_default()
    }

    /// All groups, with their members.
    pub(super) fn all(&self) -> Vec<(G, Vec<P>)> {
        self.collect(|group, members| (group.clone(), newest_first(members)))
    }

    pub(super) fn names(&self) -> Vec<G> {
        self.collect(|group, _| group.clone())
    }

    fn collect<T>(&self, make: impl Fn(&G, &BTreeMap<u64, P>) -> T) -> Vec<T> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.read();
            all.extend(shard.iter().map(|(group, members)| make(group, members)));
        }
        all
    }

    fn add(&self, group: &G, numbered: impl IntoIterator<Item = (u64, P)>) {
        let mut shard = self.shard(group).write();
        match shard.get_mut(group) {
            Some(members) => members.extend(numbered),
            None => {
                let members = numbered.into_iter().collect();
                shard.insert(group.clone(), members);
            }
        }
    }

    fn remove(&self, group: &G, numbers: &[u64]) {
        let mut shard = self.shard(group).write();
        let Some(members) = shard.get_mut(group) else {
            return;
        };
        for number in numbers {
            members.remove(number);
        }
        if members.is_empty() {
            let removed = shard.remove_entry(group);
            drop(shard);
            drop(removed);
        }
    }
}

fn newest_first<P: Copy>(members: &BTreeMap<u64, P>) -> Vec<P> {
    members.values().rev().copied().collect()
}

/// What the process of a scope knows of its members. `T` is what it has for each, a monitor.
pub(super) struct Members<G, P, T> {
    joined: FxHashMap<P, (T, Owned<G>)>,
    next: u64,
}

impl<G, P, T> Default for Members<G, P, T> {
    fn default() -> Self {
        Members {
            joined: FxHashMap::default(),
            next: 0,
        }
    }
}

impl<G: Hash + Eq + Clone, P: Copy + Hash + Eq, T> Members<G, P, T> {
    /// These join, those that come first in front; `new` makes what is kept for one that was in no
    /// group.
    pub(super) fn join(
        &mut self,
        groups: &Groups<G, P>,
        group: &G,
        pids: &[P],
        new: impl Fn(P) -> T,
    ) {
        if pids.is_empty() {
            return;
        }
        let first = self.next;
        self.next += pids.len() as u64;
        let numbered = || (first..).zip(pids.iter().rev().copied());
        for (number, pid) in numbered() {
            let (_, owned) = self
                .joined
                .entry(pid)
                .or_insert_with(|| (new(pid), Owned::default()));
            owned.add(number, group.clone());
        }
        groups.add(group, numbered());
    }

    /// These leave, each once for each time that it is here. Who has left, in this order, and what
    /// was kept for those that are in no group any more.
    pub(super) fn leave(
        &mut self,
        groups: &Groups<G, P>,
        group: &G,
        pids: &[P],
    ) -> (Vec<P>, Vec<T>) {
        let (mut left, mut numbers, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for &pid in pids {
            let Some((_, owned)) = self.joined.get_mut(&pid) else {
                continue;
            };
            // The one that it has joined with last.
            let Some(&number) = owned.numbers(group).last() else {
                continue;
            };
            owned.remove(group, &[number], &mut Vec::new());
            left.push(pid);
            numbers.push(number);
            if owned.is_empty() {
                gone.extend(self.joined.remove(&pid).map(|(kept, _)| kept));
            }
        }
        groups.remove(group, &numbers);
        (left, gone)
    }

    /// This one has ended: the groups that it was in, once for each time, the last joined first.
    pub(super) fn ended(&mut self, groups: &Groups<G, P>, pid: P) -> Vec<G> {
        let Some((_, owned)) = self.joined.remove(&pid) else {
            return Vec::new();
        };
        let left = owned.keys().into_iter().rev().collect();
        for (group, numbers) in owned.into_numbers() {
            groups.remove(&group, &numbers);
        }
        left
    }

    /// What is kept for a member.
    pub(super) fn kept(&self, pid: P) -> Option<&T> {
        self.joined.get(&pid).map(|(kept, _)| kept)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Join(u8, Vec<u32>),
        Leave(u8, Vec<u32>),
        End(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let pids = prop::collection::vec(0..5_u32, 0..4);
        let step = prop_oneof![
            3 => (0..3_u8, pids.clone()).prop_map(|(group, pids)| Step::Join(group, pids)),
            2 => (0..3_u8, pids).prop_map(|(group, pids)| Step::Leave(group, pids)),
            1 => (0..5_u32).prop_map(Step::End),
        ];
        prop::collection::vec(step, 0..40)
    }

    proptest! {
        /// As `pg` does it with lists: what joins is put in front, and the first that fits leaves.
        #[test]
        fn groups_are_lists(steps in steps()) {
            let (groups, mut members) = (Groups::default(), Members::default());
            let mut lists: FxHashMap<u8, Vec<u32>> = FxHashMap::default();
            // Each time that a process has joined, the newest first.
            let mut history: Vec<(u32, u8)> = Vec::new();
            for step in steps {
                match step {
                    Step::Join(group, pids) => {
                        members.join(&groups, &group, &pids, |pid| pid);
                        for &pid in pids.iter().rev() {
                            lists.entry(group).or_default().insert(0, pid);
                            history.insert(0, (pid, group));
                        }
                    }
                    Step::Leave(group, pids) => {
                        let list = lists.entry(group).or_default();
                        let mut left = Vec::new();
                        for pid in pids.iter().copied() {
                            if let Some(at) = list.iter().position(|it| *it == pid) {
                                left.push(list.remove(at));
                                let at = history.iter().position(|it| *it == (pid, group));
                                history.remove(at.unwrap());
                            }
                        }
                        let in_none = |pid: &u32| !history.iter().any(|it| it.0 == *pid);
                        let mut gone = left.clone();
                        gone.sort_unstable();
                        gone.dedup();
                        gone.retain(in_none);
                        let (really, mut kept) = members.leave(&groups, &group, &pids);
                        kept.sort_unstable();
                        prop_assert_eq!((really, kept), (left, gone));
                    }
                    Step::End(pid) => {
                        let left = history.iter().filter(|it| it.0 == pid).map(|it| it.1);
                        prop_assert_eq!(members.ended(&groups, pid), left.collect::<Vec<_>>());
                        history.retain(|it| it.0 != pid);
                        lists.values_mut().for_each(|list| list.retain(|it| *it != pid));
                    }
                }
                lists.retain(|_, list| !list.is_empty());
                for group in 0..3 {
                    let list = lists.get(&group).cloned().unwrap_or_default();
                    prop_assert_eq!(groups.members(&group), list);
                }
                let mut all = groups.all();
                all.sort_unstable();
                let mut expected: Vec<_> = lists.clone().into_iter().collect();
                expected.sort_unstable();
                prop_assert_eq!(&all, &expected);
                prop_assert_eq!(groups.names().len(), expected.len());
                for pid in 0..5 {
                    let is_known = history.iter().any(|it| it.0 == pid);
                    prop_assert_eq!(members.kept(pid).is_some(), is_known);
                }
            }
        }
    }

    #[test]
    fn only_who_serves_the_scope_closes_it() {
        let (groups, mut members) = (Groups::default(), Members::default());
        groups.open(1);
        members.join(&groups, &'a', &[7], |_| ());
        groups.open(2);
        assert_eq!((groups.server(), groups.names()), (Some(2), vec![]));
        members.join(&groups, &'b', &[7], |_| ());
        groups.close(1);
        assert_eq!((groups.server(), groups.members(&'b')), (Some(2), vec![7]));
        groups.close(2);
        assert_eq!((groups.server(), groups.names()), (None, vec![]));
    }
}
