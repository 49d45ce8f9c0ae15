use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use regrow_runtime::{ExitReason, Pid, exit, is_alive, self_pid, whereis};
use regrow_supervisor::{ChildSpec, ChildState, Restart, Strategy, Supervisor, SupervisorRef};

use crate::common::*;

/// A supervisor under a supervisor, with its name for an id.
fn sub(
    id: &'static str,
    workers: impl Fn() -> Vec<ChildSpec> + Clone + Send + Sync + 'static,
) -> ChildSpec {
    ChildSpec::supervisor(id, move || {
        Supervisor::new(Strategy::OneForOne)
            .name(id)
            .intensity(2, secs(3600))
            .children(workers())
            .start_link()
    })
}

/// A worker that reports to `test`, for start functions that run in a supervisor.
fn worker_of(test: Pid, id: &'static str) -> ChildSpec {
    ChildSpec::new(id, move || Worker::start_link((id, test)))
}

#[test]
fn a_failing_subtree_is_started_afresh_as_it_was_written_down() {
    run(|| async {
        let test = self_pid();
        let failures = Arc::new(AtomicU32::new(0));
        let fragile = {
            let failures = failures.clone();
            move || {
                let failures = failures.clone();
                vec![ChildSpec::new("fragile", move || {
                    let left = |left: u32| left.checked_sub(1);
                    let fails = failures.fetch_update(SeqCst, SeqCst, left).is_ok();
                    async move {
                        if fails {
                            return Err(ExitReason::error("broken"));
                        }
                        Ok(Worker::start_link(("fragile", test)).await?)
                    }
                })]
            }
        };
        let top = Supervisor::new(Strategy::OneForAll)
            .intensity(4, secs(3600))
            .child(sub("empty", Vec::new))
            .child(sub("steady", move || {
                vec![worker_of(test, "one"), worker_of(test, "two")]
            }))
            .child(sub("failing", fragile).restart(Restart::Permanent))
            .start_link()
            .await
            .unwrap();
        assert_eq!(starts(3).await, ["one", "two", "fragile"]);
        let steady = SupervisorRef::named("steady");
        let failing = SupervisorRef::named("failing");

        top.terminate_child("empty").await.unwrap();
        assert_eq!(counts(&top).await, [3, 2, 3, 0]);

        // A crash stays where it is.
        let (one, before) = (pid(&steady, "one").await, steady.pid());
        end(one, died());
        assert_ne!(started("one").await, one);
        assert_eq!(steady.pid(), before);

        // Until a supervisor gives up: then all three come back, the stopped one as well.
        let added = failing.start_child(worker("added")).await.unwrap();
        started("added").await;
        let gone = failing.pid().unwrap();
        let fragile = pid(&failing, "fragile").await;
        failures.store(2, SeqCst); // both restarts that it may make
        end(fragile, died());
        down(gone).await;
        assert_eq!(starts(3).await, ["one", "two", "fragile"]);
        assert_eq!(counts(&top).await, [3, 3, 3, 0]);
        assert_eq!(counts(&failing).await, [1, 1, 0, 1]); // `added` is gone for good
        assert!(!is_alive(added).await);
        assert_ne!(steady.pid(), before);
    });
}

#[test]
fn the_names_of_a_nested_tree_are_taken_again_whatever_dies() {
    run(|| async {
        let test = self_pid();
        let top = supervisor(Strategy::OneForOne)
            // A killed supervisor's children may still have their names when it comes back, so
            // its restart may fail a few times.
            .intensity(u32::MAX, secs(3600))
            .child(sub("inner", move || {
                let start = move || Worker::start_link(("worker", test)).name("worker");
                vec![ChildSpec::new("worker", start)]
            }))
            .start_link()
            .await
            .unwrap();
        let inner = SupervisorRef::named("inner");
        let mut before = (inner.pid(), Some(started("worker").await));
        assert_eq!(whereis("worker"), before.1);

        let fresh = async |before: (Option<Pid>, Option<Pid>), both: bool| {
            let worker = started("worker").await;
            assert_eq!(whereis("worker"), Some(worker));
            assert_ne!(before.1, Some(worker));
            // An answer from the new one means that its start is over.
            let new = top.which_children().await.unwrap()[0].state.pid();
            assert_eq!(before.0 != new, both);
            (new, Some(worker))
        };
        exit(before.0.unwrap(), ExitReason::Kill);
        before = fresh(before, true).await;
        exit(before.1.unwrap(), ExitReason::Kill);
        before = fresh(before, false).await;
        end(before.1.unwrap(), ExitReason::Normal);
        before = fresh(before, false).await;
        top.terminate_child("inner").await.unwrap();
        assert_eq!(whereis("inner"), None);
        assert_eq!(whereis("worker"), None);
        top.restart_child("inner").await.unwrap();
        before = fresh(before, true).await;
        exit(top.pid().unwrap(), ExitReason::Kill);
        supervisor_exited(&top).await;
        down(before.1.unwrap()).await;
        down(before.0.unwrap()).await;
        assert_eq!(whereis("inner"), None);
        assert_eq!(whereis("worker"), None);
    });
}

#[test]
fn giving_up_counts_as_an_ordinary_end_for_a_transient_supervisor() {
    run(|| async {
        let test = self_pid();
        let top = supervisor(Strategy::OneForOne)
            .child(
                sub("inner", move || vec![worker_of(test, "worker")]).restart(Restart::Transient),
            )
            .start_link()
            .await
            .unwrap();
        for _ in 0..3 {
            end(started("worker").await, died());
        }
        becomes(&top, "inner", ChildState::Stopped).await;
        top.restart_child("inner").await.unwrap();
        started("worker").await;
    });
}
