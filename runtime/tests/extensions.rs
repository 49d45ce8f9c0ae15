//! Values that belong to a runtime.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use regrow_runtime::{
    Handle, Runtime, exit, receive_down, seems_alive, simulate_seeds, spawn, spawn_monitor,
};

static DROPPED: AtomicU32 = AtomicU32::new(0);

#[derive(Default)]
struct Counter(AtomicU32);

impl Counter {
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

#[derive(Default)]
struct Other(Mutex<Vec<u8>>);

fn next() -> u32 {
    Handle::current().extension::<Counter>().next()
}

#[test]
fn all_of_a_runtime_find_the_same_and_those_of_another_do_not() {
    let (one, two) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    one.block_on(async {
        for _ in 0..10 {
            receive_down(spawn_monitor(async { _ = next() }).1).await;
        }
        assert_eq!(next(), 10);
    });
    assert_eq!(one.handle().extension::<Counter>().next(), 11);
    assert_eq!(two.handle().extension::<Counter>().next(), 0);
}

#[test]
fn each_type_has_a_value_of_its_own() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    handle.extension::<Other>().0.lock().unwrap().push(1);
    assert_eq!(handle.extension::<Counter>().next(), 0);
    assert_eq!(*handle.extension::<Other>().0.lock().unwrap(), [1]);
}

#[test]
fn many_that_ask_at_once_get_one() {
    for _ in 0..50 {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle();
        let mut found = std::thread::scope(|scope| {
            let ask = || scope.spawn(|| handle.extension::<Counter>().next());
            let threads: Vec<_> = (0..8).map(|_| ask()).collect();
            let found = threads.into_iter().map(|thread| thread.join().unwrap());
            found.collect::<Vec<_>>()
        });
        found.sort_unstable();
        assert_eq!(found, (0..8).collect::<Vec<_>>());
    }
}

#[test]
fn simulations_have_their_own_each_time() {
    simulate_seeds(0..20, || async { assert_eq!(next(), 0) });
}

#[derive(Default)]
struct Dropped(Arc<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
        panic!("contained");
    }
}

#[test]
fn they_go_with_the_runtime_and_a_panic_in_that_is_contained() {
    let runtime = Runtime::new().unwrap();
    runtime.handle().extension::<Dropped>();
    runtime.block_on(async {
        let kept = Handle::current().extension::<Dropped>();
        assert_eq!(Arc::strong_count(&kept.0), 1);
    });
    assert_eq!(DROPPED.load(Ordering::SeqCst), 0);
    drop(runtime);
    assert_eq!(DROPPED.load(Ordering::SeqCst), 1);
}

#[test]
fn a_process_seems_alive_from_its_birth_to_its_end_from_any_thread() {
    let runtime = Runtime::new().unwrap();
    let (pid, dead) = runtime.block_on(async {
        let (dead, end) = spawn_monitor(async {});
        receive_down(end).await;
        (spawn(std::future::pending::<()>()), dead)
    });
    assert!(seems_alive(pid));
    assert!(!seems_alive(dead));
    exit(pid, regrow_runtime::ExitReason::Kill);
    while seems_alive(pid) {
        std::thread::yield_now();
    }
}

#[test]
fn whoever_hears_of_an_end_finds_the_process_dead() {
    simulate_seeds(0..20, || async {
        let (pid, end) = spawn_monitor(async {});
        assert!(seems_alive(pid));
        receive_down(end).await;
        assert!(!seems_alive(pid));
    });
}
