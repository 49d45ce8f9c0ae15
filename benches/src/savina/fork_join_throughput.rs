//! One actor deals messages out to some others, in turns.

use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn_link, yield_now};

use super::{Outcome, Report, Size, reports, work};

struct Work(u64);

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let root = self_pid();
    let workers: Vec<Pid> = (0..size.actors)
        .map(|_| spawn_link(worker(size.count, root)))
        .collect();
    for number in 0..size.count {
        for &worker in &workers {
            send(worker, Work(number));
        }
        yield_now().await;
    }
    Outcome::since(start, reports(size.actors).await)
}

async fn worker(count: u64, root: Pid) {
    let mut sum = 0;
    for expected in 0..count {
        let Work(number) = receive().await;
        assert_eq!(number, expected, "out of order");
        work::sine();
        sum += number;
    }
    send(root, Report(sum));
}
