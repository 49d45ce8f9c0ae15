//! A registry, or a part of it, that fails.

use regrow_runtime::Exit;
use regrow_supervisor::{Strategy, Supervisor};

use super::*;

/// A topic owner that traps exits and tells of them; and the partition that it is linked to.
async fn survivor(registry: &SupervisorRef, key: &'static str) -> (Pid, Pid) {
    let test = self_pid();
    let pid = spawn_trapping(async move {
        TOPICS.register(key, 0).unwrap();
        send(test, Unregistered);
        loop {
            send(test, receive::<Exit>().await.reason);
        }
    });
    receive::<Unregistered>().await;
    (pid, links(pid, registry).await[0])
}

#[test]
fn a_failing_registry_ends_those_who_have_registered() {
    run(|| async {
        let registry = ROOMS.start_link().await.unwrap();
        let (one, idle) = (owner(), owner());
        register(one, "lobby", 1).await.unwrap();
        let end = watch(one);
        exit(partitions(&registry).await[0], ExitReason::Kill);
        assert_eq!(end.await, ExitReason::Killed);
        // It runs again, and whoever had registered nothing is there still.
        while register(idle, "lobby", 2).await.is_err() {
            sleep(millis(1)).await;
        }
        assert_eq!(ROOMS.lookup("lobby"), Some((idle, 2)));
    });
}

#[test]
fn whoever_hears_of_the_failure_finds_the_entries_gone() {
    run(|| async {
        let registry = TOPICS.start_link().await.unwrap();
        let (trapping, partition) = survivor(&registry, "news").await;
        exit(partition, ExitReason::Kill);
        assert_eq!(receive::<ExitReason>().await, ExitReason::Killed);
        assert_eq!(TOPICS.lookup("news"), []);
        assert_eq!(TOPICS.keys(trapping), [""; 0]);
    });
}

#[test]
fn with_unique_keys_all_partitions_fail_together() {
    run(|| async {
        let registry = ROOMS.start_link().partitions(3).await.unwrap();
        let before = partitions(&registry).await;
        exit(before[1], ExitReason::Kill);
        for pid in &before {
            down(*pid).await;
        }
        counts_become(&registry, [3, 3, 0, 3]).await;
        let after = partitions(&registry).await;
        assert!(before.iter().all(|pid| !after.contains(pid)));
    });
}

#[test]
fn with_duplicate_keys_a_partition_fails_alone() {
    run(|| async {
        let registry = TOPICS.start_link().partitions(2).await.unwrap();
        let (mut one, mut other) = (None, None);
        // Pids decide which partition it is.
        while one.is_none() || other.is_none() {
            let (pid, partition) = survivor(&registry, "news").await;
            let index = partitions(&registry)
                .await
                .iter()
                .position(|it| *it == partition);
            *if index == Some(0) {
                &mut one
            } else {
                &mut other
            } = Some((pid, partition));
        }
        let ((one, first), (other, second)) = (one.unwrap(), other.unwrap());
        exit(first, ExitReason::Kill);
        receive::<ExitReason>().await;
        let left: Vec<Pid> = TOPICS.lookup("news").into_iter().map(|it| it.0).collect();
        assert!(!left.contains(&one) && left.contains(&other));
        while partitions(&registry).await[0] == first {
            sleep(millis(1)).await;
        }
        assert_eq!(partitions(&registry).await[1], second);
    });
}

#[test]
fn what_is_not_running_has_no_entries_and_takes_none() {
    run(|| async {
        let error = ROOMS.register("lobby", 1).unwrap_err();
        assert_eq!(error.to_string(), "the registry `rooms` is not running");
        assert_eq!(ROOMS.lookup("lobby"), None);
        assert_eq!((ROOMS.count(), ROOMS.keys(self_pid())), (0, vec![]));
        ROOMS.unregister("lobby");
        assert!(ROOMS.update_value("lobby", |value| *value).is_err());
        ROOMS.dispatch("lobby", |_| unreachable!());
        assert!(ROOMS.lock("lobby").await.is_err());
        assert!(ROOMS.put_meta("a", 1).is_err());

        let registry = ROOMS.start_link().await.unwrap();
        let rooms = ROOMS.on(&regrow_runtime::Handle::current());
        ROOMS.register("lobby", 1).unwrap();
        registry.stop(ExitReason::Normal, None).await.unwrap();
        for rooms in [ROOMS, rooms] {
            assert_eq!((rooms.count(), rooms.lookup("lobby")), (0, None));
            assert_eq!(rooms.register("lobby", 1), Err(error.clone()));
            assert!(rooms.lock("lobby").await.is_err());
        }
    });
}

#[test]
fn a_handle_survives_restarts_of_the_registry() {
    run(|| async {
        // Before there is one.
        let rooms = ROOMS.on(&regrow_runtime::Handle::current());
        let top = Supervisor::new(Strategy::OneForOne)
            .intensity(9, secs(3600))
            .child(ROOMS.child_spec())
            .start_link()
            .await
            .unwrap();
        for value in 0..3 {
            let registry = pid(&top, "rooms").await;
            assert_eq!(regrow_runtime::whereis("rooms"), Some(registry));
            let owner = owner();
            register(owner, "lobby", value).await.unwrap();
            assert_eq!(rooms.lookup("lobby"), Some((owner, value)));
            exit(registry, ExitReason::Kill);
            down(owner).await;
            assert_eq!(rooms.lookup("lobby"), None);
            while state(&top, "rooms").await.pid() == Some(registry) {
                sleep(millis(1)).await;
            }
        }
    });
}

#[test]
fn a_partition_that_fails_too_often_ends_the_registry() {
    run(|| async {
        let registry = ROOMS.start_link().await.unwrap();
        for _ in 0..4 {
            kill(partitions(&registry).await[0]).await;
        }
        assert_eq!(supervisor_exited(&registry).await, ExitReason::Shutdown);
        assert_eq!(regrow_runtime::whereis("rooms"), None);
        // The next one begins afresh.
        ROOMS.start_link().await.unwrap();
        ROOMS.register("lobby", 1).unwrap();
    });
}

#[test]
#[should_panic(expected = "a registry has 1 to 64 partitions, not 65")]
fn a_registry_has_some_partitions_and_not_very_many() {
    let _ = ROOMS
        .start_link()
        .partitions(1)
        .partitions(64)
        .partitions(65);
}
