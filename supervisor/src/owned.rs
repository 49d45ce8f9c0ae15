//! The keys of one process in a registry, or its groups, with a number for each time: pure.

use std::borrow::Borrow;
use std::hash::Hash;
use std::mem;

use rustc_hash::FxHashMap;

/// More than so many are looked up by a hash.
const FEW: usize = 16;

/// What one process has registered, or joined. Most have one key or two, some have a million.
#[derive(Debug)]
pub(crate) enum Owned<K> {
    /// In the order of registration.
    Few(Vec<(u64, K)>),
    /// The numbers in the order of registration.
    Many(FxHashMap<K, Vec<u64>>),
}

impl<K> Default for Owned<K> {
    fn default() -> Self {
        Owned::Few(Vec::new())
    }
}

impl<K: Hash + Eq + Clone> Owned<K> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Owned::Few(few) => few.is_empty(),
            Owned::Many(many) => many.is_empty(),
        }
    }

    /// `number` is higher than all before.
    pub(crate) fn add(&mut self, number: u64, key: K) {
        match self {
            Owned::Few(few) if few.len() < FEW => few.push((number, key)),
            Owned::Few(few) => {
                let mut many: FxHashMap<K, Vec<u64>> = FxHashMap::default();
                for (number, key) in mem::take(few).into_iter().chain([(number, key)]) {
                    many.entry(key).or_default().push(number);
                }
                *self = Owned::Many(many);
            }
            Owned::Many(many) => many.entry(key).or_default().push(number),
        }
    }

    /// The numbers of a key, oldest first.
    pub(crate) fn numbers<Q>(&self, key: &Q) -> Vec<u64>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        match self {
            Owned::Few(few) => {
                let same = few.iter().filter(|(_, it)| it.borrow() == key);
                same.map(|(number, _)| *number).collect()
            }
            Owned::Many(many) => many.get(key).cloned().unwrap_or_default(),
        }
    }

    /// Forgets these of a key's numbers, which are in order; the keys that are not needed any more
    /// go to `trash`.
    pub(crate) fn remove<Q>(&mut self, key: &Q, numbers: &[u64], trash: &mut Vec<K>)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let is_meant = |number: &u64| numbers.binary_search(number).is_ok();
        match self {
            Owned::Few(few) => {
                let removed =
                    few.extract_if(.., |(number, it)| is_meant(number) && (*it).borrow() == key);
                trash.extend(removed.map(|(_, key)| key));
            }
            Owned::Many(many) => {
                let Some(kept) = many.get_mut(key) else {
                    return;
                };
                kept.retain(|number| !is_meant(number));
                if kept.is_empty() {
                    trash.extend(many.remove_entry(key).map(|(key, _)| key));
                }
            }
        }
    }

    /// The key of each registration, in their order.
    pub(crate) fn keys(&self) -> Vec<K> {
        match self {
            Owned::Few(few) => few.iter().map(|(_, key)| key.clone()).collect(),
            Owned::Many(many) => {
                let all = many
                    .iter()
                    .flat_map(|(key, numbers)| numbers.iter().map(move |number| (*number, key)));
                let mut all: Vec<_> = all.collect();
                all.sort_unstable_by_key(|(number, _)| *number);
                all.into_iter().map(|(_, key)| key.clone()).collect()
            }
        }
    }

    /// Each key with its numbers, in no order; a key may come again.
    pub(crate) fn into_numbers(self) -> Vec<(K, Vec<u64>)> {
        match self {
            Owned::Few(few) => few.into_iter().map(|(n, key)| (key, vec![n])).collect(),
            Owned::Many(many) => many.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Add(u8),
        /// Of the numbers of this key, those whose bit is set.
        Remove(u8, u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..20_u8).prop_map(Step::Add),
            1 => (0..20_u8, any::<u8>()).prop_map(|(key, bits)| Step::Remove(key, bits)),
        ];
        prop::collection::vec(step, 0..80)
    }

    proptest! {
        #[test]
        fn few_or_many_they_are_a_list(steps in steps()) {
            let (mut owned, mut list) = (Owned::default(), Vec::<(u64, String)>::new());
            for (number, step) in (0_u64..).zip(steps) {
                match step {
                    Step::Add(key) => {
                        owned.add(number, key.to_string());
                        list.push((number, key.to_string()));
                    }
                    Step::Remove(key, bits) => {
                        let key = key.to_string();
                        let numbers = owned.numbers(&*key);
                        let same = list.iter().filter(|(_, it)| *it == key);
                        prop_assert_eq!(&numbers, &same.map(|it| it.0).collect::<Vec<_>>());
                        let meant: Vec<u64> =
                            numbers.into_iter().filter(|n| bits >> (n % 8) & 1 == 1).collect();
                        owned.remove(&*key, &meant, &mut Vec::new());
                        list.retain(|(number, _)| !meant.contains(number));
                    }
                }
                let keys: Vec<String> = list.iter().map(|it| it.1.clone()).collect();
                prop_assert_eq!(owned.keys(), keys);
                prop_assert_eq!(owned.is_empty(), list.is_empty());
            }
            let mut all: Vec<(u64, String)> = owned
                .into_numbers()
                .into_iter()
                .flat_map(|(key, numbers)| numbers.into_iter().map(move |n| (n, key.clone())))
                .collect();
            all.sort();
            prop_assert_eq!(all, list);
        }
    }
}
