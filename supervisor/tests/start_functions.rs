//! Start functions that do what they should not.

use regrow_runtime::{
    ExitReason, Pid, exit, is_alive, receive, self_pid, send, sleep, spawn, spawn_link,
};
use regrow_supervisor::{
    CallError, ChildSpec, ChildState, DynamicSupervisor, Restart, Shutdown, SpecError,
    StartChildError, Strategy,
};

use crate::common::*;

/// A spec whose start function returns this very pid.
fn returning(id: &'static str, pid: Pid) -> ChildSpec {
    ChildSpec::new(id, move || async move { Ok::<_, ExitReason>(pid) })
}

#[test]
fn a_start_function_that_returns_its_supervisor_has_failed() {
    run(|| async {
        let own = || ChildSpec::new("own", || async { Ok::<_, ExitReason>(self_pid()) });
        let reason = ExitReason::error(SpecError::StartsSupervisorItself);
        let expected = Err(StartChildError::Failed(reason));
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        assert_eq!(sup.start_child(own()).await, expected);
        let dynamic = DynamicSupervisor::new().start_link().await.unwrap();
        assert_eq!(dynamic.start_child(own()).await, expected);
        assert_eq!(counts(&sup).await, [0; 4]);
    });
}

#[test]
fn a_foreign_pid_is_a_child_whose_end_nobody_notices() {
    run(|| async {
        let foreign = spawn(receive::<()>());
        let sup = supervisor(Strategy::OneForOne)
            .child(returning("foreign", foreign))
            .start_link()
            .await
            .unwrap();
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
        exit(foreign, ExitReason::Kill);
        counts_become(&sup, [1, 0, 0, 1]).await;
        assert_eq!(state(&sup, "foreign").await, ChildState::Running(foreign));
        // It is started again by hand only: here with the same dead pid.
        sup.terminate_child("foreign").await.unwrap();
        assert_eq!(sup.restart_child("foreign").await, Ok(foreign));
        assert_eq!(counts(&sup).await, [1, 0, 0, 1]);
    });
}

#[test]
fn a_foreign_pid_is_stopped_like_any_child() {
    run(|| async {
        let foreign = spawn(receive::<()>());
        let sup = supervisor(Strategy::OneForOne)
            .child(returning("foreign", foreign))
            .start_link()
            .await
            .unwrap();
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert!(!is_alive(foreign).await);
    });
}

#[test]
fn a_process_linked_long_ago_is_a_child_like_any_other() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let linked = spawn_linked_to(sup.pid().unwrap()).await;
        sup.start_child(returning("one", linked)).await.unwrap();
        // Its end is noticed and counted; what comes back is dead from the start.
        exit(linked, ExitReason::Kill);
        counts_become(&sup, [1, 0, 0, 1]).await;
        assert_eq!(state(&sup, "one").await, ChildState::Running(linked));
    });
}

/// A process that has linked itself to another.
async fn spawn_linked_to(pid: Pid) -> Pid {
    let test = self_pid();
    let linked = spawn(async move {
        regrow_runtime::link(pid);
        send(test, ());
        receive::<()>().await;
    });
    receive::<()>().await;
    linked
}

#[test]
fn one_pid_may_be_two_children_and_each_end_is_seen_once() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let shared = spawn_linked_to(sup.pid().unwrap()).await;
        for id in ["one", "two"] {
            sup.start_child(returning(id, shared)).await.unwrap();
        }
        // Stopping one stops the process of both; the other is not told.
        sup.terminate_child("one").await.unwrap();
        assert_eq!(counts(&sup).await, [2, 0, 0, 2]);
        assert_eq!(state(&sup, "two").await, ChildState::Running(shared));
        sup.terminate_child("two").await.unwrap();

        // With both listed, its end is that of the older.
        let shared = spawn_linked_to(sup.pid().unwrap()).await;
        for id in ["three", "four"] {
            let spec = returning(id, shared).restart(Restart::Temporary);
            sup.start_child(spec).await.unwrap();
        }
        exit(shared, died());
        while child(&sup, "three").await.is_some() {
            sleep(millis(1)).await;
        }
        assert_eq!(state(&sup, "four").await, ChildState::Running(shared));
        sup.terminate_child("four").await.unwrap();
        assert_eq!(counts(&sup).await, [2, 0, 0, 2]);
    });
}

