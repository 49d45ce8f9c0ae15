//! The wheel against a sorted map, and its rules one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Key, LEVELS, Load, Wheel};
use crate::pid::Pid;

const CASES: u32 = if cfg!(miri) { 8 } else { 512 };

/// Four of five numbers are aimed at one of four processes.
impl Load for usize {
    fn aim(&self) -> Option<Pid> {
        match self % 5 {
            0 => None,
            aim => Some(Pid::local(aim as u32, 1)),
        }
    }
}

impl Load for char {}
impl Load for i32 {}
impl Load for () {}

impl<T: Load> Wheel<T> {
    fn add(&mut self, deadline: u64, value: T) -> Key {
        let added = self.insert(deadline, value, |_, _| {});
        added.ok().expect("there is room")
    }
}

/// What the wheel must do: entries by deadline, equal ones by the order of insertion.
struct Model {
    now: u64,
    entries: BTreeMap<(u64, usize), Key>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Insert at this distance from the wheel's time.
    Ahead(u64),
    /// Insert this long before the wheel's time.
    Behind(u64),
    /// Insert at this very tick.
    At(u64),
    /// Remove one of the keys ever made, stale ones included.
    Remove(usize),
    /// Remove what is aimed at one of the four, at most so many.
    Kill(usize, usize),
    /// Let this many ticks go by.
    Advance(u64),
    /// Go to `next_deadline`, as an idle worker does.
    Sleep,
}

/// Distances of every order of magnitude.
fn distance() -> impl Strategy<Value = u64> {
    (0u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..200).prop_map(Step::Ahead),
        4 => distance().prop_map(Step::Ahead),
        1 => (0u64..100).prop_map(Step::Behind),
        1 => any::<u64>().prop_map(Step::At),
        1 => Just(Step::At(u64::MAX)),
        4 => any::<usize>().prop_map(Step::Remove),
        1 => (1..5usize, 0..40usize).prop_map(|(aim, most)| Step::Kill(aim, most)),
        3 => (0u64..200).prop_map(Step::Advance),
        1 => distance().prop_map(|far| Step::Advance(far >> 8)),
        2 => Just(Step::Sleep),
    ]
}

/// Advances both, compares what was due, and returns how many there were.
fn advance(wheel: &mut Wheel<usize>, model: &mut Model, to: u64) -> usize {
    let mut due = Vec::new();
    wheel.advance(to, &mut due);
    model.now = model.now.max(to);
    let mut expected = Vec::new();
    while let Some(first) = model.entries.first_entry() {
        if first.key().0 > model.now {
            break;
        }
        expected.push(first.key().1);
        first.remove();
    }
    assert_eq!(due, expected);
    let next = wheel.next_deadline();
    assert!(next.is_none_or(|next| next > model.now), "busy wake-up");
    due.len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_sorted_map(
        start in prop_oneof![Just(0u64), 0u64..100_000, any::<u64>()],
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut wheel = Wheel::new(start);
        let mut model = Model { now: start, entries: BTreeMap::new() };
        let mut keys: Vec<(Key, u64)> = Vec::new();
        for step in steps {
            let deadline = match step {
                Step::Ahead(ticks) => Some(model.now.saturating_add(ticks)),
                Step::Behind(ticks) => Some(model.now.saturating_sub(ticks)),
                Step::At(tick) => Some(tick),
                Step::Remove(_) | Step::Kill(..) | Step::Advance(_) | Step::Sleep => None,
            };
            match (step, deadline) {
                (_, Some(deadline)) => {
                    let number = keys.len();
                    let key = wheel.add(deadline, number);
                    keys.push((key, deadline));
                    model.entries.insert((deadline, number), key);
                }
                (Step::Remove(_), None) if keys.is_empty() => {}
                (Step::Remove(which), None) => {
                    let number = which % keys.len();
                    let (key, deadline) = keys[number];
                    let waits = model.entries.remove(&(deadline, number)).is_some();
                    let expected = waits.then_some((deadline, number));
                    prop_assert_eq!(wheel.get(key), expected.as_ref().map(|(at, number)| (*at, number)));
                    prop_assert_eq!(wheel.remove(key), expected);
                    prop_assert_eq!(wheel.remove(key), None);
                }
                (Step::Kill(aim, most), None) => {
                    let of_aim = |&&(_, number): &&(u64, usize)| number % 5 == aim;
                    let mut aimed: Vec<_> = model.entries.keys().filter(of_aim).copied().collect();
                    aimed.sort_by_key(|&(_, number)| std::cmp::Reverse(number));
                    let more = aimed.len() > most;
                    aimed.truncate(most);
                    model.entries.retain(|entry, _| !aimed.contains(entry));
                    let mut removed = Vec::new();
                    let target = Pid::local(aim as u32, 1);
                    prop_assert_eq!(wheel.remove_aimed(target, most, &mut removed), more);
                    let expected: Vec<_> = aimed.into_iter().map(|(_, number)| number).collect();
                    prop_assert_eq!(removed, expected);
                }
                (Step::Advance(ticks), None) => {
                    let to = model.now.saturating_add(ticks);
                    advance(&mut wheel, &mut model, to);
                }
                (_, None) => {
                    if let Some(next) = wheel.next_deadline() {
                        advance(&mut wheel, &mut model, next);
                    }
                }
            }
            prop_assert_eq!(wheel.len(), model.entries.len());
            let first = model.entries.keys().next().map(|&(deadline, _)| deadline);
            match (wheel.next_deadline(), first) {
                (None, None) => {}
                // The wheel's own time stands for everything that is past.
                (Some(next), Some(first)) => prop_assert!(next <= first.max(model.now)),
                (next, first) => prop_assert!(false, "{next:?} for {first:?}"),
            }
        }
        // Sleeping from deadline to deadline empties it, in a bounded number of wake-ups.
        let mut idle = 0;
        while let Some(next) = wheel.next_deadline() {
            idle = if advance(&mut wheel, &mut model, next) == 0 { idle + 1 } else { 0 };
            prop_assert!(idle < LEVELS);
        }
        prop_assert!(model.entries.is_empty());
        prop_assert_eq!(wheel.len(), 0);
        prop_assert!(wheel.aims.is_empty());
    }
}

