use regrow_runtime::{ExitReason, Pid, exit, self_pid, spawn, spawn_link};
use regrow_supervisor::{
    CallError, Child, ChildSpec, ChildState, ChildType, DeleteChildError, GetChildSpecError,
    Restart, RestartChildError, Shutdown, SpecError, StartChildError, StartError, Strategy,
    Supervisor, SupervisorRef, TerminateChildError,
};

use crate::common::*;

async fn with_one() -> (SupervisorRef, Pid) {
    let sup = supervisor(Strategy::OneForOne)
        .child(worker("one"))
        .start_link()
        .await
        .unwrap();
    let one = started("one").await;
    (sup, one)
}

#[test]
fn a_wrong_spec_is_refused_before_its_id_is_looked_for() {
    run(|| async {
        let (sup, _) = with_one().await;
        let spec = worker("one").restart(Restart::Transient).significant(true);
        let wrong = SpecError::SignificantWithoutAutoShutdown { id: "one".into() };
        let error = sup.start_child(spec).await.unwrap_err();
        assert_eq!(error, StartChildError::BadSpec(wrong));
    });
}

#[test]
fn the_whole_life_of_a_child_by_hand() {
    run(|| async {
        let (sup, one) = with_one().await;
        let error = sup.start_child(worker("one")).await.unwrap_err();
        assert_eq!(error, StartChildError::AlreadyStarted(one));
        assert_eq!(
            sup.restart_child("one").await,
            Err(RestartChildError::Running)
        );
        assert_eq!(
            sup.delete_child("one").await,
            Err(DeleteChildError::Running)
        );

        sup.terminate_child("one").await.unwrap();
        let terminated = regrow_runtime::receive::<Terminated>().await;
        assert_eq!(terminated.reason, ExitReason::Shutdown);
        assert_eq!(state(&sup, "one").await, ChildState::Stopped);
        assert_eq!(counts(&sup).await, [1, 0, 0, 1]);
        assert_eq!(sup.terminate_child("one").await, Ok(())); // again
        let error = sup.start_child(worker("one")).await.unwrap_err();
        assert_eq!(error, StartChildError::AlreadyPresent);

        let two = sup.restart_child("one").await.unwrap();
        assert_ne!(one, two);
        assert_eq!(
            sup.restart_child("one").await,
            Err(RestartChildError::Running)
        );
        sup.terminate_child("one").await.unwrap();
        sup.delete_child("one").await.unwrap();
        assert_eq!(counts(&sup).await, [0, 0, 0, 0]);
        sup.start_child(worker("one")).await.unwrap();
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn unknown_ids_are_not_found() {
    run(|| async {
        let (sup, _) = with_one().await;
        let nobody = "nobody";
        assert_eq!(
            sup.terminate_child(nobody).await,
            Err(TerminateChildError::NotFound)
        );
        assert_eq!(
            sup.restart_child(nobody).await,
            Err(RestartChildError::NotFound)
        );
        assert_eq!(
            sup.delete_child(nobody).await,
            Err(DeleteChildError::NotFound)
        );
        let spec = sup.get_childspec(nobody).await;
        assert_eq!(spec.unwrap_err(), GetChildSpecError::NotFound);
    });
}

#[test]
fn requests_to_a_missing_supervisor_are_noproc() {
    run(|| async {
        let gone = spawn(async {});
        down(gone).await;
        for sup in [
            SupervisorRef::from_pid(gone),
            SupervisorRef::named("nobody"),
        ] {
            assert_eq!(sup.which_children().await, Err(CallError::NoProc));
            let error = sup.start_child(worker("one")).await.unwrap_err();
            assert_eq!(error, StartChildError::Call(CallError::NoProc));
        }
    });
}

#[test]
fn a_request_to_something_else_is_not_understood() {
    run(|| async {
        let (sup, one) = with_one().await;
        let not_one = SupervisorRef::from_pid(one);
        assert_eq!(not_one.which_children().await, Err(CallError::NoReply));
        let dynamic = regrow_supervisor::DynamicSupervisorRef::from(sup.pid().unwrap());
        assert_eq!(dynamic.count_children().await, Err(CallError::NoReply));
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]); // unharmed
    });
}

#[test]
fn a_start_that_fails_keeps_nothing() {
    run(|| async {
        let (sup, _) = with_one().await;
        let fails = Switch::default();
        fails.set(true);
        let error = sup
            .start_child(failing_worker("two", &fails))
            .await
            .unwrap_err();
        assert_eq!(
            error,
            StartChildError::Failed(ExitReason::error("start fails"))
        );
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn a_panicking_start_function_is_a_failed_start() {
    run(|| async {
        let (sup, _) = with_one().await;
        let panics = |when_called: bool| {
            ChildSpec::new("two", move || {
                assert!(!when_called, "start panics");
                async {
                    if self_pid() != spawn(async {}) {
                        panic!("start panics");
                    }
                    Ok::<Child, ExitReason>(Child::ignored())
                }
            })
        };
        for when_called in [false, true] {
            let error = sup.start_child(panics(when_called)).await.unwrap_err();
            let StartChildError::Failed(ExitReason::Panic(panic)) = error else {
                panic!("not a panic: {error:?}");
            };
            assert_eq!(panic.message(), "start panics");
        }
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn an_already_started_server_is_told_as_such() {
    run(|| async {
        let (sup, _) = with_one().await;
        let test = self_pid();
        let named = move || Worker::start_link(("two", test)).name("two");
        let first = named().await.unwrap().pid().unwrap();
        let error = sup
            .start_child(ChildSpec::new("two", named))
            .await
            .unwrap_err();
        assert_eq!(error, StartChildError::AlreadyStarted(first));
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn a_restart_by_hand_that_fails_keeps_the_spec() {
    run(|| async {
        let fails = Switch::default();
        let sup = supervisor(Strategy::OneForOne)
            .child(failing_worker("one", &fails))
            .start_link()
            .await
            .unwrap();
        sup.terminate_child("one").await.unwrap();
        fails.set(true);
        let error = sup.restart_child("one").await.unwrap_err();
        assert_eq!(
            error,
            RestartChildError::Failed(ExitReason::error("start fails"))
        );
        assert_eq!(state(&sup, "one").await, ChildState::Stopped);
        fails.set(false);
        sup.restart_child("one").await.unwrap();
    });
}

#[test]
fn an_ignored_child_is_kept_without_a_process_unless_temporary() {
    run(|| async {
        let ignored = |id: &str, restart| {
            ChildSpec::new(id, || async { Ok::<_, ExitReason>(Child::ignored()) }).restart(restart)
        };
        let sup = supervisor(Strategy::OneForOne)
            .child(ignored("permanent", Restart::Permanent))
            .child(ignored("temporary", Restart::Temporary))
            .child(worker("worker"))
            .start_link()
            .await
            .unwrap();
        assert_eq!(state(&sup, "permanent").await, ChildState::Stopped);
        assert_eq!(counts(&sup).await, [2, 1, 0, 2]);
        for (id, restart) in [("p", Restart::Permanent), ("t", Restart::Temporary)] {
            let error = sup.start_child(ignored(id, restart)).await.unwrap_err();
            assert_eq!(error, StartChildError::Ignored);
        }
        assert_eq!(counts(&sup).await, [3, 1, 0, 3]);
        assert_eq!(
            sup.restart_child("p").await,
            Err(RestartChildError::Ignored)
        );
    });
}

#[test]
fn specs_get_the_defaults_of_otp() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("worker"))
            .child(ChildSpec::supervisor("sub", || {
                Supervisor::new(Strategy::OneForOne).start_link()
            }))
            .start_link()
            .await
            .unwrap();
        let spec = sup.get_childspec("worker").await.unwrap();
        assert_eq!(spec.restart, Restart::Permanent);
        assert_eq!(spec.shutdown, Shutdown::Timeout(secs(5)));
        assert_eq!(spec.child_type, ChildType::Worker);
        assert!(!spec.significant);
        let spec = sup.get_childspec("sub").await.unwrap();
        assert_eq!(spec.shutdown, Shutdown::Infinity);
        assert_eq!(spec.child_type, ChildType::Supervisor);
        assert_eq!(counts(&sup).await, [2, 2, 1, 1]);
    });
}

#[test]
fn the_spec_of_a_running_temporary_child_cannot_be_used_again() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one").restart(Restart::Temporary))
            .start_link()
            .await
            .unwrap();
        let spec = sup.get_childspec("one").await.unwrap();
        sup.terminate_child("one").await.unwrap();
        let error = sup.start_child(spec).await.unwrap_err();
        let id = "one".into();
        assert_eq!(
            error,
            StartChildError::BadSpec(SpecError::NoStartFunction { id })
        );
    });
}

#[test]
fn which_children_lists_the_youngest_first() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .children([worker("one"), worker("two")])
            .start_link()
            .await
            .unwrap();
        sup.start_child(worker("three")).await.unwrap();
        let children = sup.which_children().await.unwrap();
        let ids: Vec<&str> = children.iter().map(|child| &*child.id).collect();
        assert_eq!(ids, ["three", "two", "one"]);
    });
}

