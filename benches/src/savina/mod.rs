//! The Savina suite of actor benchmarks (Imam and Sarkar, AGERE! 2014), on regrow and, by [`on_tokio`], on
//! tokio; the twins for the BEAM are in `benches/savina`.
//!
//! Actors, messages and sizes are those of the suite. Each workload gives a number besides its time, and
//! [`Workload::expected`] finds the same one without actors, so that none is fast by being wrong.

mod bank_transaction;
mod big;
mod chameneos;
mod colour;
mod concurrent_dictionary;
mod counting;
mod expected;
mod fork_join_create;
mod fork_join_throughput;
mod forks;
mod numbers;
pub mod on_tokio;
mod philosophers;
mod ping_pong;
mod producer_consumer;
mod quicksort;
mod random;
mod sieve;
mod sleeping_barber;
#[cfg(test)]
mod tests;
mod thread_ring;
mod transactions;
mod work;

use std::time::{Duration, Instant};

use clap::ValueEnum;

/// One benchmark of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Workload {
    /// Two actors, a message there and one back
    PingPong,
    /// One sends, the other counts
    Counting,
    /// Actors that are made for one message each
    ForkJoinCreate,
    /// Messages dealt out to some actors
    ForkJoinThroughput,
    /// A token in a ring
    ThreadRing,
    /// Creatures that meet in pairs
    Chameneos,
    /// Everybody pings somebody, drawn at random
    Big,
    /// Producers, consumers, and the manager of a bounded buffer
    ProducerConsumer,
    /// Workers that read and write one dictionary
    ConcurrentDictionary,
    /// Philosophers and an arbitrator of forks
    Philosophers,
    /// Customers, a waiting room and a barber
    SleepingBarber,
    /// Money that is moved between accounts
    BankTransaction,
    /// A chain of filters for primes
    Sieve,
    /// A tree of actors that sort the parts
    Quicksort,
}

/// How large a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Actors that do the work; where there are two kinds, of each
    pub actors: u64,
    /// What is to be done: by each actor, or by all where the suite says so
    pub count: u64,
    /// What one place holds: items of a buffer, keys of the dictionary, seats, primes of a filter,
    /// numbers that are sorted without help
    pub room: u64,
}

impl Size {
    const fn new(actors: u64, count: u64, room: u64) -> Size {
        Size {
            actors,
            count,
            room,
        }
    }

    /// So many times the work, by as many actors; 10 at least, so that there is something to check.
    pub fn scaled(self, scale: f64) -> Size {
        let count = (self.count as f64 * scale).round() as u64;
        Size {
            count: count.max(10),
            ..self
        }
    }

    /// The length of the buffer at which a producer has to wait: each of them may have one item under way.
    fn mark(self) -> u64 {
        self.room.saturating_sub(self.actors).max(1)
    }
}

/// What a run gives.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// From before the first actor is made until the last has reported
    pub elapsed: Duration,
    /// To be compared with [`Workload::expected`]
    pub result: u64,
}

impl Outcome {
    fn since(start: Instant, result: u64) -> Outcome {
        Outcome {
            elapsed: start.elapsed(),
            result,
        }
    }
}

impl Workload {
    /// All of them, in the order of the suite.
    pub fn all() -> &'static [Workload] {
        Workload::value_variants()
    }

    /// The name on the command line, which is the name of the twin's module too.
    pub fn name(self) -> String {
        let value = self.to_possible_value().expect("none is hidden");
        value.get_name().to_owned()
    }

    /// The suite's size.
    pub const fn size(self) -> Size {
        match self {
            Workload::PingPong => Size::new(2, 40_000, 0),
            Workload::Counting => Size::new(2, 1_000_000, 0),
            Workload::ForkJoinCreate => Size::new(0, 40_000, 0),
            Workload::ForkJoinThroughput => Size::new(60, 10_000, 0),
            Workload::ThreadRing => Size::new(100, 100_000, 0),
            Workload::Chameneos => Size::new(100, 200_000, 0),
            Workload::Big => Size::new(120, 20_000, 0),
            Workload::ProducerConsumer => Size::new(40, 1_000, 50),
            Workload::ConcurrentDictionary => Size::new(20, 10_000, (1 << 31) / 4_096 - 1),
            Workload::Philosophers => Size::new(20, 10_000, 0),
            Workload::SleepingBarber => Size::new(0, 5_000, 1_000),
            Workload::BankTransaction => Size::new(1_000, 50_000, 0),
            Workload::Sieve => Size::new(0, 100_000, 1_000),
            Workload::Quicksort => Size::new(0, 1_000_000, 2_048),
        }
    }

    /// What a right run gives, found without actors.
    pub fn expected(self, size: Size) -> u64 {
        expected::expected(self, size)
    }

    /// Runs it in the current process.
    pub async fn run(self, size: Size) -> Outcome {
        match self {
            Workload::PingPong => ping_pong::run(size).await,
            Workload::Counting => counting::run(size).await,
            Workload::ForkJoinCreate => fork_join_create::run(size).await,
            Workload::ForkJoinThroughput => fork_join_throughput::run(size).await,
            Workload::ThreadRing => thread_ring::run(size).await,
            Workload::Chameneos => chameneos::run(size).await,
            Workload::Big => big::run(size).await,
            Workload::ProducerConsumer => producer_consumer::run(size).await,
            Workload::ConcurrentDictionary => concurrent_dictionary::run(size).await,
            Workload::Philosophers => philosophers::run(size).await,
            Workload::SleepingBarber => sleeping_barber::run(size).await,
            Workload::BankTransaction => bank_transaction::run(size).await,
            Workload::Sieve => sieve::run(size).await,
            Workload::Quicksort => quicksort::run(size).await,
        }
    }
}

/// An actor's part of the result.
struct Report(u64);

/// The sum of so many reports to this process.
async fn reports(count: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..count {
        let Report(part) = regrow::receive().await;
        sum += part;
    }
    sum
}
