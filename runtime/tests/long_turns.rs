//! Processes that compute or block for long without an await hold up nobody else.

mod common;

use std::future::pending;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use common::run;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::{
    Handle, Pid, Runtime, SystemInfo, blocking, net, receive, self_pid, send, send_after, sleep,
    spawn, spawn_link, spawn_local, yield_now,
};

/// Far more than any of this takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(25);

/// Computes, without an await, until `done`.
fn spin_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "it is held up");
        std::hint::spin_loop();
    }
}

fn spin_for(time: Duration) {
    let start = Instant::now();
    spin_until(|| start.elapsed() >= time);
}

/// Looks now and then, from a thread that is no worker.
fn wait_for(handle: &Handle, what: impl Fn(SystemInfo) -> bool) {
    let start = Instant::now();
    while !what(handle.system_info()) {
        assert!(start.elapsed() < PATIENCE, "{:?}", handle.system_info());
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn runtime(workers: usize, spare_workers: usize) -> Runtime {
    let builder = Runtime::builder().workers(workers);
    builder.spare_workers(spare_workers).build().unwrap()
}

#[test]
fn a_process_that_computes_does_not_hold_up_those_that_it_woke_or_spawned() {
    for workers in [1, 2] {
        run(workers, async {
            let flags = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
            let [woken, spawned] = flags.clone();
            let other = spawn(async move {
                receive::<()>().await;
                woken.store(true, Ordering::SeqCst);
            });
            // So that it waits in its receive, and goes to the next-process slot.
            yield_now().await;
            send(other, ());
            spawn(async move { spawned.store(true, Ordering::SeqCst) });
            spin_until(|| flags.iter().all(|flag| flag.load(Ordering::SeqCst)));
        });
    }
}

#[test]
fn a_process_that_blocks_does_not_hold_up_others() {
    for workers in [1, 2] {
        run(workers, async {
            let (told, telling) = mpsc::channel();
            spawn(async move { told.send(7).unwrap() });
            assert_eq!(telling.recv_timeout(PATIENCE), Ok(7));
        });
    }
}

#[test]
fn a_process_that_computes_does_not_hold_up_timers_armed_before_and_meanwhile() {
    run(1, async {
        let me = Handle::current();
        let (told, telling) = mpsc::channel();
        let pid = spawn(async move {
            sleep(Duration::from_millis(3)).await;
            told.send("slept").unwrap();
            told.send(receive::<&str>().await).unwrap();
        });
        yield_now().await;
        spin_until(|| telling.try_recv() == Ok("slept"));
        // By now we have no seat, and whoever has it sleeps.
        spin_until(|| me.system_info().sleeping_workers() == 1);
        send_after(
            Duration::from_millis(3),
            pid,
            "armed by the one that computes",
        );
        spin_until(|| telling.try_recv().is_ok());
    });
}

#[test]
fn a_process_that_computes_does_not_hold_up_sockets() {
    for workers in [1, 2] {
        run(workers, async {
            let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                stream.write_all(&[byte[0] + 1]).await.unwrap();
            });
            yield_now().await;
            let client = std::thread::spawn(move || {
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.write_all(&[41]).unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                byte[0]
            });
            spin_until(|| client.is_finished());
            assert_eq!(client.join().unwrap(), 42);
        });
    }
}

