use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::protocol::{Command, Response};

const A: ClientId = 1;
const B: ClientId = 2;

/// A queue with a clock, and what it said.
struct Story {
    queue: Queue,
    now: Duration,
    effects: Vec<Effect>,
}

impl Story {
    fn new() -> Story {
        let host = Host {
            pid: 1,
            version: "v".into(),
            id: "a1".into(),
            hostname: "here".into(),
            os: "#1".into(),
            platform: "x86_64".into(),
            usage: Usage::default,
        };
        let config = Config {
            job_size_max: 65_535,
            unix_at_zero: Duration::from_secs(1_700_000_000),
            host,
        };
        let mut queue = Queue::new(config);
        queue.client_joined(A, &ClientKind::Connection);
        queue.client_joined(B, &ClientKind::Connection);
        Story {
            queue,
            now: Duration::ZERO,
            effects: Vec::new(),
        }
    }

    fn put(&mut self, client: ClientId, pri: u32, delay: u32, ttr: u32) -> Option<Response> {
        self.does(
            client,
            Command::Put {
                pri,
                delay,
                ttr,
                body: Arc::from(b"x".as_slice()),
            },
        )
    }

    /// The answer to this command, if there is one already.
    fn does(&mut self, client: ClientId, command: Command) -> Option<Response> {
        self.queue
            .execute(client, command, self.now, &mut self.effects);
        self.told(client)
    }

    fn told(&mut self, client: ClientId) -> Option<Response> {
        let mut found = self.effects.drain(..).filter_map(|effect| match effect {
            Effect::Reply(to, response) | Effect::ReplyWhenStored(to, response) if to == client => {
                Some(response)
            }
            _ => None,
        });
        found.next_back()
    }
}

#[test]
fn a_job_that_is_put_can_be_reserved_and_deleted() {
    let mut story = Story::new();
    assert_eq!(story.put(A, 1, 0, 10), Some(Response::Inserted(1)));
    let body: Arc<[u8]> = Arc::from(b"x".as_slice());
    let reserved = story.does(B, Command::Reserve { timeout: None });
    assert_eq!(reserved, Some(Response::Reserved(1, body)));
    assert_eq!(story.does(A, Command::Delete(1)), Some(Response::NotFound));
    assert_eq!(story.does(B, Command::Delete(1)), Some(Response::Deleted));
    assert_eq!(story.does(B, Command::Delete(1)), Some(Response::NotFound));
}
