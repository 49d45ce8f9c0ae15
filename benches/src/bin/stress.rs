//! Runs the stress rounds of `runtime/tests/stress.rs` in turns until the time is up. A hang, a lost
//! or reordered message or a panic ends it with a non-zero code and says what was going on.
#![forbid(unsafe_code)]

#[path = "../../../runtime/tests/stress_rounds/mod.rs"]
mod stress_rounds;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use regrow::Runtime;
use stress_rounds::{Ledger, ROUNDS, Round, Watchdog};

/// Tries to make the runtime lose a wake-up, a message or an order.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// How long
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Worker threads of the runtime
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Only this round: ping-pong, fan-in, self-yield, storm, join, links, calls
    #[arg(long, value_name = "ROUND")]
    only: Option<String>,
    /// Where the random sequences begin; printed, so that a run can be repeated
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let rounds: Vec<&Round> = ROUNDS
        .iter()
        .filter(|round| options.only.as_ref().is_none_or(|only| only == round.name))
        .collect();
    if rounds.is_empty() {
        let names: Vec<_> = ROUNDS.iter().map(|round| round.name).collect();
        eprintln!("error: no such round; there are {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    let runtime = match Runtime::builder().workers(options.workers).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime does not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let seed = options.seed.unwrap_or_else(|| std::process::id().into());
    println!(
        "stress: {} s, {} workers, --seed {seed}",
        options.seconds, options.workers
    );

    let ledger = Arc::new(Ledger::default());
    let watchdog = Watchdog::start(runtime.handle(), Arc::clone(&ledger));
    let start = Instant::now();
    let times = repeat(&options, &rounds, &runtime, &ledger, seed);
    drop(watchdog);

    println!(
        "passed: no lost wake-up, message or order in {:.0} s",
        start.elapsed().as_secs_f64()
    );
    for (round, times) in rounds.iter().zip(times) {
        println!(
            "  {:<12} {times:>6} times {:>8} operations",
            round.name, round.operations
        );
    }
    println!("  {} payloads made, all dropped", ledger.payloads());
    ExitCode::SUCCESS
}

/// How often each round was run.
fn repeat(
    options: &Options,
    rounds: &[&Round],
    runtime: &Runtime,
    ledger: &Arc<Ledger>,
    seed: u64,
) -> Vec<u64> {
    let start = Instant::now();
    let stop = Arc::new(AtomicBool::new(false));
    let reporter = report(start, Arc::clone(ledger), Arc::clone(&stop));
    let mut times = vec![0; rounds.len()];
    let mut seed = seed;
    // Each round at least once, however short the time.
    let time = Duration::from_secs(options.seconds);
    while start.elapsed() < time || times.contains(&0) {
        let round = (seed % rounds.len() as u64) as usize;
        rounds[round].run(runtime, ledger, seed, rounds[round].operations);
        times[round] += 1;
        seed += 1;
    }
    stop.store(true, Ordering::Relaxed);
    reporter.thread().unpark();
    // It only prints.
    let _ = reporter.join();
    times
}

/// Prints a line every ten seconds.
fn report(start: Instant, ledger: Arc<Ledger>, stop: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut next = start + Duration::from_secs(10);
        while !stop.load(Ordering::Relaxed) {
            thread::park_timeout(next.saturating_duration_since(Instant::now()));
            if Instant::now() >= next {
                println!(
                    "{:>5} s  {:>12} steps  {:>12} payloads",
                    start.elapsed().as_secs(),
                    ledger.progress(),
                    ledger.payloads(),
                );
                next += Duration::from_secs(10);
            }
        }
    })
}
