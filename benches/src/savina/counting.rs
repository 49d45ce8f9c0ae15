//! One actor sends another as fast as it can, which counts; then it asks how many there were.

use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn_link, yield_now};

use super::{Outcome, Report, Size, reports};
use crate::bursts;

enum Message {
    Increment,
    Retrieve(Pid),
}

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let counter = spawn_link(counter());
    spawn_link(producer(counter, size.count, self_pid()));
    Outcome::since(start, reports(1).await)
}

async fn producer(counter: Pid, count: u64, root: Pid) {
    for burst in bursts(count) {
        for _ in 0..burst {
            send(counter, Message::Increment);
        }
        yield_now().await;
    }
    send(counter, Message::Retrieve(root));
}

async fn counter() {
    let mut count = 0;
    loop {
        match receive().await {
            Message::Increment => count += 1,
            Message::Retrieve(to) => return send(to, Report(count)),
        }
    }
}
