use regrow_runtime::{
    Down, ExitReason, Pid, exit, is_alive, link, monitor, monotonic_time, receive, self_pid, send,
    sleep, spawn_link, unlink, whereis,
};
use regrow_supervisor::{ChildSpec, ChildState, Restart, Shutdown, Strategy, Supervisor};

use crate::common::*;

/// A child that traps exits and takes no notice of them.
fn deaf(id: &'static str) -> ChildSpec {
    let test = self_pid();
    ChildSpec::new(id, move || async move {
        let pid = spawn_trapping(receive::<()>());
        send(test, Started { id, pid });
        Ok::<_, ExitReason>(pid)
    })
}

/// Monitors the children of these ids, to see what they end with.
async fn watch(sup: &regrow_supervisor::SupervisorRef, ids: &[&'static str]) -> Vec<Watched> {
    let mut watched = Vec::new();
    for &id in ids {
        let reference = monitor(pid(sup, id).await);
        watched.push(Watched { reference });
    }
    watched
}

struct Watched {
    reference: regrow_runtime::MonitorRef,
}

impl Watched {
    async fn reason(&self) -> ExitReason {
        let reference = self.reference;
        let down = receive::<Down>().matching(move |down| down.reference == reference);
        down.await.reason
    }
}

#[test]
fn the_parents_exit_ends_the_supervisor_with_the_same_reason() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
        run_with(reason, |reason| async move {
            let test = self_pid();
            let because = reason.clone();
            let parent = spawn_link(async move {
                let sup = Supervisor::new(Strategy::OneForOne)
                    .start_link()
                    .await
                    .unwrap();
                send(test, sup.pid().unwrap());
                receive::<()>().await;
                because
            });
            let sup = receive::<Pid>().await;
            link(sup);
            send(parent, ());
            assert_eq!(exited(sup).await, reason);
        });
    }
}

#[test]
fn an_empty_supervisor_ends_when_its_parent_tells_it_to() {
    run(|| async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .start_link()
            .await
            .unwrap();
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}

#[test]
fn children_are_stopped_in_reverse_start_order_before_the_supervisor_ends() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .name("sup")
            .children([worker("one"), worker("two"), worker("three")])
            .start_link()
            .await
            .unwrap();
        starts(3).await;
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert_eq!(terminations(3).await, ["three", "two", "one"]);
        assert_eq!(whereis("sup"), None);
    });
}

#[test]
fn infinity_is_legal_for_workers_and_supervisors() {
    run(|| async {
        let sub = || Supervisor::new(Strategy::OneForOne).start_link();
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("worker").shutdown(Shutdown::Infinity))
            .child(ChildSpec::supervisor("sub", sub))
            .start_link()
            .await
            .unwrap();
        starts(1).await;
        let watched = watch(&sup, &["worker", "sub"]).await;
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        for child in &watched {
            assert_eq!(child.reason().await, ExitReason::Shutdown);
        }
    });
}

#[test]
fn a_child_that_takes_too_long_is_killed() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("fast").shutdown(Shutdown::Timeout(secs(5))))
            .child(deaf("deaf").shutdown(Shutdown::Timeout(millis(5))))
            .start_link()
            .await
            .unwrap();
        starts(2).await;
        let watched = watch(&sup, &["fast", "deaf"]).await;
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert_eq!(watched[0].reason().await, ExitReason::Shutdown);
        assert_eq!(watched[1].reason().await, ExitReason::Killed);
    });
}

#[test]
fn brutal_kill_kills_even_a_trapping_child_at_once() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("asked"))
            .child(worker("killed").shutdown(Shutdown::BrutalKill))
            .start_link()
            .await
            .unwrap();
        starts(2).await;
        let watched = watch(&sup, &["asked", "killed"]).await;
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(watched[0].reason().await, ExitReason::Shutdown);
        assert_eq!(watched[1].reason().await, ExitReason::Killed);
        assert_eq!(terminations(1).await, ["asked"]);
        assert_none::<Terminated>().await;
    });
}

