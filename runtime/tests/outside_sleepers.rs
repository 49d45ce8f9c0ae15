//! Threads that are no processes sleep by the timers of whichever runtime there is.
//!
//! Alone in its program: there must be no other runtime.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use regrow_runtime::{Runtime, sleep};

const PATIENCE: Duration = Duration::from_secs(25);

#[test]
fn a_sleeper_outside_is_woken_though_its_runtime_ends_at_that_moment() {
    for round in 0..100 {
        let runtime = Runtime::builder().workers(2).build().unwrap();
        let (told, telling) = mpsc::channel();
        std::thread::spawn(move || {
            futures_lite::future::block_on(sleep(Duration::from_millis(2)));
            told.send(()).unwrap();
        });
        // From before the timer is due until after.
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(1_500 + 20 * round) {
            std::thread::yield_now();
        }
        drop(runtime);
        telling.recv_timeout(PATIENCE).expect("it sleeps for ever");
    }
}
