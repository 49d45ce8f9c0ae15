//! Workers read and write one dictionary, and wait for each answer.

use std::collections::HashMap;
use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Outcome, Size, blocking, receive, reports, send};
use crate::savina::concurrent_dictionary::WRITES;
use crate::savina::random::Random;

enum Request {
    Write {
        key: u64,
        value: u64,
        from: UnboundedSender<u64>,
    },
    Read {
        key: u64,
        from: UnboundedSender<u64>,
    },
    Exit(UnboundedSender<u64>),
}

pub(super) async fn run(size: Size) -> Outcome {
    let (root, mut inbox) = mpsc::unbounded_channel();
    let (to_dictionary, requests) = mpsc::unbounded_channel();
    tokio::spawn(dictionary(size.room, requests));
    // What it holds at first is there before the clock starts.
    let from = root.clone();
    send(&to_dictionary, Request::Read { key: 0, from });
    receive(&mut inbox).await;

    let start = Instant::now();
    let (finished, mut all_finished) = mpsc::unbounded_channel();
    for index in 0..size.actors {
        let (dictionary, finished) = (to_dictionary.clone(), finished.clone());
        tokio::spawn(worker(index, size, dictionary, finished));
    }
    for _ in 0..size.actors {
        receive(&mut all_finished).await;
    }
    send(&to_dictionary, Request::Exit(root));
    Outcome::since(start, reports(&mut inbox, 1).await)
}

async fn worker(
    index: u64,
    size: Size,
    dictionary: UnboundedSender<Request>,
    finished: UnboundedSender<()>,
) {
    let (this, mut inbox) = mpsc::unbounded_channel();
    let mut random = Random::new(index);
    for _ in 0..size.count {
        let writes = random.below(100) < WRITES;
        let key = random.below(size.room);
        let from = this.clone();
        if writes {
            let value = size.room * (index + 1) + key;
            send(&dictionary, Request::Write { key, value, from });
            assert_eq!(receive(&mut inbox).await, value);
        } else {
            send(&dictionary, Request::Read { key, from });
            let read = receive(&mut inbox).await;
            assert_eq!(read % size.room, key, "a value of another key");
        }
    }
    send(&finished, ());
}

async fn dictionary(room: u64, mut inbox: UnboundedReceiver<Request>) {
    let fill = move || (0..room).map(|key| (key, key)).collect();
    let mut values: HashMap<u64, u64> = blocking(fill).await;
    let mut report = 0;
    loop {
        match receive(&mut inbox).await {
            Request::Write { key, value, from } => {
                values.insert(key, value);
                report += 1 + key;
                send(&from, value);
            }
            Request::Read { key, from } => {
                report += 1;
                send(&from, values[&key]);
            }
            Request::Exit(to) => return send(&to, report),
        }
    }
}
