//! Waiting for one certain `Down` or `Exit`, whatever is in the mailbox.

mod common;

use std::future::pending;
use std::time::Duration;

use common::run;
use regrow_runtime::{
    Down, Exit, ExitReason, demonitor, demonitor_flush, exit, link, monitor, receive, receive_any,
    receive_down, receive_exit, self_pid, send, spawn, spawn_link, spawn_monitor, trap_exit,
    try_receive, unlink, yield_now,
};

const SOON: Duration = Duration::from_millis(20);

#[test]
fn the_down_of_a_monitor_is_received_before_and_after_it_has_arrived() {
    run(2, async {
        for late in [false, true] {
            for n in 0..100_u32 {
                send(self_pid(), n);
            }
            let (_, first) = spawn_monitor(async { ExitReason::Shutdown });
            let (_, second) = spawn_monitor(async { panic!("second") });
            if late {
                // Both have arrived before they are waited for.
                receive::<Down>()
                    .matching(|down| down.reference == second)
                    .await;
                let (_, third) = spawn_monitor(async {});
                receive_down(third).await;
            } else {
                assert_eq!(receive_down(second).await.reference, second);
            }
            assert_eq!(receive_down(first).await.reason, ExitReason::Shutdown);
            assert!(
                receive_down(first).timeout(SOON).await.is_err(),
                "it was taken"
            );
            for n in 0..100_u32 {
                assert_eq!(receive::<u32>().await, n);
            }
        }
    });
}

#[test]
fn a_down_with_noproc_counts_and_one_of_a_monitor_that_has_ended_does_not() {
    run(2, async {
        let (dead, reference) = spawn_monitor(async {});
        receive_down(reference).await;
        assert_eq!(receive_down(monitor(dead)).await.reason, ExitReason::NoProc);
        let other = spawn(pending::<()>());
        let ended = monitor(other);
        let waits = receive_down(ended);
        assert!(demonitor(ended));
        exit(other, ExitReason::Kill);
        assert!(waits.timeout(SOON).await.is_err());
        assert!(
            receive_down(monitor(self_pid()))
                .timeout(SOON)
                .await
                .is_err()
        );
        assert!(!demonitor_flush(ended));
    });
}

#[test]
fn the_wait_for_a_linked_process_begins_behind_what_is_in_the_mailbox() {
    run(1, async {
        trap_exit(true);
        let child = spawn_link(async { ExitReason::Shutdown });
        // Its end is in the mailbox, and stays there.
        while monitor_is_pending(child).await {}
        link(child);
        // So this must wait for the end of the second link, and look at nothing before.
        assert_eq!(receive_exit(child).await.reason, ExitReason::NoProc);
        // Without a link the mailbox is looked through.
        assert_eq!(receive_exit(child).await.reason, ExitReason::Shutdown);
        assert!(receive_exit(child).timeout(SOON).await.is_err());
    });
}

/// Whether a process still lives, as a monitor tells.
async fn monitor_is_pending(pid: regrow_runtime::Pid) -> bool {
    let reference = monitor(pid);
    yield_now().await;
    yield_now().await;
    demonitor_flush(reference)
}

#[test]
fn an_exit_that_was_sent_is_not_the_end_of_a_link() {
    run(2, async {
        trap_exit(true);
        let me = self_pid();
        let child = spawn_link(async move {
            exit(me, ExitReason::error("sent"));
            receive::<u8>().await;
        });
        send(child, 1_u8);
        assert_eq!(receive_exit(child).await.reason, ExitReason::Normal);
        let sent = receive::<Exit>().await;
        assert_eq!((sent.pid, sent.reason), (child, ExitReason::error("sent")));
        // After an unlink there is nothing to wait for.
        let other = spawn_link(pending::<()>());
        let waits = receive_exit(other);
        unlink(other);
        exit(other, ExitReason::Kill);
        assert!(waits.timeout(SOON).await.is_err());
    });
}

#[test]
fn a_future_made_by_one_process_and_polled_by_another_looks_into_the_others_mailbox() {
    run(1, async {
        let (_, reference) = spawn_monitor(pending::<()>());
        let foreign = receive_down(reference);
        let other = spawn(async move {
            let down = foreign.timeout(SOON).await;
            assert!(down.is_err(), "the monitor is not mine");
        });
        assert_eq!(
            receive_down(monitor(other)).await.reason,
            ExitReason::Normal
        );
        assert!(demonitor(reference));
        assert!(receive_any().timeout(Duration::ZERO).await.is_err());
    });
}

#[test]
fn a_nested_receive_between_a_monitor_and_its_down_loses_nothing() {
    // `receive_SUITE`: receive_opt_exception, receive_opt_recursion.
    run(2, async {
        fn nested(depth: u32) -> futures_lite::future::Boxed<()> {
            Box::pin(async move {
                let (_, reference) =
                    spawn_monitor(async move { ExitReason::error(depth.to_string()) });
                if depth > 0 {
                    nested(depth - 1).await;
                    let caught = regrow_runtime::catch_panic(async {
                        receive::<u32>().await;
                        panic!("between the mark and its message");
                    });
                    assert!(caught.await.is_err());
                }
                let reason = receive_down(reference).await.reason;
                assert_eq!(reason, ExitReason::error(depth.to_string()));
            })
        }
        for n in 0..50_u32 {
            send(self_pid(), n);
        }
        nested(50).await;
        assert_eq!(try_receive::<u32>(), None);
        assert!(receive_any().timeout(Duration::ZERO).await.is_err());
    });
}
