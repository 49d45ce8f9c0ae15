//! Aliases: they let messages through until they end, each mode by its own rule.

mod common;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use common::run;
use regrow_runtime::{
    Alias, AliasMode, Down, ExitReason, MonitorAliasMode, MonitorRef, Monitored, Pid, ReplyError,
    SpawnOptions, alias, alias_with, demonitor, demonitor_flush, exit, monitor_alias, process_info,
    receive, register, reply_channel, self_pid, send, send_named, spawn, spawn_monitor,
    try_receive, unalias, yield_now,
};

const MODES: [MonitorAliasMode; 3] = [
    MonitorAliasMode::ExplicitUnalias,
    MonitorAliasMode::Demonitor,
    MonitorAliasMode::ReplyDemonitor,
];

/// Ends with what it is told to.
async fn ends_as_told() -> ExitReason {
    receive().await
}

/// What has arrived by now, of one type.
async fn by_now<M: Send + 'static>() -> Option<M> {
    receive::<M>().timeout(Duration::ZERO).await.ok()
}

/// Whether a message through an alias of the caller's arrives.
async fn passes(alias: Alias) -> bool {
    struct Probe;
    alias.send(Probe);
    by_now::<Probe>().await.is_some()
}

async fn down(reference: MonitorRef) -> Down {
    receive::<Down>()
        .matching(move |down: &Down| down.reference == reference)
        .await
}

async fn watchers_of(pid: Pid) -> Vec<Pid> {
    process_info(pid).await.expect("it lives").monitored_by
}

#[test]
fn an_alias_lets_messages_through_until_unalias_which_is_true_once() {
    run(2, async {
        let address = alias();
        spawn(async move {
            for n in 0..3_u8 {
                address.send(n);
            }
        });
        for n in 0..3 {
            assert_eq!(receive::<u8>().await, n);
        }
        assert!(unalias(address));
        assert!(!passes(address).await);
        assert!(!unalias(address));
    });
}

#[test]
fn a_reply_alias_passes_exactly_one_message() {
    run(2, async {
        let address = alias_with(AliasMode::Reply);
        spawn(async move {
            address.send(1_u8);
            address.send(2_u8);
        });
        assert_eq!(receive::<u8>().await, 1);
        assert!(!passes(address).await);
        assert_eq!(by_now::<u8>().await, None);
        assert!(!unalias(address));
        // The first that arrives, however many senders there are.
        for _ in 0..200 {
            let address = alias_with(AliasMode::Reply);
            let senders = [0_u16, 1].map(|n| spawn_monitor(async move { address.send(n) }));
            for (_, reference) in senders {
                down(reference).await;
            }
            assert!(try_receive::<u16>().is_some());
            assert!(try_receive::<u16>().is_none());
        }
    });
}

#[test]
fn each_alias_is_its_own_and_prints_as_what_it_is() {
    run(1, async {
        let (first, second) = (alias(), alias());
        assert_ne!(first, second);
        assert!(unalias(first));
        assert!(!passes(first).await);
        assert!(passes(second).await);
        assert!(format!("{second}").starts_with("#Alias<"));
        assert_eq!(format!("{second}"), format!("{second:?}"));
    });
}

#[test]
fn nobody_but_its_owner_can_end_an_alias() {
    run(2, async {
        let address = alias();
        let (_, reference) = spawn_monitor(async move { assert!(!unalias(address)) });
        assert_eq!(down(reference).await.reason, ExitReason::Normal);
        assert!(passes(address).await);
    });
}

#[test]
fn unalias_drops_what_is_under_way_and_leaves_what_is_in_the_mailbox() {
    run(1, async {
        let address = alias();
        address.send("in the mailbox");
        yield_now().await;
        address.send("under way");
        assert!(unalias(address));
        assert_eq!(by_now::<&str>().await, Some("in the mailbox"));
        assert_eq!(by_now::<&str>().await, None);
    });
}

