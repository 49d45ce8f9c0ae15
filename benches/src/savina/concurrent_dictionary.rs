//! Workers read and write one dictionary, and wait for each answer.

use std::collections::HashMap;
use std::time::Instant;

use regrow::{Pid, blocking, receive, self_pid, send, spawn_link};

use super::random::Random;
use super::{Outcome, Report, Size, reports};

/// So many of a hundred requests write.
pub(super) const WRITES: u64 = 10;

enum Request {
    Write { key: u64, value: u64, from: Pid },
    Read { key: u64, from: Pid },
    Exit(Pid),
}

struct Answer(u64);
struct Finished;

pub(super) async fn run(size: Size) -> Outcome {
    let root = self_pid();
    let dictionary = spawn_link(dictionary(size.room));
    // What it holds at first is there before the clock starts.
    send(dictionary, Request::Read { key: 0, from: root });
    receive::<Answer>().await;

    let start = Instant::now();
    for index in 0..size.actors {
        spawn_link(worker(index, size, dictionary, root));
    }
    for _ in 0..size.actors {
        receive::<Finished>().await;
    }
    send(dictionary, Request::Exit(root));
    Outcome::since(start, reports(1).await)
}

async fn worker(index: u64, size: Size, dictionary: Pid, root: Pid) {
    let from = self_pid();
    let mut random = Random::new(index);
    for _ in 0..size.count {
        let writes = random.below(100) < WRITES;
        let key = random.below(size.room);
        if writes {
            let value = size.room * (index + 1) + key;
            send(dictionary, Request::Write { key, value, from });
            let Answer(written) = receive().await;
            assert_eq!(written, value);
        } else {
            send(dictionary, Request::Read { key, from });
            let Answer(read) = receive().await;
            assert_eq!(read % size.room, key, "a value of another key");
        }
    }
    send(root, Finished);
}

/// Reports the requests, and the sum of the keys that were written.
async fn dictionary(room: u64) {
    let fill = move || (0..room).map(|key| (key, key)).collect();
    let mut values: HashMap<u64, u64> = blocking(fill).await;
    let mut report = 0;
    loop {
        match receive().await {
            Request::Write { key, value, from } => {
                values.insert(key, value);
                report += 1 + key;
                send(from, Answer(value));
            }
            Request::Read { key, from } => {
                report += 1;
                send(from, Answer(values[&key]));
            }
            Request::Exit(to) => return send(to, Report(report)),
        }
    }
}
