use proptest::prelude::*;

use super::*;

const NOW: Duration = Duration::from_secs(1_000);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn event(time: Time) -> Option<EventTimeout<char>> {
    let message = 'e';
    Some(EventTimeout { time, message })
}

fn plan(
    wanted: Wanted,
    event: Option<EventTimeout<char>>,
    idle: Option<u64>,
) -> Option<Wait<char>> {
    Wait::plan(wanted, event, idle.map(secs), NOW)
}

#[test]
fn most_waits_are_plain() {
    assert_eq!(plan(Wanted::Continue, None, None), None);
}

#[test]
fn a_zero_event_is_due_before_messages_and_a_moment_that_has_passed_is_not() {
    let zero = plan(Wanted::Continue, event(Time::After(Duration::ZERO)), None);
    assert_eq!(zero.unwrap().due(), Ok('e'));
    let passed = plan(Wanted::Continue, event(Time::At(secs(1))), None).unwrap();
    let passed = passed.due().unwrap_err();
    assert_eq!(passed.left(NOW), Some(Duration::ZERO));
    assert_eq!(passed.expire(), Expired::Event('e'));
}

#[test]
fn a_time_without_end_is_no_overflow() {
    let wait = plan(Wanted::Continue, event(Time::After(Duration::MAX)), None).unwrap();
    assert_eq!(wait.left(NOW), Some(Duration::MAX - NOW));
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![
        Just(Wanted::Continue),
        (0..10_u64).prop_map(|time| Wanted::Timeout(secs(time))),
        Just(Wanted::Hibernate),
    ]
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        (0..10_u64).prop_map(|time| Time::After(secs(time))),
        (0..2_000_u64).prop_map(|at| Time::At(secs(at))),
    ]
}

proptest! {
    /// The table at the head of the module, and that what interrupts the wait begins an idle time
    /// anew, but leaves a deadline.
    #[test]
    fn a_wait_is_what_the_table_says(
        wanted in wanted(),
        time in proptest::option::of(time()),
        after in proptest::option::of(1..10_u64),
        interrupted in 0..2_000_u64,
    ) {
        let later = NOW + secs(interrupted);
        let Some(wait) = plan(wanted, time.and_then(event), after) else {
            prop_assert_eq!((wanted, time, after), (Wanted::Continue, None, None));
            return Ok(());
        };
        prop_assert_eq!(wait.is_hibernating(), wanted == Wanted::Hibernate);
        let (left, expired) = (wait.left(later), wait.expire());
        match (wanted, time) {
            (Wanted::Timeout(idle), _) => {
                prop_assert_eq!(left, Some(idle));
                prop_assert_eq!(expired, Expired::Timeout);
            }
            (_, Some(time)) => {
                let at = match time {
                    Time::At(at) => at,
                    Time::After(time) => NOW + time,
                };
                prop_assert_eq!(left, Some(at.saturating_sub(later)));
                prop_assert_eq!(expired, Expired::Event('e'));
            }
            (_, None) => {
                let limit = after.filter(|_| wanted == Wanted::Continue).map(secs);
                prop_assert_eq!(left, limit);
                let Expired::Hibernate(next) = expired else {
                    return Err(TestCaseError::fail("it hibernates"));
                };
                prop_assert!(next.is_hibernating());
                prop_assert_eq!(next.left(later), None);
            }
        }
    }
}
