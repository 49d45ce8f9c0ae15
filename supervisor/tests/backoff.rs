//! Children that are left alone for a while before they are started again.

use std::time::Duration;

use regrow_runtime::{ExitReason, exit, is_alive, monotonic_time, receive, simulate_seeds, sleep};
use regrow_supervisor::{
    Backoff, ChildSpec, ChildState, DeleteChildError, DynamicSupervisor, Restart,
    RestartChildError, SpecError, StartChildError, StartError, Strategy, Supervisor, SupervisorRef,
};

use crate::common::*;

const FIRST: Duration = Duration::from_millis(20);
/// Longer than any of the other tests of a crash needs.
const LONG: Duration = Duration::from_secs(3600);

/// Waits 20 ms, 40 ms, then always 80 ms.
fn short() -> Backoff {
    Backoff::exponential(FIRST, 4 * FIRST).jitter(0.0)
}

fn long() -> Backoff {
    Backoff::exponential(LONG, LONG)
}

/// A supervisor with room for very many restarts.
fn patient(strategy: Strategy) -> Supervisor {
    Supervisor::new(strategy).intensity(u32::MAX, secs(3600))
}

#[test]
fn a_child_is_restarting_until_its_delay_is_over() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one").backoff(short()))
            .child(worker("two"))
            .start_link()
            .await
            .unwrap();
        let (one, two) = (started("one").await, started("two").await);
        let crashed = monotonic_time();
        end(one, died());
        becomes(&sup, "one", ChildState::Restarting).await;
        // The supervisor goes on meanwhile.
        assert_eq!(counts(&sup).await, [2, 1, 0, 2]);
        sup.start_child(worker("three")).await.unwrap();
        assert_ne!(started("one").await, one);
        assert!(monotonic_time() - crashed >= FIRST);
        assert!(is_alive(two).await);
    });
}

#[test]
fn each_failure_in_a_row_doubles_the_delay_and_a_long_run_begins_again() {
    run(|| async {
        let sup = patient(Strategy::OneForOne)
            .child(worker("one").backoff(short()))
            .start_link()
            .await
            .unwrap();
        let mut one = started("one").await;
        for (ran, times) in [(0, 1), (0, 2), (0, 4), (0, 4), (85, 1), (0, 2)] {
            sleep(millis(ran)).await;
            let crashed = monotonic_time();
            end(one, died());
            one = started("one").await;
            let waited = monotonic_time() - crashed;
            assert!(waited >= times * FIRST, "{waited:?}, not {times} times");
        }
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn starts_that_fail_are_failures_in_the_same_row() {
    // Simulated only: a busy machine might try a moment too late.
    simulate_seeds(0..5, || async {
        let fails = Switch::default();
        let sup = patient(Strategy::OneForOne)
            .child(failing_worker("one", &fails).backoff(short()))
            .start_link()
            .await
            .unwrap();
        let one = started("one").await;
        fails.set(true);
        let crashed = monotonic_time();
        end(one, died());
        // After 20, 60 and 140 ms it fails again, at 220 ms and later it does not.
        sleep(millis(150)).await;
        assert_eq!(state(&sup, "one").await, ChildState::Restarting);
        fails.set(false);
        started("one").await;
        assert!(monotonic_time() - crashed >= 11 * FIRST);
    });
}

#[test]
fn jitter_spreads_children_that_fail_together() {
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
    // Simulated only: where time is virtual nothing else makes a difference.
    simulate_seeds(0..5, || async move {
        let spread = || Backoff::exponential(secs(100), secs(100)).jitter(0.5);
        let sup = patient(Strategy::OneForOne)
            .children(ids.map(|id| worker(id).backoff(spread())))
            .start_link()
            .await
            .unwrap();
        let crashed = monotonic_time();
        for _ in ids {
            end(receive::<Started>().await.pid, died());
        }
        let mut times = Vec::new();
        for _ in ids {
            receive::<Started>().await;
            times.push(monotonic_time() - crashed);
        }
        times.dedup();
        assert!(times.len() > 4, "{times:?}");
        assert!(times[0] >= secs(50) && times[times.len() - 1] < secs(101));
        drop(sup);
    });
}

#[test]
fn requests_during_the_delay_are_answered_as_in_any_restart_loop() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one").backoff(long()))
            .start_link()
            .await
            .unwrap();
        end(started("one").await, died());
        becomes(&sup, "one", ChildState::Restarting).await;
        let known = sup.start_child(worker("one")).await;
        assert_eq!(known, Err(StartChildError::AlreadyPresent));
        let restart = sup.restart_child("one").await;
        assert_eq!(restart, Err(RestartChildError::Restarting));
        let delete = sup.delete_child("one").await;
        assert_eq!(delete, Err(DeleteChildError::Restarting));
        sup.terminate_child("one").await.unwrap();
        assert_eq!(state(&sup, "one").await, ChildState::Stopped);
        sup.restart_child("one").await.unwrap();
        started("one").await;
    });
}

