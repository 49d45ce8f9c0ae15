mod agreement;
mod model;
mod rules;

use std::time::Duration;

use super::{Config, Host, Queue, Usage};

/// When the queues of these tests were started.
const START: Duration = Duration::from_secs(1_700_000_000);

fn queue() -> Queue {
    let host = Host {
        pid: 42,
        version: "1.0".into(),
        id: "a1".into(),
        hostname: "here".into(),
        os: "#1 SMP".into(),
        platform: "x86_64".into(),
        usage: Usage::default,
    };
    Queue::new(Config {
        job_size_max: 65_535,
        started: START,
        host,
    })
}
