//! What the monitor has found, and how much less patient it is for a while after that. Pure: time
//! is passed in, as nanoseconds of `clock::real_nanos`.

use std::panic::Location;
use std::time::Duration;

/// Between two looks.
pub(super) const PERIOD: Duration = Duration::from_millis(2);
/// The same for a while after a finding.
const ALERT_PERIOD: Duration = Duration::from_millis(1);
const ALERT_FOR: Duration = Duration::from_secs(1);
/// And at first, when more of the kind are to be expected.
const SWIFT_PERIOD: Duration = Duration::from_micros(500);
const SWIFT_FOR: Duration = Duration::from_millis(50);
/// So long is too long for a turn.
pub(super) const TOO_LONG: Duration = Duration::from_millis(5);
const ALERT_TOO_LONG: Duration = Duration::from_millis(3);
/// The same for a process spawned where the last one was that was found.
const KIN_TOO_LONG: Duration = Duration::from_millis(1);
/// The same for the first turn of a spare, by the clock alone.
const FIRST_TOO_LONG: Duration = Duration::from_micros(400);
/// So many findings in a row may rest on the clock alone. It takes a thread that gets no processor
/// for one that is stuck; on a busy machine one such finding would lead to the next, without end.
const BY_CLOCK_MAX: u32 = 8;

/// Where a process was spawned.
type Place = &'static Location<'static>;

/// The last finding, and what rests on it.
#[derive(Debug, Default)]
pub(super) struct Alert {
    last: Option<(u64, Place)>,
    /// Findings by the clock alone since the last that was not.
    by_clock: u32,
}

/// A turn that the monitor has met twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct LongTurn {
    /// Since it was met first.
    pub(super) lasts: Duration,
    /// For how much of that its thread was occupied, and did not wait for a processor: supposed for
    /// the time before anybody asked.
    pub(super) occupied: Duration,
    /// Some of it was seen, and not only supposed.
    pub(super) is_seen: bool,
    /// It is the first that a spare has taken.
    pub(super) is_first: bool,
    /// Where the process was spawned, if that is still known.
    pub(super) place: Option<Place>,
}

/// What a finding rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// The thread was occupied for too long.
    Occupied,
    /// A spare that may not even have had a processor.
    Clock,
}

impl Alert {
    /// Whether that is too long, and on what ground.
    pub(super) fn judge(&self, turn: LongTurn, now: u64) -> Option<Ground> {
        let is_too_long = turn.occupied >= self.limit(turn.place, now);
        if is_too_long && turn.is_seen {
            return Some(Ground::Occupied);
        }
        let is_next_in_line = turn.is_first && turn.lasts >= FIRST_TOO_LONG && self.is_on(now);
        let by_clock = (is_too_long || is_next_in_line) && self.by_clock < BY_CLOCK_MAX;
        by_clock.then_some(Ground::Clock)
    }

    /// A process spawned at this place was found stuck.
    pub(super) fn found(&mut self, ground: Ground, place: Place, now: u64) {
        self.last = Some((now, place));
        self.by_clock = match ground {
            Ground::Occupied => 0,
            Ground::Clock => self.by_clock + 1,
        };
    }

    /// How long to wait until the next look.
    pub(super) fn period(&self, now: u64) -> Duration {
        match self.since(now) {
            Some(time) if time < SWIFT_FOR => SWIFT_PERIOD,
            Some(time) if time < ALERT_FOR => ALERT_PERIOD,
            _ => PERIOD,
        }
    }

    /// How long a turn of a process spawned at that place may be.
    fn limit(&self, place: Option<Place>, now: u64) -> Duration {
        match self.last {
            Some((_, last)) if self.is_on(now) && place == Some(last) => KIN_TOO_LONG,
            Some(_) if self.is_on(now) => ALERT_TOO_LONG,
            _ => TOO_LONG,
        }
    }

    fn is_on(&self, now: u64) -> bool {
        self.since(now).is_some_and(|it| it < ALERT_FOR)
    }

    fn since(&self, now: u64) -> Option<Duration> {
        let (last, _) = self.last?;
        Some(Duration::from_nanos(now.saturating_sub(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn turn(lasts: u64, occupied: u64) -> LongTurn {
        LongTurn {
            lasts: Duration::from_micros(lasts),
            occupied: Duration::from_micros(occupied),
            is_seen: true,
            is_first: false,
            place: Some(Location::caller()),
        }
    }

    #[test]
    fn five_milliseconds_are_too_long_and_three_after_a_finding() {
        let mut alert = Alert::default();
        assert_eq!(alert.judge(turn(9_000, 4_999), 0), None);
        assert_eq!(alert.judge(turn(9_000, 5_000), 0), Some(Ground::Occupied));
        alert.found(Ground::Occupied, Location::caller(), 0);
        assert_eq!(alert.judge(turn(9_000, 2_999), MS), None);
        assert_eq!(alert.judge(turn(9_000, 3_000), MS), Some(Ground::Occupied));
        assert_eq!(alert.judge(turn(9_000, 4_999), 1_000 * MS), None);
    }

    #[test]
    fn one_millisecond_is_too_long_for_kin_of_the_last_one_found() {
        let mut alert = Alert::default();
        let kin = turn(9_000, 1_000);
        assert_eq!(alert.judge(kin, 0), None);
        alert.found(Ground::Occupied, kin.place.unwrap(), 0);
        assert_eq!(alert.judge(kin, MS), Some(Ground::Occupied));
        assert_eq!(alert.judge(kin, 1_000 * MS), None);
    }

    #[test]
    fn spares_in_their_first_turn_are_found_by_the_clock_but_not_for_ever() {
        let mut alert = Alert::default();
        let first = LongTurn {
            is_first: true,
            ..turn(400, 0)
        };
        assert_eq!(alert.judge(first, 0), None);
        alert.found(Ground::Occupied, Location::caller(), 0);
        for now in 0..u64::from(BY_CLOCK_MAX) {
            assert_eq!(alert.judge(first, now), Some(Ground::Clock));
            alert.found(Ground::Clock, Location::caller(), now);
        }
        assert_eq!(alert.judge(first, 9), None);
        alert.found(Ground::Occupied, Location::caller(), 9);
        assert_eq!(alert.judge(first, 10), Some(Ground::Clock));
    }

    #[test]
    fn what_is_only_supposed_is_a_finding_by_the_clock() {
        let mut alert = Alert::default();
        let supposed = LongTurn {
            is_seen: false,
            ..turn(2_000, 2_000)
        };
        alert.found(Ground::Occupied, supposed.place.unwrap(), 0);
        for now in 0..u64::from(BY_CLOCK_MAX) {
            assert_eq!(alert.judge(supposed, now), Some(Ground::Clock));
            alert.found(Ground::Clock, supposed.place.unwrap(), now);
        }
        assert_eq!(alert.judge(supposed, 9), None);
    }

    #[test]
    fn looks_are_most_frequent_just_after_a_finding() {
        let mut alert = Alert::default();
        assert_eq!(alert.period(0), PERIOD);
        alert.found(Ground::Occupied, Location::caller(), 0);
        assert_eq!(alert.period(49 * MS), SWIFT_PERIOD);
        assert_eq!(alert.period(50 * MS), ALERT_PERIOD);
        assert_eq!(alert.period(1_000 * MS), PERIOD);
    }
}
