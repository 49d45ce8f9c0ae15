use regrow_runtime::{
    ExitReason, Pid, exit, is_alive, monitor, monotonic_time, receive, self_pid, send, sleep,
    spawn, spawn_link,
};
use regrow_supervisor::{
    CallError, Child, ChildSpec, ChildState, DynamicSupervisor, DynamicSupervisorRef, Restart,
    Shutdown, SpecError, StartChildError, StartError, Strategy, Supervisor, TerminateChildError,
};

use crate::common::*;

async fn start() -> DynamicSupervisorRef {
    DynamicSupervisor::new().start_link().await.unwrap()
}

async fn counts(sup: &DynamicSupervisorRef) -> [usize; 4] {
    tuple(sup.count_children().await.unwrap())
}

async fn counts_become(sup: &DynamicSupervisorRef, expected: [usize; 4]) {
    while counts(sup).await != expected {
        sleep(millis(1)).await;
    }
}

async fn sup_exited(sup: &DynamicSupervisorRef) -> ExitReason {
    exited(sup.pid().unwrap()).await
}

/// A child that traps exits and does not listen for this long.
fn deaf(time: u64) -> ChildSpec {
    ChildSpec::new("deaf", move || async move {
        Ok::<_, ExitReason>(spawn_trapping(async move { sleep(millis(time)).await }))
    })
}

#[test]
fn the_same_id_may_be_used_many_times() {
    run(|| async {
        let sup = start().await;
        let one = sup.start_child(worker("room")).await.unwrap();
        let two = sup.start_child(worker("room")).await.unwrap();
        assert_ne!(one, two);
        assert_eq!(counts(&sup).await, [2, 2, 0, 2]);
        let mut pids: Vec<Pid> = Vec::new();
        for child in sup.which_children().await.unwrap() {
            assert_eq!(&*child.id, "room");
            pids.extend(child.state.pid());
        }
        pids.sort();
        let mut expected = [one, two];
        expected.sort();
        assert_eq!(pids, expected);
    });
}

#[test]
fn a_crash_restarts_only_the_child_that_crashed() {
    run(|| async {
        let sup = start().await;
        let one = sup.start_child(worker("one")).await.unwrap();
        let two = sup.start_child(worker("two")).await.unwrap();
        starts(2).await;
        end(one, died());
        assert_ne!(started("one").await, one);
        assert!(is_alive(two).await);
        assert_eq!(counts(&sup).await, [2, 2, 0, 2]);
    });
}

#[test]
fn three_restarts_in_five_seconds_are_the_default() {
    run(|| async {
        let sup = start().await;
        sup.start_child(worker("one")).await.unwrap();
        let bystander = sup.start_child(worker("two")).await.unwrap();
        for _ in 0..4 {
            end(started("one").await, died());
        }
        assert_eq!(sup_exited(&sup).await, ExitReason::Shutdown);
        assert!(!is_alive(bystander).await);
        assert_eq!(starts(1).await, ["two"]);
        assert_none::<Started>().await;
    });
}

#[test]
fn children_that_are_not_restarted_are_forgotten() {
    run(|| async {
        let sup = start().await;
        for (restart, reason) in [
            (Restart::Transient, ExitReason::Normal),
            (Restart::Transient, ExitReason::Shutdown),
            (Restart::Transient, ExitReason::shutdown_with("x")),
            (Restart::Temporary, ExitReason::Normal),
            (Restart::Temporary, died()),
        ] {
            let child = sup
                .start_child(worker("one").restart(restart))
                .await
                .unwrap();
            end(child, reason);
            counts_become(&sup, [0, 0, 0, 0]).await;
        }
    });
}

#[test]
fn max_children_counts_running_and_restarting_ones() {
    run(|| async {
        let fails = Switch::default();
        let sup = DynamicSupervisor::new()
            .max_children(2)
            .intensity(u32::MAX, secs(3600))
            .start_link()
            .await
            .unwrap();
        sup.start_child(worker("one")).await.unwrap();
        let two = sup
            .start_child(failing_worker("two", &fails))
            .await
            .unwrap();
        starts(2).await;
        fails.set(true);
        end(two, died());
        counts_become(&sup, [2, 1, 0, 2]).await;
        let error = sup.start_child(worker("three")).await.unwrap_err();
        assert_eq!(error, StartChildError::MaxChildren);
        assert_none::<Started>().await; // the start function has not been called
        sup.terminate_child(two).await.unwrap(); // by the pid it had
        sup.start_child(worker("three")).await.unwrap();
    });
}