#[test]
fn more_processes_than_workers_can_block_at_once() {
    let runtime = runtime(2, 64);
    let (told, telling) = mpsc::channel();
    let ends: Vec<Sender<()>> = (0..20)
        .map(|_| {
            let (end, ended) = mpsc::channel();
            let told = told.clone();
            runtime.spawn(async move {
                told.send(()).unwrap();
                let _ = ended.recv();
            });
            end
        })
        .collect();
    for _ in 0..20 {
        telling.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(runtime.block_on(async { 5 }), 5);
    let stats = runtime.handle().system_info();
    assert!(stats.spares >= 18 && stats.long_turns >= 18, "{stats:?}");
    drop(ends);
    wait_for(&runtime.handle(), |stats| {
        stats.spares == 0 && stats.processes == 0
    });
}

#[test]
fn the_core_of_a_thread_that_has_ended_is_used_again() {
    let runtime = runtime(1, 1);
    for _ in 0..3 {
        let (end, ended) = mpsc::channel::<()>();
        runtime.spawn(async move {
            let _ = ended.recv();
        });
        assert_eq!(runtime.block_on(async { 5 }), 5);
        drop(end);
        wait_for(&runtime.handle(), |stats| stats.spares == 0);
    }
    assert!(runtime.handle().system_info().spares_started >= 3);
}

#[test]
fn who_could_not_be_replaced_is_as_soon_as_a_thread_ends() {
    let runtime = runtime(1, 1);
    let handle = runtime.handle();
    let block = || {
        let (end, ended) = mpsc::channel::<()>();
        runtime.spawn(async move {
            let _ = ended.recv();
        });
        end
    };
    let first = block();
    wait_for(&handle, |stats| stats.spares == 1);
    let _second = block();
    wait_for(&handle, |stats| stats.long_turns >= 2);
    let (told, telling) = mpsc::channel();
    handle.spawn(async move { told.send(()).unwrap() });
    assert!(telling.try_recv().is_err(), "both threads are blocked");
    drop(first);
    telling.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn without_spares_a_long_turn_is_only_counted_and_others_serve_its_queue() {
    let runtime = runtime(2, 0);
    let handle = runtime.handle();
    runtime.block_on(async {
        let (told, telling) = mpsc::channel();
        let other = spawn(async move {
            receive::<()>().await;
            told.send(()).unwrap();
        });
        yield_now().await;
        send(other, ());
        telling.recv_timeout(PATIENCE).unwrap();
        let me = Handle::current();
        spin_until(|| me.system_info().long_turns > 0);
    });
    let stats = handle.system_info();
    assert_eq!((stats.spares, stats.spares_started), (0, 0));
}

/// Takes a turn long enough to be caught; returns the thread that it was.
fn be_caught() -> ThreadId {
    let handle = Handle::current();
    let before = handle.system_info().spares_started;
    spin_until(|| handle.system_info().spares_started > before);
    std::thread::current().id()
}

#[test]
fn a_process_that_was_caught_is_run_apart_until_it_has_had_some_short_turns() {
    run(1, async {
        let apart = be_caught();
        yield_now().await;
        assert_eq!(std::thread::current().id(), apart);
        let start = Instant::now();
        while std::thread::current().id() == apart {
            assert!(start.elapsed() < PATIENCE, "it is apart for ever");
            yield_now().await;
        }
    });
}

#[test]
fn a_process_that_was_caught_is_run_apart_also_when_another_wakes_it() {
    run(1, async {
        let hog = spawn(async {
            loop {
                let apart = be_caught();
                let asker = receive::<Pid>().await;
                send(asker, apart == std::thread::current().id());
            }
        });
        let handle = Handle::current();
        while handle.system_info().spares_started == 0 {
            yield_now().await;
        }
        // It is left to a thread that waits for such, and that takes some time to
        // come to it. If it was too early the worker runs it, and it is caught again.
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PATIENCE, "it is never run apart");
            sleep(Duration::from_millis(20)).await;
            send(hog, self_pid());
            if receive::<bool>().await {
                break;
            }
        }
    });
}

#[test]
fn very_many_timers_at_once_are_nobody_s_long_turn() {
    runtime(1, 8).block_on(async {
        let (start, due) = (Instant::now(), Duration::from_secs(1));
        for _ in 0..100_000 {
            // To nobody, so that all that takes time is the firing.
            send_after(due.saturating_sub(start.elapsed()), "nobody", ());
            yield_now().await;
        }
        let before = Handle::current().system_info().long_turns;
        // Busy, so that the worker fires them between two turns.
        while Handle::current().system_info().timers > 0 {
            assert!(start.elapsed() < PATIENCE, "they do not fire");
            yield_now().await;
        }
        assert_eq!(Handle::current().system_info().long_turns, before);
    });
}

