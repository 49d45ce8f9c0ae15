//! Work that blocks its thread, in the pool for it.

mod common;

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use common::run;
use futures_lite::future::{block_on, or, poll_once, zip};
use regrow_runtime::{
    BlockingError, Down, ExitReason, Handle, Runtime, blocking, catch_panic, exit, receive,
    self_pid, send, spawn, spawn_monitor, try_self_pid, yield_now,
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// As [`wait_until`], in a process.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        yield_now().await;
    }
}

/// A gate that closures wait at, and the way to open it for one.
fn gate() -> (mpsc::Sender<()>, impl FnOnce() + Clone + Send) {
    let (open, wait) = mpsc::channel();
    let wait = Arc::new(Mutex::new(wait));
    let pass = move || wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
    (open, pass)
}

#[test]
fn the_process_gets_the_value_and_its_worker_runs_others_meanwhile() {
    run(1, async {
        let (open, pass) = gate();
        // The only worker must be free for this one.
        spawn(async move { open.send(()).unwrap() });
        let value = blocking(move || {
            pass();
            String::from("from the other side")
        });
        assert_eq!(value.await, "from the other side");
    });
}

#[test]
fn many_processes_have_their_work_done_by_few_threads() {
    let runtime = Runtime::builder().workers(2).blocking_threads(3).build();
    runtime.unwrap().block_on(async {
        let me = self_pid();
        for number in 0..500_u64 {
            spawn(async move {
                let square = blocking(move || number * number).await;
                send(me, square);
            });
        }
        let mut sum = 0;
        for _ in 0..500 {
            sum += receive::<u64>().await;
        }
        assert_eq!(sum, (0..500).map(|it| it * it).sum());
        let stats = Handle::current().system_info().blocking;
        assert_eq!((stats.done, stats.backlog), (500, 0));
        assert!(stats.threads <= 3, "{stats:?}");
    });
}

#[test]
fn there_is_no_process_in_the_closure_but_sends_and_handles_work() {
    run(1, async {
        let me = self_pid();
        let handle = Handle::current();
        let born = blocking(move || {
            assert_eq!(try_self_pid(), None);
            assert!(Handle::try_current().is_none());
            send(me, "sent");
            handle.spawn(async move { send(me, 'c') })
        });
        let born = born.await;
        assert_ne!(born, me);
        assert_eq!(receive::<&str>().await, "sent");
        assert_eq!(receive::<char>().await, 'c');
    });
}

#[test]
#[should_panic(expected = "`blocking` must be called inside a regrow process")]
fn outside_a_process_there_is_no_pool_to_use() {
    drop(blocking(|| ()));
}

#[test]
fn a_panic_in_the_closure_ends_the_process_with_its_message_and_place() {
    run(1, async {
        let line = line!() + 2;
        let (_, _) = spawn_monitor(async {
            blocking(|| panic!("disk {} is gone", 7)).await;
        });
        let ExitReason::Panic(info) = receive::<Down>().await.reason else {
            panic!("no panic");
        };
        assert_eq!(info.message(), "disk 7 is gone");
        assert_eq!(info.file(), Some(file!()));
        assert_eq!(info.line(), Some(line));

        // It can be caught where it is awaited, like any other.
        let caught = catch_panic(blocking(|| panic!("oops"))).await;
        assert!(caught.unwrap_err().to_string().ends_with("oops"));
        // The thread has lived on.
        assert_eq!(blocking(|| 5).await, 5);
    });
}

