use proptest::prelude::*;

use super::{Member, Plan, Strategy, plan};

fn members(temporary: &[bool]) -> Vec<Member> {
    (0..)
        .zip(temporary)
        .map(|(key, &temporary)| Member { key, temporary })
        .collect()
}

fn plan_for(strategy: Strategy, temporary: &[bool], failed: u64) -> Plan {
    plan(strategy, members(temporary).into_iter(), failed)
}

#[test]
fn one_for_one_touches_only_the_failed_child() {
    let plan = plan_for(Strategy::OneForOne, &[false; 4], 2);
    assert_eq!(
        (plan.stop, plan.forget, plan.start),
        (vec![], vec![], vec![2])
    );
}

#[test]
fn one_for_all_stops_the_others_in_reverse_and_starts_all_in_order() {
    let plan = plan_for(Strategy::OneForAll, &[false; 4], 1);
    assert_eq!(plan.stop, [3, 2, 0]);
    assert_eq!(plan.start, [0, 1, 2, 3]);
}

#[test]
fn rest_for_one_leaves_the_children_before_the_failed_one() {
    let plan = plan_for(Strategy::RestForOne, &[false; 5], 2);
    assert_eq!(plan.stop, [4, 3]);
    assert_eq!(plan.start, [2, 3, 4]);
}

#[test]
fn temporary_children_in_range_are_stopped_and_forgotten() {
    let plan = plan_for(Strategy::OneForAll, &[true, false, true], 1);
    assert_eq!(plan.stop, [2, 0]);
    assert_eq!(plan.forget, [0, 2]);
    assert_eq!(plan.start, [1]);
}

fn strategies() -> impl proptest::strategy::Strategy<Value = Strategy> {
    prop::sample::select(vec![
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ])
}

proptest! {
    /// The model asks of each child by itself: is it in range, was it the one that failed?
    #[test]
    fn agrees_with_the_rule_for_each_child(
        strategy in strategies(),
        mut temporary in prop::collection::vec(any::<bool>(), 1..12),
        pick in any::<prop::sample::Index>(),
    ) {
        let failed = pick.index(temporary.len());
        temporary[failed] = false; // a temporary child is never restarted
        let in_range = |key: usize| match strategy {
            Strategy::OneForOne => key == failed,
            Strategy::OneForAll => true,
            Strategy::RestForOne => key >= failed,
        };
        let all = || 0..temporary.len();
        let stop: Vec<u64> = all().rev().filter(|&k| in_range(k) && k != failed)
            .map(|k| k as u64).collect();
        let start: Vec<u64> = all().filter(|&k| in_range(k) && !temporary[k])
            .map(|k| k as u64).collect();
        let forget: Vec<u64> = all().filter(|&k| in_range(k) && temporary[k])
            .map(|k| k as u64).collect();
        let plan = plan_for(strategy, &temporary, failed as u64);
        prop_assert_eq!(plan, Plan { stop, forget, start });
    }
}
