//! Many actors, each for one message: what making and ending one costs.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::yield_now;

use super::{Outcome, Size, receive, reports, send};
use crate::bursts;
use crate::savina::work;

struct Work(u64);

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (root, mut inbox) = mpsc::unbounded_channel();
    let mut numbers = 0..size.count;
    for burst in bursts(size.count) {
        for number in numbers.by_ref().take(burst as usize) {
            let (to_worker, messages) = mpsc::unbounded_channel();
            tokio::spawn(worker(root.clone(), messages));
            send(&to_worker, Work(number));
        }
        yield_now().await;
    }
    Outcome::since(start, reports(&mut inbox, size.count).await)
}

async fn worker(root: UnboundedSender<u64>, mut inbox: UnboundedReceiver<Work>) {
    let Work(number) = receive(&mut inbox).await;
    work::sine();
    send(&root, number);
}
