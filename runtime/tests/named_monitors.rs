//! Monitors by name: they stick to the process that had the name, and say the name.

mod common;

use std::time::Duration;

use common::run;
use regrow_runtime::{
    Down, ExitReason, MonitorRef, Monitored, Pid, SpawnOptions, demonitor, exit, monitor,
    monitor_named, process_info, receive, register, self_pid, send, spawn_monitor, unregister,
    whereis, yield_now,
};

/// Ends with what it is told to.
async fn ends_as_told() -> ExitReason {
    receive().await
}

fn named(name: &'static str) -> Pid {
    let options = SpawnOptions::new().name(name);
    options.spawn(ends_as_told()).expect("nobody has it").pid
}

async fn down(reference: MonitorRef) -> Down {
    receive::<Down>()
        .matching(move |down: &Down| down.reference == reference)
        .await
}

async fn down_by_now() -> Option<Down> {
    receive::<Down>().timeout(Duration::ZERO).await.ok()
}

#[test]
fn the_down_of_a_monitor_by_name_says_the_name_the_process_and_why() {
    run(2, async {
        for reason in [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::error("frop"),
        ] {
            let pid = named("watched");
            let by_name = monitor_named("watched");
            let by_pid = monitor(pid);
            send(pid, reason.clone());
            let named = down(by_name).await;
            assert_eq!((named.pid, &named.reason), (pid, &reason));
            assert_eq!(named.object(), Monitored::from("watched"));
            assert_eq!(down(by_pid).await.object(), Monitored::Process(pid));
        }
    });
}

#[test]
fn a_monitor_by_a_name_that_nobody_has_says_noproc_at_once() {
    run(2, async {
        for name in ["", "nobody"] {
            let reference = monitor_named(name);
            let down = down_by_now().await.expect("at once");
            assert_eq!(down.reference, reference);
            assert_eq!(down.reason, ExitReason::NoProc);
            assert_eq!(down.object(), Monitored::from(name));
            // Whoever that is, it is nobody: also when it is tried as somebody.
            let nobody = monitor(down.pid);
            assert_eq!(down_by_now().await.map(|it| it.reference), Some(nobody));
            assert!(process_info(down.pid).await.is_none());
            assert!(register("somebody", down.pid).is_err());
        }
        let me = process_info(self_pid()).await.expect("it lives");
        assert!(me.monitors.is_empty());
    });
}

#[test]
fn a_monitor_by_name_sticks_to_its_process_whatever_becomes_of_the_name() {
    run(2, async {
        let first = named("the king");
        let reference = monitor_named("the king");
        unregister("the king").expect("it is registered");
        let second = named("the king");
        send(second, ExitReason::Shutdown);
        down(monitor(second)).await;
        assert!(
            down_by_now().await.is_none(),
            "the other one is not watched"
        );
        send(first, ExitReason::Shutdown);
        let down = down(reference).await;
        assert_eq!((down.pid, down.object()), (first, "the king".into()));
    });
}

#[test]
fn a_monitor_on_oneself_by_name_never_fires_and_is_not_listed() {
    run(1, async {
        register("me", self_pid()).expect("nobody has it");
        let reference = monitor_named("me");
        let info = process_info(self_pid()).await.expect("it lives");
        assert!(info.monitors.is_empty() && info.monitored_by.is_empty());
        assert!(!demonitor(reference));
        unregister("me").expect("it is registered");
        assert!(down_by_now().await.is_none());
    });
}

#[test]
fn the_list_of_monitors_says_what_is_watched_by_name_and_is_exact() {
    run(2, async {
        let pid = named("listed");
        let monitors = async || {
            let mut list = process_info(self_pid()).await.expect("it lives").monitors;
            list.sort();
            list
        };
        let first = monitor_named("listed");
        let second = monitor(pid);
        let third = monitor_named("listed");
        let (by_pid, by_name) = (Monitored::Process(pid), Monitored::from("listed"));
        assert_eq!(monitors().await, [by_pid, by_name.clone(), by_name.clone()]);
        assert!(demonitor(first) && demonitor(second));
        assert_eq!(monitors().await, [by_name]);
        assert_eq!(
            process_info(pid).await.expect("it lives").monitored_by,
            [self_pid()]
        );
        send(pid, ExitReason::Normal);
        down(third).await;
        assert!(monitors().await.is_empty());
    });
}

#[test]
fn the_end_of_a_watcher_by_name_removes_its_monitors() {
    run(2, async {
        let pid = named("watched");
        let (_, reference) = spawn_monitor(async {
            monitor_named("watched");
            monitor_named("nobody");
        });
        down(reference).await;
        let watchers = process_info(pid).await.expect("it lives").monitored_by;
        assert_eq!(watchers, []);
    });
}

#[test]
fn once_demonitor_returns_no_down_of_a_name_arrives() {
    run(3, async {
        let mut removed = 0;
        for round in 0..1_000 {
            let pid = named("short-lived");
            let reference = monitor_named("short-lived");
            exit(pid, ExitReason::Kill);
            if round % 2 == 0 {
                yield_now().await;
            }
            let active = demonitor(reference);
            removed += u32::from(active);
            let in_the_mailbox = down_by_now().await.is_some();
            assert_eq!(in_the_mailbox, !active);
            down(monitor(pid)).await;
        }
        assert!(removed >= 500, "{removed}");
    });
}

#[test]
fn when_the_down_of_a_name_arrives_the_name_can_be_given_again() {
    run(3, async {
        for round in 0..2_000 {
            let pid = named("handed on");
            let reference = monitor_named("handed on");
            if round % 2 == 0 {
                send(pid, ExitReason::Normal);
            } else {
                exit(pid, ExitReason::Kill);
            }
            down(reference).await;
            assert_eq!(whereis("handed on"), None);
            register("handed on", self_pid()).expect("it is free");
            unregister("handed on").expect("it is registered");
        }
    });
}

#[test]
fn the_pid_in_the_down_of_a_name_that_nobody_had_prints_as_nobody() {
    run(1, async {
        monitor_named("nobody");
        let down = receive::<Down>().await;
        assert_eq!(down.pid.to_string(), "<nobody>");
        assert!(format!("{down:?}").contains("<nobody>"));
        assert_eq!(down.object().to_string(), "nobody");
    });
}