#[test]
fn max_children_may_be_zero() {
    run(|| async {
        let sup = DynamicSupervisor::new()
            .max_children(0)
            .start_link()
            .await
            .unwrap();
        let error = sup.start_child(worker("one")).await.unwrap_err();
        assert_eq!(error, StartChildError::MaxChildren);
    });
}

#[test]
fn ignored_and_failed_children_are_not_stored() {
    run(|| async {
        let sup = start().await;
        let ignored = ChildSpec::new("one", || async { Ok::<_, ExitReason>(Child::ignored()) });
        let error = sup.start_child(ignored).await.unwrap_err();
        assert_eq!(error, StartChildError::Ignored);
        let fails = Switch::default();
        fails.set(true);
        let error = sup
            .start_child(failing_worker("one", &fails))
            .await
            .unwrap_err();
        assert_eq!(
            error,
            StartChildError::Failed(ExitReason::error("start fails"))
        );
        let test = self_pid();
        let named = move || Worker::start_link(("one", test)).name("one");
        let first = named().await.unwrap().pid().unwrap();
        let error = sup
            .start_child(ChildSpec::new("one", named))
            .await
            .unwrap_err();
        assert_eq!(error, StartChildError::AlreadyStarted(first));
        assert_eq!(counts(&sup).await, [0, 0, 0, 0]);
    });
}

#[test]
fn a_restart_that_is_ignored_drops_the_child() {
    for restart in [Restart::Permanent, Restart::Transient] {
        run(|| async move {
            let sup = start().await;
            let ignore = Switch::default();
            let test = self_pid();
            let spec = {
                let ignore = ignore.clone();
                ChildSpec::new("one", move || {
                    let ignore = ignore.is_on();
                    async move {
                        if ignore {
                            return Ok(Child::ignored());
                        }
                        let server = Worker::start_link(("one", test)).await?;
                        Ok::<_, StartError>(server.into())
                    }
                })
            };
            sup.start_child(spec.restart(restart)).await.unwrap();
            exit(started("one").await, ExitReason::Kill);
            let again = started("one").await;
            ignore.set(true);
            exit(again, ExitReason::Kill);
            counts_become(&sup, [0, 0, 0, 0]).await;
            exit(sup.pid().unwrap(), ExitReason::Shutdown);
            assert_eq!(sup_exited(&sup).await, ExitReason::Shutdown);
        });
    }
}

#[test]
fn terminate_child_stops_and_forgets_even_a_permanent_child() {
    run(|| async {
        let sup = start().await;
        let child = sup.start_child(worker("one")).await.unwrap();
        sup.terminate_child(child).await.unwrap();
        assert!(!is_alive(child).await);
        assert_eq!(counts(&sup).await, [0, 0, 0, 0]);
        let stranger = spawn(async {});
        for pid in [child, stranger] {
            let error = sup.terminate_child(pid).await;
            assert_eq!(error, Err(TerminateChildError::NotFound));
        }
    });
}

#[test]
fn a_failing_restart_loop_counts_as_restarting_until_it_succeeds() {
    run(|| async {
        let fails = Switch::default();
        let sup = DynamicSupervisor::new()
            .intensity(u32::MAX, secs(3600))
            .start_link()
            .await
            .unwrap();
        let mut children = Vec::new();
        for _ in 0..3 {
            children.push(
                sup.start_child(failing_worker("one", &fails))
                    .await
                    .unwrap(),
            );
        }
        starts(3).await;
        fails.set(true);
        end(children[0], died());
        end(children[1], died());
        counts_become(&sup, [3, 1, 0, 3]).await;
        let restarting =
            |child: &&regrow_supervisor::ChildInfo| child.state == ChildState::Restarting;
        let children = sup.which_children().await.unwrap();
        assert_eq!(children.iter().filter(restarting).count(), 2);
        fails.set(false);
        counts_become(&sup, [3, 3, 0, 3]).await;
        let mut left = 3;
        for child in sup.which_children().await.unwrap() {
            sup.terminate_child(child.state.pid().unwrap())
                .await
                .unwrap();
            left -= 1;
            assert_eq!(counts(&sup).await, [left, left, 0, left]);
        }
    });
}

