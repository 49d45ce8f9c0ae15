//! Monitors: each call makes its own, it fires once, and never after it was removed.

mod common;

use std::future::pending;
use std::time::Duration;

use common::{run, run_and_simulate};
use regrow_runtime::{
    Down, Exit, ExitReason, MonitorRef, Monitored, Pid, demonitor, demonitor_flush, exit, is_alive,
    link, monitor, process_info, processes, receive, receive_any, self_pid, send, spawn,
    spawn_link, spawn_monitor, trap_exit, try_receive_matching, yield_now,
};

/// Ends with what it is told to.
async fn ends_as_told() -> ExitReason {
    receive().await
}

async fn down(reference: MonitorRef) -> Down {
    receive::<Down>()
        .matching(move |down: &Down| down.reference == reference)
        .await
}

async fn down_by_now() -> Option<Down> {
    receive::<Down>().timeout(Duration::ZERO).await.ok()
}

async fn monitors_of(pid: Pid) -> Vec<Monitored> {
    process_info(pid).await.expect("it lives").monitors
}

async fn watchers_of(pid: Pid) -> Vec<Pid> {
    process_info(pid).await.expect("it lives").monitored_by
}

fn boom() -> ExitReason {
    ExitReason::error("boom")
}

/// Blocks the worker until a process has ended, so that the caller's turn goes on.
fn block_until_gone(pid: Pid) {
    while processes().contains(&pid) {
        std::thread::yield_now();
    }
}

#[test]
fn each_monitor_is_its_own_and_fires_once() {
    run_and_simulate(2, || async {
        let (pid, first) = spawn_monitor(ends_as_told());
        let references = [first, monitor(pid), monitor(pid)];
        assert_eq!(monitors_of(self_pid()).await, [pid; 3]);
        assert_eq!(watchers_of(pid).await, [self_pid(); 3]);
        send(pid, boom());
        let mut seen = Vec::new();
        for _ in references {
            let down = receive::<Down>().await;
            assert_eq!((down.pid, down.reason), (pid, boom()));
            seen.push(down.reference);
        }
        for reference in references {
            assert_eq!(seen.iter().filter(|it| **it == reference).count(), 1);
        }
        assert!(down_by_now().await.is_none());
        assert!(monitors_of(self_pid()).await.is_empty());
    });
}

#[test]
fn the_down_says_why_whatever_it_was() {
    run_and_simulate(2, || async {
        let long = "a reason of some length, ".repeat(10_000);
        for reason in [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::shutdown_with("for a while"),
            ExitReason::Kill,
            ExitReason::error(long),
            boom(),
        ] {
            let (pid, reference) = spawn_monitor(ends_as_told());
            send(pid, reason.clone());
            let down = receive::<Down>().await;
            assert_eq!(
                (down.pid, down.reference, down.reason),
                (pid, reference, reason)
            );
        }
        let (pid, _) = spawn_monitor(pending::<()>());
        exit(pid, ExitReason::Kill);
        assert_eq!(receive::<Down>().await.reason, ExitReason::Killed);
        spawn_monitor(async { panic!("at {}", "once") });
        let ExitReason::Panic(info) = receive::<Down>().await.reason else {
            panic!("a panic is its reason");
        };
        assert_eq!(info.message(), "at once");
    });
}

#[test]
fn monitoring_the_dead_says_noproc() {
    run_and_simulate(2, || async {
        let (pid, reference) = spawn_monitor(async {});
        down(reference).await;
        let again = monitor(pid);
        assert_ne!(again, reference);
        let down = receive::<Down>().await;
        assert_eq!(
            (down.pid, down.reference, down.reason),
            (pid, again, ExitReason::NoProc)
        );
        assert!(monitors_of(self_pid()).await.is_empty());
    });
}

#[test]
fn noproc_does_not_overtake_the_last_words_of_the_dead() {
    run(2, async {
        let me = self_pid();
        for _ in 0..200 {
            let child = spawn(async move { send(me, "last words") });
            yield_now().await;
            block_until_gone(child);
            monitor(child);
            assert!(receive_any().await.is::<&str>());
            assert!(receive_any().await.is::<Down>());
        }
    });
}

#[test]
fn what_was_sent_before_the_end_arrives_before_the_down() {
    run_and_simulate(2, || async {
        let me = self_pid();
        for round in 0..1_000_u32 {
            spawn_monitor(async move {
                send(me, round);
                send(me, round + 1);
            });
            assert_eq!(receive_any().await.downcast::<u32>().unwrap(), round);
            assert_eq!(receive_any().await.downcast::<u32>().unwrap(), round + 1);
            assert!(receive_any().await.is::<Down>());
        }
    });
}

#[test]
fn a_monitor_sent_after_a_deadly_signal_says_noproc() {
    run_and_simulate(2, || async {
        for _ in 0..500 {
            let other = spawn(pending::<()>());
            exit(other, ExitReason::Kill);
            let reference = monitor(other);
            let down = receive::<Down>().await;
            assert_eq!((down.pid, down.reference), (other, reference));
            assert_eq!(down.reason, ExitReason::NoProc);
        }
    });
}

