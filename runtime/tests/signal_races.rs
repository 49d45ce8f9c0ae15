//! What two do at the same instant: many rounds of the races that OTP's suites know.

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::run;
use regrow_runtime::{
    Down, Exit, ExitReason, MonitorRef, Pid, RegisterError, Runtime, demonitor, demonitor_flush,
    exit, is_alive, link, monitor, process_info, receive, register, self_pid, send, spawn,
    spawn_link, spawn_monitor, trap_exit, try_receive_matching, unlink, whereis, yield_now,
};

/// Far more than any of this takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends with what it is told to.
async fn ends_as_told() -> ExitReason {
    receive().await
}

fn boom() -> ExitReason {
    ExitReason::error("boom")
}

async fn down(reference: MonitorRef) -> ExitReason {
    let mine = move |down: &Down| down.reference == reference;
    receive::<Down>().matching(mine).await.reason
}

async fn down_by_now() -> Option<Down> {
    receive::<Down>().timeout(Duration::ZERO).await.ok()
}

/// Waits for a number of rounds, so that two meet at different places.
fn spin(rounds: u32) {
    for _ in 0..rounds {
        std::hint::spin_loop();
    }
}

#[test]
fn demonitor_against_the_end_gives_the_down_or_true_and_never_both() {
    run(3, async {
        let mut active = [0, 0];
        for round in 0..3_000 {
            let (pid, reference) = spawn_monitor(ends_as_told());
            if round % 2 == 0 {
                send(pid, boom());
            } else {
                exit(pid, boom());
            }
            if round % 3 == 0 {
                yield_now().await;
            }
            spin(round % 500);
            let was_active = demonitor(reference);
            active[usize::from(was_active)] += 1;
            let told = down_by_now().await.is_some();
            assert_eq!(told, !was_active, "round {round}");
            assert!(down_by_now().await.is_none());
        }
        assert!(active.iter().all(|it| *it > 0), "{active:?}");
    });
}

#[test]
fn unlink_and_flush_against_the_end_leaves_no_exit() {
    run(3, async {
        trap_exit(true);
        for round in 0..3_000 {
            let pid = spawn_link(ends_as_told());
            send(pid, boom());
            if round % 3 == 0 {
                yield_now().await;
            }
            spin(round % 500);
            unlink(pid);
            let in_the_mailbox = try_receive_matching(|exit: &Exit| exit.pid == pid);
            assert!(in_the_mailbox.is_none_or(|exit| exit.reason == boom()));
            assert!(receive::<Exit>().timeout(Duration::ZERO).await.is_err());
        }
    });
}

#[test]
fn a_name_is_free_for_the_next_as_soon_as_the_killed_is_known_to_be_gone() {
    run(3, async {
        for round in 0..3_000 {
            let pid = spawn(pending::<()>());
            register("one after the other", pid).expect("its turn");
            assert_eq!(whereis("one after the other"), Some(pid));
            exit(pid, ExitReason::Kill);
            if round % 2 == 0 {
                assert!(!is_alive(pid).await);
            } else {
                down(monitor(pid)).await;
            }
        }
    });
}

#[test]
fn a_name_of_one_that_is_being_killed_is_taken_or_free_but_soon_free() {
    run(3, async {
        let mut refused = 0;
        for _ in 0..2_000 {
            let first = spawn(pending::<()>());
            register("contended", first).expect("it is free");
            exit(first, ExitReason::Kill);
            let second = spawn(pending::<()>());
            // It keeps the name until it really ends, and not a moment longer.
            while let Err(error) = register("contended", second) {
                let NameTaken { pid, .. } = error else {
                    panic!("{error}");
                };
                assert_eq!(pid, first);
                refused += 1;
                yield_now().await;
            }
            assert_eq!(whereis("contended"), Some(second));
            exit(second, ExitReason::Kill);
            assert!(!is_alive(second).await);
        }
        assert!(refused > 0, "a signal takes its time");
    });
    use RegisterError::NameTaken;
}

#[test]
fn no_child_spawned_linked_survives_a_parent_that_ends_at_once() {
    run(3, async {
        let me = self_pid();
        for _ in 0..10_000 {
            spawn(async move {
                send(me, spawn_link(pending::<()>()));
                boom()
            });
            let reason = down(monitor(receive::<Pid>().await)).await;
            assert!(reason == boom() || reason == ExitReason::NoProc, "{reason}");
        }
    });
}

#[test]
fn no_child_born_trapping_misses_the_end_of_a_parent_that_ends_at_once() {
    const ROUNDS: u32 = 10_000;
    run(3, async {
        let me = self_pid();
        for round in 0..ROUNDS {
            let reason = if round % 2 == 0 {
                boom()
            } else {
                // A reason of some size.
                ExitReason::error("a long story ".repeat(20))
            };
            let wanted = reason.clone();
            spawn(async move {
                let options = regrow_runtime::SpawnOptions::new().link().trap_exit(true);
                let child = options.spawn(async move {
                    let exit = receive::<Exit>().await;
                    send(me, (exit.pid, exit.reason));
                });
                child.expect("there is room");
                reason
            });
            let (_, reason): (Pid, ExitReason) = receive().await;
            assert_eq!(reason, wanted);
        }
    });
}