#[test]
fn a_call_through_an_alias_that_has_ended_or_whose_owner_has_fails() {
    run(2, async {
        let address = alias();
        unalias(address);
        let (reply_to, reply) = reply_channel::<()>();
        address.send(reply_to);
        assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::NoProc)));

        let me = self_pid();
        let (_, reference) = spawn_monitor(async move { send(me, alias()) });
        let of_the_dead: Alias = receive().await;
        down(reference).await;
        let (reply_to, reply) = reply_channel::<()>();
        of_the_dead.send(reply_to);
        assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::NoProc)));
    });
}

#[test]
fn what_an_ended_alias_drops_is_dropped_once() {
    run(1, async {
        let counted = Arc::new(());
        let address = alias();
        for _ in 0..10 {
            address.send(counted.clone());
        }
        unalias(address);
        yield_now().await;
        assert_eq!(Arc::strong_count(&counted), 1);
        // And what its owner has not handled when it ends.
        let me = self_pid();
        let (owner, reference) = spawn_monitor(async move {
            send(me, alias());
            ends_as_told().await
        });
        let address: Alias = receive().await;
        exit(owner, ExitReason::Shutdown);
        for _ in 0..10 {
            address.send(counted.clone());
        }
        down(reference).await;
        assert_eq!(Arc::strong_count(&counted), 1);
    });
}

#[test]
fn threads_and_foreign_executors_can_send_through_an_alias() {
    run(2, async {
        let address = alias();
        let sender = std::thread::spawn(move || {
            address.send('t');
            futures_lite::future::block_on(async move { address.send('f') });
        });
        assert_eq!(receive::<char>().await, 't');
        assert_eq!(receive::<char>().await, 'f');
        sender.join().expect("it sent");
    });
}

#[test]
fn an_explicit_alias_survives_demonitor_and_down() {
    run(2, async {
        let (pid, _) = spawn_monitor(ends_as_told());
        let (reference, address) = monitor_alias(pid, MonitorAliasMode::ExplicitUnalias);
        assert!(demonitor(reference));
        assert!(passes(address).await);
        let (reference, other) = monitor_alias(pid, MonitorAliasMode::ExplicitUnalias);
        send(pid, ExitReason::Shutdown);
        assert_eq!(down(reference).await.reason, ExitReason::Shutdown);
        for address in [address, other] {
            assert!(passes(address).await);
            assert!(unalias(address));
            assert!(!passes(address).await);
        }
    });
}

#[test]
fn a_demonitor_alias_ends_with_demonitor_and_with_the_down() {
    run(2, async {
        for mode in [
            MonitorAliasMode::Demonitor,
            MonitorAliasMode::ReplyDemonitor,
        ] {
            let (pid, _) = spawn_monitor(ends_as_told());
            let (reference, address) = monitor_alias(pid, mode);
            address.send("under way");
            assert!(demonitor(reference));
            assert_eq!(by_now::<&str>().await, None, "{mode:?}");
            assert!(!unalias(address));

            let (reference, address) = monitor_alias(pid, mode);
            send(pid, ExitReason::Shutdown);
            down(reference).await;
            assert!(!passes(address).await, "{mode:?}");
            assert!(!unalias(address));
        }
    });
}

#[test]
fn messages_through_a_demonitor_alias_leave_the_monitor_alone() {
    run(2, async {
        let (pid, _) = spawn_monitor(ends_as_told());
        let (reference, address) = monitor_alias(pid, MonitorAliasMode::Demonitor);
        assert!(passes(address).await);
        assert!(passes(address).await);
        send(pid, ExitReason::Shutdown);
        assert_eq!(down(reference).await.reason, ExitReason::Shutdown);
    });
}

