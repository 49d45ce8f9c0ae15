//! Numbers run through a chain of filters, each of which knows some primes and grows the next.

use std::time::Instant;

use regrow::{Pid, consume_reductions, receive, self_pid, send, spawn_link, yield_now};

use super::{Outcome, Report, Size, reports};
use crate::BURST;

/// Divisions that take about as long as a message.
const DIVISIONS: usize = 10;

enum Message {
    Candidate(u64),
    /// The sum of the primes of the filters before
    Exit(u64),
}

/// This process is the source of the numbers: 2 is known, and the even ones are not worth sending.
pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let first = spawn_link(filter(2, size.room, self_pid()));
    for (sent, candidate) in (1..).zip((3..size.count).step_by(2)) {
        send(first, Message::Candidate(candidate));
        if sent % BURST == 0 {
            yield_now().await;
        }
    }
    send(first, Message::Exit(0));
    Outcome::since(start, reports(1).await)
}

/// Apart from [`filter`], whose future may not contain itself.
fn next_filter(prime: u64, room: u64, root: Pid) -> Pid {
    spawn_link(filter(prime, room, root))
}

async fn filter(prime: u64, room: u64, root: Pid) {
    let mut primes = vec![prime];
    let mut next = None;
    loop {
        match receive().await {
            Message::Candidate(number) => {
                let divisor = primes.iter().position(|prime| number % prime == 0);
                // A turn may bring two thousand candidates, each with a thousand divisions.
                consume_reductions((divisor.unwrap_or(primes.len()) / DIVISIONS) as u32);
                if divisor.is_some() {
                    continue;
                }
                match next {
                    Some(next) => send(next, Message::Candidate(number)),
                    None if (primes.len() as u64) < room => primes.push(number),
                    None => next = Some(next_filter(number, room, root)),
                }
            }
            Message::Exit(sum) => {
                let sum = sum + primes.iter().sum::<u64>();
                return match next {
                    Some(next) => send(next, Message::Exit(sum)),
                    None => send(root, Report(sum)),
                };
            }
        }
    }
}
