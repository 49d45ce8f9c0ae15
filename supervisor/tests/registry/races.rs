//! Many at once, and what must hold whoever comes first.

use regrow_runtime::{is_alive, yield_now};

use super::*;

/// What came of an attempt.
struct Tried(Pid, Result<(), RegisterKeyError>);

#[test]
fn of_many_that_register_at_once_one_wins_and_the_others_learn_its_pid() {
    run(|| async {
        ROOMS.start_link().partitions(2).await.unwrap();
        for round in 0..10 {
            let test = self_pid();
            let all: Vec<Pid> = (0..8)
                .map(|_| {
                    spawn(async move {
                        send(test, Tried(self_pid(), ROOMS.register("lobby", round)));
                        receive::<()>().await;
                    })
                })
                .collect();
            let (mut winner, mut losers) = (None, Vec::new());
            for _ in &all {
                match receive::<Tried>().await {
                    Tried(pid, Ok(())) => assert_eq!(winner.replace(pid), None),
                    Tried(_, error) => losers.push(error.unwrap_err()),
                }
            }
            let winner = winner.unwrap();
            let taken = RegisterKeyError::AlreadyRegistered(winner);
            assert_eq!(losers, vec![taken; 7]);
            assert_eq!(ROOMS.whereis("lobby"), Some(winner));
            for pid in all {
                send(pid, ());
                down(pid).await;
            }
        }
    });
}

#[test]
fn a_process_that_is_killed_while_it_registers_leaves_nothing() {
    run(|| async {
        let registry = ROOMS.start_link().partitions(2).await.unwrap();
        for _ in 0..50 {
            let pid = spawn(async {
                loop {
                    let _ = ROOMS.register("lobby", 1);
                    yield_now().await;
                    ROOMS.unregister("lobby");
                    yield_now().await;
                }
            });
            yield_now().await;
            kill(pid).await;
        }
        count_becomes(|| ROOMS.count(), 0).await;
        for pid in partitions(&registry).await {
            let links = process_info(pid).await.unwrap().links;
            assert_eq!(links, [registry.pid().unwrap()]);
        }
        ROOMS.register("lobby", 1).unwrap();
    });
}

#[test]
fn what_is_dispatched_to_was_registered_and_what_is_not_registered_is_not() {
    run(|| async {
        TOPICS.start_link().await.unwrap();
        let test = self_pid();
        let busy = spawn(async move {
            for value in 0..200 {
                TOPICS.register("news", value).unwrap();
                TOPICS.register("news", value).unwrap();
                yield_now().await;
                TOPICS.unregister("news");
            }
            send(test, ());
        });
        while regrow_runtime::try_receive::<()>().is_none() {
            TOPICS.dispatch("news", |entries| {
                assert!(entries.len() <= 2);
                let first = entries[0];
                assert!(
                    entries
                        .iter()
                        .all(|entry| *entry == first && first.0 == busy)
                );
            });
            yield_now().await;
        }
        assert_eq!(TOPICS.lookup("news"), []);
    });
}

#[test]
fn whoever_has_an_entry_is_linked_whenever_the_registry_fails() {
    run(|| async {
        let registry = TOPICS.start_link().partitions(2).await.unwrap();
        let test = self_pid();
        for _ in 0..3 {
            let owners: Vec<Pid> = (0..20)
                .map(|n| {
                    spawn_trapping(async move {
                        loop {
                            let _ = TOPICS.register("news", n);
                            yield_now().await;
                            if n % 2 == 0 {
                                TOPICS.unregister("news");
                            }
                            if regrow_runtime::try_receive::<()>().is_some() {
                                send(test, ());
                                receive::<()>().await;
                            }
                        }
                    })
                })
                .collect();
            yield_now().await;
            kill(partitions(&registry).await[0]).await;
            counts_become(&registry, [2, 2, 0, 2]).await;
            for pid in &owners {
                send(*pid, ());
                receive::<()>().await;
            }
            for (pid, _) in TOPICS.lookup("news") {
                assert!(is_alive(pid).await);
                assert_eq!(links(pid, &registry).await.len(), 1);
            }
            for pid in owners {
                let linked = links(pid, &registry).await.len();
                assert_eq!(linked > 0, !TOPICS.keys(pid).is_empty());
                kill(pid).await;
            }
            count_becomes(|| TOPICS.count(), 0).await;
        }
    });
}