#[test]
fn the_first_message_through_a_reply_demonitor_alias_ends_it_and_the_monitor() {
    run(2, async {
        let pid = spawn(ends_as_told());
        let (reference, address) = monitor_alias(pid, MonitorAliasMode::ReplyDemonitor);
        assert_eq!(watchers_of(pid).await, [self_pid()]);
        spawn(async move {
            address.send(1_u8);
            address.send(2_u8);
        });
        assert_eq!(receive::<u8>().await, 1);
        assert_eq!(watchers_of(pid).await, []);
        assert!(!demonitor(reference));
        send(pid, ExitReason::Shutdown);
        let (_, other) = spawn_monitor(async {});
        down(other).await;
        assert!(
            by_now::<Down>().await.is_none(),
            "no `Down` after the reply"
        );
        assert_eq!(by_now::<u8>().await, None);
    });
}

#[test]
fn a_reply_against_the_end_of_the_replier_gives_the_reply_and_no_down() {
    run(3, async {
        for _ in 0..1_000 {
            let options = SpawnOptions::new().monitor_alias(MonitorAliasMode::ReplyDemonitor);
            let replier = options.spawn(async { receive::<Alias>().await.send(7_u64) });
            let replier = replier.expect("there is room");
            send(replier.pid, replier.alias.expect("asked for"));
            assert_eq!(receive::<u64>().await, 7);
            let reference = replier.monitor.expect("asked for");
            assert!(by_now::<Down>().await.is_none());
            assert!(!demonitor_flush(reference));
        }
    });
}

#[test]
fn unalias_leaves_the_monitor_of_the_alias_alone() {
    run(2, async {
        for mode in MODES {
            let pid = spawn(ends_as_told());
            let (reference, address) = monitor_alias(pid, mode);
            assert!(unalias(address));
            assert!(!passes(address).await);
            send(pid, ExitReason::Shutdown);
            assert_eq!(down(reference).await.reason, ExitReason::Shutdown);
        }
    });
}

#[test]
fn demonitor_on_an_alias_whose_monitor_is_gone_does_no_harm() {
    run(2, async {
        for mode in MODES {
            let pid = spawn(async {});
            let (reference, address) = monitor_alias(pid, mode);
            down(reference).await;
            assert!(!demonitor(reference));
            assert!(!demonitor_flush(reference));
            let explicit = mode == MonitorAliasMode::ExplicitUnalias;
            assert_eq!(passes(address).await, explicit, "{mode:?}");
        }
    });
}

#[test]
fn an_alias_with_a_monitor_on_the_dead_or_on_nobody_obeys_its_mode() {
    run(2, async {
        let (dead, reference) = spawn_monitor(async {});
        down(reference).await;
        for mode in MODES {
            for by_name in [false, true] {
                let (reference, address) = match by_name {
                    true => monitor_alias("nobody", mode),
                    false => monitor_alias(dead, mode),
                };
                let down = down(reference).await;
                assert_eq!(down.reason, ExitReason::NoProc);
                if by_name {
                    assert_eq!(down.object(), Monitored::from("nobody"));
                } else {
                    assert_eq!(down.object(), dead);
                }
                let explicit = mode == MonitorAliasMode::ExplicitUnalias;
                assert_eq!(passes(address).await, explicit, "{mode:?}");
                assert_eq!(unalias(address), explicit);
            }
        }
    });
}

#[test]
fn a_watcher_with_an_alias_that_ends_at_once_does_no_harm() {
    run(2, async {
        let (dead, reference) = spawn_monitor(async {});
        down(reference).await;
        for mode in MODES {
            for by_name in [false, true] {
                let (_, reference) = spawn_monitor(async move {
                    match by_name {
                        true => monitor_alias("nobody", mode),
                        false => monitor_alias(dead, mode),
                    };
                });
                assert_eq!(down(reference).await.reason, ExitReason::Normal);
            }
        }
    });
}

#[test]
fn an_alias_with_a_monitor_on_oneself_works_until_it_is_ended() {
    run(1, async {
        for mode in MODES {
            let (reference, address) = monitor_alias(self_pid(), mode);
            let me = process_info(self_pid()).await.expect("it lives");
            assert!(me.monitors.is_empty() && me.monitored_by.is_empty());
            assert!(passes(address).await);
            assert!(!demonitor(reference), "a monitor on oneself is none");
            let explicit = mode == MonitorAliasMode::ExplicitUnalias;
            assert_eq!(passes(address).await, explicit, "{mode:?}");
        }
    });
}

