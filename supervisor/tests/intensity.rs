use regrow_runtime::{ExitReason, exit, simulate_seeds, sleep};
use regrow_supervisor::{Shutdown, Strategy, Supervisor};

use crate::common::*;

#[test]
fn the_default_is_one_restart_in_five_seconds() {
    run(|| async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        end(started("one").await, died());
        end(started("one").await, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert_none::<Started>().await;
    });
}

#[test]
fn with_zero_the_first_crash_ends_the_supervisor() {
    run(|| async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .intensity(0, secs(1))
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        end(started("one").await, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert_none::<Started>().await;
    });
}

#[test]
fn restarts_are_forgotten_after_the_period() {
    run(|| async {
        let period = millis(40);
        let sup = Supervisor::new(Strategy::OneForOne)
            .intensity(1, period)
            .child(worker("one").shutdown(Shutdown::BrutalKill))
            .start_link()
            .await
            .unwrap();
        for _ in 0..4 {
            exit(started("one").await, ExitReason::Kill);
            // What is waited for is the window itself.
            sleep(period * 2).await;
        }
        started("one").await;
        sup.terminate_child("one").await.unwrap();
        sup.delete_child("one").await.unwrap();
        assert_eq!(counts(&sup).await, [0, 0, 0, 0]);
    });
}

#[test]
fn one_count_for_all_children() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .children([worker("one"), worker("two"), worker("three")])
            .start_link()
            .await
            .unwrap();
        starts(3).await;
        for id in ["one", "two"] {
            end(pid(&sup, id).await, died());
            started(id).await;
        }
        end(pid(&sup, "three").await, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}

#[test]
fn restarts_by_hand_do_not_count() {
    run(|| async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .intensity(0, secs(3600))
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        for _ in 0..5 {
            started("one").await;
            sup.terminate_child("one").await.unwrap();
            sup.restart_child("one").await.unwrap();
        }
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn every_retry_of_a_failing_restart_counts() {
    run(|| async {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU32, Ordering};
        let attempts = Arc::new(AtomicU32::new(0));
        let spec = {
            let attempts = attempts.clone();
            let test = regrow_runtime::self_pid();
            regrow_supervisor::ChildSpec::new("one", move || {
                let attempt = attempts.fetch_add(1, Ordering::SeqCst);
                async move {
                    if attempt > 0 {
                        return Err(ExitReason::error("never again"));
                    }
                    Ok(Worker::start_link(("one", test)).await?)
                }
            })
        };
        let sup = Supervisor::new(Strategy::OneForOne)
            .intensity(3, secs(3600))
            .child(spec)
            .start_link()
            .await
            .unwrap();
        end(started("one").await, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert_eq!(attempts.load(Ordering::SeqCst), 1 + 3);
    });
}

#[test]
fn crashes_that_are_spread_widely_enough_never_end_the_supervisor() {
    // Simulated only: at most two of them are in any second.
    simulate_seeds(0..5, || async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .intensity(3, secs(1))
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        for _ in 0..20 {
            end(started("one").await, died());
            sleep(millis(800)).await;
        }
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}
