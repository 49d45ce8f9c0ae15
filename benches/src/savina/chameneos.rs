//! Creatures ask a mall for a partner, meet, change colour and ask again.

use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn_link};

use super::colour::Colour;
use super::{Outcome, Size};

/// To the mall.
enum Request {
    Meet(Colour, Pid),
    Met(u64),
}

/// To a creature.
enum Answer {
    /// From the mall: who came second, and its colour
    Meet(Colour, Pid),
    /// From the one who waited: the colour of both now
    Change(Colour),
    Exit,
}

/// This process is the mall.
pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let mall = self_pid();
    for index in 0..size.actors {
        spawn_link(creature(Colour::of(index), mall));
    }
    let mut waits: Option<Pid> = None;
    let (mut left, mut alive, mut met) = (size.count, size.actors, 0);
    while alive > 0 {
        match receive().await {
            Request::Meet(_, creature) if left == 0 => send(creature, Answer::Exit),
            Request::Meet(colour, creature) => match waits.take() {
                None => waits = Some(creature),
                Some(first) => {
                    left -= 1;
                    send(first, Answer::Meet(colour, creature));
                }
            },
            Request::Met(times) => {
                met += times;
                alive -= 1;
            }
        }
    }
    Outcome::since(start, met)
}

async fn creature(mut colour: Colour, mall: Pid) {
    let this = self_pid();
    let mut met = 0;
    loop {
        send(mall, Request::Meet(colour, this));
        match receive().await {
            Answer::Meet(other, creature) => {
                colour = colour.complement(other);
                send(creature, Answer::Change(colour));
            }
            Answer::Change(new) => colour = new,
            Answer::Exit => return send(mall, Request::Met(met)),
        }
        met += 1;
    }
}
