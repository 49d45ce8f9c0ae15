use regrow_runtime::{ExitReason, exit, is_alive, self_pid};
use regrow_supervisor::{
    AutoShutdown, ChildSpec, ChildState, Restart, SpecError, StartChildError, StartError, Strategy,
    Supervisor, SupervisorRef,
};

use crate::common::*;

const MODES: [AutoShutdown; 3] = [
    AutoShutdown::Never,
    AutoShutdown::AnySignificant,
    AutoShutdown::AllSignificant,
];

fn significant(id: &'static str, restart: Restart) -> ChildSpec {
    worker(id).restart(restart).significant(true)
}

/// Reasons a child may end with by itself; `None` stands for a kill.
fn ends() -> [Option<ExitReason>; 3] {
    [None, Some(ExitReason::Normal), Some(died())]
}

fn end_with(pid: regrow_runtime::Pid, reason: Option<ExitReason>) {
    match reason {
        None => exit(pid, ExitReason::Kill),
        Some(reason) => end(pid, reason),
    }
}

async fn alive(sup: &SupervisorRef) -> bool {
    is_alive(sup.pid().unwrap()).await
}

#[test]
fn children_that_are_not_significant_never_shut_the_supervisor_down() {
    for mode in MODES {
        run(|| async move {
            let sup = supervisor(Strategy::OneForOne)
                .intensity(10, secs(3600))
                .auto_shutdown(mode)
                .start_link()
                .await
                .unwrap();
            let temporary = || worker("temporary").restart(Restart::Temporary);
            for reason in ends() {
                let pid = sup.start_child(temporary()).await.unwrap();
                end_with(pid, reason);
                counts_become(&sup, [0, 0, 0, 0]).await;
            }
            sup.start_child(temporary()).await.unwrap();
            sup.terminate_child("temporary").await.unwrap();

            let transient = worker("transient").restart(Restart::Transient);
            let pid = sup.start_child(transient).await.unwrap();
            started("transient").await;
            exit(pid, ExitReason::Kill);
            end(started("transient").await, died());
            end(started("transient").await, ExitReason::Normal);
            counts_become(&sup, [1, 0, 0, 1]).await;
            assert!(alive(&sup).await);
        });
    }
}

#[test]
fn any_significant_ends_the_supervisor_with_the_first() {
    for reason in ends() {
        run_with(reason, |reason| async move {
            let sup = supervisor(Strategy::OneForOne)
                .auto_shutdown(AutoShutdown::AnySignificant)
                .child(significant("one", Restart::Temporary))
                .child(significant("two", Restart::Temporary))
                .child(worker("sibling"))
                .start_link()
                .await
                .unwrap();
            let one = pid(&sup, "one").await;
            let sibling = pid(&sup, "sibling").await;
            sup.terminate_child("two").await.unwrap(); // does not count
            assert!(alive(&sup).await);
            end_with(one, reason);
            assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
            assert!(!is_alive(sibling).await);
        });
    }
}

#[test]
fn all_significant_ends_the_supervisor_with_the_last() {
    for reason in ends() {
        run_with(reason, |reason| async move {
            let sup = supervisor(Strategy::OneForOne)
                .auto_shutdown(AutoShutdown::AllSignificant)
                .child(significant("one", Restart::Temporary))
                .child(significant("two", Restart::Temporary))
                .child(worker("sibling"))
                .start_link()
                .await
                .unwrap();
            let (one, two) = (pid(&sup, "one").await, pid(&sup, "two").await);
            end_with(one, reason.clone());
            counts_become(&sup, [2, 2, 0, 2]).await;
            assert!(alive(&sup).await);
            end_with(two, reason);
            assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        });
    }
}

#[test]
fn a_significant_child_stopped_by_hand_counts_as_gone_for_the_others() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .auto_shutdown(AutoShutdown::AllSignificant)
            .child(significant("one", Restart::Transient))
            .child(significant("two", Restart::Transient))
            .start_link()
            .await
            .unwrap();
        sup.terminate_child("one").await.unwrap();
        assert!(alive(&sup).await);
        end(pid(&sup, "two").await, ExitReason::Normal);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}

#[test]
fn a_transient_significant_child_counts_only_when_it_ends_normally() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(significant("one", Restart::Transient))
            .start_link()
            .await
            .unwrap();
        end(started("one").await, died());
        end(started("one").await, ExitReason::Normal);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}