#[test]
fn a_restart_that_keeps_failing_ends_the_supervisor() {
    run(|| async {
        let fails = Switch::default();
        let sup = start().await;
        let one = sup
            .start_child(failing_worker("one", &fails))
            .await
            .unwrap();
        let two = sup.start_child(worker("two")).await.unwrap();
        starts(2).await;
        fails.set(true);
        end(one, died());
        assert_eq!(sup_exited(&sup).await, ExitReason::Shutdown);
        assert!(!is_alive(two).await);
    });
}

#[test]
fn all_children_are_stopped_at_the_same_time() {
    run(|| async {
        let sup = start().await;
        for _ in 0..20 {
            sup.start_child(deaf(100).shutdown(Shutdown::Timeout(secs(60))))
                .await
                .unwrap();
        }
        let slow = sup.start_child(deaf(3_600_000).shutdown(Shutdown::Timeout(millis(150))));
        let slow = monitor(slow.await.unwrap());
        let brutal = sup.start_child(worker("one").shutdown(Shutdown::BrutalKill));
        let brutal = monitor(brutal.await.unwrap());
        let before = monotonic_time();
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(sup_exited(&sup).await, ExitReason::Shutdown);
        let took = monotonic_time() - before;
        assert!(took >= millis(140), "{took:?}");
        assert!(took < millis(100 * 20), "one after the other? {took:?}");
        for reference in [slow, brutal] {
            let down = receive::<regrow_runtime::Down>()
                .matching(move |down| down.reference == reference)
                .await;
            assert_eq!(down.reason, ExitReason::Killed);
        }
    });
}

#[test]
fn children_keep_their_own_reasons_when_the_supervisor_stops() {
    for restart in RESTARTS {
        run(|| async move {
            let sup = start().await;
            let mut watched = Vec::new();
            for reason in [
                ExitReason::Normal,
                ExitReason::Shutdown,
                ExitReason::shutdown_with("x"),
                died(),
            ] {
                let because = reason.clone();
                let spec = ChildSpec::new("one", move || {
                    let because = because.clone();
                    async move {
                        Ok::<_, ExitReason>(spawn_trapping(async move {
                            receive::<regrow_runtime::Exit>().await;
                            because
                        }))
                    }
                });
                let child = sup.start_child(spec.restart(restart)).await.unwrap();
                watched.push((monitor(child), reason));
            }
            exit(sup.pid().unwrap(), ExitReason::Shutdown);
            assert_eq!(sup_exited(&sup).await, ExitReason::Shutdown);
            for (reference, reason) in watched {
                let down = receive::<regrow_runtime::Down>()
                    .matching(move |down| down.reference == reference)
                    .await;
                assert_eq!(down.reason, reason);
            }
        });
    }
}

#[test]
fn requests_that_come_too_late_are_told_the_exit_reason() {
    run(|| async {
        let sup = start().await;
        let test = self_pid();
        let slow = ChildSpec::new("slow", move || async move {
            Ok::<_, ExitReason>(spawn_trapping(async move {
                receive::<regrow_runtime::Exit>().await;
                send(test, self_pid()); // it is being stopped
                receive::<()>().await;
            }))
        });
        let child = sup.start_child(slow).await.unwrap();
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        receive::<Pid>().await;
        let asker = sup.clone();
        spawn(async move {
            send(test, asker.count_children().await);
        });
        sleep(millis(20)).await; // either side of this the answer is the same
        send(child, ());
        let answer = receive::<Result<regrow_supervisor::Counts, CallError>>().await;
        assert_eq!(answer, Err(CallError::Exit(ExitReason::Shutdown)));
    });
}

