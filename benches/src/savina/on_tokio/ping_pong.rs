//! Two actors, a message there and one back.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Outcome, Size, receive, reports, send};

struct Ping(UnboundedSender<Pong>);
struct Pong(u64);

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (root, mut inbox) = mpsc::unbounded_channel();
    let (to_pong, pings) = mpsc::unbounded_channel();
    tokio::spawn(pong(size.count, pings));
    tokio::spawn(ping(to_pong, size.count, root));
    Outcome::since(start, reports(&mut inbox, 1).await)
}

async fn ping(pong: UnboundedSender<Ping>, count: u64, root: UnboundedSender<u64>) {
    let (this, mut inbox) = mpsc::unbounded_channel();
    let mut sum = 0;
    for number in 1..=count {
        send(&pong, Ping(this.clone()));
        let Pong(answered) = receive(&mut inbox).await;
        assert_eq!(answered, number);
        sum += answered;
    }
    send(&root, sum);
}

async fn pong(count: u64, mut inbox: UnboundedReceiver<Ping>) {
    for number in 1..=count {
        let Ping(from) = receive(&mut inbox).await;
        send(&from, Pong(number));
    }
}