#[test]
fn a_child_being_restarted_is_still_there_for_all_significant() {
    run(|| async {
        let fails = Switch::default();
        let restarting = failing_worker("one", &fails)
            .restart(Restart::Transient)
            .significant(true);
        let sup = supervisor(Strategy::OneForOne)
            .intensity(u32::MAX, secs(3600))
            .auto_shutdown(AutoShutdown::AllSignificant)
            .child(restarting)
            .child(significant("two", Restart::Temporary))
            .start_link()
            .await
            .unwrap();
        fails.set(true);
        end(started("one").await, died());
        becomes(&sup, "one", ChildState::Restarting).await;
        end(pid(&sup, "two").await, ExitReason::Normal);
        counts_become(&sup, [1, 0, 0, 1]).await;
        assert!(alive(&sup).await);
        fails.set(false);
        end(started("one").await, ExitReason::Normal);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}

#[test]
fn children_stopped_because_of_a_sibling_do_not_count() {
    for strategy in [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ] {
        for mode in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
            run(|| async move {
                let sup = supervisor(strategy)
                    .auto_shutdown(mode)
                    .child(worker("crashes").restart(Restart::Transient))
                    .child(significant("transient", Restart::Transient))
                    .child(significant("temporary", Restart::Temporary))
                    .start_link()
                    .await
                    .unwrap();
                exit(started("crashes").await, ExitReason::Kill);
                started("crashes").await;
                assert!(alive(&sup).await);
                let left = match strategy {
                    Strategy::OneForOne => [3, 3, 0, 3],
                    _ => [2, 2, 0, 2],
                };
                assert_eq!(counts(&sup).await, left);
            });
        }
    }
}

#[test]
fn auto_shutdown_of_a_sub_supervisor_escalates_iff_it_is_significant() {
    for is_significant in [true, false] {
        run(|| async move {
            let test = self_pid();
            let inner = move || {
                let task = ChildSpec::new("task", move || Worker::start_link(("task", test)));
                Supervisor::new(Strategy::OneForOne)
                    .auto_shutdown(AutoShutdown::AnySignificant)
                    .child(task.restart(Restart::Temporary).significant(true))
                    .start_link()
            };
            let outer = Supervisor::new(Strategy::OneForOne)
                .auto_shutdown(AutoShutdown::AnySignificant)
                .child(
                    ChildSpec::supervisor("inner", inner)
                        .restart(Restart::Transient)
                        .significant(is_significant),
                )
                .start_link()
                .await
                .unwrap();
            end(started("task").await, ExitReason::Normal);
            if is_significant {
                assert_eq!(supervisor_exited(&outer).await, ExitReason::Shutdown);
            } else {
                counts_become(&outer, [1, 0, 1, 0]).await;
                assert!(alive(&outer).await);
            }
        });
    }
}

#[test]
fn significant_without_auto_shutdown_is_refused() {
    run(|| async {
        let id = || "one".into();
        let wrong = SpecError::SignificantWithoutAutoShutdown { id: id() };
        let spec = || significant("one", Restart::Transient);
        let error = supervisor(Strategy::OneForOne)
            .child(spec())
            .start_link()
            .await;
        let expected = StartError::Exit(ExitReason::error(wrong.clone()));
        assert_eq!(error.unwrap_err(), expected);
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let error = sup.start_child(spec()).await.unwrap_err();
        assert_eq!(error, StartChildError::BadSpec(wrong));
    });
}

#[test]
fn significant_and_permanent_is_refused() {
    run(|| async {
        for mode in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
            let wrong = SpecError::SignificantPermanent { id: "one".into() };
            let spec = || worker("one").significant(true);
            let settings = || supervisor(Strategy::OneForOne).auto_shutdown(mode);
            let error = settings().child(spec()).start_link().await.unwrap_err();
            assert_eq!(error, StartError::Exit(ExitReason::error(wrong.clone())));
            let sup = settings().start_link().await.unwrap();
            let error = sup.start_child(spec()).await.unwrap_err();
            assert_eq!(error, StartChildError::BadSpec(wrong));
        }
    });
}

#[test]
fn every_other_combination_is_accepted() {
    run(|| async {
        for mode in MODES {
            for restart in RESTARTS {
                for is_significant in [false, true] {
                    if is_significant
                        && (mode == AutoShutdown::Never || restart == Restart::Permanent)
                    {
                        continue;
                    }
                    let spec = worker("one").restart(restart).significant(is_significant);
                    let sup = supervisor(Strategy::OneForOne)
                        .auto_shutdown(mode)
                        .child(spec)
                        .start_link()
                        .await
                        .unwrap();
                    assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
                }
            }
        }
    });
}