#[test]
fn a_monitor_on_oneself_never_fires_and_is_not_listed() {
    run_and_simulate(2, || async {
        let me = self_pid();
        let reference = monitor(me);
        assert!(monitors_of(me).await.is_empty());
        assert!(watchers_of(me).await.is_empty());
        assert!(!demonitor(reference));
        monitor(me);
        assert!(down_by_now().await.is_none());
        let (other, reference) = spawn_monitor(async move {
            monitor(self_pid());
            assert_eq!(watchers_of(self_pid()).await, [me]);
        });
        let down = down(reference).await;
        assert_eq!((down.pid, down.reason), (other, ExitReason::Normal));
    });
}

#[test]
fn demonitor_says_whether_the_monitor_was_active() {
    run_and_simulate(2, || async {
        let (pid, reference) = spawn_monitor(ends_as_told());
        assert!(demonitor(reference));
        assert!(!demonitor(reference));
        assert!(!demonitor_flush(reference));
        assert!(watchers_of(pid).await.is_empty());
        assert!(demonitor_flush(monitor(pid)));
        send(pid, ExitReason::Normal);
        let last = monitor(pid);
        down(last).await;
        assert!(!demonitor(last));
        assert!(!demonitor_flush(last));
        assert!(down_by_now().await.is_none());
    });
}

#[test]
fn nobody_but_its_owner_can_end_a_monitor() {
    run_and_simulate(2, || async {
        let (pid, reference) = spawn_monitor(ends_as_told());
        let (_, other) = spawn_monitor(async move {
            assert!(!demonitor(reference));
            assert!(!demonitor_flush(reference));
        });
        assert_eq!(down(other).await.reason, ExitReason::Normal);
        send(pid, boom());
        assert_eq!(down(reference).await.reason, boom());
    });
}

#[test]
fn a_down_that_is_in_the_mailbox_stays_after_demonitor_and_goes_with_flush() {
    run_and_simulate(2, || async {
        for flush in [false, true] {
            let (_, first) = spawn_monitor(async {});
            let (_, second) = spawn_monitor(async {});
            while process_info(self_pid())
                .await
                .is_some_and(|info| info.message_queue_len < 2)
            {}
            // The newer of the two may be either.
            for reference in [first, second] {
                if flush {
                    assert!(!demonitor_flush(reference));
                } else {
                    assert!(!demonitor(reference));
                }
                let left = try_receive_matching(|down: &Down| down.reference == reference);
                assert_eq!(left.is_some(), !flush);
            }
            assert!(down_by_now().await.is_none());
        }
    });
}

#[test]
fn a_flush_takes_its_own_down_and_no_other() {
    run_and_simulate(1, || async {
        let references = [(); 3].map(|()| spawn_monitor(async {}).1);
        while process_info(self_pid())
            .await
            .is_some_and(|info| info.message_queue_len < 3)
        {}
        demonitor_flush(references[1]);
        demonitor_flush(references[1]);
        let left = process_info(self_pid()).await.unwrap().message_queue_len;
        assert_eq!(left, 2);
        down(references[0]).await;
        down(references[2]).await;
    });
}

#[test]
fn once_demonitor_returns_no_down_arrives() {
    run_and_simulate(2, || async {
        let mut active = 0;
        for round in 0..2_000 {
            let (pid, reference) = spawn_monitor(async {});
            let witness = monitor(pid);
            if round % 3 == 0 {
                yield_now().await;
            }
            active += usize::from(demonitor(reference));
            // What is in the mailbox already may stay there.
            try_receive_matching(|down: &Down| down.reference == reference);
            assert_eq!(
                receive::<Down>().await.reference,
                witness,
                "in round {round}"
            );
            assert!(down_by_now().await.is_none(), "in round {round}");
        }
        assert!(active > 0);
    });
}

#[test]
fn once_demonitor_flush_returns_there_is_no_down() {
    run_and_simulate(2, || async {
        let mut active = [0, 0];
        for round in 0..2_000 {
            let (pid, reference) = spawn_monitor(async {});
            let witness = monitor(pid);
            if round % 2 == 0 {
                yield_now().await;
            }
            active[usize::from(demonitor_flush(reference))] += 1;
            assert_eq!(
                receive::<Down>().await.reference,
                witness,
                "in round {round}"
            );
            assert!(down_by_now().await.is_none(), "in round {round}");
        }
        assert!(active[1] > 0, "{active:?}");
    });
}

#[test]
fn a_monitor_removed_right_after_the_fatal_exit_signal_does_not_fire() {
    run_and_simulate(2, || async {
        for _ in 0..1_000 {
            let (pid, reference) = spawn_monitor(pending::<()>());
            exit(pid, boom());
            demonitor_flush(reference);
            assert!(!is_alive(pid).await);
            assert!(down_by_now().await.is_none());
        }
    });
}

