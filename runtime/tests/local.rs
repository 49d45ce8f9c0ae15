//! Local processes: bodies that are not `Send`, each on one worker.

mod common;

use std::collections::HashSet;
use std::future::pending;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use common::run;
use regrow_runtime::{
    Down, Exit, ExitReason, Handle, Pid, Runtime, SpawnError, SpawnOptions, blocking, exit,
    monitor, process_info, receive, reply_channel, self_pid, send, sleep, spawn, spawn_local,
    spawn_monitor, trap_exit, try_self_pid, whereis, yield_now,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Is not `Send`, and counts the drops that were on its own thread.
struct Homely {
    thread: ThreadId,
    drops: Arc<AtomicU32>,
    _not_send: Rc<()>,
}

impl Homely {
    fn new(drops: &Arc<AtomicU32>) -> Self {
        Homely {
            thread: thread::current().id(),
            drops: drops.clone(),
            _not_send: Rc::new(()),
        }
    }

    fn check(&self) {
        assert_eq!(thread::current().id(), self.thread);
    }
}

impl Drop for Homely {
    fn drop(&mut self) {
        self.check();
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

async fn down(pid: Pid) -> ExitReason {
    let reference = monitor(pid);
    let of_it = move |down: &Down| down.reference == reference;
    receive::<Down>().matching(of_it).await.reason
}

#[test]
fn a_local_process_stays_on_its_thread_whoever_wakes_it() {
    run(4, async {
        let me = self_pid();
        let drops = Arc::new(AtomicU32::new(0));
        // They keep every worker looking for something to steal.
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..6 {
            let over = over.clone();
            spawn(async move {
                while !over.load(Ordering::SeqCst) {
                    yield_now().await;
                }
            });
        }
        let locals: Vec<Pid> = (0..20_u32)
            .map(|number| {
                let drops = drops.clone();
                spawn_local(async move {
                    let home = Homely::new(&drops);
                    for round in 0..30 {
                        match (number + round) % 5 {
                            0 => yield_now().await,
                            1 => sleep(Duration::from_micros(300)).await,
                            2 => assert_eq!(blocking(move || round).await, round),
                            3 => {
                                let (reply_to, reply) = reply_channel();
                                spawn(async move { reply_to.send(round) });
                                assert_eq!(reply.await, Ok(round));
                            }
                            _ => {
                                send(me, self_pid());
                                receive::<char>().await;
                            }
                        }
                        home.check();
                    }
                })
            })
            .collect();
        for _ in 0..20 * 6 {
            let asks: Pid = receive().await;
            send(asks, 'a');
        }
        for pid in locals {
            let reason = down(pid).await;
            assert!(
                matches!(reason, ExitReason::Normal | ExitReason::NoProc),
                "{reason}"
            );
        }
        over.store(true, Ordering::SeqCst);
        assert_eq!(drops.load(Ordering::SeqCst), 20);
    });
}

#[test]
fn nobody_runs_a_local_process_while_its_worker_is_busy() {
    run(2, async {
        let me = self_pid();
        let drops = Arc::new(AtomicU32::new(0));
        for _ in 0..20 {
            let (locked, drops) = (Arc::new(AtomicBool::new(false)), drops.clone());
            let (is_locked, ran) = (locked.clone(), Arc::new(AtomicBool::new(false)));
            let has_run = ran.clone();
            let (open, gate) = mpsc::channel();
            let local = spawn_local(async move {
                let home = Homely::new(&drops);
                // Blocks the worker, on purpose, by a neighbour of its own.
                let neighbour = spawn_local(async move {
                    locked.store(true, Ordering::SeqCst);
                    gate.recv_timeout(PATIENCE).unwrap();
                    assert!(!has_run.load(Ordering::SeqCst));
                });
                receive::<char>().await;
                ran.store(true, Ordering::SeqCst);
                home.check();
                send(me, down(neighbour).await);
            });
            while !is_locked.load(Ordering::SeqCst) {
                yield_now().await;
            }
            send(local, 'w');
            // The other worker, which we are on, has nothing else to do.
            for _ in 0..200 {
                yield_now().await;
            }
            open.send(()).unwrap();
            let reason: ExitReason = receive().await;
            assert!(
                matches!(reason, ExitReason::Normal | ExitReason::NoProc),
                "{reason}"
            );
        }
        while drops.load(Ordering::SeqCst) < 20 {
            yield_now().await;
        }
    });
}

#[test]
fn links_monitors_names_and_reasons_are_as_of_any_process() {
    run(2, async {
        let options = || SpawnOptions::new().name("hermit").label("stays").monitor();
        let first = options().spawn_local(async {
            let _held = Rc::new(());
            pending::<()>().await;
        });
        let first = first.unwrap();
        assert_eq!(whereis("hermit"), Some(first.pid));
        let info = process_info(first.pid).await.unwrap();
        assert_eq!(info.label.as_deref(), Some("stays"));
        assert_eq!(
            (info.parent, info.spawned_at.file()),
            (Some(self_pid()), file!())
        );
        let drops = Arc::new(AtomicU32::new(0));
        let home = Homely::new(&drops);
        let taken = options().spawn_local(async move { home.check() });
        assert!(matches!(taken, Err(SpawnError::NameTaken { .. })));
        assert_eq!(drops.load(Ordering::SeqCst), 1, "dropped, never run");
        exit(first.pid, ExitReason::Shutdown);
        let down = receive::<Down>().await;
        assert_eq!(
            (Some(down.reference), down.reason),
            (first.monitor, ExitReason::Shutdown)
        );
        assert_eq!(whereis("hermit"), None);

        trap_exit(true);
        let options = SpawnOptions::new().link();
        let crash = options.spawn_local(async {
            let held = Rc::new("inside");
            yield_now().await;
            panic!("{held}");
        });
        let exit = receive::<Exit>().await;
        assert_eq!(exit.pid, crash.unwrap().pid);
        let ExitReason::Panic(info) = exit.reason else {
            panic!("{}", exit.reason);
        };
        assert_eq!(info.message(), "inside");
    });
}

#[test]
fn a_killed_local_process_is_dropped_on_its_thread() {
    run(3, async {
        let drops = Arc::new(AtomicU32::new(0));
        for round in 1..=100 {
            let held = drops.clone();
            let make = move || async move {
                let _home = Homely::new(&held);
                if round % 2 == 0 {
                    pending::<()>().await;
                }
                loop {
                    yield_now().await;
                }
            };
            let local = Handle::current().spawn_local_with(SpawnOptions::new(), make);
            let pid = local.unwrap().pid;
            if round % 3 != 0 {
                yield_now().await;
            }
            let begun = process_info(pid)
                .await
                .is_some_and(|info| info.reductions > 0);
            exit(pid, ExitReason::Kill);
            down(pid).await;
            let before = drops.load(Ordering::SeqCst);
            assert!(!begun || before > 0);
        }
    });
}

#[test]
fn from_outside_each_goes_to_another_worker_and_is_made_there() {
    let runtime = Runtime::builder().workers(3).build().unwrap();
    let (sender, receiver) = mpsc::channel();
    for _ in 0..6 {
        let sender = sender.clone();
        let make = move || {
            let made = thread::current().id();
            let me = try_self_pid();
            let held = Rc::new(());
            async move {
                for _ in 0..10 {
                    yield_now().await;
                }
                assert_eq!((thread::current().id(), try_self_pid()), (made, me));
                sender.send(made).unwrap();
                drop(held);
            }
        };
        let born = runtime.handle().spawn_local_with(SpawnOptions::new(), make);
        born.unwrap();
    }
    let threads: Vec<_> = (0..6)
        .map(|_| receiver.recv_timeout(PATIENCE).unwrap())
        .collect();
    let different: HashSet<_> = threads.iter().collect();
    assert_eq!(different.len(), 3);
    assert!(!different.contains(&thread::current().id()));
}

#[test]
fn a_panic_while_it_is_made_ends_the_process() {
    run(1, async {
        let make = || -> std::future::Pending<()> { panic!("no body") };
        let options = SpawnOptions::new().monitor();
        Handle::current().spawn_local_with(options, make).unwrap();
        let reason = receive::<Down>().await.reason;
        assert!(reason.to_string().ends_with("no body"));
    });
}

#[test]
fn what_is_not_spawned_is_dropped_and_never_made() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let handle = runtime.handle();
    let name = || SpawnOptions::new().name("only one");
    handle.spawn_with(name(), pending::<()>()).unwrap();
    let taken = handle.spawn_local_with(name(), || -> std::future::Pending<()> {
        panic!("it must not be made")
    });
    assert!(matches!(taken, Err(SpawnError::NameTaken { .. })));
    drop(runtime);
    let late = handle.spawn_local_with(SpawnOptions::new(), || async {});
    assert_eq!(late, Err(SpawnError::Stopped));
}

#[test]
fn the_drop_of_a_runtime_ends_local_processes_each_on_its_thread() {
    let drops = Arc::new(AtomicU32::new(0));
    for _ in 0..20 {
        let runtime = Runtime::builder().workers(2).build().unwrap();
        for number in 0..6 {
            let held = drops.clone();
            let make = move || {
                let home = Homely::new(&held);
                async move {
                    let _home = home;
                    if number % 2 == 0 {
                        pending::<()>().await;
                    }
                    loop {
                        yield_now().await;
                    }
                }
            };
            let born = runtime.handle().spawn_local_with(SpawnOptions::new(), make);
            born.unwrap();
        }
        // Also those of a process.
        let held = drops.clone();
        runtime.block_on(async move {
            spawn_local(async move {
                let _home = Homely::new(&held);
                pending::<()>().await;
            });
            yield_now().await;
            for _ in 0..100 {
                yield_now().await;
            }
        });
        let start = Instant::now();
        drop(runtime);
        assert!(start.elapsed() < PATIENCE / 3);
    }
    assert!(drops.load(Ordering::SeqCst) >= 20);
}

#[test]
fn local_processes_of_two_runtimes_call_each_other() {
    let runtimes = [1, 2].map(|workers| Runtime::builder().workers(workers).build().unwrap());
    let [asking, answering] = &runtimes;
    let make = || async {
        let held = Rc::new(());
        loop {
            let (from, number): (Pid, u32) = receive().await;
            send(from, number + Rc::strong_count(&held) as u32);
        }
    };
    let answers = answering
        .handle()
        .spawn_local_with(SpawnOptions::new(), make);
    let answers = answers.unwrap().pid;
    asking.block_on(async move {
        spawn_monitor(async move {
            let local = spawn_local(async move {
                let _held = Rc::new(());
                for number in 0..500 {
                    send(answers, (self_pid(), number));
                    assert_eq!(receive::<u32>().await, number + 1);
                }
            });
            down(local).await;
        });
        assert_eq!(receive::<Down>().await.reason, ExitReason::Normal);
    });
}

#[test]
#[should_panic(expected = "`spawn_local` must be called inside a regrow process")]
fn outside_a_process_there_is_no_worker_to_stay_on() {
    spawn_local(async {});
}