#[test]
fn requests_during_a_failing_restart_loop() {
    run(|| async {
        let fails = Switch::default();
        let sup = supervisor(Strategy::OneForOne)
            .intensity(u32::MAX, secs(3600))
            .child(failing_worker("one", &fails))
            .start_link()
            .await
            .unwrap();
        fails.set(true);
        end(started("one").await, died());
        becomes(&sup, "one", ChildState::Restarting).await;
        let error = sup.start_child(worker("one")).await.unwrap_err();
        assert_eq!(error, StartChildError::AlreadyPresent);
        assert_eq!(
            sup.restart_child("one").await,
            Err(RestartChildError::Restarting)
        );
        assert_eq!(
            sup.delete_child("one").await,
            Err(DeleteChildError::Restarting)
        );
        assert_eq!(counts(&sup).await, [1, 0, 0, 1]);
        sup.terminate_child("one").await.unwrap();
        assert_eq!(state(&sup, "one").await, ChildState::Stopped);
        fails.set(false);
        sup.restart_child("one").await.unwrap();
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn calls_wait_while_a_start_function_runs() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let test = self_pid();
        let slow = ChildSpec::new("slow", move || async move {
            regrow_runtime::send(test, self_pid());
            regrow_runtime::receive::<()>().await;
            Ok::<_, ExitReason>(spawn_link(regrow_runtime::receive::<()>()))
        });
        let asker = sup.clone();
        spawn(async move {
            let _started = asker.start_child(slow).await;
        });
        let busy = regrow_runtime::receive::<Pid>().await;
        assert_eq!(busy, sup.pid().unwrap()); // the start function runs inside the supervisor
        let waiting = regrow_runtime::try_receive::<()>();
        assert!(waiting.is_none());
        regrow_runtime::send(busy, ());
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn a_supervisors_name_is_taken_once_and_free_after_its_end() {
    run(|| async {
        let start = || {
            Supervisor::new(Strategy::OneForOne)
                .name("sup")
                .start_link()
        };
        let first = start().await.unwrap();
        let pid = first.pid().unwrap();
        assert_eq!(SupervisorRef::named("sup").pid(), Some(pid));
        assert_eq!(start().await.unwrap_err(), StartError::AlreadyStarted(pid));
        exit(pid, ExitReason::Shutdown);
        exited(pid).await;
        start().await.unwrap();
    });
}

#[test]
fn many_children_start_and_stop() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let idle = |n: usize| {
            ChildSpec::new(format!("child {n}"), || async {
                Ok::<_, ExitReason>(spawn_link(regrow_runtime::receive::<()>()))
            })
        };
        for n in 0..5_000 {
            sup.start_child(idle(n)).await.unwrap();
        }
        assert_eq!(counts(&sup).await, [5_000, 5_000, 0, 5_000]);
        for n in 0..5_000 {
            sup.terminate_child(&format!("child {n}")).await.unwrap();
        }
        assert_eq!(counts(&sup).await, [5_000, 0, 0, 5_000]);
    });
}
