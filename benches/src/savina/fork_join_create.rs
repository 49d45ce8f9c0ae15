//! Many actors, each for one message: what making and ending one costs.

use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn, yield_now};

use super::{Outcome, Report, Size, reports, work};
use crate::bursts;

struct Work(u64);

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let root = self_pid();
    let mut numbers = 0..size.count;
    for burst in bursts(size.count) {
        for number in numbers.by_ref().take(burst as usize) {
            send(spawn(worker(root)), Work(number));
        }
        yield_now().await;
    }
    Outcome::since(start, reports(size.count).await)
}

async fn worker(root: Pid) {
    let Work(number) = receive().await;
    work::sine();
    send(root, Report(number));
}
