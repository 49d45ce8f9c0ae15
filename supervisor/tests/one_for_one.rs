use regrow_runtime::{ExitReason, exit, is_alive};
use regrow_supervisor::{ChildState, Strategy};

use crate::common::*;

#[test]
fn a_crash_restarts_only_the_child_that_crashed() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one"))
            .child(worker("two"))
            .start_link()
            .await
            .unwrap();
        assert_eq!(starts(2).await, ["one", "two"]);
        let (one, two) = (pid(&sup, "one").await, pid(&sup, "two").await);
        end(one, died());
        let again = started("one").await;
        assert_ne!(again, one);
        assert_eq!(pid(&sup, "one").await, again);
        assert_eq!(pid(&sup, "two").await, two);
        assert!(is_alive(two).await);
        assert_eq!(counts(&sup).await, [2, 2, 0, 2]);
    });
}

#[test]
fn a_restarted_child_keeps_its_place_in_the_order() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .children([worker("one"), worker("two"), worker("three")])
            .start_link()
            .await
            .unwrap();
        starts(3).await;
        exit(pid(&sup, "one").await, ExitReason::Kill);
        started("one").await;
        let children = sup.which_children().await.unwrap();
        let ids: Vec<&str> = children.iter().map(|child| &*child.id).collect();
        assert_eq!(ids, ["three", "two", "one"]);
    });
}

#[test]
fn the_crash_beyond_the_intensity_ends_the_supervisor_with_shutdown() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one"))
            .child(worker("two"))
            .start_link()
            .await
            .unwrap();
        starts(2).await;
        for _ in 0..2 {
            end(pid(&sup, "one").await, died());
            started("one").await;
        }
        let two = pid(&sup, "two").await;
        end(pid(&sup, "one").await, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert!(!is_alive(two).await);
    });
}

#[test]
fn a_failed_restart_is_retried_until_the_intensity_is_spent() {
    run(|| async {
        let fails = Switch::default();
        let sup = supervisor(Strategy::OneForOne)
            .intensity(4, secs(3600))
            .child(failing_worker("one", &fails))
            .child(worker("two"))
            .start_link()
            .await
            .unwrap();
        starts(2).await;
        let two = pid(&sup, "two").await;
        let one = pid(&sup, "one").await;
        fails.set(true);
        end(one, died());
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert!(!is_alive(two).await);
    });
}

#[test]
fn an_ignored_restart_keeps_the_spec_without_a_process() {
    run(|| async {
        let ignore = Switch::default();
        let test = regrow_runtime::self_pid();
        let spec = {
            let ignore = ignore.clone();
            regrow_supervisor::ChildSpec::new("one", move || {
                let ignore = ignore.is_on();
                async move {
                    if ignore {
                        return Ok(regrow_supervisor::Child::ignored());
                    }
                    let server = Worker::start_link(("one", test)).await?;
                    Ok::<_, regrow_supervisor::StartError>(server.into())
                }
            })
        };
        let sup = supervisor(Strategy::OneForOne)
            .child(spec)
            .start_link()
            .await
            .unwrap();
        let one = started("one").await;
        ignore.set(true);
        end(one, died());
        counts_become(&sup, [1, 0, 0, 1]).await;
        becomes(&sup, "one", ChildState::Stopped).await;
        ignore.set(false);
        let again = sup.restart_child("one").await.unwrap();
        assert_eq!(started("one").await, again);
    });
}

#[test]
fn exits_of_strangers_are_ignored() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        starts(1).await;
        let sup_pid = sup.pid().unwrap();
        let stranger = regrow_runtime::spawn(async move {
            exit(sup_pid, died());
            exit(sup_pid, ExitReason::Normal);
        });
        down(stranger).await;
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
        assert!(is_alive(sup_pid).await);
    });
}