#[test]
fn a_killed_process_is_gone_at_once_and_what_its_work_gives_is_dropped() {
    run(1, async {
        let (open, pass) = gate();
        let (begun, begins) = mpsc::channel();
        let drops = Arc::new(AtomicU32::new(0));
        let value = Counted(drops.clone());
        let (pid, _) = spawn_monitor(async move {
            blocking(move || {
                begun.send(()).unwrap();
                pass();
                value
            })
            .await;
        });
        until("it begins", move || begins.try_recv().is_ok()).await;
        exit(pid, ExitReason::Kill);
        assert_eq!(receive::<Down>().await.reason, ExitReason::Killed);
        assert_eq!(
            drops.load(Ordering::SeqCst),
            0,
            "the work is still going on"
        );
        open.send(()).unwrap();
        until("its value is dropped", || drops.load(Ordering::SeqCst) == 1).await;
        assert_eq!(Handle::current().system_info().blocking.done, 1);
    });
}

#[test]
fn work_that_has_not_begun_is_dropped_with_its_process() {
    let runtime = Runtime::builder().workers(1).blocking_threads(1).build();
    runtime.unwrap().block_on(async {
        let (open, pass) = gate();
        let first = spawn_monitor(blocking(pass));
        let stats = || Handle::current().system_info().blocking;
        until("the first begins", || {
            (stats().threads, stats().idle, stats().backlog) == (1, 0, 0)
        })
        .await;
        let drops = Arc::new(AtomicU32::new(0));
        let kept = Counted(drops.clone());
        let (second, _) = spawn_monitor(blocking(move || {
            drop(kept);
            panic!("it must not run");
        }));
        until("the second waits", || stats().backlog == 1).await;
        exit(second, ExitReason::Kill);
        let down = receive::<Down>().await;
        assert_eq!((down.pid, down.reason), (second, ExitReason::Killed));
        assert_eq!(drops.load(Ordering::SeqCst), 1, "gone before the Down");
        assert_eq!(stats().backlog, 0);
        open.send(()).unwrap();
        assert_eq!(receive::<Down>().await.pid, first.0);
        assert_eq!(blocking(|| 1).await, 1);
        assert_eq!(stats().done, 2);
    });
}

#[test]
fn there_are_never_more_threads_than_allowed_and_the_backlog_is_visible() {
    let runtime = Runtime::builder().workers(2).blocking_threads(2).build();
    runtime.unwrap().block_on(async {
        let (open, pass) = gate();
        let me = self_pid();
        for number in 0..10_u32 {
            let pass = pass.clone();
            spawn(async move {
                blocking(pass).await;
                send(me, number);
            });
        }
        until("two work and the rest waits", || {
            let stats = Handle::current().system_info().blocking;
            (stats.threads, stats.idle, stats.backlog) == (2, 0, 8)
        })
        .await;
        assert_eq!(Handle::current().system_info().blocking.max_threads, 2);
        for _ in 0..10 {
            let stats = Handle::current().system_info().blocking;
            assert!(stats.threads - stats.idle <= 2, "{stats:?}");
            open.send(()).unwrap();
            receive::<u32>().await;
        }
        assert_eq!(Handle::current().system_info().blocking.done, 10);
    });
}

#[test]
fn nothing_happens_before_the_first_poll() {
    run(1, async {
        let drops = Arc::new(AtomicU32::new(0));
        let kept = Counted(drops.clone());
        let never = blocking(move || drop(kept));
        assert_eq!(Handle::current().system_info().blocking.threads, 0);
        drop(never);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        assert_eq!(Handle::current().system_info().blocking.done, 0);
    });
}

#[test]
fn the_loser_of_a_race_is_given_up() {
    run(2, async {
        let (open, pass) = gate();
        let slow = async move {
            blocking(pass).await;
            "slow"
        };
        assert_eq!(or(slow, async { blocking(|| "fast").await }).await, "fast");
        // It may not even have begun.
        let _ = open.send(());
        let both = zip(blocking(|| 1), blocking(|| 2)).await;
        assert_eq!(both, (1, 2));
    });
}

#[test]
fn other_threads_await_work_through_a_handle_and_hear_how_it_failed() {
    let runtime = Runtime::builder().workers(1).blocking_threads(1).build();
    let runtime = runtime.unwrap();
    let handle = runtime.handle();
    assert_eq!(block_on(handle.blocking(|| 6 * 7)), Ok(42));
    let failed = block_on(handle.blocking(|| panic!("no luck")));
    let Err(BlockingError::Panicked(ExitReason::Panic(info))) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(info.message(), "no luck");
    assert_eq!(info.file(), Some(file!()));
}

