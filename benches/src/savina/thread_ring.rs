//! A token goes round a ring of actors, counting down; then the ring is taken apart.

use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn_link};

use super::{Outcome, Report, Size, reports};

struct Next(Pid);

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
    let root = self_pid();
    let last = size.count % size.actors;
    let first = spawn_link(async move {
        let Next(next) = receive().await;
        member(next, size.actors, last == 0, root).await;
    });
    let mut next = first;
    for index in (1..size.actors).rev() {
        next = spawn_link(member(next, size.actors, last == index, root));
    }
    send(first, Next(next));
    send(first, Message::Token(size.count));
    Outcome::since(start, reports(1).await)
}

/// `ends` is whether the token must end here.
async fn member(next: Pid, actors: u64, ends: bool, root: Pid) {
    let mut received = 0;
    loop {
        match receive().await {
            Message::Token(0) => {
                assert!(ends, "the token left the ring's order");
                received += 1;
                let (left, tokens) = (actors, 0);
                send(next, Message::Exit { left, tokens });
            }
            Message::Token(hops) => {
                received += 1;
                send(next, Message::Token(hops - 1));
            }
            Message::Exit { left, tokens } => {
                let (left, tokens) = (left - 1, tokens + received);
                return match left {
                    0 => send(root, Report(tokens)),
                    left => send(next, Message::Exit { left, tokens }),
                };
            }
        }
    }
}