#[test]
fn children_that_end_by_themselves_meanwhile_are_not_restarted() {
    run(|| async {
        let reasons = || {
            [
                ExitReason::Normal,
                ExitReason::Shutdown,
                ExitReason::shutdown_with("test"),
                died(),
            ]
        };
        let ids = [
            "p0", "p1", "p2", "p3", "t0", "t1", "t2", "t3", "y0", "y1", "y2", "y3",
        ];
        let types = RESTARTS.iter().flat_map(|restart| [*restart; 4]);
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("first"))
            .children(
                ids.into_iter()
                    .zip(types)
                    .map(|(id, r)| worker(id).restart(r)),
            )
            .child(deaf("last").shutdown(Shutdown::Infinity))
            .start_link()
            .await
            .unwrap();
        starts(ids.len() + 2).await;
        let last = pid(&sup, "last").await;
        let first = watch(&sup, &["first"]).await;
        let watched = watch(&sup, &ids).await;
        let mut pids = Vec::new();
        for id in ids {
            pids.push(pid(&sup, id).await);
        }
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        for (index, pid) in pids.into_iter().enumerate() {
            end(pid, reasons()[index % 4].clone());
        }
        for (index, child) in watched.iter().enumerate() {
            assert_eq!(child.reason().await, reasons()[index % 4]);
        }
        send(last, ());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert_eq!(first[0].reason().await, ExitReason::Shutdown);
        assert_none::<Started>().await;
    });
}

#[test]
fn a_child_that_has_unlinked_itself_is_stopped_all_the_same() {
    run(|| async {
        let naughty = ChildSpec::new("naughty", || async {
            let sup = self_pid();
            Ok::<_, ExitReason>(spawn_link(async move {
                unlink(sup);
                receive::<()>().await;
            }))
        });
        let sup = supervisor(Strategy::OneForOne)
            .child(naughty)
            .start_link()
            .await
            .unwrap();
        let child = pid(&sup, "naughty").await;
        sup.terminate_child("naughty").await.unwrap();
        assert!(!is_alive(child).await);
        assert_eq!(state(&sup, "naughty").await, ChildState::Stopped);
    });
}

#[test]
fn a_child_that_has_unlinked_itself_dies_unnoticed() {
    run(|| async {
        let naughty = ChildSpec::new("naughty", || async {
            let sup = self_pid();
            Ok::<_, ExitReason>(spawn_link(async move {
                unlink(sup);
                receive::<()>().await;
            }))
        });
        let sup = supervisor(Strategy::OneForOne)
            .child(naughty)
            .start_link()
            .await
            .unwrap();
        let child = pid(&sup, "naughty").await;
        send(child, ());
        counts_become(&sup, [1, 0, 0, 1]).await;
        assert_eq!(state(&sup, "naughty").await, ChildState::Running(child));
    });
}

#[test]
fn a_killed_supervisor_takes_its_children_along() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(ChildSpec::new("child", || async {
                Ok::<_, ExitReason>(spawn_link(sleep(secs(3600))))
            }))
            .child(worker("trapping"))
            .start_link()
            .await
            .unwrap();
        starts(1).await;
        let watched = watch(&sup, &["child", "trapping"]).await;
        exit(sup.pid().unwrap(), ExitReason::Kill);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Killed);
        assert_eq!(watched[0].reason().await, ExitReason::Killed);
        // A trapping server takes it for its parent's exit and terminates.
        assert_eq!(watched[1].reason().await, ExitReason::Killed);
        assert_eq!(receive::<Terminated>().await.reason, ExitReason::Killed);
    });
}

#[test]
fn stop_shuts_the_children_down_and_ends_with_the_reason_given() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        starts(1).await;
        sup.stop(ExitReason::Normal, None).await.unwrap();
        let terminated = receive::<Terminated>().await;
        assert_eq!(terminated.reason, ExitReason::Shutdown);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Normal);
    });
}

#[test]
fn stopping_a_child_never_counts_as_a_crash() {
    run(|| async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .intensity(0, secs(1))
            .child(worker("one").shutdown(Shutdown::BrutalKill))
            .start_link()
            .await
            .unwrap();
        for _ in 0..50 {
            sup.terminate_child("one").await.unwrap();
            sup.restart_child("one").await.unwrap();
        }
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn a_supervisor_in_a_failing_restart_loop_shuts_down_promptly() {
    run(|| async {
        let fails = Switch::default();
        let sup = supervisor(Strategy::OneForOne)
            .name("sup")
            .intensity(u32::MAX, secs(3600))
            .child(failing_worker("one", &fails).restart(Restart::Permanent))
            .start_link()
            .await
            .unwrap();
        fails.set(true);
        end(started("one").await, died());
        becomes(&sup, "one", ChildState::Restarting).await;
        let before = monotonic_time();
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert!(monotonic_time() - before < secs(5));
        assert_eq!(whereis("sup"), None);
    });
}
