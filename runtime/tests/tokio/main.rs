//! tokio beside us: its futures in processes, and its tasks as those who ask.

mod context;
mod ends;
mod futures;
mod http;
mod outside;

use std::future::Future;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use regrow_runtime::{Builder, Runtime};

/// Far more than any test takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long that whoever waits for it is woken by something else.
const FOR_EVER: Duration = Duration::from_secs(100_000);

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("tokio starts")
}

fn beside(tokio: &tokio::runtime::Runtime) -> Builder {
    Runtime::builder().workers(2).tokio(tokio.handle().clone())
}

/// Runs a test on a thread of its own; one that hangs fails.
fn in_time<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (told, telling) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = test();
        // The other side waits below, unless it has given up.
        let _ = told.send(());
        result
    });
    if telling.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("nothing moves any more");
    }
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs the body of a test as a process, beside a tokio of its own.
fn run<F>(body: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    in_time(|| {
        let tokio = tokio_runtime();
        let runtime = beside(&tokio).build().expect("the runtime starts");
        runtime.block_on(body)
    })
}
