//! Runtimes: several side by side, and their end.

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::run;
use futures_lite::future::block_on;
use regrow_runtime::{
    Down, Exit, ExitReason, Handle, Pid, Reply, ReplyError, ReplyTo, Runtime, SpawnError,
    SpawnOptions, exit, is_alive, link, monitor, process_info, receive, reply_channel, self_pid,
    send, sleep, spawn, spawn_link, spawn_monitor, trap_exit, try_self_pid, yield_now,
};

/// Far less than a drop waits here for a thread that is stuck.
const SOON: Duration = Duration::from_secs(8);

fn runtime(workers: usize) -> Runtime {
    let builder = Runtime::builder().workers(workers);
    builder
        .shutdown_patience(Duration::from_secs(20))
        .build()
        .unwrap()
}

struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Drops a runtime; it must not take long.
fn drop_soon(runtime: Runtime) {
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn block_on_gives_the_output_and_a_runtime_can_be_used_again_and_again() {
    let runtime = runtime(2);
    for number in 0..500 {
        assert_eq!(runtime.block_on(async move { number * 2 }), number * 2);
    }
    assert_eq!(try_self_pid(), None);
    assert!(Handle::try_current().is_none());
}

#[test]
fn block_on_panics_with_the_reason_of_its_process() {
    let runtime = runtime(1);
    let text = |body: fn(&Runtime)| {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(&runtime)));
        let payload = ended.unwrap_err();
        payload
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| {
                let text = payload.downcast_ref::<&str>().unwrap();
                (*text).to_owned()
            })
    };
    assert!(text(|it| it.block_on(async { panic!("inside") })).ends_with("inside"));
    let killed = text(|it| {
        it.block_on(async {
            let me = self_pid();
            spawn(async move { exit(me, ExitReason::Kill) });
            pending::<()>().await;
        });
    });
    assert!(killed.ends_with("killed"), "{killed}");
    assert!(
        text(|it| it.block_on(async { exit(self_pid(), ExitReason::error("bye")) }))
            .ends_with("bye")
    );
    assert_eq!(runtime.block_on(async { 5 }), 5);
}

#[test]
fn block_on_refuses_to_block_a_process() {
    run(1, async {
        let (_, _) = spawn_monitor(async { Runtime::new().unwrap().block_on(async {}) });
        let reason = receive::<Down>().await.reason;
        assert!(
            reason.to_string().contains("inside a regrow process"),
            "{reason}"
        );
    });
}

#[test]
fn runtimes_side_by_side_share_no_processes_and_can_talk() {
    let all: Vec<Runtime> = (1..=4).map(runtime).collect();
    let pids: Vec<Pid> = all
        .iter()
        .map(|it| {
            it.spawn(async {
                loop {
                    let (number, reply_to) = receive::<(u32, ReplyTo<u32>)>().await;
                    reply_to.send(number + 1);
                }
            })
        })
        .collect();
    for (index, it) in all.iter().enumerate() {
        let pids = pids.clone();
        assert_eq!(it.handle().workers(), index + 1);
        let sum = it.block_on(async move {
            let mine = regrow_runtime::processes();
            assert_eq!(mine.len(), 2);
            assert!(mine.contains(&pids[index]) && mine.contains(&self_pid()));
            let mut number = 0_u32;
            for _ in 0..50 {
                for pid in &pids {
                    let (reply_to, reply) = reply_channel();
                    send(*pid, (number, reply_to));
                    number = reply.await.unwrap();
                }
            }
            number
        });
        assert_eq!(sum, 200);
    }
}

#[test]
fn links_and_monitors_reach_across_runtimes_and_their_drop() {
    let (here, there) = (runtime(1), runtime(1));
    let victims = [(); 2].map(|()| there.spawn(pending::<()>()));
    let (told, telling) = mpsc::channel();
    here.spawn(async move {
        trap_exit(true);
        link(victims[0]);
        monitor(victims[1]);
        process_info(victims[0]).await;
        process_info(victims[1]).await;
        told.send(None).unwrap();
        let exit = receive::<Exit>().await;
        let down = receive::<Down>().await;
        told.send(Some([(exit.pid, exit.reason), (down.pid, down.reason)]))
            .unwrap();
    });
    assert_eq!(telling.recv_timeout(SOON), Ok(None));
    drop_soon(there);
    let expected = victims.map(|pid| (pid, ExitReason::Killed));
    assert_eq!(telling.recv_timeout(SOON), Ok(Some(expected)));
}

#[test]
fn runtimes_can_be_started_and_dropped_many_times() {
    for round in 0..150 {
        let runtime = runtime(1 + round % 3);
        match round % 4 {
            0 => {}
            1 => drop(runtime.spawn(pending::<()>()).to_string()),
            2 => runtime.block_on(async {
                for _ in 0..20 {
                    spawn_link(async {
                        loop {
                            yield_now().await
                        }
                    });
                }
            }),
            _ => runtime.block_on(async {
                spawn(sleep(Duration::from_secs(60)));
                sleep(Duration::from_millis(1)).await;
            }),
        }
        drop_soon(runtime);
    }
}