#[test]
fn the_end_of_the_watcher_removes_its_monitors() {
    run_and_simulate(2, || async {
        let target = spawn(pending::<()>());
        let mut ends = Vec::new();
        for _ in 0..10 {
            let (watcher, end) = spawn_monitor(async move {
                monitor(target);
                monitor(target);
                ends_as_told().await
            });
            while watchers_of(target)
                .await
                .iter()
                .filter(|it| **it == watcher)
                .count()
                < 2
            {}
            ends.push((watcher, end));
        }
        assert_eq!(watchers_of(target).await.len(), 20);
        for (watcher, end) in ends {
            send(watcher, boom());
            down(end).await;
        }
        // They tell their watchers first: the last of them may be at it still.
        while !watchers_of(target).await.is_empty() {}
    });
}

#[test]
fn both_lists_are_exact_after_each_way_to_end_a_monitor() {
    run_and_simulate(2, || async {
        let me = self_pid();
        let (a, first) = spawn_monitor(ends_as_told());
        let (b, second) = spawn_monitor(ends_as_told());
        let third = monitor(a);
        assert_eq!(watchers_of(a).await, [me, me]);
        assert_eq!(watchers_of(b).await, [me]);
        demonitor(first);
        assert_eq!(watchers_of(a).await, [me]);
        let mut mine = monitors_of(me).await;
        mine.sort();
        assert_eq!(mine, [a.min(b), a.max(b)]);
        send(b, boom());
        down(second).await;
        assert_eq!(monitors_of(me).await, [a]);
        assert!(demonitor(third));
        assert!(monitors_of(me).await.is_empty());
        assert!(watchers_of(a).await.is_empty());
    });
}

#[test]
fn many_monitors_in_both_directions_are_cleaned_up_in_every_order() {
    run_and_simulate(2, || async {
        let me = self_pid();
        for order in 0..6 {
            let (a, end_of_a) = spawn_monitor(async move {
                let peer = receive::<Pid>().await;
                let references: Vec<_> = (0..50).map(|_| monitor(peer)).collect();
                for reference in references.iter().step_by(2) {
                    demonitor(*reference);
                }
                send(me, "ready");
                ends_as_told().await
            });
            let (b, end_of_b) = spawn_monitor(async move {
                let references: Vec<_> = (0..50).map(|_| monitor(a)).collect();
                for reference in references.iter().rev().step_by(3) {
                    demonitor(*reference);
                }
                send(me, "ready");
                ends_as_told().await
            });
            send(a, b);
            receive::<&str>().await;
            receive::<&str>().await;
            assert_eq!(monitors_of(a).await.len(), 25);
            assert_eq!(monitors_of(b).await.len(), 33);
            assert_eq!(watchers_of(a).await.len(), 34);
            assert_eq!(watchers_of(b).await.len(), 26);
            let (first, second) = match order % 2 {
                0 => ((a, end_of_a), (b, end_of_b)),
                _ => ((b, end_of_b), (a, end_of_a)),
            };
            match order / 2 {
                0 => send(first.0, boom()),
                1 => exit(first.0, ExitReason::Kill),
                _ => send(first.0, ExitReason::Normal),
            }
            down(first.1).await;
            // There is no order between what we are told and what the other is.
            let downs = if second.0 == a { 25 } else { 33 };
            let others = loop {
                let info = process_info(second.0).await.unwrap();
                if info.message_queue_len == downs && info.monitored_by == [me] {
                    break info.monitors;
                }
            };
            assert!(others.is_empty());
            exit(second.0, ExitReason::Kill);
            down(second.1).await;
        }
    });
}

#[test]
fn one_that_kills_its_watcher_and_ends_does_no_harm() {
    run_and_simulate(2, || async {
        trap_exit(true);
        for _ in 0..300 {
            let watcher = spawn_link(async {
                let watcher = self_pid();
                spawn_monitor(async move { exit(watcher, boom()) });
                pending::<()>().await;
            });
            let exit = receive::<Exit>().await;
            assert_eq!((exit.pid, exit.reason), (watcher, boom()));
        }
    });
}

#[test]
fn a_down_neither_needs_trapping_nor_ends_the_watcher() {
    run_and_simulate(2, || async {
        let (_, reference) = spawn_monitor(async {
            let (_, reference) = spawn_monitor(async { boom() });
            assert_eq!(down(reference).await.reason, boom());
        });
        assert_eq!(down(reference).await.reason, ExitReason::Normal);
    });
}

#[test]
fn a_link_and_a_monitor_on_the_same_process_both_tell() {
    run_and_simulate(2, || async {
        trap_exit(true);
        for _ in 0..300 {
            let (pid, reference) = spawn_monitor(ends_as_told());
            link(pid);
            send(pid, boom());
            let exit = receive::<Exit>().await;
            assert_eq!((exit.pid, exit.reason), (pid, boom()));
            assert_eq!(down(reference).await.reason, boom());
        }
    });
}
