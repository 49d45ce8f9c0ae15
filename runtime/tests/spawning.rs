//! Births: what a process is born with, and that its pid is never another's.

mod common;

use std::collections::HashSet;
use std::future::{Future, pending, ready};
use std::num::ParseIntError;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::run;
use regrow_runtime::{
    Down, Exit, ExitReason, MonitorRef, Pid, Runtime, SpawnError, SpawnOptions, exit, is_alive,
    link, monitor, process_info, processes, receive, self_pid, send, spawn, spawn_link,
    spawn_monitor, trap_exit, yield_now,
};

async fn down(reference: MonitorRef) -> ExitReason {
    let mine = move |down: &Down| down.reference == reference;
    receive::<Down>().matching(mine).await.reason
}

fn boom() -> ExitReason {
    ExitReason::error("boom")
}

#[test]
fn what_the_body_returns_is_the_reason() {
    async fn parse(text: &str) -> Result<(), ParseIntError> {
        text.parse::<u32>().map(drop)
    }
    run(2, async {
        let normal = [
            spawn_monitor(ready(())).1,
            spawn_monitor(ready(Ok::<(), ExitReason>(()))).1,
            spawn_monitor(parse("5")).1,
            spawn_monitor(ready(ExitReason::Normal)).1,
        ];
        for reference in normal {
            assert_eq!(down(reference).await, ExitReason::Normal);
        }
        let (_, reference) = spawn_monitor(parse("five"));
        assert_eq!(
            down(reference).await.to_string(),
            "invalid digit found in string"
        );
        let (_, reference) = spawn_monitor(ready(Err::<(), _>(ExitReason::Shutdown)));
        assert_eq!(down(reference).await, ExitReason::Shutdown);
        let (_, reference) = spawn_monitor(ready(ExitReason::Kill));
        assert_eq!(down(reference).await, ExitReason::Kill);
    });
}

#[test]
fn a_plain_child_is_neither_linked_nor_monitored_and_knows_its_parent() {
    run(2, async {
        let child = spawn(pending::<()>());
        let info = process_info(child).await.unwrap();
        assert_eq!((info.pid, info.parent), (child, Some(self_pid())));
        assert_eq!((info.links, info.monitored_by), (vec![], vec![]));
        assert_eq!((info.name, info.label, info.trap_exit), (None, None, false));
        assert!(info.spawned_at.file().ends_with("spawning.rs"));
        let mine = process_info(self_pid()).await.unwrap();
        assert_eq!((mine.links, mine.monitors), (vec![], vec![]));
        // Its crash is its own affair.
        exit(child, boom());
        assert!(!is_alive(child).await);
    });
}

#[test]
fn link_and_monitor_hold_from_the_first_moment_and_both_tell() {
    run(3, async {
        trap_exit(true);
        for _ in 0..2_000 {
            let options = SpawnOptions::new().link().monitor();
            let child = options.spawn(ready(boom())).unwrap();
            let exit = receive::<Exit>().await;
            assert_eq!((exit.pid, exit.reason), (child.pid, boom()));
            let down = receive::<Down>().await;
            assert_eq!((Some(down.reference), down.reason), (child.monitor, boom()));
        }
        let mine = process_info(self_pid()).await.unwrap();
        assert_eq!((mine.links, mine.monitors), (vec![], vec![]));
    });
}

#[test]
fn all_options_hold_together() {
    run(2, async {
        let options = SpawnOptions::new()
            .link()
            .monitor()
            .name("it")
            .label("does it");
        let child = options.trap_exit(true).spawn(pending::<()>()).unwrap();
        let info = process_info(child.pid).await.unwrap();
        assert_eq!(info.name.as_deref(), Some("it"));
        assert_eq!(info.label.as_deref(), Some("does it"));
        assert!(info.trap_exit);
        assert_eq!(info.links, [self_pid()]);
        assert_eq!(info.monitored_by, [self_pid()]);
        assert_eq!(SpawnOptions::new().spawn(ready(())).unwrap().monitor, None);
    });
}

#[test]
fn a_child_born_trapping_cannot_be_ended_before_it_traps() {
    run(3, async {
        for _ in 0..1_000 {
            let options = SpawnOptions::new().trap_exit(true).monitor();
            let child = options
                .spawn(async { receive::<Exit>().await.reason })
                .unwrap();
            exit(child.pid, ExitReason::Normal);
            exit(child.pid, boom());
            // The first is what it returns: it was trapped.
            assert_eq!(receive::<Down>().await.reason, ExitReason::Normal);
        }
    });
}

#[test]
fn messages_to_a_process_that_is_being_born_arrive_in_order() {
    run(3, async {
        for round in 0..2_000_u32 {
            let (child, reference) = spawn_monitor(async move {
                for wanted in 0..5 {
                    assert_eq!(receive::<(u32, u32)>().await, (round, wanted));
                }
            });
            for number in 0..5_u32 {
                send(child, (round, number));
            }
            assert_eq!(down(reference).await, ExitReason::Normal);
        }
    });
}

