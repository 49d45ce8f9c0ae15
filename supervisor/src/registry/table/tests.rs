use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Register {
        owner: u32,
        key: u8,
        unique: bool,
    },
    Unregister {
        owner: u32,
        key: u8,
    },
    /// Of the entries of this owner under this key, every other one.
    UnregisterSome {
        owner: u32,
        key: u8,
    },
    Die(u32),
    /// Its server takes note of a death.
    Ended(u32),
    Open(u32),
    Close(u32),
}

fn steps(unique: bool) -> impl Strategy<Value = Vec<Step>> {
    let (owner, key) = (0..6_u32, 0..4_u8);
    let both = (owner.clone(), key);
    let step = prop_oneof![
        8 => both.clone().prop_map(move |(owner, key)| Step::Register { owner, key, unique }),
        2 => both.clone().prop_map(|(owner, key)| Step::Unregister { owner, key }),
        2 => both.prop_map(|(owner, key)| Step::UnregisterSome { owner, key }),
        1 => owner.clone().prop_map(Step::Die),
        1 => owner.prop_map(Step::Ended),
        1 => (100..103_u32).prop_map(Step::Open),
        1 => (100..103_u32).prop_map(Step::Close),
    ];
    prop::collection::vec(step, 0..60)
}

/// A list, in the order of registration; the value is the number of the step.
#[derive(Default)]
struct Model {
    entries: Vec<(u8, u32, usize)>,
    dead: BTreeSet<u32>,
    server: Option<u32>,
}

impl Model {
    fn keys(&self, owner: u32) -> Vec<u8> {
        let mine = self.entries.iter().filter(|it| it.1 == owner);
        mine.map(|it| it.0).collect()
    }

    fn register(
        &mut self,
        key: u8,
        owner: u32,
        value: usize,
        unique: bool,
    ) -> Result<Then<u32>, Refused<u32>> {
        let server = self.server.ok_or(Refused::Closed)?;
        let taken = self.entries.iter().position(|it| it.0 == key);
        if unique && let Some(at) = taken {
            let (_, other, _) = self.entries[at];
            if !self.dead.contains(&other) {
                return Err(Refused::Taken(other));
            }
            self.entries.remove(at);
        }
        let is_first = self.keys(owner).is_empty();
        self.entries.push((key, owner, value));
        Ok(if is_first {
            Then::Link(server)
        } else {
            Then::Nothing
        })
    }
}

fn agrees(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (table, mut model) = (Table::<String, usize, u32>::default(), Model::default());
    for (value, step) in steps.into_iter().enumerate() {
        match step {
            // The dead do nothing.
            Step::Register { owner, .. }
            | Step::Unregister { owner, .. }
            | Step::UnregisterSome { owner, .. }
                if model.dead.contains(&owner) => {}
            Step::Register { owner, key, unique } => {
                let alive = |pid| !model.dead.contains(&pid);
                let got = table.register(owner, key.to_string(), value, unique, alive);
                prop_assert_eq!(got, model.register(key, owner, value, unique));
            }
            Step::Unregister { owner, key } => {
                let had = !model.keys(owner).is_empty();
                let before = model.entries.len();
                model.entries.retain(|it| (it.0, it.1) != (key, owner));
                let changed = before != model.entries.len();
                let (last, then) = table.unregister(owner, &*key.to_string(), |numbers| numbers);
                prop_assert_eq!(last, changed.then(|| key.to_string()));
                let left = model.keys(owner);
                let unlink = had && left.is_empty();
                prop_assert_eq!(
                    then,
                    model
                        .server
                        .filter(|_| unlink)
                        .map_or(Then::Nothing, Then::Unlink)
                );
            }
            Step::UnregisterSome { owner, key } => {
                let every_other = Cell::new(false);
                let odd = |_: &u64| every_other.replace(!every_other.get());
                let choose = |numbers: Vec<u64>| numbers.into_iter().filter(odd).collect();
                let (last, _) = table.unregister(owner, &*key.to_string(), choose);
                prop_assert_eq!(last, None, "the first is always left");
                let mut take = false;
                model.entries.retain(|it| {
                    (it.0, it.1) != (key, owner) || !std::mem::replace(&mut take, true) || {
                        take = false;
                        false
                    }
                });
            }
            Step::Die(owner) => {
                model.dead.insert(owner);
            }
            Step::Ended(owner) if model.dead.contains(&owner) => {
                table.owner_ended(owner);
                model.entries.retain(|it| it.1 != owner);
            }
            Step::Ended(_) => {}
            Step::Open(server) => {
                table.open(server, |_| true);
                model.server = Some(server);
                model.entries.clear();
            }
            Step::Close(server) => {
                table.close(server);
                if model.server == Some(server) {
                    model.server = None;
                    model.entries.clear();
                }
            }
        }
        prop_assert_eq!(table.is_open(), model.server.is_some());
        prop_assert_eq!(table.count(), model.entries.len());
        for key in 0..4_u8 {
            let of_key = model.entries.iter().filter(|it| it.0 == key);
            let expected: Vec<_> = of_key.map(|it| (it.1, it.2)).collect();
            let got = table.of_key(&*key.to_string()).into_iter();
            prop_assert_eq!(
                got.map(|it| (it.1, it.2)).collect::<Vec<_>>(),
                expected.clone()
            );
            prop_assert_eq!(table.first(&*key.to_string()), expected.first().copied());
        }
        for owner in (0..6).filter(|owner| !model.dead.contains(owner)) {
            let keys = model.keys(owner).into_iter().map(|key| key.to_string());
            prop_assert_eq!(table.keys(owner), keys.collect::<Vec<_>>());
        }
        let mut all: Vec<_> = table.entries().collect();
        all.sort_by_key(|it| it.2);
        let expected = model
            .entries
            .iter()
            .map(|it| (it.0.to_string(), it.1, it.2));
        prop_assert_eq!(all, expected.collect::<Vec<_>>());
    }
    Ok(())
}

proptest! {
    #[test]
    fn with_unique_keys_a_table_is_a_list_with_one_entry_for_each(steps in steps(true)) {
        agrees(steps)?;
    }

    #[test]
    fn with_duplicate_keys_a_table_is_a_list(steps in steps(false)) {
        agrees(steps)?;
    }
}

#[test]
fn a_value_may_use_the_table_in_its_drop() {
    use std::sync::Arc;

    #[derive(Clone)]
    struct Curious(Arc<Table<u8, Curious, u32>>);

    impl Drop for Curious {
        fn drop(&mut self) {
            for key in 0..4 {
                self.0.owner(&key);
                self.0.unregister(1, &key, |numbers| numbers);
            }
        }
    }

    let table = Arc::new(Table::default());
    let curious = || Curious(table.clone());
    let closed = table.register(1, 0, curious(), true, |_| true);
    assert_eq!(closed, Err(Refused::Closed));
    table.open(100, |_| true);
    for (owner, key) in [(1, 0), (2, 0), (2, 1), (3, 2), (1, 3)] {
        let _ = table.register(owner, key, curious(), true, |_| true);
    }
    let dead = |pid| pid != 2;
    assert_eq!(
        table.register(4, 1, curious(), true, dead),
        Ok(Then::Link(100))
    );
    let number = table.own(4, &1).map(|(number, _)| number);
    assert!(table.replace(&1, number.unwrap(), curious()));
    table.unregister(3, &2, |numbers| numbers);
    table.owner_ended(1);
    table.close(100);
    assert_eq!(table.count(), 0);
}