#[test]
fn messages_to_processes_that_are_being_born_arrive_once_and_in_order() {
    let runtime = Runtime::builder().workers(2).build().expect("it starts");
    let handle = runtime.handle();
    let stop = Arc::new(AtomicBool::new(false));
    // Not to the one that waits for them all: it would drown in noise.
    let (mother, known) = std::sync::mpsc::channel();
    let pest = {
        let (handle, stop) = (handle.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut sent = 0_u64;
            let mother: Pid = known.recv().expect("it starts");
            while !stop.load(Ordering::Relaxed) {
                for pid in handle.processes() {
                    if pid != mother {
                        send(pid, "noise");
                        sent += 1;
                    }
                }
            }
            sent
        })
    };
    runtime.block_on(async move {
        mother.send(self_pid()).expect("it listens");
        for _ in 0..5_000 {
            let (child, reference) = spawn_monitor(async {
                for n in 0..4_u8 {
                    assert_eq!(receive::<u8>().await, n);
                }
            });
            for n in 0..4_u8 {
                send(child, n);
            }
            assert_eq!(down(reference).await, ExitReason::Normal);
        }
    });
    stop.store(true, Ordering::Relaxed);
    assert!(pest.join().expect("it ends") > 0);
}

#[test]
fn monitors_from_both_sides_are_gone_whoever_ends_first() {
    run(3, async {
        for round in 0..1_000 {
            let watches = |_| {
                spawn_monitor(async {
                    let other: Pid = receive().await;
                    let references = [(); 3].map(|()| monitor(other));
                    demonitor_flush(references[1]);
                    ends_as_told().await
                })
            };
            let [(a, down_a), (b, down_b)] = [0, 1].map(watches);
            send(a, b);
            send(b, a);
            let (first, second) = if round % 2 == 0 { (a, b) } else { (b, a) };
            if round % 3 == 0 {
                yield_now().await;
            }
            send(first, boom());
            if round % 5 == 0 {
                send(second, boom());
            }
            let of_first = if first == a { down_a } else { down_b };
            assert_eq!(down(of_first).await, boom());
            if round % 5 > 0 {
                // We are told first, and then those whom it has monitored.
                let start = Instant::now();
                loop {
                    let info = process_info(second).await.expect("it lives");
                    if info.monitored_by.iter().all(|it| *it == self_pid()) {
                        break;
                    }
                    assert!(start.elapsed() < PATIENCE, "{:?}", info.monitored_by);
                    yield_now().await;
                }
                send(second, boom());
            }
            assert!(!is_alive(first).await);
            down(monitor(second)).await;
            demonitor_flush(down_a);
            demonitor_flush(down_b);
        }
        let me = process_info(self_pid()).await.expect("it lives");
        assert!(me.monitors.is_empty() && me.monitored_by.is_empty());
    });
}

#[test]
fn a_kill_in_a_chain_of_any_length_arrives_as_killed_and_ones_own_as_kill() {
    /// Spawns one linked to itself, and so on; the last does as it is told.
    async fn chain(left: u32, first: Pid, by_itself: bool) -> ExitReason {
        if left > 1 {
            spawn_link(boxed(left - 1, first, by_itself));
            pending::<()>().await;
        }
        if by_itself {
            return ExitReason::Kill;
        }
        send(first, self_pid());
        pending().await
    }
    fn boxed(
        left: u32,
        first: Pid,
        by_itself: bool,
    ) -> std::pin::Pin<Box<dyn Future<Output = ExitReason> + Send>> {
        Box::pin(chain(left, first, by_itself))
    }
    run(3, async {
        trap_exit(true);
        for _ in 0..50 {
            for length in [1, 2, 9, 10] {
                let first = spawn_link(boxed(length, self_pid(), true));
                let exit_of_first = receive::<Exit>().await;
                assert_eq!(exit_of_first.pid, first);
                assert_eq!(exit_of_first.reason, ExitReason::Kill, "{length}");

                let first = spawn_link(boxed(length, self_pid(), false));
                exit(receive::<Pid>().await, ExitReason::Kill);
                let exit_of_first = receive::<Exit>().await;
                assert_eq!(exit_of_first.pid, first);
                assert_eq!(exit_of_first.reason, ExitReason::Killed, "{length}");
            }
        }
    });
}

#[test]
fn a_link_against_the_end_of_the_other_is_told_once() {
    run(3, async {
        trap_exit(true);
        let mut reasons = [0, 0];
        for round in 0..3_000 {
            let pid = spawn(ends_as_told());
            send(pid, boom());
            spin(round % 700);
            link(pid);
            let exit = receive::<Exit>().await;
            assert_eq!(exit.pid, pid);
            assert!(exit.reason == boom() || exit.reason == ExitReason::NoProc);
            reasons[usize::from(exit.reason == boom())] += 1;
            assert!(receive::<Exit>().timeout(Duration::ZERO).await.is_err());
        }
        let me = process_info(self_pid()).await.expect("it lives");
        assert!(me.links.is_empty(), "{reasons:?}");
    });
}
