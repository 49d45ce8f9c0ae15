//! Runs the body of a test as a process; a test that hangs fails.

use std::future::Future;
use std::ops::Range;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use regrow_runtime::{Runtime, catch_panic, simulate_seeds};

/// Far more than any test takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run<F>(workers: usize, body: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let runtime = Runtime::builder()
        .workers(workers)
        .build()
        .expect("the runtime starts");
    let (told, telling) = mpsc::channel();
    runtime.spawn(async move {
        let ended = catch_panic(body).await;
        // The other side waits below, unless it has given up.
        let _ = told.send(ended);
    });
    match telling.recv_timeout(PATIENCE) {
        Ok(Ok(output)) => output,
        Ok(Err(reason)) => panic!("{reason}"),
        Err(RecvTimeoutError::Disconnected) => panic!("an exit signal ended the test"),
        Err(RecvTimeoutError::Timeout) => {
            // What hangs would make the drop of the runtime wait as well.
            std::mem::forget(runtime);
            panic!("nothing moves any more");
        }
    }
}

/// Orders of things that a test is simulated in.
const SEEDS: Range<u64> = 0..20;

/// As [`run`], and then in simulations: for tests of rules that hold in whatever order
/// things happen, and at whatever speed.
#[allow(dead_code)] // not every test program has such tests
pub(crate) fn run_and_simulate<F>(workers: usize, body: impl Fn() -> F)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    run(workers, body());
    simulate_seeds(SEEDS, body);
}