#[test]
fn a_timer_is_less_than_a_cache_line() {
    assert!(size_of::<super::Entry<crate::timer::Action>>() <= 56);
}

#[test]
fn a_stale_key_does_not_fit_the_next_tenant() {
    let mut wheel = Wheel::new(0);
    let old = wheel.add(10, 'a');
    assert_eq!(wheel.remove(old), Some((10, 'a')));
    let new = wheel.add(10, 'b');
    assert_eq!(old.index, new.index);
    assert_eq!(wheel.get(old), None);
    assert_eq!(wheel.remove(old), None);
    assert_eq!(wheel.get(new), Some((10, &'b')));
}

#[test]
fn overdue_entries_come_out_in_order_of_deadline() {
    let mut wheel = Wheel::new(100);
    wheel.add(50, 'c');
    wheel.add(20, 'b');
    wheel.add(101, 'e');
    wheel.add(50, 'd');
    wheel.add(3, 'a');
    assert_eq!(wheel.next_deadline(), Some(100));
    let mut due = Vec::new();
    wheel.advance(101, &mut due);
    assert_eq!(due, ['a', 'b', 'c', 'd', 'e']);
}

#[test]
fn equal_deadlines_keep_their_order_across_levels() {
    let mut wheel = Wheel::new(0);
    let mut due = Vec::new();
    wheel.add(5000, 1);
    wheel.add(5000, 2);
    wheel.advance(4200, &mut due);
    wheel.add(5000, 3);
    wheel.advance(4995, &mut due);
    wheel.add(5000, 4);
    assert!(due.is_empty());
    wheel.advance(6000, &mut due);
    assert_eq!(due, [1, 2, 3, 4]);
}

#[test]
fn a_lone_far_timer_causes_no_wake_up_but_its_own() {
    let mut wheel = Wheel::new(7);
    wheel.add(3_600_000, ());
    assert_eq!(wheel.next_deadline(), Some(3_600_000));
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut wheel = Wheel::new(100);
    let mut due = Vec::new();
    wheel.add(101, 'a');
    wheel.advance(50, &mut due);
    assert!(due.is_empty());
    wheel.add(100, 'b');
    wheel.advance(50, &mut due);
    assert_eq!(due, ['b']);
    assert_eq!(wheel.next_deadline(), Some(101));
}

