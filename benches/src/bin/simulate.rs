//! How fast simulations are: turns in a second, and virtual seconds in a real one.
#![forbid(unsafe_code)]

use std::future::Future;
use std::time::{Duration, Instant};

use clap::Parser;
use regrow::simulation::{Simulation, random_below};
use regrow::{Down, monotonic_time, receive, sleep, spawn_monitor};
use regrow_benches::messages;

/// Measures the simulation driver.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The seed of each simulation
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Operations of each row
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// Runs of each row, of which the median is shown
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Keep the events of each trace
    #[arg(long)]
    trace: bool,
}

fn main() {
    let options = Options::parse();
    let count = options.count;
    println!(
        "{:<24} {:>12} {:>14} {:>22}",
        "program", "turns", "turns/s", "virtual s / real s"
    );
    row(&options, "ping-pong, 1 pair", || async move {
        _ = messages::ping_pong(1, count).await;
    });
    row(&options, "ping-pong, 64 pairs", || async move {
        _ = messages::ping_pong(64, count).await;
    });
    row(&options, "ring of 503", || async move {
        _ = messages::ring(count).await;
    });
    row(&options, "spawn and exit", move || spawns(count));
    row(&options, "1000 sleepers", move || sleepers(count / 1000));
}

/// Spawns processes that end at once, a hundred at a time.
async fn spawns(count: u64) {
    for _ in 0..count / 100 {
        for _ in 0..100 {
            spawn_monitor(async {});
        }
        for _ in 0..100 {
            receive::<Down>().await;
        }
    }
}

/// A thousand processes that sleep for some seconds, over and over.
async fn sleepers(naps: u64) {
    for _ in 0..1000 {
        spawn_monitor(async move {
            for _ in 0..naps {
                sleep(Duration::from_millis(1 + random_below(10_000))).await;
            }
        });
    }
    for _ in 0..1000 {
        receive::<Down>().await;
    }
    assert!(naps == 0 || monotonic_time() > Duration::ZERO);
}

fn row<F>(options: &Options, name: &str, program: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let simulation = Simulation::new(options.seed)
        .trace(options.trace)
        .max_turns(u64::MAX);
    let mut runs: Vec<_> = (0..options.runs.max(1))
        .map(|_| {
            let start = Instant::now();
            match simulation.run(program()) {
                Ok(outcome) => (start.elapsed(), outcome),
                Err(error) => panic!("{error}"),
            }
        })
        .collect();
    let hash = runs[0].1.trace.hash();
    assert!(
        runs.iter().all(|(_, outcome)| outcome.trace.hash() == hash),
        "the same seed went different ways"
    );
    runs.sort_by_key(|(took, _)| *took);
    let (took, outcome) = &runs[runs.len() / 2];
    let per_second = outcome.turns as f64 / took.as_secs_f64();
    let faster = outcome.virtual_time.as_secs_f64() / took.as_secs_f64();
    println!(
        "{name:<24} {:>12} {per_second:>14.0} {faster:>22.1}",
        outcome.turns
    );
}
