//! Owners, and what becomes of entries when they end.

use regrow_runtime::{is_alive, unlink};

use super::*;

#[test]
fn an_owner_is_linked_from_its_first_entry_to_its_last() {
    run(|| async {
        let registry = ROOMS.start_link().partitions(4).await.unwrap();
        let owner = owner();
        assert_eq!(links(owner, &registry).await, []);
        for key in ["lobby", "attic"] {
            register(owner, key, 0).await.unwrap();
            assert_eq!(links(owner, &registry).await.len(), 1);
        }
        for (key, left) in [("nothing", 1), ("lobby", 1), ("attic", 0)] {
            send(owner, Order::Unregister(key));
            receive::<Unregistered>().await;
            assert_eq!(links(owner, &registry).await.len(), left, "{key}");
        }
    });
}

#[test]
fn a_refusal_links_nobody() {
    run(|| async {
        let registry = ROOMS.start_link().await.unwrap();
        ROOMS.register("lobby", 1).unwrap();
        let other = owner();
        register(other, "lobby", 2).await.unwrap_err();
        assert_eq!(links(other, &registry).await, []);
        register(other, "attic", 2).await.unwrap();
        register(other, "lobby", 2).await.unwrap_err();
        assert_eq!(links(other, &registry).await.len(), 1);
    });
}

#[test]
fn entries_go_when_their_owner_ends_whatever_the_reason() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, ExitReason::Kill] {
        run_with(reason, |reason| async move {
            TOPICS.start_link().partitions(3).await.unwrap();
            let test = self_pid();
            let pid = spawn(async move {
                for key in ["news", "weather", "news"] {
                    TOPICS.register(key, 1).unwrap();
                }
                send(test, Unregistered);
                receive::<()>().await;
            });
            receive::<Unregistered>().await;
            TOPICS.register("news", 2).unwrap();
            match reason {
                ExitReason::Normal => send(pid, ()),
                reason => exit(pid, reason),
            }
            count_becomes(|| TOPICS.count(), 1).await;
            assert_eq!(TOPICS.lookup("news"), [(self_pid(), 2)]);
            assert_eq!(TOPICS.keys(pid), [""; 0]);
        });
    }
}

/// An owner that nobody will take the entries of: it has unlinked itself.
async fn naughty(key: &'static str) -> Pid {
    let test = self_pid();
    let pid = spawn(async move {
        ROOMS.register(key, 1).unwrap();
        for link in process_info(self_pid()).await.unwrap().links {
            unlink(link);
        }
        send(test, Unregistered);
    });
    receive::<Unregistered>().await;
    down(pid).await;
    pid
}

#[test]
fn a_dead_owner_may_be_looked_up_but_is_nowhere() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let dead = naughty("lobby").await;
        assert_eq!(ROOMS.lookup("lobby"), Some((dead, 1)));
        assert_eq!(ROOMS.whereis("lobby"), None);
        assert!(ROOMS.send("lobby", 1).is_err());
        assert!(ROOMS.update_value("lobby", |value| *value).is_err());
    });
}

#[test]
fn the_entry_of_a_dead_owner_is_replaced_before_it_is_taken_out() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let dead = naughty("lobby").await;
        assert_eq!(ROOMS.count(), 1);
        ROOMS.register("lobby", 2).unwrap();
        assert_eq!(ROOMS.lookup("lobby"), Some((self_pid(), 2)));
        assert_eq!(ROOMS.count(), 1);
        assert_eq!(ROOMS.values("lobby", dead), [0; 0]);
    });
}

#[test]
fn whoever_hears_of_an_end_gets_the_key() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        for value in 0..20 {
            let owner = owner();
            register(owner, "lobby", value).await.unwrap();
            kill(owner).await;
            assert_eq!(ROOMS.whereis("lobby"), None);
            ROOMS.register("lobby", value).unwrap();
            ROOMS.unregister("lobby");
        }
    });
}

#[test]
fn taking_the_dead_out_spares_those_who_have_replaced_them() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        for value in 0..20 {
            let (first, second) = (owner(), owner());
            register(first, "lobby", value).await.unwrap();
            kill(first).await;
            // The partition has heard of it, and may not have had its turn.
            register(second, "lobby", value).await.unwrap();
            sleep(millis(1)).await;
            assert_eq!(ROOMS.lookup("lobby"), Some((second, value)));
            kill(second).await;
            count_becomes(|| ROOMS.count(), 0).await;
        }
    });
}

#[test]
fn an_owner_that_only_sends_an_exit_signal_keeps_its_entries() {
    run(|| async {
        let registry = ROOMS.start_link().await.unwrap();
        ROOMS.register("lobby", 1).unwrap();
        let partition = partitions(&registry).await[0];
        exit(partition, died());
        assert!(is_alive(partition).await);
        assert_eq!(ROOMS.whereis("lobby"), Some(self_pid()));
    });
}

#[test]
fn a_crowd_that_registers_and_dies_leaves_nothing() {
    run(|| async {
        const CROWD: Registry<u32, u32, Duplicate> = Registry::duplicate("crowd");
        CROWD.start_link().partitions(3).await.unwrap();
        let crowd: Vec<Pid> = (0..1_000)
            .map(|n| {
                spawn(async move {
                    CROWD.register(n % 7, n).unwrap();
                    CROWD.register(n, n).unwrap();
                    std::future::pending::<()>().await;
                })
            })
            .collect();
        count_becomes(|| CROWD.count(), 2_000).await;
        assert_eq!(CROWD.count_match(&0, |_| true), 144);
        for pid in crowd {
            exit(pid, ExitReason::Kill);
        }
        count_becomes(|| CROWD.count(), 0).await;
        assert_eq!(CROWD.select(|_, _, _| Some(())), []);
    });
}
