//! One actor sends another as fast as it can, which counts; then it asks how many there were.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::yield_now;

use super::{Outcome, Size, receive, reports, send};
use crate::bursts;

enum Message {
    Increment,
    Retrieve(UnboundedSender<u64>),
}

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (root, mut inbox) = mpsc::unbounded_channel();
    let (to_counter, messages) = mpsc::unbounded_channel();
    tokio::spawn(counter(messages));
    tokio::spawn(producer(to_counter, size.count, root));
    Outcome::since(start, reports(&mut inbox, 1).await)
}

async fn producer(counter: UnboundedSender<Message>, count: u64, root: UnboundedSender<u64>) {
    for burst in bursts(count) {
        for _ in 0..burst {
            send(&counter, Message::Increment);
        }
        yield_now().await;
    }
    send(&counter, Message::Retrieve(root));
}

async fn counter(mut inbox: UnboundedReceiver<Message>) {
    let mut count = 0;
    loop {
        match receive(&mut inbox).await {
            Message::Increment => count += 1,
            Message::Retrieve(to) => return send(&to, count),
        }
    }
}
