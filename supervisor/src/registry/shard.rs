//! The entries of some of the keys: pure. What leaves is put into a [`Trash`].

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::mem;

use rustc_hash::FxHashMap;

use crate::report::discard;

/// What is to be dropped when no lock is held any more: drops are the user's code, and may come
/// back here.
pub(super) struct Trash<K, V> {
    pub(super) keys: Vec<K>,
    pub(super) values: Vec<V>,
}

impl<K, V> Drop for Trash<K, V> {
    /// Each for itself: one whose drop panics keeps none of the others.
    fn drop(&mut self) {
        self.keys.drain(..).for_each(discard);
        self.values.drain(..).for_each(discard);
    }
}

impl<K, V> Trash<K, V> {
    pub(super) fn new() -> Self {
        Trash {
            keys: Vec::new(),
            values: Vec::new(),
        }
    }
}

/// One registration. Numbers grow, and none is used twice in a table.
pub(super) struct Entry<V, P> {
    pub(super) number: u64,
    pub(super) owner: P,
    pub(super) value: V,
}

/// The entries of a key: there is at least one.
enum Slot<V, P> {
    One(Entry<V, P>),
    /// By their numbers, and so in the order of registration.
    Many(BTreeMap<u64, (P, V)>),
}

pub(super) struct Shard<K, V, P> {
    slots: FxHashMap<K, Slot<V, P>>,
    entries: usize,
}

impl<K, V, P> Default for Shard<K, V, P> {
    fn default() -> Self {
        Shard {
            slots: FxHashMap::default(),
            entries: 0,
        }
    }
}

impl<K: Hash + Eq, V, P: Copy + PartialEq> Shard<K, V, P> {
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// Adds an entry beside those that the key has.
    pub(super) fn insert(&mut self, key: K, entry: Entry<V, P>, trash: &mut Trash<K, V>) {
        self.entries += 1;
        let Some(slot) = self.slots.get_mut(&key) else {
            self.slots.insert(key, Slot::One(entry));
            return;
        };
        trash.keys.push(key);
        if let Slot::One(_) = slot
            && let Slot::One(first) = mem::replace(slot, Slot::Many(BTreeMap::new()))
        {
            slot.add(first);
        }
        slot.add(entry);
    }

    /// Adds the only entry of a key, or says who has it. A process that is not alive has nothing.
    pub(super) fn insert_unique(
        &mut self,
        key: K,
        entry: Entry<V, P>,
        alive: impl Fn(P) -> bool,
        trash: &mut Trash<K, V>,
    ) -> Result<(), P> {
        let Some(slot) = self.slots.get_mut(&key) else {
            self.slots.insert(key, Slot::One(entry));
            self.entries += 1;
            return Ok(());
        };
        trash.keys.push(key);
        let (owner, _) = slot.first();
        if alive(owner) {
            trash.values.push(entry.value);
            return Err(owner);
        }
        if let Slot::One(dead) = mem::replace(slot, Slot::One(entry)) {
            trash.values.push(dead.value);
        }
        Ok(())
    }

    /// Removes the registration of that number, if the key has it.
    pub(super) fn remove<Q>(&mut self, key: &Q, number: u64, trash: &mut Trash<K, V>)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        match slot {
            Slot::One(entry) if entry.number != number => return,
            Slot::One(_) => {}
            Slot::Many(many) => {
                let Some((_, value)) = many.remove(&number) else {
                    return;
                };
                self.entries -= 1;
                trash.values.push(value);
                if !many.is_empty() {
                    return;
                }
            }
        }
        if let Some((key, slot)) = self.slots.remove_entry(key) {
            trash.keys.push(key);
            if let Slot::One(entry) = slot {
                self.entries -= 1;
                trash.values.push(entry.value);
            }
        }
        // What a crowd has left behind is given back.
        if self.slots.is_empty() && self.slots.capacity() > 1024 {
            self.slots = FxHashMap::default();
        }
    }

    /// Puts another value in the place of that of a registration, if the key still has it.
    pub(super) fn replace<Q>(&mut self, key: &Q, number: u64, value: V) -> Result<V, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        match self.slots.get_mut(key) {
            Some(Slot::One(entry)) if entry.number == number => {
                Ok(mem::replace(&mut entry.value, value))
            }
            _ => Err(value),
        }
    }

    /// The oldest entry of a key.
    pub(super) fn first<Q>(&self, key: &Q) -> Option<(P, &V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.slots.get(key).map(Slot::first)
    }

    /// The entries of a key, oldest first, with their numbers.
    pub(super) fn of_key<Q>(&self, key: &Q) -> impl Iterator<Item = (u64, P, &V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.slots.get(key).into_iter().flat_map(Slot::iter)
    }

    /// All entries, those of one key oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, P, &V)> {
        let of_slot = |(key, slot)| {
            let entries = Slot::iter(slot);
            entries.map(move |(_, owner, value)| (key, owner, value))
        };
        self.slots.iter().flat_map(of_slot)
    }
}

impl<V, P: Copy> Slot<V, P> {
    fn add(&mut self, entry: Entry<V, P>) {
        if let Slot::Many(many) = self {
            many.insert(entry.number, (entry.owner, entry.value));
        }
    }

    fn first(&self) -> (P, &V) {
        match self {
            Slot::One(entry) => (entry.owner, &entry.value),
            Slot::Many(many) => match many.first_key_value() {
                Some((_, (owner, value))) => (*owner, value),
                None => unreachable!("a slot has an entry"),
            },
        }
    }

    fn iter(&self) -> impl Iterator<Item = (u64, P, &V)> {
        let (one, many) = match self {
            Slot::One(entry) => (Some((entry.number, entry.owner, &entry.value)), None),
            Slot::Many(many) => (None, Some(many)),
        };
        let many = many.into_iter().flatten();
        one.into_iter()
            .chain(many.map(|(number, (owner, value))| (*number, *owner, value)))
    }
}
