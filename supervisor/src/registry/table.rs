//! The entries of a registry, which all processes read and write themselves.
//!
//! There are two indices: by key, which lookups read, and by owner, which tells what goes with
//! a process. Both are in shards with a lock each. Whoever needs two locks takes that of the
//! owner first.
//!
//! A *server* is the process that takes the entries of dead owners out, and with which those of the
//! living go: they are linked to it. A shard of owners is *open* while it has one:
//!
//! | state | event | effect |
//! |---|---|---|
//! | closed | `open(server)` | open, without owners |
//! | open | `open(other)` | all entries of its owners are taken out; open for the other |
//! | open | `close(server)` | all entries of its owners are taken out; closed |
//! | open for another | `close(server)` | nothing |
//! | closed | `register` | refused |
//!
//! Only an owner changes its own entries, and only while it lives, so its changes have an order. What
//! is in the index by key is in that by owner as well, or about to leave both; an entry that
//! has replaced a dead owner's has another number, and so is not taken for it.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::shard::{Entry, Shard, Trash};
use crate::owned::Owned;

/// Enough that the readers on many cores seldom meet at the same lock.
pub(super) const SHARDS: usize = 64;

/// `P` is the owner: a pid, or a number in a test.
pub(super) struct Table<K, V, P> {
    keys: Box<[RwLock<Shard<K, V, P>>]>,
    owners: Box<[Mutex<Owners<K, P>>]>,
    next: AtomicU64,
}

struct Owners<K, P> {
    server: Option<P>,
    owned: FxHashMap<P, Owned<K>>,
}

/// Why nothing was registered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused<P> {
    Closed,
    Taken(P),
}

/// What an owner has to do after a change: a link to its server begins with the first entry and
/// ends with the last.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then<P> {
    Nothing,
    Link(P),
    Unlink(P),
}

impl<K, V, P> Default for Table<K, V, P> {
    fn default() -> Self {
        let closed = || Owners {
            server: None,
            owned: FxHashMap::default(),
        };
        Table {
            keys: (0..SHARDS).map(|_| RwLock::default()).collect(),
            owners: (0..SHARDS).map(|_| Mutex::new(closed())).collect(),
            next: AtomicU64::new(0),
        }
    }
}

/// The bits of this hash that are good, and of which the map inside takes others.
fn shard_of(what: &(impl Hash + ?Sized)) -> usize {
    (FxBuildHasher.hash_one(what) >> 20) as usize % SHARDS
}

