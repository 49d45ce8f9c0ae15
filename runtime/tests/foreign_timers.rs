//! Time-outs on threads that are no workers, while runtimes go. In a file of its own,
//! and one at a time: such a thread uses whichever runtime of the OS process it finds.

use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use regrow_runtime::{ReplyError, Runtime, reply_channel, sleep};

static ALONE: Mutex<()> = Mutex::new(());

/// Far less than a drop waits for a thread that is stuck.
const SOON: Duration = Duration::from_secs(8);

fn runtime(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).build().unwrap()
}

/// Drops a runtime; it must not take long.
fn drop_soon(runtime: Runtime) {
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn a_time_out_on_a_foreign_thread_outlives_whichever_runtime_is_dropped() {
    let _alone = ALONE.lock();
    let stays = runtime(1);
    for _ in 0..20 {
        let goes = runtime(1);
        let (told, telling) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let (_reply_to, reply) = reply_channel::<()>();
            let mut reply = Box::pin(reply.timeout(Duration::from_millis(20)));
            block_on(async {
                assert!(futures_lite::future::poll_once(&mut reply).await.is_none());
            });
            told.send(()).unwrap();
            let ended = block_on(reply);
            told.send(()).unwrap();
            ended
        });
        assert_eq!(telling.recv_timeout(SOON), Ok(()));
        drop_soon(goes);
        assert_eq!(telling.recv_timeout(SOON), Ok(()), "it never woke up");
        assert_eq!(thread.join().unwrap(), Err(ReplyError::Timeout));
    }
    drop(stays);
}

#[test]
fn a_sleep_on_a_foreign_thread_ends_although_a_dropped_runtime_has_a_handle() {
    let _alone = ALONE.lock();
    let gone = runtime(1);
    let _handle = gone.handle();
    drop_soon(gone);
    let (told, telling) = mpsc::channel();
    std::thread::spawn(move || {
        block_on(sleep(Duration::from_millis(5)));
        told.send(()).unwrap();
    });
    assert_eq!(telling.recv_timeout(SOON), Ok(()));
}
