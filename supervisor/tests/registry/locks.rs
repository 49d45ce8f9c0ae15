//! Keys that one process has locked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use regrow_runtime::{Status, timeout, yield_now};

use super::*;

/// A process that locks a key, says so and keeps it until it is told to go on.
fn locker(key: &'static str) -> Pid {
    let test = self_pid();
    spawn(async move {
        let _lock = ROOMS.lock(key).await.unwrap();
        send(test, self_pid());
        receive::<()>().await;
    })
}

async fn waits(pid: Pid) {
    while process_info(pid).await.unwrap().status != Status::Waiting {
        sleep(millis(1)).await;
    }
}

#[test]
fn a_key_is_locked_by_one_at_a_time() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let inside = Arc::new(AtomicU32::new(0));
        for _ in 0..20 {
            let (inside, test) = (inside.clone(), self_pid());
            spawn(async move {
                for _ in 0..5 {
                    let lock = ROOMS.lock("lobby").await.unwrap();
                    assert_eq!(inside.fetch_add(1, SeqCst), 0);
                    yield_now().await;
                    assert_eq!(inside.fetch_sub(1, SeqCst), 1);
                    drop(lock);
                }
                send(test, ());
            });
        }
        for _ in 0..20 {
            receive::<()>().await;
        }
    });
}

#[test]
fn other_keys_are_free_and_registering_is_another_matter() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let lobby = ROOMS.lock("lobby").await.unwrap();
        let attic = ROOMS.lock("attic").await.unwrap();
        assert_eq!(
            format!("{lobby:?}"),
            r#"KeyLock { key: Some("lobby"), .. }"#
        );
        let owner = owner();
        register(owner, "lobby", 1).await.unwrap();
        drop((lobby, attic));
        drop(ROOMS.lock("lobby").await.unwrap());
    });
}

#[test]
fn those_who_wait_are_served_in_their_order() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let lock = ROOMS.lock("lobby").await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..5 {
            let pid = locker("lobby");
            waits(pid).await;
            waiting.push(pid);
        }
        drop(lock);
        for pid in waiting {
            assert_eq!(receive::<Pid>().await, pid);
            send(pid, ());
        }
    });
}

#[test]
fn the_end_of_the_holder_unlocks_and_the_dead_are_passed_over() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let holder = locker("lobby");
        assert_eq!(receive::<Pid>().await, holder);
        let waiting: Vec<Pid> = (0..10).map(|_| locker("lobby")).collect();
        for (n, pid) in waiting.iter().enumerate() {
            if n != 7 {
                kill(*pid).await;
            }
        }
        kill(holder).await;
        assert_eq!(receive::<Pid>().await, waiting[7]);
        send(waiting[7], ());
        drop(ROOMS.lock("lobby").await.unwrap());
    });
}

#[test]
fn a_wait_that_is_given_up_is_no_lock() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let lock = ROOMS.lock("lobby").await.unwrap();
        for _ in 0..3 {
            assert!(timeout(millis(1), ROOMS.lock("lobby")).await.is_err());
        }
        drop(lock);
        drop(
            timeout(secs(9), ROOMS.lock("lobby"))
                .await
                .unwrap()
                .unwrap(),
        );
    });
}

#[test]
fn a_lock_outlives_the_registry_and_still_excludes() {
    run(|| async {
        let registry = ROOMS.start_link().await.unwrap();
        let lock = ROOMS.lock("lobby").await.unwrap();
        let waiting = locker("lobby");
        waits(waiting).await;
        registry.stop(ExitReason::Normal, None).await.unwrap();
        ROOMS.start_link().await.unwrap();
        assert!(timeout(millis(1), ROOMS.lock("lobby")).await.is_err());
        drop(lock);
        assert_eq!(receive::<Pid>().await, waiting);
    });
}