impl<K, V, P> Table<K, V, P>
where
    K: Hash + Eq + Clone,
    P: Copy + Hash + Eq,
{
    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &RwLock<Shard<K, V, P>> {
        &self.keys[shard_of(key)]
    }

    fn owners(&self, owner: P) -> MutexGuard<'_, Owners<K, P>> {
        self.owners[shard_of(&owner)].lock()
    }

    /// This server has those shards of owners from now on.
    pub(super) fn open(&self, server: P, is_mine: impl Fn(usize) -> bool) {
        for (index, owners) in self.owners.iter().enumerate() {
            if is_mine(index) {
                self.take_over(owners, None, Some(server));
            }
        }
    }

    /// This server is gone.
    pub(super) fn close(&self, server: P) {
        for owners in &self.owners {
            self.take_over(owners, Some(server), None);
        }
    }

    /// Takes all entries out of a shard of owners, for another server. If `from` is given, only
    /// from that.
    fn take_over(&self, owners: &Mutex<Owners<K, P>>, from: Option<P>, to: Option<P>) {
        let mut trash = Trash::new();
        let mut owners = owners.lock();
        if from.is_some() && owners.server != from {
            return;
        }
        // Under the lock: whoever registers with the new server finds all this gone.
        owners.server = to;
        for (_, owned) in std::mem::take(&mut owners.owned) {
            self.remove_all(owned, &mut trash);
        }
        drop(owners);
        drop(trash);
    }

    fn remove_all(&self, owned: Owned<K>, trash: &mut Trash<K, V>) {
        for (key, numbers) in owned.into_numbers() {
            let mut shard = self.shard(&key).write();
            for number in numbers {
                shard.remove(&key, number, trash);
            }
            drop(shard);
            trash.keys.push(key);
        }
    }

    /// Whether anybody could register.
    pub(super) fn is_open(&self) -> bool {
        self.owners[0].lock().server.is_some()
    }

    /// Adds an entry. With `unique`, the key must have none of an owner that is `alive`.
    pub(super) fn register(
        &self,
        owner: P,
        key: K,
        value: V,
        unique: bool,
        alive: impl Fn(P) -> bool,
    ) -> Result<Then<P>, Refused<P>> {
        let mut trash = Trash::new();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let copy = key.clone();
        let entry = Entry {
            number,
            owner,
            value,
        };
        let mut owners = self.owners(owner);
        let Some(server) = owners.server else {
            drop(owners);
            return Err(Refused::Closed);
        };
        let mut is_first = false;
        let owned = owners.owned.entry(owner).or_insert_with(|| {
            is_first = true;
            Owned::default()
        });
        // First here: whatever happens below, the entry can be found by its owner.
        owned.add(number, copy.clone());
        let mut shard = self.shard(&key).write();
        let taken = if unique {
            shard.insert_unique(key, entry, alive, &mut trash)
        } else {
            shard.insert(key, entry, &mut trash);
            Ok(())
        };
        drop(shard);
        if let Err(pid) = taken {
            owned.remove(&copy, &[number], &mut trash.keys);
            if is_first {
                owners.owned.remove(&owner);
            }
            drop(owners);
            return Err(Refused::Taken(pid));
        }
        drop(owners);
        Ok(if is_first {
            Then::Link(server)
        } else {
            Then::Nothing
        })
    }

    /// Removes those entries of an owner under a key that `choose` chooses by their numbers. The
    /// key, if the owner had any under it and has none now, and what it has to do.
    pub(super) fn unregister<Q>(
        &self,
        owner: P,
        key: &Q,
        choose: impl FnOnce(Vec<u64>) -> Vec<u64>,
    ) -> (Option<K>, Then<P>)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut trash = Trash::new();
        let mut owners = self.owners(owner);
        let server = owners.server;
        let Some(owned) = owners.owned.get_mut(&owner) else {
            return (None, Then::Nothing);
        };
        let numbers = owned.numbers(key);
        let (before, chosen) = (numbers.len(), choose(numbers));
        let mut shard = self.shard(key).write();
        for &number in &chosen {
            shard.remove(key, number, &mut trash);
        }
        drop(shard);
        owned.remove(key, &chosen, &mut trash.keys);
        let mut then = Then::Nothing;
        if owned.is_empty() {
            owners.owned.remove(&owner);
            then = server.map_or(Then::Nothing, Then::Unlink);
        }
        drop(owners);
        let is_last = before > 0 && before == chosen.len();
        (trash.keys.pop().filter(|_| is_last), then)
    }

    /// An owner is dead.
    pub(super) fn owner_ended(&self, owner: P) {
        let mut trash = Trash::new();
        let owned = self.owners(owner).owned.remove(&owner);
        if let Some(owned) = owned {
            self.remove_all(owned, &mut trash);
        }
    }

    /// The number and the value of the only entry under a key, if this owner has it.
    pub(super) fn own<Q>(&self, owner: P, key: &Q) -> Option<(u64, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        let shard = self.shard(key).read();
        let (number, _, value) = shard.of_key(key).find(|(_, it, _)| *it == owner)?;
        Some((number, value.clone()))
    }

    /// Puts another value in the place of that of a unique entry, if it is still there.
    pub(super) fn replace<Q>(&self, key: &Q, number: u64, value: V) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        // The lock is released before what is left over is dropped.
        let replaced = self.shard(key).write().replace(key, number, value);
        replaced.is_ok()
    }

    /// The owner of the oldest entry of a key.
    pub(super) fn owner<Q>(&self, key: &Q) -> Option<P>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(self.shard(key).read().first(key)?.0)
    }

    /// The oldest entry of a key.
    pub(super) fn first<Q>(&self, key: &Q) -> Option<(P, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        let shard = self.shard(key).read();
        let (owner, value) = shard.first(key)?;
        Some((owner, value.clone()))
    }

    /// The entries of a key, with their numbers, oldest first.
    pub(super) fn of_key<Q>(&self, key: &Q) -> Vec<(u64, P, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        let shard = self.shard(key).read();
        let entries = shard.of_key(key);
        entries
            .map(|(number, owner, value)| (number, owner, value.clone()))
            .collect()
    }

    /// The key of each entry of an owner, in the order of registration.
    pub(super) fn keys(&self, owner: P) -> Vec<K> {
        let owners = self.owners(owner);
        owners
            .owned
            .get(&owner)
            .map(Owned::keys)
            .unwrap_or_default()
    }

    pub(super) fn count(&self) -> usize {
        self.keys.iter().map(|shard| shard.read().entries()).sum()
    }

    /// All entries, a shard at a time, so that nobody is locked out for long.
    pub(super) fn entries(&self) -> impl Iterator<Item = (K, P, V)>
    where
        V: Clone,
    {
        self.keys.iter().flat_map(|shard| {
            let shard = shard.read();
            let entries = shard.iter();
            let copy = |(key, owner, value): (&K, P, &V)| (key.clone(), owner, value.clone());
            entries.map(copy).collect::<Vec<_>>()
        })
    }
}

#[cfg(test)]
mod tests;
