//! Creatures ask a mall for a partner, meet, change colour and ask again.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedSender};

use super::{Outcome, Size, receive, send};
use crate::savina::colour::Colour;

/// To the mall.
enum Request {
    Meet(Colour, UnboundedSender<Answer>),
    Met(u64),
}

/// To a creature.
enum Answer {
    /// From the mall: who came second, and its colour
    Meet(Colour, UnboundedSender<Answer>),
    /// From the one who waited: the colour of both now
    Change(Colour),
    Exit,
}

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (mall, mut inbox) = mpsc::unbounded_channel();
    for index in 0..size.actors {
        tokio::spawn(creature(Colour::of(index), mall.clone()));
    }
    let mut waits: Option<UnboundedSender<Answer>> = None;
    let (mut left, mut alive, mut met) = (size.count, size.actors, 0);
    while alive > 0 {
        match receive(&mut inbox).await {
            Request::Meet(_, creature) if left == 0 => send(&creature, Answer::Exit),
            Request::Meet(colour, creature) => match waits.take() {
                None => waits = Some(creature),
                Some(first) => {
                    left -= 1;
                    send(&first, Answer::Meet(colour, creature));
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

async fn creature(mut colour: Colour, mall: UnboundedSender<Request>) {
    let (this, mut inbox) = mpsc::unbounded_channel();
    let mut met = 0;
    loop {
        send(&mall, Request::Meet(colour, this.clone()));
        match receive(&mut inbox).await {
            Answer::Meet(other, creature) => {
                colour = colour.complement(other);
                send(&creature, Answer::Change(colour));
            }
            Answer::Change(new) => colour = new,
            Answer::Exit => return send(&mall, Request::Met(met)),
        }
        met += 1;
    }
}
