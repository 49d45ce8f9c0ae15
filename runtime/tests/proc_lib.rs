//! Births and ends that somebody waits for: `proc_lib`'s protocol.

mod common;

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use common::run;
use regrow_runtime::proc_lib::{
    InitAck, StartError, Started, StopError, Terminate, start, start_link, start_monitor,
    start_with, stop, stop_with,
};
use regrow_runtime::{
    Down, Exit, ExitReason, MonitorRef, Pid, SpawnOptions, exit, is_alive, link, process_info,
    receive, register, self_pid, send, spawn, spawn_monitor, trap_exit, unlink, unregister,
    whereis, yield_now,
};

const SOON: Duration = Duration::from_millis(20);

fn boom() -> ExitReason {
    ExitReason::error("boom")
}

async fn down(reference: MonitorRef) -> Down {
    receive::<Down>()
        .matching(move |down: &Down| down.reference == reference)
        .await
}

/// Whether an `Exit` or a `Down` is here by now.
async fn is_told() -> bool {
    receive::<Exit>().timeout(Duration::ZERO).await.is_ok()
        || receive::<Down>().timeout(Duration::ZERO).await.is_ok()
}

async fn never_ready(ready: InitAck<()>) {
    pending::<()>().await;
    ready.ack(());
}

async fn fails(ready: InitAck<()>) -> ExitReason {
    let _ready = ready;
    boom()
}

/// Ends as it is asked to by `stop`.
async fn obedient() -> ExitReason {
    receive::<Terminate>().await.reason
}

#[test]
fn a_start_does_not_return_before_the_process_is_ready() {
    run(2, async {
        for options in [
            SpawnOptions::new(),
            SpawnOptions::new().link(),
            SpawnOptions::new().monitor(),
        ] {
            let acked = Arc::new(AtomicBool::new(false));
            let flag = acked.clone();
            let started = start_with(options, None, |ready| async move {
                for _ in 0..100 {
                    yield_now().await;
                }
                flag.store(true, Ordering::SeqCst);
                ready.ack(self_pid());
                pending::<()>().await;
            });
            let started = started.await.expect("it says that it is ready");
            assert!(acked.load(Ordering::SeqCst));
            assert_eq!(started.value, started.pid);
            assert!(is_alive(started.pid).await);
            unlink(started.pid);
            exit(started.pid, ExitReason::Kill);
        }
    });
}

#[test]
fn after_a_start_monitor_the_down_arrives_and_no_exit() {
    run(2, async {
        trap_exit(true);
        let started = start_monitor(|ready| async { ready.ack(5) }).await;
        let Started { pid, monitor, .. } = started.expect("it says that it is ready");
        let down = down(monitor.expect("asked for")).await;
        assert_eq!((down.pid, down.reason), (pid, ExitReason::Normal));
        assert!(!is_told().await);
    });
}

#[test]
fn after_a_start_with_link_and_monitor_both_exit_and_down_arrive() {
    run(2, async {
        trap_exit(true);
        let options = SpawnOptions::new().link().monitor();
        let started = start_with(options, None, |ready| async { ready.ack(()) }).await;
        let Started { pid, monitor, .. } = started.expect("it says that it is ready");
        assert_eq!(
            down(monitor.expect("asked for")).await.reason,
            ExitReason::Normal
        );
        let exit = receive::<Exit>().await;
        assert_eq!((exit.pid, exit.reason), (pid, ExitReason::Normal));
    });
}

#[test]
fn one_that_is_not_ready_in_time_is_killed_and_leaves_nothing_behind() {
    run(2, async {
        for traps in [true, false] {
            trap_exit(traps);
            for options in [
                SpawnOptions::new(),
                SpawnOptions::new().link(),
                SpawnOptions::new().monitor(),
                SpawnOptions::new().link().monitor(),
            ] {
                let options = options.name("slow").trap_exit(true);
                let started = start_with(options, Some(SOON), never_ready).await;
                assert_eq!(started, Err(StartError::Timeout));
                assert_eq!(whereis("slow"), None);
                assert!(!is_told().await);
                let me = process_info(self_pid()).await.expect("it lives");
                assert!(me.links.is_empty() && me.monitors.is_empty());
            }
        }
    });
}

