//! Threads, other executors, other runtimes.

use std::thread;

use regrow_runtime::{Handle, Runtime};

use super::*;

#[test]
#[should_panic(expected = "the registry `rooms` can only be used in a process, or with `on`")]
fn outside_a_process_a_name_says_nothing() {
    ROOMS.lookup("lobby");
}

#[test]
fn a_thread_looks_up_what_processes_have_registered() {
    let runtime = Runtime::new().unwrap();
    let rooms = ROOMS.on(&runtime.handle());
    assert_eq!(rooms.lookup("lobby"), None);
    let inside = rooms.clone();
    let (owner, topics) = runtime.block_on(async move {
        ROOMS.start_link().await.unwrap();
        TOPICS.start_link().await.unwrap();
        ROOMS.register("lobby", 1).unwrap();
        TOPICS.register("news", 2).unwrap();
        let topics = TOPICS.on(&Handle::current());
        let found = thread::spawn(move || (inside.lookup("lobby"), topics.lookup("news"), topics));
        let (lobby, news, topics) = found.join().unwrap();
        assert_eq!(
            (lobby, news),
            (Some((self_pid(), 1)), vec![(self_pid(), 2)])
        );
        (self_pid(), topics)
    });
    drop(runtime);
    // All is over, and the handles still hold.
    assert_eq!((rooms.lookup("lobby"), rooms.count()), (None, 0));
    assert_eq!((topics.keys(owner), topics.count()), (vec![], 0));
}

#[test]
fn a_thread_reaches_a_server_by_key() {
    let runtime = Runtime::new().unwrap();
    let (ready, when_ready) = std::sync::mpsc::channel();
    let rooms = ROOMS.on(&runtime.handle());
    let sender = rooms.clone();
    let caller = thread::spawn(move || {
        when_ready.recv().unwrap();
        sender.send("lobby", End(ExitReason::Normal)).unwrap();
        while sender.whereis("lobby").is_some() {
            thread::yield_now();
        }
    });
    runtime.block_on(async move {
        ROOMS.start_link().await.unwrap();
        let start = Worker::start_link(("one", self_pid())).via(ROOMS.via("lobby"));
        let server = start.await.unwrap();
        ready.send(()).unwrap();
        down(server.pid().unwrap()).await;
    });
    caller.join().unwrap();
}

#[test]
fn a_thread_locks_a_key() {
    let runtime = Runtime::new().unwrap();
    let rooms = ROOMS.on(&runtime.handle());
    runtime.block_on(async {
        ROOMS.start_link().await.unwrap();
        let lock = ROOMS.lock("lobby").await.unwrap();
        let test = self_pid();
        let waiting = thread::spawn(move || {
            let other = Runtime::new().unwrap();
            let lock = other.block_on(async move { rooms.lock("lobby").await });
            send(test, "locked");
            drop(lock.unwrap());
        });
        assert_none::<&str>().await;
        drop(lock);
        assert_eq!(receive::<&str>().await, "locked");
        waiting.join().unwrap();
        drop(ROOMS.lock("lobby").await.unwrap());
    });
}

#[test]
fn runtimes_side_by_side_have_registries_of_their_own() {
    let (one, two) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    one.block_on(async {
        ROOMS.start_link().await.unwrap();
        ROOMS.register("lobby", 1).unwrap();
        let beside = thread::spawn(move || {
            two.block_on(async {
                assert_eq!(ROOMS.lookup("lobby"), None);
                assert!(ROOMS.register("lobby", 2).is_err());
                ROOMS.start_link().await.unwrap();
                ROOMS.register("lobby", 2).unwrap();
                assert_eq!(ROOMS.lookup("lobby"), Some((self_pid(), 2)));
            });
        });
        beside.join().unwrap();
        assert_eq!(ROOMS.lookup("lobby"), Some((self_pid(), 1)));
    });
}

#[test]
fn handles_are_values() {
    fn value<T: Clone + Send + Sync + std::fmt::Debug + 'static>(_: &T) {}
    value(&ROOMS);
    value(&TOPICS);
    assert_eq!(
        format!("{ROOMS:?}"),
        r#"Registry { name: "rooms", is_found: false, .. }"#
    );
}
