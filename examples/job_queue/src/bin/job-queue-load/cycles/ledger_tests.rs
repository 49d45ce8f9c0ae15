use std::time::Duration;

use super::ledger::{Job, Ledger, Place, Seen, SeenState, State};
use super::violation::Kind;

const NOW: Duration = Duration::from_secs(100);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn place(state: State, pri: u32) -> Place {
    Place { state, pri }
}

fn job() -> Job {
    Job {
        tube: 0,
        ttr: 10,
        place: place(State::Ready, 5),
    }
}

fn seen(state: SeenState, pri: u32) -> Seen {
    Seen {
        state,
        pri,
        tube: 0,
        ttr: 10,
        body_is_right: true,
    }
}

/// A ledger with the acknowledged job 1, whose id is 11.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.put_sent(1, job());
    ledger.inserted(1, 11);
    ledger
}

fn kinds(ledger: &Ledger) -> Vec<Kind> {
    ledger.violations.iter().map(|it| it.kind).collect()
}

#[test]
fn an_acknowledged_job_that_is_not_there_is_lost() {
    let mut ledger = ledger();
    ledger.seen(1, Some(seen(SeenState::Ready, 5)), NOW);
    assert_eq!(kinds(&ledger), []);
    ledger.seen(1, None, NOW);
    assert_eq!(kinds(&ledger), [Kind::Lost]);
}

#[test]
fn a_job_without_an_answer_may_be_there_or_not() {
    for answer in [None, Some(seen(SeenState::Ready, 5))] {
        let mut ledger = Ledger::default();
        ledger.put_sent(1, job());
        ledger.seen(1, answer, NOW);
        assert_eq!(kinds(&ledger), []);
    }
    // Seen once, it must stay.
    let mut ledger = Ledger::default();
    ledger.put_sent(1, job());
    ledger.reserved(7, 1, 11, NOW, NOW);
    ledger.seen(1, None, NOW);
    assert_eq!(kinds(&ledger), [Kind::Lost]);
}

#[test]
fn a_deletion_is_for_good_when_it_is_acknowledged_and_in_doubt_before() {
    for answer in [None, Some(seen(SeenState::Ready, 5))] {
        let mut ledger = ledger();
        ledger.delete_sent(1);
        ledger.seen(1, answer, NOW);
        assert_eq!(kinds(&ledger), []);
    }
    let mut ledger = ledger();
    ledger.delete_sent(1);
    ledger.deleted(1);
    ledger.seen(1, None, NOW);
    assert_eq!(kinds(&ledger), []);
    ledger.seen(1, Some(seen(SeenState::Ready, 5)), NOW);
    ledger.reserved(7, 1, 11, NOW, NOW);
    assert_eq!(kinds(&ledger), [Kind::CameBack, Kind::CameBack]);
}

#[test]
fn a_job_that_was_not_deleted_must_be_there() {
    let mut ledger = ledger();
    ledger.delete_sent(1);
    ledger.not_deleted(1);
    ledger.seen(1, None, NOW);
    assert_eq!(kinds(&ledger), [Kind::Lost]);
}

#[test]
fn a_refused_deletion_leaves_the_doubt_of_another() {
    let mut ledger = ledger();
    ledger.delete_sent(1);
    ledger.delete_sent(1);
    ledger.not_deleted(1);
    ledger.seen(1, None, NOW);
    assert_eq!(kinds(&ledger), []);
}

#[test]
fn two_may_not_have_a_job_within_its_time() {
    let mut ledger = ledger();
    ledger.reserved(7, 1, 11, at(100), at(101));
    ledger.reserved(8, 1, 11, at(108), at(109));
    assert_eq!(kinds(&ledger), [Kind::TwoHolders]);
}

#[test]
fn another_may_have_it_when_the_time_is_over_or_it_was_given_back() {
    let mut ledger = ledger();
    ledger.reserved(7, 1, 11, at(100), at(101));
    ledger.reserved(8, 1, 11, at(109), at(110));
    assert!(ledger.lets_go(8, 1).is_some());
    ledger.reserved(9, 1, 11, at(110), at(110));
    ledger.client_gone(9);
    ledger.reserved(7, 1, 11, at(111), at(111));
    ledger.server_gone();
    ledger.reserved(8, 1, 11, at(112), at(112));
    assert_eq!(kinds(&ledger), []);
}

#[test]
fn a_touch_begins_the_time_again() {
    let mut ledger = ledger();
    ledger.reserved(7, 1, 11, at(100), at(100));
    ledger.touched(7, 1, at(109));
    ledger.reserved(8, 1, 11, at(115), at(115));
    assert_eq!(kinds(&ledger), [Kind::TwoHolders]);
}