#[test]
fn an_attempt_that_was_called_off_is_not_made() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one").backoff(short()))
            .start_link()
            .await
            .unwrap();
        end(started("one").await, died());
        becomes(&sup, "one", ChildState::Restarting).await;
        sup.terminate_child("one").await.unwrap();
        sleep(2 * FIRST).await;
        assert_eq!(state(&sup, "one").await, ChildState::Stopped);
        assert_none::<Started>().await;
        // One of an earlier life is not made in a later one.
        sup.restart_child("one").await.unwrap();
        end(started("one").await, died());
        becomes(&sup, "one", ChildState::Restarting).await;
        sup.terminate_child("one").await.unwrap();
        sup.restart_child("one").await.unwrap();
        let one = started("one").await;
        sleep(2 * FIRST).await;
        assert_eq!(state(&sup, "one").await, ChildState::Running(one));
    });
}

/// Has the only child die, and tells after which delay, in whole seconds, it was started again.
/// For simulations, in which nothing else takes time.
async fn delay_of_restart(sup: &SupervisorRef) -> u64 {
    let crashed = monotonic_time();
    end(pid(sup, "one").await, died());
    becomes(sup, "one", ChildState::Restarting).await;
    while state(sup, "one").await == ChildState::Restarting {
        sleep(millis(1)).await;
    }
    (monotonic_time() - crashed).as_secs()
}

/// A child that waits 1 s, 2 s, 4 s and so on.
async fn doubling(change: impl Fn(Backoff) -> Backoff) -> SupervisorRef {
    let backoff = change(Backoff::exponential(secs(1), LONG).jitter(0.0));
    let sup = patient(Strategy::OneForOne).child(worker("one").backoff(backoff));
    sup.start_link().await.unwrap()
}

#[test]
fn a_child_stopped_by_hand_has_its_failures_forgiven() {
    simulate_seeds(0..5, || async {
        let sup = doubling(|backoff| backoff).await;
        for _ in 0..2 {
            for delay in [1, 2, 4] {
                assert_eq!(delay_of_restart(&sup).await, delay);
            }
            sup.terminate_child("one").await.unwrap();
            sup.restart_child("one").await.unwrap();
        }
    });
}

#[test]
fn how_long_a_child_must_have_run_to_begin_again_may_be_set() {
    simulate_seeds(0..5, || async {
        let sup = doubling(|backoff| backoff.reset_after(secs(10))).await;
        for (ran, delay) in [(0, 1), (9, 2), (9, 4), (10, 1), (0, 2), (11, 1)] {
            sleep(secs(ran)).await;
            assert_eq!(delay_of_restart(&sup).await, delay, "after {ran} s");
        }
    });
}

#[test]
fn a_shutdown_does_not_wait_for_the_delay() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one"))
            .child(worker("two").backoff(long()))
            .start_link()
            .await
            .unwrap();
        end(started("two").await, died());
        becomes(&sup, "two", ChildState::Restarting).await;
        let before = monotonic_time();
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert!(monotonic_time() - before < secs(60));
    });
}

#[test]
fn siblings_in_the_range_are_stopped_at_once_and_started_after_the_delay() {
    run(|| async {
        for (strategy, stopped) in [
            (Strategy::OneForAll, &["three", "one"][..]),
            (Strategy::RestForOne, &["three"]),
        ] {
            let sup = supervisor(strategy)
                .child(worker("one"))
                .child(worker("two").backoff(short()))
                .child(worker("three"))
                .child(worker("extra").restart(Restart::Temporary))
                .start_link()
                .await
                .unwrap();
            starts(4).await;
            let crashed = monotonic_time();
            exit(pid(&sup, "two").await, ExitReason::Kill);
            assert_eq!(terminations(1).await, ["extra"]);
            assert_eq!(terminations(stopped.len()).await, stopped);
            assert_eq!(state(&sup, "two").await, ChildState::Restarting);
            assert_eq!(state(&sup, "three").await, ChildState::Stopped);
            // Started by hand meanwhile, it is started again with the others.
            sup.restart_child("three").await.unwrap();
            starts(1).await;
            let mut again: Vec<_> = ["one", "two", "three"].into();
            if strategy == Strategy::RestForOne {
                again.remove(0);
            }
            assert_eq!(starts(again.len()).await, again);
            assert_eq!(terminations(1).await, ["three"]);
            assert!(monotonic_time() - crashed >= FIRST);
            assert_eq!(counts(&sup).await, [3, 3, 0, 3]);
            sup.stop(ExitReason::Normal, None).await.unwrap();
            terminations(3).await;
        }
    });
}

