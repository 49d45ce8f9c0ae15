use super::*;
use proptest::prelude::*;

/// Any moment will do.
const START: Duration = Duration::from_secs(1_000);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn intensity_zero_gives_up_at_the_first_crash() {
    let mut intensity = Intensity::new(0, seconds(5));
    assert_eq!(intensity.attempt(START), Verdict::GiveUp);
}

#[test]
fn intensity_n_allows_n_restarts_and_the_next_gives_up() {
    let mut intensity = Intensity::new(2, seconds(5));
    assert_eq!(intensity.attempt(START), Verdict::Restart { left: 1 });
    assert_eq!(intensity.attempt(START), Verdict::Restart { left: 0 });
    assert_eq!(intensity.attempt(START), Verdict::GiveUp);
}

#[test]
fn an_attempt_exactly_one_period_old_still_counts() {
    let mut intensity = Intensity::new(1, seconds(5));
    assert_eq!(intensity.attempt(START), Verdict::Restart { left: 0 });
    assert_eq!(intensity.attempt(START + seconds(5)), Verdict::GiveUp);
}

#[test]
fn the_window_slides() {
    let mut intensity = Intensity::new(1, seconds(1));
    for crash in 0..4 {
        let now = START + Duration::from_millis(2100) * crash;
        assert_eq!(intensity.attempt(now), Verdict::Restart { left: 0 });
    }
}

#[test]
fn many_children_are_said_once_and_only_of_an_intensity_that_nobody_has_chosen() {
    let mut chosen = Unchosen::new(Some((1, seconds(5))));
    assert_eq!(chosen.too_many(1_000_000, || 1_000_000), None);
    let mut unchosen = Unchosen::new(None);
    assert_eq!(unchosen.too_many(999, || 999), None);
    assert_eq!(unchosen.too_many(1_000, || 1_000), Some(1_000));
    assert_eq!(unchosen.too_many(1_001, || 1_001), None);
    assert_eq!(unchosen.too_many(1_000_000, || 1_000_000), None);
}

#[test]
fn children_that_are_never_restarted_are_not_counted_and_seldom_looked_at() {
    let mut unchosen = Unchosen::new(None);
    let mut looks = 0;
    for children in 0..100_000 {
        let restartable = || {
            looks += 1;
            children / 100
        };
        assert_eq!(unchosen.too_many(children, restartable), None, "{children}");
    }
    assert_eq!(looks, 7); // at 1000, 2000, 4000 ... 64000
    assert_eq!(unchosen.too_many(128_000, || 1_280), Some(1_280));
}

proptest! {
    /// The model keeps every attempt there ever was and counts those inside the window.
    #[test]
    fn agrees_with_a_count_over_all_attempts(
        max in 0u32..6,
        period in 1u64..20,
        gaps in prop::collection::vec(0u64..12, 1..60),
    ) {
            let mut intensity = Intensity::new(max, seconds(period));
        let mut all: Vec<u64> = Vec::new();
        let mut now = 0;
        for gap in gaps {
            now += gap;
            all.push(now);
            let inside = all.iter().filter(|&&at| at + period >= now).count() as u32;
            let expected = if inside <= max {
                Verdict::Restart { left: max - inside }
            } else {
                Verdict::GiveUp
            };
            prop_assert_eq!(intensity.attempt(START + seconds(now)), expected);
            if expected == Verdict::GiveUp {
                break;
            }
            prop_assert!(intensity.attempts.len() <= max as usize + 1);
        }
    }
}
