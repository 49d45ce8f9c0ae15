use regrow_runtime::{ExitReason, exit, is_alive};
use regrow_supervisor::{
    Child, ChildSpec, ChildState, Restart, RestartChildError, Shutdown, Strategy,
};

use crate::common::*;

#[test]
fn one_for_all_stops_the_others_in_reverse_and_starts_all_in_order() {
    run(|| async {
        let sup = supervisor(Strategy::OneForAll)
            .children([worker("one"), worker("two"), worker("three")])
            .start_link()
            .await
            .unwrap();
        assert_eq!(starts(3).await, ["one", "two", "three"]);
        exit(pid(&sup, "two").await, ExitReason::Kill);
        assert_eq!(terminations(2).await, ["three", "one"]);
        assert_eq!(starts(3).await, ["one", "two", "three"]);
        assert_eq!(counts(&sup).await, [3, 3, 0, 3]);
    });
}

#[test]
fn one_for_all_ends_at_the_crash_beyond_the_intensity() {
    run(|| async {
        let sup = supervisor(Strategy::OneForAll)
            .children([worker("one"), worker("two")])
            .start_link()
            .await
            .unwrap();
        starts(2).await;
        for _ in 0..2 {
            end(pid(&sup, "one").await, died());
            assert_eq!(starts(2).await, ["one", "two"]);
        }
        let two = pid(&sup, "two").await;
        end(pid(&sup, "one").await, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert!(!is_alive(two).await);
    });
}

#[test]
fn one_for_all_escalates_when_a_restart_keeps_failing() {
    run(|| async {
        let fails = Switch::default();
        let sup = supervisor(Strategy::OneForAll)
            .child(worker("one"))
            .child(failing_worker("two", &fails))
            .start_link()
            .await
            .unwrap();
        starts(2).await;
        let two = pid(&sup, "two").await;
        fails.set(true);
        end(two, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}

#[test]
fn one_for_all_starts_over_when_another_child_fails_its_restart() {
    run(|| async {
        let fails_once = Switch::default();
        let spec = {
            let fails_once = fails_once.clone();
            let test = regrow_runtime::self_pid();
            ChildSpec::new("two", move || {
                let fails = fails_once.is_on();
                fails_once.set(false);
                async move {
                    if fails {
                        return Err(ExitReason::error("once"));
                    }
                    Ok(Worker::start_link(("two", test)).await?)
                }
            })
        };
        let sup = supervisor(Strategy::OneForAll)
            .child(worker("one"))
            .child(spec)
            .start_link()
            .await
            .unwrap();
        starts(2).await;
        let one = pid(&sup, "one").await;
        fails_once.set(true);
        end(one, died());
        assert_eq!(terminations(2).await, ["one", "two"]); // the crash, then the sibling
        // `one` comes back, is stopped again because `two` did not, then both start.
        assert_eq!(starts(1).await, ["one"]);
        let stopped = regrow_runtime::receive::<Terminated>().await;
        assert_eq!((stopped.id, stopped.reason), ("one", ExitReason::Shutdown));
        assert_eq!(starts(2).await, ["one", "two"]);
        assert_eq!(counts(&sup).await, [2, 2, 0, 2]);
    });
}

#[test]
fn rest_for_one_restarts_the_failed_child_and_those_after_it() {
    run(|| async {
        let sup = supervisor(Strategy::RestForOne)
            .children([worker("one"), worker("two"), worker("three")])
            .start_link()
            .await
            .unwrap();
        starts(3).await;
        let one = pid(&sup, "one").await;
        end(pid(&sup, "two").await, died());
        assert_eq!(starts(2).await, ["two", "three"]);
        assert_eq!(pid(&sup, "one").await, one);
        assert_eq!(counts(&sup).await, [3, 3, 0, 3]);
        end(pid(&sup, "three").await, died());
        assert_eq!(starts(1).await, ["three"]);
        end(pid(&sup, "two").await, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert!(!is_alive(one).await);
    });
}

#[test]
fn rest_for_one_escalates_when_a_later_child_cannot_be_restarted() {
    run(|| async {
        let fails = Switch::default();
        let sup = supervisor(Strategy::RestForOne)
            .child(worker("one"))
            .child(failing_worker("two", &fails))
            .start_link()
            .await
            .unwrap();
        starts(2).await;
        let one = pid(&sup, "one").await;
        fails.set(true);
        end(one, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}

#[test]
fn rest_for_one_keeps_children_before_the_one_that_fails_its_restart() {
    run(|| async {
        let fails = Switch::default();
        let sup = supervisor(Strategy::RestForOne)
            .intensity(1_000_000, secs(3600))
            .child(worker("one"))
            .child(failing_worker("two", &fails))
            .child(worker("three"))
            .start_link()
            .await
            .unwrap();
        starts(3).await;
        let one = pid(&sup, "one").await;
        fails.set(true);
        end(one, died());
        let one = started("one").await;
        becomes(&sup, "two", ChildState::Restarting).await;
        fails.set(false);
        assert_eq!(starts(2).await, ["two", "three"]);
        assert_eq!(pid(&sup, "one").await, one);
    });
}

#[test]
fn a_restart_starts_stopped_children_in_its_range_too() {
    run(|| async {
        let sup = supervisor(Strategy::OneForAll)
            .child(worker("one"))
            .child(worker("terminated"))
            .child(worker("finished").restart(Restart::Transient))
            .start_link()
            .await
            .unwrap();
        starts(3).await;
        sup.terminate_child("terminated").await.unwrap();
        end(pid(&sup, "finished").await, ExitReason::Normal);
        counts_become(&sup, [3, 1, 0, 3]).await;
        end(pid(&sup, "one").await, died());
        assert_eq!(starts(3).await, ["one", "terminated", "finished"]);
    });
}

#[test]
fn temporary_bystanders_are_stopped_and_forgotten() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        run(|| async move {
            let sup = supervisor(strategy)
                .child(worker("permanent"))
                .child(worker("temporary").restart(Restart::Temporary))
                .start_link()
                .await
                .unwrap();
            starts(2).await;
            end(pid(&sup, "permanent").await, ExitReason::Normal);
            assert_eq!(starts(1).await, ["permanent"]);
            assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
            assert!(child(&sup, "temporary").await.is_none());
        });
    }
}

#[test]
fn a_child_that_is_not_restarted_never_touches_its_siblings() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        run(|| async move {
            let sup = supervisor(strategy)
                .child(worker("temporary").restart(Restart::Temporary))
                .child(worker("sibling"))
                .start_link()
                .await
                .unwrap();
            starts(2).await;
            let sibling = pid(&sup, "sibling").await;
            end(pid(&sup, "temporary").await, died());
            counts_become(&sup, [1, 1, 0, 1]).await;
            assert_eq!(pid(&sup, "sibling").await, sibling);
        });
    }
}

#[test]
fn siblings_that_crash_at_the_same_time_count_once() {
    run(|| async {
        let sup = supervisor(Strategy::OneForAll)
            .intensity(1, secs(3600))
            .children([worker("one"), worker("two"), worker("three")])
            .start_link()
            .await
            .unwrap();
        starts(3).await;
        let mut pids = Vec::new();
        for id in ["one", "two", "three"] {
            pids.push(pid(&sup, id).await);
        }
        // All dead before the supervisor looks: it is busy with a start that waits for that.
        let slow = {
            let pids = pids.clone();
            ChildSpec::new("slow", move || {
                let pids = pids.clone();
                async move {
                    for pid in pids {
                        exit(pid, ExitReason::Kill);
                        down(pid).await;
                    }
                    Ok::<_, ExitReason>(Child::ignored())
                }
            })
            .restart(Restart::Temporary)
        };
        sup.start_child(slow).await.unwrap_err();
        assert_eq!(starts(3).await, ["one", "two", "three"]);
        assert_eq!(counts(&sup).await, [3, 3, 0, 3]);
    });
}

#[test]
fn a_child_before_the_restarted_ones_that_crashes_meanwhile_is_not_forgotten() {
    run(|| async {
        let sup = supervisor(Strategy::RestForOne)
            .children([worker("one"), worker("two"), worker("three")])
            .start_link()
            .await
            .unwrap();
        let (one, two) = (started("one").await, started("two").await);
        started("three").await;
        // The supervisor runs this start function; the exits wait for it in this order.
        let killer = ChildSpec::new("killer", move || async move {
            for pid in [two, one] {
                exit(pid, ExitReason::Kill);
                down(pid).await;
            }
            Ok::<_, ExitReason>(Child::ignored())
        });
        let killer = killer.restart(Restart::Temporary);
        sup.start_child(killer).await.unwrap_err();
        assert_ne!(started("one").await, one);
        assert_eq!(counts(&sup).await, [3, 3, 0, 3]);
    });
}

#[test]
fn five_children_stop_and_start_in_strict_order() {
    run(|| async {
        let ids = ["w2", "w9", "w1", "w7", "w3"];
        let sup = supervisor(Strategy::RestForOne)
            .children(ids.map(worker))
            .start_link()
            .await
            .unwrap();
        assert_eq!(starts(5).await, ids);
        exit(pid(&sup, "w1").await, ExitReason::Kill);
        assert_eq!(terminations(2).await, ["w3", "w7"]);
        assert_eq!(starts(3).await, ["w1", "w7", "w3"]);
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(terminations(5).await, ["w3", "w7", "w1", "w9", "w2"]);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}

#[test]
fn a_restart_that_fails_leaves_those_after_it_stopped_until_it_succeeds() {
    run(|| async {
        let fails = Switch::default();
        let sup = supervisor(Strategy::RestForOne)
            .intensity(u32::MAX, secs(3600))
            .child(worker("one"))
            .child(failing_worker("two", &fails))
            .child(worker("three"))
            .start_link()
            .await
            .unwrap();
        starts(3).await;
        fails.set(true);
        end(pid(&sup, "two").await, died());
        becomes(&sup, "two", ChildState::Restarting).await;
        assert_eq!(state(&sup, "three").await, ChildState::Stopped);
        assert_eq!(counts(&sup).await, [3, 1, 0, 3]);
        let restart = sup.restart_child("two").await;
        assert_eq!(restart, Err(RestartChildError::Restarting));
        sup.terminate_child("two").await.unwrap();
        assert_eq!(state(&sup, "two").await, ChildState::Stopped);
        // The loop has ended, and nobody else starts what it has left stopped.
        assert_eq!(state(&sup, "three").await, ChildState::Stopped);
        fails.set(false);
        sup.restart_child("three").await.unwrap();
        sup.restart_child("two").await.unwrap();
        assert_eq!(starts(2).await, ["three", "two"]);
        fails.set(true);
        end(pid(&sup, "two").await, died());
        becomes(&sup, "two", ChildState::Restarting).await;
        fails.set(false);
        assert_eq!(starts(2).await, ["two", "three"]);
    });
}

#[test]
fn a_sibling_that_does_not_stop_is_killed_and_all_come_back() {
    run(|| async {
        let stuck = ChildSpec::new("stuck", || async {
            Ok::<_, ExitReason>(spawn_trapping(std::future::pending::<()>()))
        });
        let sup = supervisor(Strategy::OneForAll)
            .child(worker("one"))
            .child(stuck.shutdown(Shutdown::Timeout(millis(20))))
            .start_link()
            .await
            .unwrap();
        let first = pid(&sup, "stuck").await;
        end(started("one").await, died());
        started("one").await;
        assert!(!is_alive(first).await);
        assert_ne!(pid(&sup, "stuck").await, first);
    });
}
