//! Philosophers ask an arbitrator for two forks, and ask again when they are denied.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedSender};

use super::{Outcome, Size, receive, send};
use crate::savina::forks::Forks;

/// To the arbitrator.
enum Request {
    Hungry(usize, UnboundedSender<Answer>),
    Done(usize),
    Exit,
}

/// To a philosopher.
enum Answer {
    Start,
    Eat,
    Denied,
}

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (arbitrator, mut inbox) = mpsc::unbounded_channel();
    for index in 0..size.actors as usize {
        tokio::spawn(philosopher(index, size.count, arbitrator.clone()));
    }
    let mut forks = Forks::new(size.actors as usize);
    let (mut there, mut meals) = (size.actors, 0);
    while there > 0 {
        match receive(&mut inbox).await {
            Request::Hungry(index, philosopher) => match forks.take(index) {
                true => send(&philosopher, Answer::Eat),
                false => send(&philosopher, Answer::Denied),
            },
            Request::Done(index) => {
                forks.put_back(index);
                meals += 1;
            }
            Request::Exit => there -= 1,
        }
    }
    Outcome::since(start, meals)
}

async fn philosopher(index: usize, rounds: u64, arbitrator: UnboundedSender<Request>) {
    let (this, mut inbox) = mpsc::unbounded_channel();
    send(&this, Answer::Start);
    let mut left = rounds;
    loop {
        match receive(&mut inbox).await {
            Answer::Start | Answer::Denied => {
                send(&arbitrator, Request::Hungry(index, this.clone()));
            }
            Answer::Eat => {
                send(&arbitrator, Request::Done(index));
                left -= 1;
                match left {
                    0 => return send(&arbitrator, Request::Exit),
                    _ => send(&this, Answer::Start),
                }
            }
        }
    }
}