#[test]
fn one_that_crashes_before_it_is_ready_is_the_same_error_to_every_start() {
    run(2, async {
        trap_exit(true);
        let minute = Some(Duration::from_secs(60));
        let expected = Err(StartError::Exit(boom()));
        assert_eq!(start(fails).await, expected);
        assert_eq!(start_link(fails).await, expected);
        assert_eq!(start_monitor(fails).await, expected);
        for options in [
            SpawnOptions::new(),
            SpawnOptions::new().link(),
            SpawnOptions::new().link().monitor(),
        ] {
            assert_eq!(start_with(options, minute, fails).await, expected);
        }
        assert!(!is_told().await);
        let panicked = start(|ready: InitAck<()>| async move {
            let _ready = ready;
            panic!("at once");
        });
        let Err(StartError::Exit(ExitReason::Panic(info))) = panicked.await else {
            panic!("a panic is its error");
        };
        assert_eq!(info.message(), "at once");
    });
}

#[test]
fn one_that_is_killed_before_its_first_turn_is_an_error_too() {
    run(1, async {
        let pid = Arc::new(std::sync::OnceLock::new());
        let known = pid.clone();
        let name = "victim";
        let killer = spawn(async move {
            let victim = loop {
                match whereis(name) {
                    Some(victim) => break victim,
                    None => yield_now().await,
                }
            };
            known.set(victim).expect("once");
            exit(victim, ExitReason::Kill);
        });
        yield_now().await;
        let options = SpawnOptions::new().name(name);
        let started = start_with(options, None, never_ready).await;
        assert_eq!(started, Err(StartError::Exit(ExitReason::Killed)));
        assert!(!is_alive(killer).await);
        assert!(pid.get().is_some());
    });
}

#[test]
fn whoever_hears_that_a_start_has_failed_finds_the_process_gone_and_its_name_free() {
    run(3, async {
        trap_exit(true);
        for round in 0..1_000 {
            let options = SpawnOptions::new().link().name("short-lived");
            let started = start_with(options, None, |ready: InitAck<Pid>| async move {
                match round % 3 {
                    0 => {
                        let _ready = ready;
                        ExitReason::Normal
                    }
                    1 => {
                        ready.fail(boom());
                        yield_now().await;
                        ExitReason::Normal
                    }
                    _ => {
                        ready.fail(boom());
                        boom()
                    }
                }
            });
            let expected = if round % 3 == 0 {
                ExitReason::Normal
            } else {
                boom()
            };
            assert_eq!(started.await, Err(StartError::Exit(expected)));
            register("short-lived", self_pid()).expect("it is free");
            unregister("short-lived").expect("it is registered");
            assert!(!is_told().await, "round {round}");
            assert!(
                process_info(self_pid())
                    .await
                    .expect("it lives")
                    .links
                    .is_empty()
            );
        }
    });
}

#[test]
fn the_error_given_to_fail_comes_after_the_end() {
    run(2, async {
        let at_the_end = Arc::new(AtomicBool::new(false));
        let flag = at_the_end.clone();
        let started = start(|ready: InitAck<()>| async move {
            ready.fail(boom());
            for _ in 0..100 {
                yield_now().await;
            }
            flag.store(true, Ordering::SeqCst);
        });
        assert_eq!(started.await, Err(StartError::Exit(boom())));
        assert!(at_the_end.load(Ordering::SeqCst));
    });
}

#[test]
fn a_starter_dies_with_its_child_also_if_it_hears_of_the_failure_first() {
    run(2, async {
        for _ in 0..200 {
            let (_, reference) = spawn_monitor(async {
                let mut starting = pin!(start_link(fails));
                // In one turn, which sees no exit signal. The others are enough for
                // another worker to be woken for them.
                poll_fn(|cx| {
                    assert!(starting.as_mut().poll(cx).is_pending());
                    for _ in 0..16 {
                        spawn(async {});
                    }
                    for _ in 0..20_000 {
                        if starting.as_mut().poll(cx).is_ready() {
                            return Poll::Ready(());
                        }
                    }
                    Poll::Pending
                })
                .await;
            });
            assert_eq!(down(reference).await.reason, boom());
        }
    });
}

#[test]
fn the_error_given_to_fail_is_the_starters_and_the_reason_is_everybody_elses() {
    run(2, async {
        let (watcher, told) = spawn_monitor(async {
            let started = start(|ready: InitAck<()>| async {
                ready.fail(ExitReason::error("no licence"));
                ExitReason::Shutdown
            });
            assert_eq!(
                started.await,
                Err(StartError::Exit(ExitReason::error("no licence")))
            );
        });
        let down = down(told).await;
        assert_eq!((down.pid, down.reason), (watcher, ExitReason::Normal));
    });
}

