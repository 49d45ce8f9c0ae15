//! The rules of Elixir's Task and Task.Supervisor.

use std::thread;
use std::time::{Duration, Instant};

use regrow_runtime::{
    ExitReason, Pid, exit_with, monotonic_time, processes, receive, receive_any, send, yield_now,
};

mod awaiting;
mod links;
mod many;
mod shutdown;
mod stream;
mod stream_ends;
mod supervisor;
mod yielding;

/// Lets a [`waiting`] task go on.
struct Go;

/// What a task does that gives this when it is told to.
async fn waiting<T>(value: T) -> T {
    receive::<Go>().await;
    value
}

/// What a task does that ends with this reason, without a result.
async fn ending<T>(reason: ExitReason) -> T {
    exit_with(reason)
}

fn go(pid: Pid) {
    send(pid, Go);
}

/// Keeps this turn until another worker has run the task to its end; false if none does, because
/// the machine has one core, or too much to do.
fn ends_within_this_turn(pid: Pid) -> bool {
    let begun = Instant::now();
    while processes().contains(&pid) {
        if begun.elapsed() > Duration::from_millis(300) {
            return false;
        }
        thread::yield_now();
    }
    true
}

/// Asserts that the mailbox is empty, signals under way included.
async fn assert_empty() {
    yield_now().await;
    if let Ok(message) = receive_any().timeout(Duration::ZERO).await {
        panic!("there is a message: {message:?}");
    }
}

/// Asserts how long it has been, but for what turns take and timers are rounded by.
#[track_caller]
fn assert_lasted(since: Duration, expected: Duration) {
    let lasted = monotonic_time() - since;
    let about = expected..expected + Duration::from_millis(50);
    assert!(
        about.contains(&(lasted + Duration::from_millis(5))),
        "{lasted:?}"
    );
}