#[test]
fn significant_children_are_refused() {
    run(|| async {
        let sup = start().await;
        let spec = worker("one").restart(Restart::Transient).significant(true);
        let error = sup.start_child(spec).await.unwrap_err();
        let wrong = SpecError::SignificantInDynamicSupervisor { id: "one".into() };
        assert_eq!(error, StartChildError::BadSpec(wrong));
    });
}

#[test]
fn counts_agree_with_the_list_for_many_children() {
    run(|| async {
        let sup = start().await;
        let idle = ChildSpec::new("idle", || async {
            Ok::<_, ExitReason>(spawn_link(receive::<()>()))
        })
        .restart(Restart::Temporary);
        for total in [1_000, 3_000] {
            while counts(&sup).await[0] < total {
                sup.start_child(idle.clone()).await.unwrap();
            }
            for _ in 0..3 {
                assert_eq!(counts(&sup).await, [total, total, 0, total]);
                assert_eq!(sup.which_children().await.unwrap().len(), total);
            }
        }
        for child in sup.which_children().await.unwrap() {
            exit(child.state.pid().unwrap(), ExitReason::Kill);
        }
        counts_become(&sup, [0, 0, 0, 0]).await;
    });
}

#[test]
fn a_temporary_child_does_not_keep_what_its_start_function_captured() {
    run(|| async {
        let sup = start().await;
        let large = std::sync::Arc::new(vec![0_u8; 1 << 20]);
        let test = self_pid();
        for (restart, kept) in [(Restart::Temporary, 1), (Restart::Permanent, 2)] {
            let spec = {
                let large = large.clone();
                ChildSpec::new("one", move || {
                    assert!(!large.is_empty());
                    Worker::start_link(("one", test))
                })
            };
            let child = sup.start_child(spec.restart(restart)).await.unwrap();
            assert_eq!(std::sync::Arc::strong_count(&large), kept);
            sup.terminate_child(child).await.unwrap();
        }
        assert_eq!(std::sync::Arc::strong_count(&large), 1);
    });
}

#[test]
fn a_dynamic_supervisor_can_be_reached_by_name() {
    run(|| async {
        let sup = DynamicSupervisor::new()
            .name("rooms")
            .start_link()
            .await
            .unwrap();
        let named = DynamicSupervisorRef::named("rooms");
        assert_eq!(named.pid(), sup.pid());
        named.start_child(worker("room")).await.unwrap();
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
        sup.stop(ExitReason::Normal, None).await.unwrap();
        let error = named.start_child(worker("room")).await.unwrap_err();
        assert_eq!(error, StartChildError::Call(CallError::NoProc));
    });
}

#[test]
fn children_that_are_supervisors_are_counted_as_such() {
    run(|| async {
        let sup = start().await;
        let sub = || {
            ChildSpec::supervisor("sub", || Supervisor::new(Strategy::OneForOne).start_link())
                .restart(Restart::Temporary)
        };
        for _ in 0..3 {
            sup.start_child(sub()).await.unwrap();
        }
        sup.start_child(worker("one")).await.unwrap();
        assert_eq!(counts(&sup).await, [4, 4, 3, 1]);
        for child in sup.which_children().await.unwrap() {
            exit(child.state.pid().unwrap(), ExitReason::Kill);
        }
        started("one").await;
        counts_become(&sup, [1, 1, 0, 1]).await;
    });
}

#[test]
fn each_child_has_its_own_time_to_stop() {
    run(|| async {
        let sup = start().await;
        let mut watched = Vec::new();
        for time in [10, 30, 10, 20] {
            let spec = deaf(3_600_000).shutdown(Shutdown::Timeout(millis(time)));
            let child = sup.start_child(spec.restart(Restart::Temporary)).await;
            watched.push((monitor(child.unwrap()), millis(time)));
        }
        let before = monotonic_time();
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        for (reference, time) in watched {
            let killed = receive::<regrow_runtime::Down>()
                .matching(move |down| down.reference == reference)
                .await;
            assert_eq!(killed.reason, ExitReason::Killed);
            assert!(monotonic_time() - before >= time);
        }
        assert_eq!(sup_exited(&sup).await, ExitReason::Shutdown);
    });
}
