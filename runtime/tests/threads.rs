//! The threads of runtimes: how many there are, when they run, and that they end.
//! They are counted, so this is one test: others would start threads of their own.

#![cfg(target_os = "linux")]

use std::fs;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use regrow_runtime::{Runtime, sleep, spawn};

/// Far more than any of this takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(25);

/// The names of all threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    // One that has just ended has no name.
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

/// Waits until there are so many.
fn wait_for_threads(count: usize) {
    let start = Instant::now();
    while threads().len() != count {
        assert!(start.elapsed() < PATIENCE, "{count}: {:?}", threads());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How often the thread of that name has gone to sleep; None if there is none, for
/// a thread names itself some time after its start.
fn sleeps_of(name: &str) -> Option<u64> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let mut paths = tasks.map(|task| task.unwrap().path());
    let is_it = |name_of: String| name_of.trim_end() == name;
    let path = paths.find(|path| fs::read_to_string(path.join("comm")).is_ok_and(is_it))?;
    let status = fs::read_to_string(path.join("status")).unwrap();
    let field = "voluntary_ctxt_switches:";
    let count = status.lines().find_map(|line| line.strip_prefix(field));
    Some(count.unwrap().trim().parse().unwrap())
}

#[test]
fn the_threads_of_runtimes_sleep_when_there_is_nothing_to_do_and_end_with_them() {
    let before = threads().len();
    every_thread_ends_with_its_runtime(before);
    spares_end_with_their_runtime(before);
    the_monitor_sleeps_while_all_workers_do(before);
    a_thread_that_is_left_behind_ends_when_its_process_lets_it(before);
}

fn every_thread_ends_with_its_runtime(before: usize) {
    for round in 0..100 {
        let runtime = Runtime::builder().workers(1 + round % 3).build().unwrap();
        assert_eq!(runtime.block_on(async { 5 }), 5);
        drop(runtime);
        wait_for_threads(before);
    }
}

fn spares_end_with_their_runtime(before: usize) {
    for _ in 0..10 {
        let runtime = Runtime::builder().workers(2).build().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        for number in 0..6 {
            let over = over.clone();
            runtime.spawn(async move {
                while !over.load(Ordering::SeqCst) {
                    match number % 2 {
                        0 => std::hint::spin_loop(),
                        _ => std::thread::sleep(Duration::from_millis(1)),
                    }
                }
                pending::<()>().await;
            });
        }
        let start = Instant::now();
        while runtime.handle().system_info().spares < 6 {
            assert!(start.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(1));
        }
        over.store(true, Ordering::SeqCst);
        drop(runtime);
        wait_for_threads(before);
    }
}

fn the_monitor_sleeps_while_all_workers_do(before: usize) {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    for _ in 0..3 {
        let start = Instant::now();
        loop {
            let sleeps = sleeps_of("regrow-monitor");
            // Awake, it would look 25 times meanwhile.
            std::thread::sleep(Duration::from_millis(50));
            if sleeps.is_some() && sleeps_of("regrow-monitor") == sleeps {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "it is awake for ever");
        }
        // And gets up with the first of them.
        runtime.block_on(async {
            sleep(Duration::from_millis(1)).await;
            let (told, telling) = mpsc::channel();
            let (told_too, telling_too) = mpsc::channel();
            spawn(async move { told.send(telling_too.recv()).unwrap() });
            spawn(async move { told_too.send(7).unwrap() });
            assert_eq!(telling.recv_timeout(PATIENCE), Ok(Ok(7)));
        });
    }
    drop(runtime);
    wait_for_threads(before);
}

fn a_thread_that_is_left_behind_ends_when_its_process_lets_it(before: usize) {
    for (workers, spare_workers) in [(1, 0), (1, 8), (2, 8)] {
        let patience = Duration::from_millis(200);
        let runtime = Runtime::builder()
            .workers(workers)
            .spare_workers(spare_workers)
            .shutdown_patience(patience)
            .build()
            .unwrap();
        let (started, is_started) = mpsc::channel();
        let (over, held) = (Arc::new(AtomicBool::new(false)), Arc::new(()));
        let (is_over, holds) = (over.clone(), held.clone());
        runtime.spawn(async move {
            let _holds = holds;
            started.send(()).unwrap();
            while !is_over.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
            // Uses what the runtime has, though that is over.
            spawn(sleep(Duration::from_millis(1)));
            sleep(Duration::from_millis(1)).await;
        });
        is_started.recv().unwrap();
        let handle = runtime.handle();
        let start = Instant::now();
        while spare_workers > 0 && handle.system_info().spares == 0 {
            assert!(start.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(1));
        }
        let start = Instant::now();
        drop(runtime);
        let took = start.elapsed();
        assert!(patience <= took && took < PATIENCE, "{took:?}");
        wait_for_threads(before + 1);
        assert_eq!(Arc::strong_count(&held), 2);
        over.store(true, Ordering::SeqCst);
        wait_for_threads(before);
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(handle.system_info().spares_started > 0, spare_workers > 0);
    }
}
