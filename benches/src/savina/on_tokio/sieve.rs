//! Numbers run through a chain of filters, each of which knows some primes and grows the next.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::yield_now;

use super::{Outcome, Size, receive, reports, send};
use crate::BURST;

enum Message {
    Candidate(u64),
    /// The sum of the primes of the filters before
    Exit(u64),
}

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (root, mut reported) = mpsc::unbounded_channel();
    let first = next_filter(2, size.room, root);
    for (sent, candidate) in (1..).zip((3..size.count).step_by(2)) {
        send(&first, Message::Candidate(candidate));
        if sent % BURST == 0 {
            yield_now().await;
        }
    }
    send(&first, Message::Exit(0));
    Outcome::since(start, reports(&mut reported, 1).await)
}

/// Apart from [`filter`], whose future may not contain itself.
fn next_filter(prime: u64, room: u64, root: UnboundedSender<u64>) -> UnboundedSender<Message> {
    let (to_filter, inbox) = mpsc::unbounded_channel();
    tokio::spawn(filter(prime, room, root, inbox));
    to_filter
}

async fn filter(
    prime: u64,
    room: u64,
    root: UnboundedSender<u64>,
    mut inbox: UnboundedReceiver<Message>,
) {
    let mut primes = vec![prime];
    let mut next = None;
    loop {
        match receive(&mut inbox).await {
            Message::Candidate(number) => {
                if primes.iter().any(|prime| number % prime == 0) {
                    continue;
                }
                match &next {
                    Some(next) => send(next, Message::Candidate(number)),
                    None if (primes.len() as u64) < room => primes.push(number),
                    None => next = Some(next_filter(number, room, root.clone())),
                }
            }
            Message::Exit(sum) => {
                let sum = sum + primes.iter().sum::<u64>();
                return match next {
                    Some(next) => send(&next, Message::Exit(sum)),
                    None => send(&root, sum),
                };
            }
        }
    }
}