#[test]
fn runtimes_can_come_and_go_on_many_threads_at_once() {
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            std::thread::spawn(move || {
                for round in 0..30 {
                    let runtime = runtime(1 + (thread + round) as usize % 2);
                    let sum = runtime.block_on(async move {
                        let me = self_pid();
                        for number in 0..100 {
                            spawn(async move { send(me, number + round) });
                        }
                        let mut sum = 0;
                        for _ in 0..100 {
                            sum += receive::<u64>().await;
                        }
                        sum
                    });
                    assert_eq!(sum, 4_950 + 100 * round);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn the_drop_kills_every_process_and_drops_all_that_they_have() {
    for workers in [1, 3] {
        let runtime = runtime(workers);
        let drops = Arc::new(AtomicU32::new(0));
        for number in 0..600 {
            let counted = Counted(drops.clone());
            let pid = runtime.spawn(async move {
                let _counted = counted;
                trap_exit(number % 2 == 0);
                match number % 4 {
                    0 => loop {
                        yield_now().await;
                    },
                    1 => sleep(Duration::from_secs(3_600)).await,
                    2 => loop {
                        drop(receive::<Exit>().await);
                    },
                    _ => pending().await,
                }
            });
            send(pid, Counted(drops.clone()));
        }
        drop_soon(runtime);
        assert_eq!(drops.load(Ordering::SeqCst), 1_200);
    }
}

#[test]
fn what_dying_processes_spawn_during_the_drop_dies_too() {
    struct Heir(u32, Arc<AtomicU32>);
    impl Drop for Heir {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
            if self.0 > 0 {
                let next = Heir(self.0 - 1, self.1.clone());
                spawn(async move {
                    let _next = next;
                    pending::<()>().await;
                });
            }
        }
    }
    let runtime = runtime(2);
    let drops = Arc::new(AtomicU32::new(0));
    let first = Heir(50, drops.clone());
    runtime.spawn(async move {
        let _first = first;
        pending::<()>().await;
    });
    drop_soon(runtime);
    assert_eq!(drops.load(Ordering::SeqCst), 51);
}

#[test]
fn panics_in_drops_do_not_hold_up_the_end_of_a_runtime() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    let runtime = runtime(2);
    for _ in 0..50 {
        let panics = Panics;
        let pid = runtime.spawn(async move {
            let _panics = panics;
            pending::<()>().await;
        });
        send(pid, Panics);
    }
    drop_soon(runtime);
}

#[test]
fn a_runtime_can_be_dropped_inside_one_of_its_own_processes() {
    for workers in [1, 2] {
        for _ in 0..20 {
            let runtime = runtime(workers);
            let handle = runtime.handle();
            let drops = Arc::new(AtomicU32::new(0));
            for _ in 0..10 {
                let counted = Counted(drops.clone());
                runtime.spawn(async move {
                    let _counted = counted;
                    pending::<()>().await;
                });
            }
            let (told, telling) = mpsc::channel::<()>();
            let pid = runtime.spawn(async move {
                // Gone when the process is.
                let _told = told;
                drop(receive::<Runtime>().await);
                pending::<()>().await;
            });
            send(pid, runtime);
            let gone = telling.recv_timeout(SOON);
            assert_eq!(gone, Err(mpsc::RecvTimeoutError::Disconnected));
            let start = Instant::now();
            while drops.load(Ordering::SeqCst) < 10 || !handle.processes().is_empty() {
                assert!(start.elapsed() < SOON);
                std::thread::yield_now();
            }
        }
    }
}

#[test]
fn a_runtime_can_be_dropped_inside_a_process_of_another() {
    let (here, there) = (runtime(1), runtime(1));
    let pid = there.spawn(pending::<()>());
    let ended = here.block_on(async move {
        let (_, reference) = (pid, monitor(pid));
        process_info(pid).await;
        drop_soon(there);
        let down = receive::<Down>().await;
        assert_eq!(down.reference, reference);
        down.reason
    });
    assert_eq!(ended, ExitReason::Killed);
}

#[test]
fn after_the_drop_a_handle_finds_nothing_and_harms_nothing() {
    let runtime = runtime(1);
    let handle = runtime.handle();
    let options = SpawnOptions::new().name("it");
    let pid = handle.spawn_with(options, pending::<()>()).unwrap().pid;
    drop_soon(runtime);
    assert_eq!(handle.whereis("it"), None);
    assert!(handle.processes().is_empty());
    assert!(handle.register("it", pid).is_err());
    assert!(handle.send_named("it", 1).is_err());
    let refused = handle.spawn_with(SpawnOptions::new(), async {});
    assert_eq!(refused.unwrap_err(), SpawnError::Stopped);
    send(pid, 1);
    exit(pid, ExitReason::Kill);
    assert!(!block_on(is_alive(pid)));
    assert_eq!(handle.system_info().processes, 0);
}

#[test]
fn a_call_that_the_drop_interrupts_is_told() {
    let runtime = runtime(2);
    let replies: Vec<Reply<()>> = (0..100)
        .map(|number| {
            let (reply_to, reply) = reply_channel();
            let pid = runtime.spawn(async move {
                let _held = match number % 2 {
                    0 => Some(receive::<ReplyTo<()>>().await),
                    _ => None,
                };
                pending::<()>().await;
            });
            send(pid, reply_to);
            reply
        })
        .collect();
    drop_soon(runtime);
    for reply in replies {
        let told = block_on(reply);
        assert!(matches!(told, Err(ReplyError::Exit(_))), "{told:?}");
    }
}

#[test]
fn threads_that_keep_sending_and_spawning_do_not_hold_up_the_drop() {
    for _ in 0..20 {
        let runtime = runtime(2);
        let target = runtime.spawn(async {
            loop {
                receive::<u64>().await;
            }
        });
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let handle = runtime.handle();
                std::thread::spawn(move || {
                    loop {
                        send(target, 1_u64);
                        let options = SpawnOptions::new();
                        match handle.spawn_with(options, pending::<()>()) {
                            Ok(spawned) => send(spawned.pid, 1_u64),
                            Err(error) => return assert_eq!(error, SpawnError::Stopped),
                        }
                    }
                })
            })
            .collect();
        std::thread::yield_now();
        let handle = runtime.handle();
        drop_soon(runtime);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(handle.processes().is_empty());
    }
}
