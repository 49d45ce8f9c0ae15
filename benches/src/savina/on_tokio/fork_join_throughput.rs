//! One actor deals messages out to some others, in turns.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::yield_now;

use super::{Outcome, Size, receive, reports, send};
use crate::savina::work;

struct Work(u64);

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (root, mut inbox) = mpsc::unbounded_channel();
    let mut workers = Vec::new();
    for _ in 0..size.actors {
        let (to_worker, messages) = mpsc::unbounded_channel();
        tokio::spawn(worker(size.count, root.clone(), messages));
        workers.push(to_worker);
    }
    for number in 0..size.count {
        for worker in &workers {
            send(worker, Work(number));
        }
        yield_now().await;
    }
    Outcome::since(start, reports(&mut inbox, size.actors).await)
}

async fn worker(count: u64, root: UnboundedSender<u64>, mut inbox: UnboundedReceiver<Work>) {
    let mut sum = 0;
    for expected in 0..count {
        let Work(number) = receive(&mut inbox).await;
        assert_eq!(number, expected, "out of order");
        work::sine();
        sum += number;
    }
    send(&root, sum);
}
