//! When local processes run: beside the others of their worker, by priority, and soon.

mod common;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::run;
use regrow_runtime::{
    Down, ExitReason, Pid, Priority, Runtime, SpawnOptions, monitor, receive, send, spawn,
    spawn_local, yield_now,
};

const PATIENCE: Duration = Duration::from_secs(20);

async fn down(pid: Pid) -> ExitReason {
    let reference = monitor(pid);
    let of_it = move |down: &Down| down.reference == reference;
    receive::<Down>().matching(of_it).await.reason
}

#[test]
fn local_processes_and_others_share_a_worker() {
    run(1, async {
        let turns: [Arc<AtomicU32>; 4] = std::array::from_fn(|_| Arc::default());
        let over = Arc::new(AtomicBool::new(false));
        for (at, turns) in turns.iter().enumerate() {
            let (turns, over) = (turns.clone(), over.clone());
            let body = async move {
                while !over.load(Ordering::SeqCst) {
                    turns.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                }
            };
            match at % 2 {
                0 => spawn(body),
                _ => spawn_local(body),
            };
        }
        while turns[0].load(Ordering::SeqCst) < 1_000 {
            yield_now().await;
        }
        over.store(true, Ordering::SeqCst);
        let turns = turns.map(|turns| turns.load(Ordering::SeqCst));
        let most = turns.iter().max().unwrap();
        assert!(turns.iter().all(|it| it * 3 > *most), "{turns:?}");
    });
}

#[test]
fn local_processes_have_priorities_beside_the_others() {
    run(1, async {
        let (sender, receiver) = mpsc::channel();
        let order = [
            (Priority::Low, false),
            (Priority::Normal, true),
            (Priority::High, true),
            (Priority::Max, false),
            (Priority::Max, true),
        ];
        for (priority, local) in order {
            let sender = sender.clone();
            let options = SpawnOptions::new().priority(priority).monitor();
            let body = async move {
                for _ in 0..3 {
                    sender.send((priority, local)).unwrap();
                    yield_now().await;
                }
            };
            let born = match local {
                true => options.spawn_local(body),
                false => options.spawn(body),
            };
            born.unwrap();
        }
        for _ in 0..order.len() {
            assert_eq!(receive::<Down>().await.reason, ExitReason::Normal);
        }
        let seen: Vec<_> = receiver.try_iter().collect();
        assert_eq!(seen.len(), 15);
        assert!(seen[..6].iter().all(|it| it.0 == Priority::Max), "{seen:?}");
        assert!(seen[..2].iter().any(|it| it.1) && seen[..2].iter().any(|it| !it.1));
        assert!(
            seen[6..9].iter().all(|it| it.0 == Priority::High),
            "{seen:?}"
        );
    });
}

#[test]
fn a_flood_of_others_starves_no_local_process_of_its_priority() {
    for priority in [Priority::Low, Priority::Normal, Priority::High] {
        for local in [true, false] {
            run(1, async move {
                let options = move || SpawnOptions::new().priority(priority);
                let over = Arc::new(AtomicBool::new(false));
                for _ in 0..3 {
                    let over = over.clone();
                    let flood = async move {
                        while !over.load(Ordering::SeqCst) {
                            yield_now().await;
                        }
                    };
                    match local {
                        true => options().spawn(flood),
                        false => options().spawn_local(flood),
                    }
                    .unwrap();
                }
                let ends = async move {
                    for _ in 0..100 {
                        yield_now().await;
                    }
                    over.store(true, Ordering::SeqCst);
                };
                let ends = match local {
                    true => options().spawn_local(ends),
                    false => options().spawn(ends),
                };
                down(ends.unwrap().pid).await;
            });
        }
    }
}

#[test]
fn a_worker_that_sleeps_is_woken_for_its_local_processes() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let handle = runtime.handle();
    let (sender, receiver) = mpsc::channel();
    let locals = [0, 1].map(|_| {
        let sender = sender.clone();
        let make = move || async move {
            let sum = Cell::new(0_u64);
            loop {
                let number: u64 = receive().await;
                sum.set(sum.get() + number);
                sender.send(sum.get()).unwrap();
            }
        };
        let born = handle.spawn_local_with(SpawnOptions::new(), make);
        born.unwrap().pid
    });
    for round in 1..=200_u64 {
        for local in locals {
            match round % 3 {
                0 => drop(handle.send_after(Duration::from_micros(100), local, 1_u64)),
                _ => send(local, 1_u64),
            }
            assert_eq!(receiver.recv_timeout(PATIENCE), Ok(round));
        }
        if round % 10 == 0 {
            let deadline = Instant::now() + PATIENCE;
            while handle.system_info().workers.iter().any(|it| !it.sleeping) {
                assert!(Instant::now() < deadline, "nobody sleeps");
                thread::yield_now();
            }
        }
    }
}