#[test]
fn threads_that_send_to_whatever_they_see_disturb_no_birth() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let pests: Vec<_> = (0..2)
        .map(|_| {
            let (handle, stop) = (runtime.handle(), stop.clone());
            std::thread::spawn(move || {
                let mut sent = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    for pid in handle.processes() {
                        send(pid, 'x');
                        sent += 1;
                    }
                    if let Some(pid) = handle.whereis("newborn") {
                        send(pid, 'y');
                    }
                }
                sent
            })
        })
        .collect();
    runtime.block_on(async {
        for number in 0..3_000_u32 {
            let options = SpawnOptions::new().name("newborn").monitor();
            let child = options.spawn(async {
                let number = receive::<u32>().await;
                ExitReason::error(number.to_string())
            });
            let child = child.expect("the name is free");
            send(child.pid, number);
            assert_eq!(
                receive::<Down>().await.reason,
                ExitReason::error(number.to_string())
            );
            while receive::<char>()
                .timeout(std::time::Duration::ZERO)
                .await
                .is_ok()
            {}
        }
    });
    stop.store(true, Ordering::Relaxed);
    for pest in pests {
        assert!(pest.join().unwrap() > 0);
    }
}

/// The place of a pid in the table, which others have had and will have.
fn index(pid: Pid) -> u32 {
    let text = pid.to_string();
    text.split('.').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_pid_is_never_used_again() {
    run(2, async {
        let mut seen = HashSet::new();
        let mut places = HashSet::new();
        for _ in 0..200 {
            let children: Vec<_> = (0..100).map(|_| spawn_monitor(ready(()))).collect();
            for (child, reference) in children {
                assert!(seen.insert(child), "{child} was used before");
                places.insert(index(child));
                down(reference).await;
            }
        }
        assert!(places.len() < seen.len(), "places are used again");
    });
}

#[test]
fn nothing_that_is_meant_for_the_dead_reaches_the_next_tenant_of_its_place() {
    run(1, async {
        trap_exit(true);
        for _ in 0..20 {
            let (dead, reference) = spawn_monitor(ready(()));
            down(reference).await;
            let heir = loop {
                let (child, reference) = spawn_monitor(async {
                    trap_exit(true);
                    receive::<u8>().await;
                    let queued = process_info(self_pid()).await.unwrap().message_queue_len;
                    assert_eq!(queued, 0, "it got what was not for it");
                });
                if index(child) == index(dead) {
                    break (child, reference);
                }
                exit(child, ExitReason::Kill);
                down(reference).await;
            };
            yield_now().await;
            send(dead, "message");
            exit(dead, boom());
            exit(dead, ExitReason::Kill);
            link(dead);
            assert_eq!(receive::<Exit>().await.reason, ExitReason::NoProc);
            assert_eq!(down(monitor(dead)).await, ExitReason::NoProc);
            assert!(process_info(dead).await.is_none());
            let info = process_info(heir.0).await.unwrap();
            assert_eq!((info.links, info.monitored_by), (vec![], vec![self_pid()]));
            send(heir.0, 1_u8);
            assert_eq!(down(heir.1).await, ExitReason::Normal);
        }
    });
}

#[test]
fn a_thread_that_is_no_process_spawns_without_parent_link_or_monitor() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let options = SpawnOptions::new().link().monitor().label("orphan");
    let spawned = runtime
        .handle()
        .spawn_with(options, pending::<()>())
        .unwrap();
    assert_eq!(spawned.monitor, None);
    let info = runtime.block_on(async move { process_info(spawned.pid).await.unwrap() });
    assert_eq!((info.parent, info.label.as_deref()), (None, Some("orphan")));
    assert_eq!((info.links, info.monitored_by), (vec![], vec![]));
}

#[test]
fn a_process_can_spawn_into_another_runtime_and_be_linked_there() {
    let (here, there) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let handle = there.handle();
    let ended = here.block_on(async move {
        trap_exit(true);
        let options = SpawnOptions::new().link().monitor();
        let child = handle.spawn_with(options, async {
            receive::<u8>().await;
            boom()
        });
        let child = child.unwrap();
        assert!(!processes().contains(&child.pid));
        assert!(handle.processes().contains(&child.pid));
        send(child.pid, 1_u8);
        (
            receive::<Exit>().await.reason,
            down(child.monitor.unwrap()).await,
        )
    });
    assert_eq!(ended, (boom(), boom()));
}

#[test]
fn a_body_that_is_refused_is_dropped_and_the_error_says_why() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let handle = runtime.handle();
    drop(runtime);
    let state = Arc::new(());
    let held = state.clone();
    let refused = handle.spawn_with(SpawnOptions::new(), async move { drop(held) });
    assert_eq!(refused.unwrap_err(), SpawnError::Stopped);
    assert_eq!(Arc::strong_count(&state), 1);
    let panics = std::thread::spawn(move || handle.spawn(async {})).join();
    assert!(panics.is_err());
}

#[test]
fn a_tree_of_a_hundred_thousand_processes_adds_up() {
    fn branch(depth: u32, parent: Pid) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            if depth == 0 {
                return send(parent, 1_u64);
            }
            let me = self_pid();
            for _ in 0..10 {
                spawn_link(branch(depth - 1, me));
            }
            let mut sum = 0;
            for _ in 0..10 {
                sum += receive::<u64>().await;
            }
            send(parent, sum);
        })
    }
    run(2, async {
        spawn(branch(5, self_pid()));
        assert_eq!(receive::<u64>().await, 100_000);
    });
}
