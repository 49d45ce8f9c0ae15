//! Everybody pings somebody, again and again: a target drawn at random, whose answer it waits for.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Outcome, Size, receive, reports, send};
use crate::savina::random::Random;

enum Message {
    Ping(usize),
    Pong(usize),
    Exit,
}

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (root, mut reported) = mpsc::unbounded_channel();
    let (sink, mut finished) = mpsc::unbounded_channel();
    let channels = (0..size.actors).map(|_| mpsc::unbounded_channel());
    let (actors, inboxes): (Vec<_>, Vec<_>) = channels.unzip();
    let actors: Arc<[UnboundedSender<Message>]> = actors.into();
    for (index, inbox) in inboxes.into_iter().enumerate() {
        let actor = Actor {
            index,
            actors: Arc::clone(&actors),
            inbox,
        };
        tokio::spawn(actor.run(size.count, sink.clone(), root.clone()));
    }
    for _ in 0..size.actors {
        receive(&mut finished).await;
    }
    for actor in &*actors {
        send(actor, Message::Exit);
    }
    Outcome::since(start, reports(&mut reported, size.actors).await)
}

struct Actor {
    index: usize,
    actors: Arc<[UnboundedSender<Message>]>,
    inbox: UnboundedReceiver<Message>,
}

impl Actor {
    async fn run(mut self, count: u64, sink: UnboundedSender<()>, root: UnboundedSender<u64>) {
        let mut random = Random::new(self.index as u64);
        let mut target = self.ping(&mut random);
        let (mut left, mut answered) = (count - 1, 0);
        loop {
            match receive(&mut self.inbox).await {
                Message::Ping(from) => {
                    answered += 1;
                    send(&self.actors[from], Message::Pong(self.index));
                }
                Message::Pong(from) => {
                    assert_eq!(from, target, "answered by another");
                    match left {
                        0 => send(&sink, ()),
                        _ => {
                            left -= 1;
                            target = self.ping(&mut random);
                        }
                    }
                }
                Message::Exit => return send(&root, answered),
            }
        }
    }

    fn ping(&self, random: &mut Random) -> usize {
        let target = random.below(self.actors.len() as u64) as usize;
        send(&self.actors[target], Message::Ping(self.index));
        target
    }
}