#[test]
fn spawn_options_make_the_alias_with_the_monitor() {
    run(2, async {
        for mode in MODES {
            let options = SpawnOptions::new().monitor_alias(mode);
            let child = options.spawn(ends_as_told()).expect("there is room");
            let address = child.alias.expect("asked for");
            assert!(passes(address).await);
            let again = mode != MonitorAliasMode::ReplyDemonitor;
            assert_eq!(passes(address).await, again, "{mode:?}");
            send(child.pid, ExitReason::Shutdown);
            if again {
                let down = down(child.monitor.expect("asked for")).await;
                assert_eq!((down.pid, down.reason), (child.pid, ExitReason::Shutdown));
            }
            let explicit = mode == MonitorAliasMode::ExplicitUnalias;
            assert_eq!(passes(address).await, explicit, "{mode:?}");
        }
        let plain = SpawnOptions::new().monitor().spawn(pending::<()>());
        assert!(plain.expect("there is room").alias.is_none());
    });
}

#[test]
fn demonitor_flush_with_an_explicit_alias_against_the_end_leaves_no_down() {
    run(3, async {
        let mut active = 0;
        for round in 0..2_000 {
            let pid = spawn(ends_as_told());
            let (reference, address) = monitor_alias(pid, MonitorAliasMode::ExplicitUnalias);
            exit(pid, ExitReason::Kill);
            for _ in 0..round % 200 {
                std::hint::spin_loop();
            }
            if round % 3 == 0 {
                yield_now().await;
            }
            active += u32::from(demonitor_flush(reference));
            assert!(by_now::<Down>().await.is_none());
            assert!(passes(address).await);
            assert!(unalias(address));
        }
        assert!((1..2_000).contains(&active), "{active}");
    });
}

#[test]
fn messages_by_pid_name_and_aliases_arrive_in_the_order_of_sending_and_the_down_last() {
    struct Addresses(Pid, [Alias; 2]);
    run(3, async {
        register("the receiver", self_pid()).expect("nobody has it");
        for round in 0..20 {
            let count = if round == 0 { 4_000 } else { 400 };
            let options = SpawnOptions::new().monitor_alias(MonitorAliasMode::Demonitor);
            let sender = options.spawn(async move {
                let Addresses(to, [plain, monitors]) = receive().await;
                for n in 0..count {
                    match n % 4 {
                        0 => send(to, n),
                        1 => send_named("the receiver", n).expect("it has the name"),
                        2 => plain.send(n),
                        _ => monitors.send(n),
                    }
                }
            });
            let sender = sender.expect("there is room");
            let aliases = [alias(), sender.alias.expect("asked for")];
            send(sender.pid, Addresses(self_pid(), aliases));
            for n in 0..count {
                let next = regrow_runtime::receive_any().await;
                assert_eq!(
                    next.downcast::<i32>().expect("no `Down` before the last"),
                    n
                );
            }
            let down = receive::<Down>().await;
            assert_eq!(Some(down.reference), sender.monitor);
            assert!(unalias(aliases[0]));
        }
    });
}

#[test]
fn what_is_sent_through_an_alias_of_an_earlier_tenant_reaches_nobody_else() {
    run(1, async {
        let me = self_pid();
        let mut stale = Vec::new();
        // One after the other in the same place.
        for _ in 0..100 {
            let (_, reference) = spawn_monitor(async move { send(me, alias()) });
            stale.push(receive::<Alias>().await);
            down(reference).await;
            let (heir, reference) = spawn_monitor(async {
                receive::<&str>().await;
                assert_eq!(by_now::<u8>().await, None);
            });
            for address in &stale {
                address.send(1_u8);
            }
            send(heir, "all sent");
            assert_eq!(down(reference).await.reason, ExitReason::Normal);
        }
    });
}
