//! A token goes round a ring of actors, counting down; then the ring is taken apart.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Outcome, Size, receive, reports, send};

enum Message {
    Token(u64),
    /// To so many more, who have received so many tokens together
    Exit {
        left: u64,
        tokens: u64,
    },
}

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (root, mut reported) = mpsc::unbounded_channel();
    let (first, mut inbox) = mpsc::unbounded_channel();
    for index in 0..size.actors {
        let (next, next_inbox) = mpsc::unbounded_channel();
        let next = match index + 1 == size.actors {
            true => first.clone(),
            false => next,
        };
        let own = std::mem::replace(&mut inbox, next_inbox);
        let ends = size.count % size.actors == index;
        tokio::spawn(member(own, next, size.actors, ends, root.clone()));
    }
    send(&first, Message::Token(size.count));
    Outcome::since(start, reports(&mut reported, 1).await)
}

/// `ends` is whether the token must end here.
async fn member(
    mut inbox: UnboundedReceiver<Message>,
    next: UnboundedSender<Message>,
    actors: u64,
    ends: bool,
    root: UnboundedSender<u64>,
) {
    let mut received = 0;
    loop {
        match receive(&mut inbox).await {
            Message::Token(0) => {
                assert!(ends, "the token left the ring's order");
                received += 1;
                let (left, tokens) = (actors, 0);
                send(&next, Message::Exit { left, tokens });
            }
            Message::Token(hops) => {
                received += 1;
                send(&next, Message::Token(hops - 1));
            }
            Message::Exit { left, tokens } => {
                let (left, tokens) = (left - 1, tokens + received);
                return match left {
                    0 => send(&root, tokens),
                    left => send(&next, Message::Exit { left, tokens }),
                };
            }
        }
    }
}
