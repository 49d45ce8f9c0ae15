//! Two actors, a message there and one back.

use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn_link};

use super::{Outcome, Report, Size, reports};

struct Ping(Pid);
struct Pong(u64);

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let pong = spawn_link(pong(size.count));
    spawn_link(ping(pong, size.count, self_pid()));
    Outcome::since(start, reports(1).await)
}

async fn ping(pong: Pid, count: u64, root: Pid) {
    let this = self_pid();
    let mut sum = 0;
    for number in 1..=count {
        send(pong, Ping(this));
        let Pong(answered) = receive().await;
        assert_eq!(answered, number);
        sum += answered;
    }
    send(root, Report(sum));
}

/// Answers with the number of pings so far.
async fn pong(count: u64) {
    for number in 1..=count {
        let Ping(from) = receive().await;
        send(from, Pong(number));
    }
}
