//! Everybody pings somebody, again and again: a target drawn at random, whose answer it waits for.

use std::sync::Arc;
use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn_link};

use super::random::Random;
use super::{Outcome, Report, Size, reports};

struct Neighbours(Arc<[Pid]>);
struct Finished;

enum Message {
    Ping(usize),
    Pong(usize),
    Exit,
}

/// This process is the sink, which hears of those that are through.
pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let sink = self_pid();
    let actors: Arc<[Pid]> = (0..size.actors as usize)
        .map(|index| spawn_link(actor(index, size.count, sink)))
        .collect();
    for &actor in &*actors {
        send(actor, Neighbours(Arc::clone(&actors)));
    }
    for _ in 0..size.actors {
        receive::<Finished>().await;
    }
    for &actor in &*actors {
        send(actor, Message::Exit);
    }
    Outcome::since(start, reports(size.actors).await)
}

async fn actor(index: usize, count: u64, sink: Pid) {
    let Neighbours(actors) = receive().await;
    let mut random = Random::new(index as u64);
    let mut ping = || {
        let target = random.below(actors.len() as u64) as usize;
        send(actors[target], Message::Ping(index));
        target
    };
    let mut target = ping();
    let (mut left, mut answered) = (count - 1, 0);
    loop {
        match receive().await {
            Message::Ping(from) => {
                answered += 1;
                send(actors[from], Message::Pong(index));
            }
            Message::Pong(from) => {
                assert_eq!(from, target, "answered by another");
                match left {
                    0 => send(sink, Finished),
                    _ => {
                        left -= 1;
                        target = ping();
                    }
                }
            }
            Message::Exit => return send(sink, Report(answered)),
        }
    }
}