#[test]
fn a_pid_that_two_children_had_is_still_that_of_the_other_when_one_is_replaced() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let test = self_pid();
        // The first start of each returns this process, later ones a worker.
        let shared = spawn_linked_to(sup.pid().unwrap()).await;
        let first_shared = |id: &'static str| {
            let used = Switch::default();
            ChildSpec::new(id, move || {
                let first = !used.is_on();
                used.set(true);
                async move {
                    if first {
                        return Ok(shared);
                    }
                    let server = Worker::start_link((id, test)).await?;
                    Ok::<_, ExitReason>(server.pid().unwrap())
                }
            })
        };
        for id in ["one", "two"] {
            sup.start_child(first_shared(id)).await.unwrap();
        }
        exit(shared, ExitReason::Kill);
        let one = started("one").await; // the older is started again
        assert_eq!(state(&sup, "two").await, ChildState::Running(shared));
        // And is known by its new pid.
        end(one, died());
        assert_ne!(started("one").await, one);
    });
}

#[test]
fn the_same_pid_twice_is_one_dynamic_child() {
    run(|| async {
        let sup = DynamicSupervisor::new().start_link().await.unwrap();
        let shared = spawn_linked_to(sup.pid().unwrap()).await;
        for _ in 0..2 {
            assert_eq!(sup.start_child(returning("one", shared)).await, Ok(shared));
        }
        assert_eq!(tuple(sup.count_children().await.unwrap()), [1, 1, 0, 1]);
        sup.terminate_child(shared).await.unwrap();
        assert!(!is_alive(shared).await);
    });
}

#[test]
fn a_start_function_that_hangs_holds_its_supervisor_up_until_that_is_killed() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        let one = started("one").await;
        let test = self_pid();
        let hanging = ChildSpec::new("hanging", move || async move {
            let child = spawn_link(receive::<()>());
            send(test, child);
            std::future::pending::<()>().await;
            Ok::<_, ExitReason>(child)
        });
        let hasty = sup.clone().timeout(millis(5));
        let error = hasty.start_child(hanging).await;
        // Nothing of ours is awaited there, so nobody knows where it hangs.
        assert!(matches!(
            error,
            Err(StartChildError::Call(
                CallError::Busy { .. } | CallError::Timeout(_)
            ))
        ));
        let half_started = receive::<Pid>().await;
        assert!(is_alive(one).await);
        // Its parent would wait, and then do this.
        exit(sup.pid().unwrap(), ExitReason::Kill);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Killed);
        for pid in [half_started, one] {
            down(pid).await;
        }
    });
}

#[test]
fn a_start_function_with_a_timeout_of_its_own_fails_when_it_hangs() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        struct Hanging;
        impl GenServer for Hanging {
            type Args = ();
            type Message = ();
            async fn init(
                _: (),
                _: &mut regrow_supervisor::Context<Self>,
            ) -> Result<Self, ExitReason> {
                sleep(secs(3600)).await;
                Ok(Hanging)
            }
            async fn handle(
                &mut self,
                _: (),
                _: &mut regrow_supervisor::Context<Self>,
            ) -> regrow_supervisor::Next {
                regrow_supervisor::Next::Continue
            }
        }
        let spec = ChildSpec::new("hanging", || Hanging::start_link(()).timeout(millis(5)));
        let expected = ExitReason::error(regrow_supervisor::StartError::Timeout);
        assert_eq!(
            sup.start_child(spec).await,
            Err(StartChildError::Failed(expected))
        );
        assert_eq!(counts(&sup).await, [0; 4]);
    });
}

#[test]
fn a_child_that_never_stops_is_waited_for_without_limit_only_if_its_spec_says_so() {
    run(|| async {
        let test = self_pid();
        let immortal = ChildSpec::new("immortal", move || async move {
            let pid = spawn_trapping(async {
                loop {
                    receive::<()>().await;
                }
            });
            send(test, pid);
            Ok::<_, ExitReason>(pid)
        });
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one"))
            .child(immortal.shutdown(Shutdown::Infinity))
            .start_link()
            .await
            .unwrap();
        let (one, immortal) = (started("one").await, receive::<Pid>().await);
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        sleep(millis(20)).await;
        // Still waiting, and so nothing after it has been stopped.
        assert!(is_alive(sup.pid().unwrap()).await && is_alive(one).await);
        exit(immortal, ExitReason::Kill);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}
