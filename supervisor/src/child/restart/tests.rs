use super::*;
use proptest::prelude::*;

fn reasons() -> Vec<ExitReason> {
    vec![
        ExitReason::Normal,
        ExitReason::Shutdown,
        ExitReason::shutdown_with("test"),
        ExitReason::Killed,
        ExitReason::NoProc,
        ExitReason::error("abnormal"),
    ]
}

#[test]
fn permanent_is_restarted_whatever_the_reason() {
    for reason in reasons() {
        assert_eq!(after_exit(Restart::Permanent, &reason), AfterExit::Restart);
    }
}

#[test]
fn temporary_is_never_restarted() {
    for reason in reasons() {
        let after = after_exit(Restart::Temporary, &reason);
        assert!(matches!(after, AfterExit::Forget { .. }));
    }
}

proptest! {
    /// The table of the documentation, read column by column.
    #[test]
    fn agrees_with_the_table(
        restart in prop::sample::select(vec![Restart::Permanent, Restart::Transient, Restart::Temporary]),
        reason in prop::sample::select(reasons()),
    ) {
        let normal = matches!(
            reason,
            ExitReason::Normal | ExitReason::Shutdown | ExitReason::ShutdownWith(_)
        );
        let expected = if normal {
            [AfterExit::Restart, AfterExit::Keep, AfterExit::Forget { report: false }]
        } else {
            [AfterExit::Restart, AfterExit::Restart, AfterExit::Forget { report: true }]
        };
        prop_assert_eq!(after_exit(restart, &reason), expected[restart as usize]);
    }
}