#[test]
fn a_restart_because_of_a_sibling_does_not_wait() {
    run(|| async {
        let sup = supervisor(Strategy::RestForOne)
            .child(worker("one"))
            .child(worker("two").backoff(long()))
            .start_link()
            .await
            .unwrap();
        let (one, two) = (started("one").await, started("two").await);
        end(two, died());
        becomes(&sup, "two", ChildState::Restarting).await;
        end(one, died());
        assert_eq!(starts(2).await, ["one", "two"]);
        assert_eq!(counts(&sup).await, [2, 2, 0, 2]);
    });
}

#[test]
fn an_attempt_counts_when_it_is_decided_and_only_once() {
    run(|| async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .intensity(1, secs(3600))
            .child(worker("one").backoff(short()))
            .start_link()
            .await
            .unwrap();
        end(started("one").await, died());
        end(started("one").await, died());
        // At the second crash, not after its delay.
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert_none::<Started>().await;

        let fails = Switch::default();
        let sup = Supervisor::new(Strategy::OneForOne)
            .intensity(2, secs(3600))
            .child(failing_worker("one", &fails).backoff(short()))
            .start_link()
            .await
            .unwrap();
        fails.set(true);
        let crashed = monotonic_time();
        end(started("one").await, died());
        // One attempt for the crash, one for the first failed start; the second is one too many.
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert!(monotonic_time() - crashed >= 3 * FIRST);
    });
}

#[test]
fn with_intensity_zero_a_delay_saves_nobody() {
    run(|| async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .intensity(0, secs(1))
            .child(worker("one").backoff(long()))
            .start_link()
            .await
            .unwrap();
        end(started("one").await, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}

#[test]
fn dynamic_children_wait_by_the_pid_they_had() {
    run(|| async {
        let fails = Switch::default();
        let sup = DynamicSupervisor::new()
            .max_children(2)
            .intensity(u32::MAX, secs(3600))
            .start_link()
            .await
            .unwrap();
        let one = sup
            .start_child(failing_worker("one", &fails).backoff(short()))
            .await
            .unwrap();
        let two = sup
            .start_child(worker("two").backoff(long()))
            .await
            .unwrap();
        starts(2).await;
        fails.set(true);
        let crashed = monotonic_time();
        end(one, died());
        end(two, died());
        while tuple(sup.count_children().await.unwrap()) != [2, 0, 0, 2] {
            sleep(millis(1)).await;
        }
        assert_eq!(
            sup.which_child(two).await.unwrap().state,
            ChildState::Restarting
        );
        let third = sup.start_child(worker("three")).await;
        assert_eq!(third, Err(StartChildError::MaxChildren));
        sup.terminate_child(two).await.unwrap();
        sleep(millis(30)).await;
        fails.set(false);
        let again = started("one").await;
        assert!(monotonic_time() - crashed >= 3 * FIRST);
        // The row goes on under the new pid.
        let crashed = monotonic_time();
        end(again, died());
        started("one").await;
        assert!(monotonic_time() - crashed >= 4 * FIRST);
        assert_eq!(tuple(sup.count_children().await.unwrap()), [1, 1, 0, 1]);
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(exited(sup.pid().unwrap()).await, ExitReason::Shutdown);
    });
}

#[test]
fn a_back_off_of_no_use_is_refused() {
    run(|| async {
        let fault = |spec: ChildSpec| async move {
            let error = Supervisor::new(Strategy::OneForOne).child(spec);
            let error = error.start_link().await.unwrap_err();
            let StartError::Exit(ExitReason::Error(error)) = error else {
                panic!("not refused: {error:?}");
            };
            match error.downcast_ref() {
                Some(SpecError::InvalidBackoff { id, fault }) => {
                    assert_eq!(&**id, "one");
                    *fault
                }
                _ => panic!("another error: {error:?}"),
            }
        };
        let zero = Backoff::exponential(Duration::ZERO, LONG);
        assert!(fault(worker("one").backoff(zero)).await.contains("zero"));
        let falling = Backoff::exponential(LONG, FIRST);
        assert!(
            fault(worker("one").backoff(falling))
                .await
                .contains("shorter")
        );
        let wild = short().jitter(f64::NAN);
        assert!(
            fault(worker("one").backoff(wild))
                .await
                .contains("fraction")
        );
        let never = worker("one").restart(Restart::Temporary).backoff(short());
        assert!(fault(never).await.contains("temporary"));
        let dynamic = DynamicSupervisor::new().start_link().await.unwrap();
        let never = worker("one").restart(Restart::Temporary).backoff(short());
        let refused = dynamic.start_child(never).await.unwrap_err();
        assert!(matches!(
            refused,
            StartChildError::BadSpec(SpecError::InvalidBackoff { .. })
        ));
    });
}