/// How nice this thread is to others: 0 unless somebody has changed it.
#[cfg(target_os = "linux")]
fn niceness() -> i32 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    after_name
        .split_whitespace()
        .nth(16)
        .unwrap()
        .parse()
        .unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn blocking_work_of_a_process_that_was_caught_is_done_at_ordinary_priority() {
    let ordinary = niceness();
    run(2, async move {
        be_caught();
        // Set a moment after the spare was started.
        spin_until(|| niceness() == 19);
        assert_eq!(blocking(niceness).await, ordinary);
    });
}

#[test]
fn local_processes_stay_with_a_thread_that_was_caught() {
    run(1, async {
        let local = spawn_local(async {
            loop {
                let asker = receive::<Pid>().await;
                send(asker, std::thread::current().id());
            }
        });
        let apart = be_caught();
        // The first of these turns is apart, as we are then; later ones are not.
        for _ in 0..20 {
            send(local, self_pid());
            assert_eq!(receive::<ThreadId>().await, apart);
        }
        assert_ne!(std::thread::current().id(), apart);
    });
}

#[test]
fn processes_that_take_one_long_turn_after_another_do_not_need_a_thread_for_each() {
    let runtime = runtime(2, 256);
    let (told, telling) = mpsc::channel();
    for _ in 0..4 {
        let told = told.clone();
        runtime.spawn(async move {
            for _ in 0..40 {
                spin_for(Duration::from_millis(12));
                yield_now().await;
            }
            told.send(()).unwrap();
        });
    }
    for _ in 0..4 {
        telling.recv_timeout(PATIENCE).unwrap();
    }
    // 160 turns were long enough.
    let stats = runtime.handle().system_info();
    assert!(stats.spares_started < 60, "{stats:?}");
    wait_for(&runtime.handle(), |stats| stats.spares == 0);
}

#[test]
fn a_caught_process_can_end_panic_and_be_killed() {
    let runtime = runtime(1, 16);
    let dropped = Arc::new(());
    let bodies: [fn(Receiver<()>); 3] = [
        |ended| {
            let _ = ended.recv();
        },
        |ended| {
            let _ = ended.recv();
            panic!("after a long time");
        },
        |ended| {
            let me = self_pid();
            let kill = regrow_runtime::ExitReason::Kill;
            std::thread::spawn(move || regrow_runtime::exit(me, kill));
            let _ = ended.recv();
        },
    ];
    let ends = bodies.map(|body| {
        let (end, ended) = mpsc::channel();
        let held = dropped.clone();
        runtime.spawn(async move {
            let _held = held;
            body(ended);
            pending::<()>().await;
        });
        end
    });
    wait_for(&runtime.handle(), |stats| stats.spares >= 3);
    drop(ends);
    // The first waits for ever now, as an ordinary process.
    wait_for(&runtime.handle(), |stats| {
        stats.processes == 1 && stats.spares == 0
    });
    assert_eq!(Arc::strong_count(&dropped), 2);
    drop(runtime);
    assert_eq!(Arc::strong_count(&dropped), 1);
}

#[test]
fn others_pass_those_of_the_same_kind_as_the_process_that_is_stuck() {
    // One spare: the next of the kind would have it, and nobody the process behind.
    let runtime = runtime(1, 1);
    let over = Arc::new(AtomicBool::new(false));
    runtime.block_on({
        let over = over.clone();
        async move {
            for _ in 0..5 {
                let over = over.clone();
                // Linked: one that loses its patience ends the test.
                spawn_link(async move { spin_until(|| over.load(Ordering::SeqCst)) });
            }
            let last = spawn(async move { over.store(true, Ordering::SeqCst) });
            let reference = regrow_runtime::monitor(last);
            regrow_runtime::receive_down(reference).await;
        }
    });
}