#[test]
fn an_answer_that_is_read_too_late_counts_for_nothing() {
    let mut ledger = ledger();
    ledger.reserved(7, 1, 11, at(120), at(121));
    // Asked at 100, so the server may have given it at 105 and taken it back at 115.
    ledger.reserved(8, 1, 11, at(100), at(122));
    assert_eq!(kinds(&ledger), []);
    ledger.reserved(9, 1, 11, at(123), at(123));
    assert_eq!(kinds(&ledger), [Kind::TwoHolders]);
}

#[test]
fn a_reservation_may_not_be_taken_away_within_its_time() {
    let mut ledger = ledger();
    ledger.reserved(7, 1, 11, at(100), at(100));
    let until = ledger.lets_go(7, 1);
    ledger.refused(1, until, at(110));
    assert_eq!(kinds(&ledger), []);
    ledger.refused(1, until, at(109));
    assert_eq!(kinds(&ledger), [Kind::TakenEarly]);
}

#[test]
fn an_acknowledged_change_must_be_there_and_one_in_doubt_may() {
    let buried = place(State::Buried, 9);
    for state in [seen(SeenState::Ready, 5), seen(SeenState::Buried, 9)] {
        let mut ledger = ledger();
        ledger.change_sent(1, buried);
        ledger.seen(1, Some(state), NOW);
        assert_eq!(kinds(&ledger), []);
    }
    for state in [
        seen(SeenState::Ready, 5),
        seen(SeenState::Buried, 5),
        seen(SeenState::Reserved, 9),
    ] {
        let mut ledger = ledger();
        let change = ledger.change_sent(1, buried);
        ledger.changed(1, change);
        ledger.seen(1, Some(state), NOW);
        assert_eq!(kinds(&ledger), [Kind::WrongState], "{state:?}");
    }
}

#[test]
fn an_answer_that_is_overtaken_by_another_change_is_not_the_last_word() {
    let mut ledger = ledger();
    let first = ledger.change_sent(1, place(State::Ready, 3));
    let second = ledger.change_sent(1, place(State::Buried, 4));
    ledger.changed(1, second);
    ledger.changed(1, first);
    ledger.seen(1, Some(seen(SeenState::Buried, 4)), NOW);
    assert_eq!(kinds(&ledger), []);
}

#[test]
fn a_delayed_job_is_ready_only_when_its_time_has_come() {
    let delayed = place(State::Delayed(at(200)), 5);
    for (state, now, wrong) in [
        (SeenState::Delayed, 100, false),
        (SeenState::Ready, 100, true),
        (SeenState::Ready, 200, false),
    ] {
        let mut ledger = ledger();
        let change = ledger.change_sent(1, delayed);
        ledger.changed(1, change);
        ledger.seen(1, Some(seen(state, 5)), at(now));
        assert_eq!(!kinds(&ledger).is_empty(), wrong, "{state:?} at {now}");
    }
}

#[test]
fn bodies_tubes_and_ids_stay_what_they_are() {
    for wrong in [
        Seen {
            body_is_right: false,
            ..seen(SeenState::Ready, 5)
        },
        Seen {
            tube: 1,
            ..seen(SeenState::Ready, 5)
        },
        Seen {
            ttr: 11,
            ..seen(SeenState::Ready, 5)
        },
    ] {
        let mut ledger = ledger();
        ledger.seen(1, Some(wrong), NOW);
        assert_eq!(kinds(&ledger), [Kind::Changed]);
    }
    let mut ledger = ledger();
    ledger.put_sent(2, job());
    ledger.inserted(2, 11);
    assert_eq!(kinds(&ledger), [Kind::IdTwice]);
    ledger.reserved(7, 99, 12, NOW, NOW);
    assert_eq!(kinds(&ledger), [Kind::IdTwice, Kind::Unknown]);
}

#[test]
fn a_job_rests_when_it_is_buried_or_delayed_for_sure() {
    let mut ledger = ledger();
    assert_eq!(ledger.resting(0), None);
    let change = ledger.change_sent(1, place(State::Buried, 9));
    assert_eq!(ledger.resting(0), None);
    ledger.changed(1, change);
    assert_eq!(ledger.resting(0), Some((1, 11, 9)));
    assert_eq!(ledger.resting(5), Some((1, 11, 9)));
    ledger.delete_sent(1);
    assert_eq!(ledger.resting(0), None);
}