#[test]
fn a_starter_that_does_not_trap_dies_with_whom_it_has_linked_to_unless_that_ends_normally() {
    run(3, async {
        for round in 0..500 {
            let (_, reference) = spawn_monitor(async move {
                let _ = start_link(|ready: InitAck<()>| async move {
                    if round % 2 == 0 {
                        ready.fail(ExitReason::Normal);
                        return boom();
                    }
                    let _ready = ready;
                    boom()
                })
                .await;
                panic!("it has survived");
            });
            assert_eq!(down(reference).await.reason, boom());
            let (_, reference) = spawn_monitor(async {
                let started = start_link(|ready: InitAck<()>| async {
                    ready.fail(boom());
                });
                assert_eq!(started.await, Err(StartError::Exit(boom())));
            });
            assert_eq!(down(reference).await.reason, ExitReason::Normal);
        }
    });
}

#[test]
fn a_starter_survives_whom_it_had_linked_to_and_who_has_unlinked_itself() {
    run(2, async {
        let me = self_pid();
        let started = start_link(|ready: InitAck<()>| async move {
            unlink(me);
            let _ready = ready;
            boom()
        });
        assert_eq!(started.await, Err(StartError::Exit(boom())));
    });
}

#[test]
fn a_name_that_is_taken_is_an_error_of_the_start_and_the_body_never_runs() {
    run(2, async {
        register("taken", self_pid()).expect("nobody has it");
        let options = SpawnOptions::new().name("taken");
        let started = start_with(options, None, |ready: InitAck<()>| async {
            ready.ack(());
            unreachable!("it was never born");
        });
        let error = started.await.expect_err("the name is taken");
        assert!(matches!(error, StartError::Spawn(_)), "{error}");
    });
}

#[test]
fn one_that_drops_its_ack_and_goes_on_is_killed_and_that_is_said() {
    run(2, async {
        for late in [false, true] {
            let started = start_link(|ready: InitAck<()>| async move {
                if late {
                    yield_now().await;
                }
                drop(ready);
                pending::<()>().await;
            });
            assert_eq!(started.await, Err(StartError::NoAck));
        }
        assert!(
            process_info(self_pid())
                .await
                .expect("it lives")
                .links
                .is_empty()
        );
    });
}

#[test]
fn a_starter_that_gives_up_waiting_leaves_the_process_alone() {
    run(1, async {
        let me = self_pid();
        let starting = start(|ready| async move {
            ready.ack(());
            send(me, self_pid());
            pending::<()>().await;
        });
        // Polled once, then dropped.
        let polled = futures_lite::future::or(async { Some(starting.await) }, async { None });
        assert!(polled.await.is_none());
        let child: Pid = receive().await;
        assert!(is_alive(child).await);
    });
}

#[test]
fn stop_waits_for_the_end_and_is_behind_what_was_sent_before() {
    run(2, async {
        let me = self_pid();
        let pid = spawn(async move {
            let first: &str = receive().await;
            send(me, first);
            obedient().await
        });
        send(pid, "first");
        assert_eq!(stop(pid).await, Ok(()));
        assert_eq!(receive::<&str>().await, "first");
        assert!(!is_alive(pid).await);
        assert_eq!(stop(pid).await, Err(StopError::NoProc));
        let reason = ExitReason::shutdown_with("for repairs");
        let stopped = stop_with(spawn(obedient()), reason, None).await;
        assert_eq!(stopped, Ok(()));
        assert!(!is_told().await);
    });
}

#[test]
fn stop_says_so_if_the_process_ends_with_another_reason() {
    run(2, async {
        let pid = spawn(async {
            receive::<Terminate>().await;
            boom()
        });
        assert_eq!(stop(pid).await, Err(StopError::Exit(boom())));
        let pid = spawn(async {
            receive::<Terminate>().await;
            panic!("in terminate");
        });
        let stopped = stop(pid).await;
        let Err(StopError::Exit(ExitReason::Panic(info))) = stopped else {
            panic!("a panic is the reason");
        };
        assert_eq!(info.message(), "in terminate");
    });
}

#[test]
fn a_stop_that_takes_too_long_says_so_and_stays_in_force() {
    run(2, async {
        let pid = spawn(async {
            receive::<u8>().await;
            obedient().await
        });
        let stopped = stop_with(pid, ExitReason::Shutdown, Some(SOON)).await;
        assert_eq!(stopped, Err(StopError::Timeout));
        let reference = regrow_runtime::monitor(pid);
        send(pid, 1_u8);
        assert_eq!(down(reference).await.reason, ExitReason::Shutdown);
        assert!(!is_told().await);
    });
}

#[test]
fn stop_of_oneself_and_of_a_linked_process_do_no_harm() {
    run(2, async {
        assert_eq!(stop(self_pid()).await, Err(StopError::CallingSelf));
        trap_exit(true);
        let pid = spawn(obedient());
        link(pid);
        assert_eq!(stop(pid).await, Ok(()));
        // A link is none of its business.
        assert_eq!(receive::<Exit>().await.pid, pid);
    });
}
