//! Philosophers ask an arbitrator for two forks, and ask again when they are denied.

use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn_link};

use super::forks::Forks;
use super::{Outcome, Size};

/// To the arbitrator.
enum Request {
    Hungry(usize, Pid),
    Done(usize),
    Exit,
}

/// To a philosopher.
enum Answer {
    Start,
    Eat,
    Denied,
}

/// This process is the arbitrator.
pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let arbitrator = self_pid();
    for index in 0..size.actors as usize {
        let philosopher = spawn_link(philosopher(index, size.count, arbitrator));
        send(philosopher, Answer::Start);
    }
    let mut forks = Forks::new(size.actors as usize);
    let (mut there, mut meals) = (size.actors, 0);
    while there > 0 {
        match receive().await {
            Request::Hungry(index, philosopher) => match forks.take(index) {
                true => send(philosopher, Answer::Eat),
                false => send(philosopher, Answer::Denied),
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

async fn philosopher(index: usize, rounds: u64, arbitrator: Pid) {
    let this = self_pid();
    let mut left = rounds;
    loop {
        match receive().await {
            Answer::Start | Answer::Denied => send(arbitrator, Request::Hungry(index, this)),
            Answer::Eat => {
                send(arbitrator, Request::Done(index));
                left -= 1;
                match left {
                    0 => return send(arbitrator, Request::Exit),
                    _ => send(this, Answer::Start),
                }
            }
        }
    }
}
