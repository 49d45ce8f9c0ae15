//! Rounds that try to lose a wake-up, a message or an order: OS threads and processes send to
//! processes that yield, park, select, join and die meanwhile. Each round counts its payloads, and a
//! watchdog reports who waits when nothing moves any more. The stress program runs the same rounds
//! for as long as it is told to.

mod calls;
mod join;
mod links;
mod messages;
mod storm;
mod watchdog;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use regrow_runtime::{Down, ExitReason, MonitorRef, Pid, Runtime, receive};

pub(crate) use watchdog::Watchdog;

/// How long nothing may move before it counts as a lost wake-up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

type Threads = Vec<JoinHandle<()>>;
type Body = Pin<Box<dyn Future<Output = Threads> + Send>>;

/// One kind of stress: its name, and what a process does to run it once with that many operations.
/// It returns the OS threads that took part.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) name: &'static str,
    /// Operations that take some tenths of a second.
    pub(crate) operations: u64,
    body: fn(Arc<Ledger>, Random, u64) -> Body,
}

/// All of them.
pub(crate) const ROUNDS: &[Round] = &[
    Round {
        name: "ping-pong",
        operations: 200_000,
        body: |l, r, n| Box::pin(messages::ping_pong(l, r, n)),
    },
    Round {
        name: "fan-in",
        operations: 400_000,
        body: |l, r, n| Box::pin(messages::fan_in(l, r, n)),
    },
    Round {
        name: "self-yield",
        operations: 200_000,
        body: |l, r, n| Box::pin(messages::self_yield(l, r, n)),
    },
    Round {
        name: "storm",
        operations: 300_000,
        body: |l, r, n| Box::pin(storm::storm(l, r, n)),
    },
    Round {
        name: "join",
        operations: 4_000,
        body: |l, r, n| Box::pin(join::joins(l, r, n)),
    },
    Round {
        name: "links",
        operations: 4_000,
        body: |l, r, n| Box::pin(links::agreement(l, r, n)),
    },
    Round {
        name: "calls",
        operations: 20_000,
        body: |l, r, n| Box::pin(calls::calls(l, r, n)),
    },
];

impl Round {
    /// Runs the round to its end and checks that every payload was dropped and every process is gone.
    ///
    /// # Panics
    ///
    /// If anything was lost, reordered or left behind.
    pub(crate) fn run(&self, runtime: &Runtime, ledger: &Arc<Ledger>, seed: u64, operations: u64) {
        let alive = runtime.handle().processes().len();
        let body = (self.body)(Arc::clone(ledger), Random::new(seed), operations);
        for thread in runtime.block_on(body) {
            assert!(
                thread.join().is_ok(),
                "{}, seed {seed}: a thread panicked",
                self.name
            );
        }
        let all_gone = || ledger.balanced() && runtime.handle().processes().len() <= alive;
        assert!(
            eventually(all_gone),
            "{}, seed {seed}: {} payloads made, {} dropped, {} processes left of {alive}",
            self.name,
            ledger.made.load(Ordering::Acquire),
            ledger.dropped.load(Ordering::Acquire),
            runtime.handle().processes().len(),
        );
    }
}

/// Waits for what the last exits still have to do.
fn eventually(condition: impl Fn() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

/// What was made, what was dropped, and a count that grows only when the stressed processes get on.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    made: AtomicU64,
    dropped: AtomicU64,
    progress: AtomicU64,
}

impl Ledger {
    /// Something that the round waits for has happened.
    fn tick(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something happened that a round waits for.
    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    fn balanced(&self) -> bool {
        // In this order: a payload may be made and dropped between the two looks.
        let dropped = self.dropped.load(Ordering::Acquire);
        dropped == self.made.load(Ordering::Acquire)
    }

    /// Payloads made so far.
    pub(crate) fn payloads(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

/// A message that is counted when it is made and when it is dropped, and knows its place in its
/// sender's sequence.
#[derive(Debug)]
struct Payload {
    sender: u64,
    number: u64,
    ledger: Arc<Ledger>,
}

impl Payload {
    fn new(ledger: &Arc<Ledger>, sender: u64, number: u64) -> Payload {
        ledger.made.fetch_add(1, Ordering::Relaxed);
        Payload {
            sender,
            number,
            ledger: Arc::clone(ledger),
        }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.ledger.dropped.fetch_add(1, Ordering::Release);
    }
}

/// Checks that each sender's payloads arrive in the order in which they were sent.
#[derive(Debug, Default)]
struct Order {
    next: HashMap<u64, u64>,
    received: u64,
}

impl Order {
    fn check(&mut self, payload: &Payload) {
        let next = self.next.entry(payload.sender).or_default();
        assert_eq!(
            payload.number, *next,
            "sender {} is out of order",
            payload.sender
        );
        *next += 1;
        self.received += 1;
        payload.ledger.tick();
    }
}

/// Small, seeded and good enough to vary the timing (xorshift).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        // Neighbouring seeds must not give neighbouring sequences, and zero would stay zero.
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    /// An independent sequence for someone else.
    fn fork(&mut self) -> Random {
        Random::new(self.next())
    }

    /// Does nothing for a random while.
    fn spin(&mut self, most: u64) {
        for _ in 0..self.below(most) {
            std::hint::spin_loop();
        }
    }
}

/// Waits until all of them have ended normally.
async fn all_end_normally(processes: Vec<(Pid, MonitorRef)>) {
    for (pid, monitor) in processes {
        let down = receive::<Down>()
            .matching(move |down: &Down| down.reference == monitor)
            .await;
        assert!(
            matches!(down.reason, ExitReason::Normal),
            "{pid} ended with {}",
            down.reason
        );
    }
}