#[test]
fn the_end_of_time_can_be_waited_for() {
    let mut wheel = Wheel::new(0);
    let mut due = Vec::new();
    let key = wheel.add(u64::MAX, ());
    assert_eq!(wheel.get(key), Some((u64::MAX, &())));
    wheel.advance(u64::MAX - 1, &mut due);
    assert!(due.is_empty());
    wheel.advance(u64::MAX, &mut due);
    assert_eq!(due.len(), 1);
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn a_full_wheel_gives_the_entry_back_and_takes_the_next_when_there_is_room() {
    let mut wheel = Wheel::with_room(0, 2);
    let first = wheel.add(10, 'a');
    wheel.add(20, 'b');
    assert_eq!(wheel.insert(15, 'c', |_, _| {}), Err('c'));
    assert_eq!(wheel.remove(first), Some((10, 'a')));
    wheel.add(15, 'd');
    let mut due = Vec::new();
    wheel.advance(30, &mut due);
    assert_eq!(due, ['d', 'b']);
}

#[test]
fn a_value_is_told_its_key() {
    let mut wheel = Wheel::new(0);
    let mut told = None;
    let key = wheel.insert(1, 'a', |value, key| {
        *value = 'b';
        told = Some(key);
    });
    assert_eq!(
        (key, wheel.remove(told.unwrap())),
        (Ok(told.unwrap()), Some((1, 'b')))
    );
}

#[derive(Debug, PartialEq, Clone, Copy)]
struct Every(u64);

impl Load for Every {
    fn aim(&self) -> Option<Pid> {
        Some(Pid::local(1, 1))
    }

    fn again(&self) -> Option<(Self, u64)> {
        Some((*self, self.0))
    }
}

#[test]
fn an_entry_that_stays_is_due_at_each_multiple_and_keeps_its_key() {
    let mut wheel = Wheel::new(0);
    let key = wheel.add(10, Every(10));
    let mut due = Vec::new();
    for tick in 1..=1_000 {
        wheel.advance(tick, &mut due);
        assert_eq!(due.len() as u64, tick / 10);
        assert_eq!(wheel.get(key), Some((tick / 10 * 10 + 10, &Every(10))));
    }
    // Held up: what was missed comes at once.
    due.clear();
    wheel.advance(1_095, &mut due);
    assert_eq!(due.len(), 9);
    assert_eq!(wheel.next_deadline(), Some(1_100));
    assert_eq!(wheel.remove(key), Some((1_100, Every(10))));
    assert_eq!((wheel.len(), wheel.aims.len()), (0, 0));
}

#[test]
fn an_entry_that_stays_catches_up_when_it_was_past_as_it_came() {
    let mut wheel = Wheel::new(100);
    let key = wheel.add(70, Every(20));
    let mut due = Vec::new();
    wheel.advance(100, &mut due);
    assert_eq!(due.len(), 2);
    assert_eq!(wheel.get(key), Some((110, &Every(20))));
}

#[test]
fn an_entry_that_stays_leaves_at_the_end_of_time_and_with_its_process() {
    let mut wheel = Wheel::new(0);
    let mut due = Vec::new();
    wheel.add(u64::MAX, Every(5));
    wheel.add(7, Every(u64::MAX));
    wheel.advance(100, &mut due);
    assert_eq!(due, [Every(u64::MAX)]);
    wheel.advance(u64::MAX, &mut due);
    assert_eq!((due.len(), wheel.len(), wheel.aims.len()), (2, 0, 0));

    let mut removed = Vec::new();
    let mut wheel = Wheel::new(0);
    wheel.add(1, Every(1));
    wheel.advance(3, &mut due);
    assert!(!wheel.remove_aimed(Pid::local(1, 1), 9, &mut removed));
    assert_eq!(
        (removed.len(), wheel.len(), wheel.next_deadline()),
        (1, 0, None)
    );
}

#[test]
fn a_wheel_that_was_cleared_is_as_new() {
    let mut wheel = Wheel::new(0);
    for number in 0..500_usize {
        wheel.add(number as u64 * number as u64, number);
    }
    let mut all = wheel.clear();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..500));
    assert_eq!((wheel.len(), wheel.next_deadline()), (0, None));
    let mut due = Vec::new();
    wheel.add(5, 7);
    wheel.advance(300_000, &mut due);
    assert_eq!(due, [7]);
}
