//! A hang in a bench must show as a failure: a lost wake-up would otherwise look like a slow machine.

use std::process;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long one sample of a bench may take before it counts as hung.
pub const SAMPLE_LIMIT: Duration = Duration::from_secs(60);

/// Runs `work` and ends the whole OS process with code 124 if it takes longer than [`SAMPLE_LIMIT`].
pub fn bounded<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = mpsc::channel::<()>();
    let what = name.to_owned();
    let guard = thread::spawn(move || {
        if waiting.recv_timeout(SAMPLE_LIMIT) == Err(RecvTimeoutError::Timeout) {
            eprintln!(
                "FAILED: {what} made no progress for {} s: a lost wake-up?",
                SAMPLE_LIMIT.as_secs()
            );
            process::exit(124);
        }
    });
    let result = work();
    drop(done);
    guard.join().expect("the guard does not panic");
    result
}
