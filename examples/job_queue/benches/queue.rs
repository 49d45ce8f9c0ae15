//! What the queue itself costs, without network and disk.
//!
//! ```text
//! cargo bench -p job-queue --bench queue -- [JOBS]
//! ```
//!
//! For a growing number of ready jobs in one tube: how long a put takes, and a reserve with its
//! delete; the longest of each; the memory of a job beside its body of 16 bytes; and how long it
//! takes to restore them all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use job_queue::protocol::Command;
use job_queue::queue::{
    ClientKind, Config, Effect, Host, Queue, Record, Row, RowState, Tally, Usage,
};

const PRODUCER: u64 = 1;
const WORKER: u64 = 2;
const BODY: &[u8; 16] = b"sixteen bytes 16";
/// How many jobs are reserved and deleted, with all the others in the tube.
const ROUNDS: u32 = 10_000;

fn main() {
    // Cargo adds words of its own, such as `--bench`.
    let most = std::env::args().find_map(|arg| arg.parse().ok());
    let most: u64 = most.unwrap_or(1_000_000);
    println!("ready jobs   put ns (max us)   reserve+delete ns (max us)   bytes each   restore ms");
    let mut jobs = 1_000;
    loop {
        measure(jobs);
        if jobs >= most {
            break;
        }
        jobs = (jobs * 10).min(most);
    }
}

fn measure(jobs: u64) {
    let before = resident();
    let mut queue = queue();
    let mut bench = Bench::default();
    for _ in 0..jobs {
        let body = Arc::from(BODY.as_slice());
        bench.time(
            &mut queue,
            PRODUCER,
            Command::Put {
                pri: 0,
                delay: 0,
                ttr: 60,
                body,
            },
        );
    }
    let (put, longest_put) = bench.result();
    let each = resident().saturating_sub(before) as f64 / jobs as f64;
    let mut bench = Bench::default();
    for _ in 0..ROUNDS.min(jobs as u32) {
        let reserved = bench.time(&mut queue, WORKER, Command::Reserve { timeout: None });
        bench.time(
            &mut queue,
            WORKER,
            Command::Delete(reserved.expect("a job is ready")),
        );
    }
    let (reserve, longest_reserve) = bench.result();
    drop(queue);
    let restore = restore(jobs);
    println!(
        "{jobs:>10} {put:>8} {longest_put:>8.1} {:>14} {longest_reserve:>12.1} {each:>14.0} {:>12.1}",
        reserve * 2,
        restore.as_secs_f64() * 1e3,
    );
}

/// Commands that were timed.
#[derive(Default)]
struct Bench {
    effects: Vec<Effect>,
    commands: u32,
    total: Duration,
    longest: Duration,
    now: Duration,
}

impl Bench {
    /// Does a command, and says which job it leased.
    fn time(&mut self, queue: &mut Queue, client: u64, command: Command) -> Option<u64> {
        self.effects.clear();
        self.now += Duration::from_micros(1);
        let begun = Instant::now();
        queue.advance(self.now, &mut self.effects);
        queue.execute(client, command, self.now, &mut self.effects);
        let took = begun.elapsed();
        self.commands += 1;
        self.total += took;
        self.longest = self.longest.max(took);
        self.effects.iter().find_map(|effect| match effect {
            Effect::Leased { job, .. } => Some(*job),
            _ => None,
        })
    }

    /// Nanoseconds each, and the longest in microseconds.
    fn result(&self) -> (u128, f64) {
        let each = self.total.as_nanos() / u128::from(self.commands.max(1));
        (each, self.longest.as_secs_f64() * 1e6)
    }
}

fn restore(jobs: u64) -> Duration {
    let mut queue = queue();
    let tube = job_queue::protocol::TubeName::default();
    let begun = Instant::now();
    for id in 1..=jobs {
        queue.restore(Row {
            id,
            tube: tube.clone(),
            pri: 0,
            delay: 0,
            ttr: 60,
            created: 0,
            state: RowState::Ready,
            tally: Tally::default(),
            note: None,
            body: Arc::from(BODY.as_slice()),
        });
    }
    let took = begun.elapsed();
    assert_eq!(queue.summary().ready, jobs);
    let mut effects = Vec::new();
    queue.execute(PRODUCER, Command::Delete(1), Duration::ZERO, &mut effects);
    assert!(effects.contains(&Effect::Store(Record::Delete(1))));
    took
}

fn queue() -> Queue {
    let host = Host {
        pid: 0,
        version: String::new(),
        id: String::new(),
        hostname: String::new(),
        os: String::new(),
        platform: String::new(),
        usage: Usage::default,
    };
    let config = Config {
        job_size_max: 65_535,
        started: Duration::ZERO,
        host,
    };
    let mut queue = Queue::new(config);
    for client in [PRODUCER, WORKER] {
        queue.client_joined(client, &ClientKind::Connection);
    }
    queue
}

/// Bytes of memory in use.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kilobytes.map_or(0, |kilobytes: u64| kilobytes * 1024)
}