#[test]
fn the_drop_of_a_runtime_waits_for_work_that_has_begun_and_drops_the_rest() {
    let runtime = Runtime::builder().workers(1).blocking_threads(1).build();
    let runtime = runtime.unwrap();
    let (open, pass) = gate();
    let ended = Arc::new(AtomicU32::new(0));
    let drops = Arc::new(AtomicU32::new(0));
    let mut begun = Box::pin(runtime.handle().blocking({
        let ended = ended.clone();
        move || {
            pass();
            // Long after everything else of the runtime has ended.
            std::thread::sleep(Duration::from_millis(50));
            ended.fetch_add(1, Ordering::SeqCst);
        }
    }));
    assert!(block_on(poll_once(&mut begun)).is_none());
    let stats = runtime.handle();
    let stats = move || stats.system_info().blocking;
    wait_until("it begins", || stats().backlog == 0 && stats().threads == 1);
    let kept = Counted(drops.clone());
    let mut waits = Box::pin(runtime.handle().blocking(move || drop(kept)));
    assert!(block_on(poll_once(&mut waits)).is_none());
    let late = runtime.handle().blocking(|| ());
    // A process that waits for it does not keep the runtime from ending.
    let of_process = Counted(drops.clone());
    runtime.spawn(async move { blocking(move || drop(of_process)).await });
    wait_until("both wait", || stats().backlog == 2);

    let opener = std::thread::spawn({
        let drops = drops.clone();
        move || {
            wait_until("the rest is dropped", || drops.load(Ordering::SeqCst) == 2);
            open.send(()).unwrap();
        }
    });
    drop(runtime);
    assert_eq!(ended.load(Ordering::SeqCst), 1, "waited for");
    opener.join().unwrap();
    assert_eq!(block_on(begun), Ok(()));
    assert_eq!(block_on(waits), Err(BlockingError::Stopped));
    assert_eq!(block_on(late), Err(BlockingError::Stopped));
    assert_eq!(stats().threads, 0);
}

#[test]
fn a_runtime_may_be_dropped_by_its_own_blocking_work() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let handle = runtime.handle();
    let drops = Arc::new(AtomicU32::new(0));
    let kept = Counted(drops.clone());
    runtime.spawn(async move {
        let _kept = kept;
        pending::<()>().await;
    });
    let start = Instant::now();
    assert_eq!(block_on(handle.blocking(move || drop(runtime))), Ok(()));
    assert!(start.elapsed() < PATIENCE / 4, "it waits for itself");
    wait_until("the process ends", || drops.load(Ordering::SeqCst) == 1);
    wait_until("the thread ends", || {
        handle.system_info().blocking.threads == 0
    });
}

#[test]
fn a_value_whose_drop_panics_and_a_panic_that_nobody_hears_hurt_nobody() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("a drop panics on purpose");
        }
    }
    let runtime = Runtime::builder().workers(1).blocking_threads(1).build();
    runtime.unwrap().block_on(async {
        for panics in [false, true] {
            let (open, pass) = gate();
            let (begun, begins) = mpsc::channel();
            let (pid, _) = spawn_monitor(async move {
                let value = blocking(move || {
                    begun.send(()).unwrap();
                    pass();
                    assert!(!panics, "nobody hears this");
                    Bad
                });
                std::mem::forget(value.await);
            });
            until("it begins", move || begins.try_recv().is_ok()).await;
            exit(pid, ExitReason::Kill);
            assert_eq!(receive::<Down>().await.reason, ExitReason::Killed);
            open.send(()).unwrap();
            assert_eq!(blocking(|| 5).await, 5);
        }
        assert_eq!(Handle::current().system_info().blocking.done, 4);
    });
}
