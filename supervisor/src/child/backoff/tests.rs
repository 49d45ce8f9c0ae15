use super::*;
use proptest::prelude::*;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Without chance: 100, 200, 400, 800, 1000 ms.
fn steady() -> Backoff {
    Backoff::exponential(millis(100), millis(1_000)).jitter(0.0)
}

#[test]
fn each_delay_is_twice_the_one_before_up_to_the_longest() {
    let mut history = History::default();
    let delays: Vec<_> = (0..40)
        .map(|_| history.failed(&steady(), millis(0), 7))
        .collect();
    assert_eq!(delays[..5], [100, 200, 400, 800, 1_000].map(millis));
    assert!(delays[5..].iter().all(|&delay| delay == millis(1_000)));
}

#[test]
fn a_child_that_ran_long_enough_begins_with_the_first_delay() {
    let mut history = History::default();
    history.started(millis(0));
    assert_eq!(history.failed(&steady(), millis(999), 0), millis(100));
    history.started(millis(2_000));
    assert_eq!(history.failed(&steady(), millis(2_999), 0), millis(200));
    history.started(millis(4_000));
    assert_eq!(history.failed(&steady(), millis(5_000), 0), millis(100));
}

#[test]
fn jitter_only_makes_a_delay_shorter() {
    let backoff = steady().jitter(0.5);
    assert_eq!(backoff.delay(1, 0), millis(100));
    let shortest = backoff.delay(1, u64::MAX);
    assert!(shortest >= millis(50) && shortest < millis(51));
}

#[test]
fn numbers_that_make_no_sense_are_told() {
    let fault = |first, max, jitter| {
        let backoff = Backoff::exponential(millis(first), millis(max));
        backoff.jitter(jitter).fault()
    };
    assert_eq!(fault(1, 1, 0.0), None);
    assert_eq!(fault(1, 2, 1.0), None);
    assert!(fault(0, 1, 0.0).is_some());
    assert!(fault(2, 1, 0.0).is_some());
    for jitter in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(fault(1, 1, jitter).is_some());
    }
}

#[test]
fn the_longest_times_do_not_overflow() {
    let backoff = Backoff::exponential(Duration::MAX, Duration::MAX);
    let mut history = History {
        failures: u32::MAX,
        since: None,
    };
    assert!(history.failed(&backoff, Duration::MAX, 0) > millis(1));
}

proptest! {
    /// The model keeps every run there ever was, and counts those since the last long one.
    #[test]
    fn agrees_with_a_count_over_all_runs(
        first in 1_u64..100,
        times in 1_u64..50,
        reset in 1_u64..1_000,
        runs in prop::collection::vec((prop::option::of(0_u64..2_000), any::<u64>()), 1..30),
    ) {
        let backoff = Backoff::exponential(millis(first), millis(first * times))
            .jitter(0.25)
            .reset_after(millis(reset));
        let mut history = History::default();
        let mut now = 0;
        for index in 0..runs.len() {
            let (ran, random) = runs[index];
            if let Some(ran) = ran {
                history.started(millis(now));
                now += ran;
            }
            let long = |(ran, _): &(Option<u64>, u64)| ran.is_some_and(|ran| ran >= reset);
            let failures = 1 + index - runs[..=index].iter().rposition(long).unwrap_or(0);
            let longest = (0..failures as u64 - 1).fold(first, |d, _| d * 2).min(first * times);
            let delay = history.failed(&backoff, millis(now), random);
            prop_assert!(delay <= millis(longest) && delay >= millis(longest) * 3 / 4);
        }
    }
}
