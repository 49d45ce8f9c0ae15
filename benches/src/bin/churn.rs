//! What many processes leave behind: memory after millions have come and gone, the tables of a
//! parent whose children have ended, and how long a million takes to die.
//!
//! `cargo run --release -p regrow-benches --bin churn -- --help`

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use regrow::{Exit, ExitReason, Pid, Runtime, process_info, self_pid, system_info};
use regrow_benches::{resident_bytes, spawning};

#[derive(Debug, Parser)]
struct Options {
    /// What to do; everything, each in a program of its own, unless said.
    #[arg(value_enum)]
    what: Option<What>,
    /// Processes alive at a time; ten times as many come and go.
    #[arg(long, default_value_t = 1_000_000)]
    processes: u64,
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Short processes: memory at the end against that after the first tenth.
    Short,
    /// Linked children that end normally: what their parent still knows of them.
    Children,
    /// Idle processes: bytes of each, and the time to kill them one by one.
    Plain,
    /// Idle processes linked to their parent: the same, when the parent crashes.
    Linked,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let ok = match options.what {
        Some(what) => run(what, &options),
        None => What::value_variants().iter().all(|&what| {
            let this = std::env::current_exe().expect("this program has a path");
            let name = what.to_possible_value().expect("none is hidden");
            let status = Command::new(this)
                .arg(name.get_name())
                .args(["--processes", &options.processes.to_string()])
                .args(["--workers", &options.workers.to_string()])
                .status();
            status.is_ok_and(|status| status.success())
        }),
    };
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Says whether all was as it should be.
fn run(what: What, options: &Options) -> bool {
    let runtime = Runtime::builder().workers(options.workers).build();
    let runtime = runtime.expect("the runtime starts");
    let count = options.processes;
    runtime.block_on(async move {
        match what {
            What::Short => short(count).await,
            What::Children => children(count).await,
            What::Plain => plain(count).await,
            What::Linked => linked(count).await,
        }
    })
}

async fn short(count: u64) -> bool {
    come_and_go(count).await;
    let first = resident_bytes() / 1024;
    println!("short: {first} kB resident after {count} processes");
    come_and_go(9 * count).await;
    let last = resident_bytes() / 1024;
    let growth = 100.0 * (last as f64 / first as f64 - 1.0);
    let spares = system_info().spares_started;
    println!(
        "short: {last} kB after {}: {growth:+.1} % ({spares} spare threads started)",
        10 * count
    );
    growth <= 5.0
}

/// A thousand alive at a time, neither more nor less: memory depends on how many there were at
/// once, and what is looked for is what depends on how many there have been.
async fn come_and_go(count: u64) {
    let mut left = count;
    while left > 0 {
        let burst = left.min(1000);
        let pids: Vec<Pid> = (0..burst).map(|_| regrow::spawn(until_end())).collect();
        pids.into_iter().for_each(|pid| regrow::send(pid, End));
        until_processes(1).await;
        left -= burst;
    }
}

struct End;

async fn until_end() {
    let End = regrow::receive().await;
}

async fn children(count: u64) -> bool {
    let before = process_info(self_pid()).await.expect("it lives");
    let pids: Vec<Pid> = (0..count)
        .map(|_| regrow::spawn_link(until_end()))
        .collect();
    let full = process_info(self_pid()).await.expect("it lives");
    pids.into_iter().for_each(|pid| regrow::send(pid, End));
    until_processes(1).await;
    let after = process_info(self_pid()).await.expect("it lives");
    println!(
        "children: {} links and {} bytes in the parent of {count}; {} and {} when they have ended",
        full.links.len(),
        full.memory,
        after.links.len(),
        after.memory
    );
    after.links.is_empty() && after.memory <= before.memory + 4096
}

async fn plain(count: u64) -> bool {
    let before = resident_bytes();
    let pids: Vec<Pid> = (0..count)
        .map(|_| regrow::spawn(spawning::idle()))
        .collect();
    settle().await;
    // The list of pids is ours, not theirs.
    let list = (pids.len() * size_of::<Pid>()) as f64;
    tell("plain", count, (resident_bytes() - before) as f64 - list);
    let start = Instant::now();
    pids.into_iter()
        .for_each(|pid| regrow::exit(pid, ExitReason::Kill));
    until_processes(1).await;
    println!(
        "plain: {:.3} s to kill them all",
        start.elapsed().as_secs_f64()
    );
    true
}

async fn linked(count: u64) -> bool {
    struct Crash;
    regrow::trap_exit(true);
    let before = resident_bytes();
    let parent = regrow::spawn_link(async move {
        for _ in 0..count {
            regrow::spawn_link(spawning::idle());
        }
        let Crash = regrow::receive().await;
        ExitReason::error("crash")
    });
    while system_info().processes < count + 2 {
        regrow::sleep(Duration::from_millis(10)).await;
    }
    settle().await;
    tell("linked", count, (resident_bytes() - before) as f64);
    let start = Instant::now();
    regrow::send(parent, Crash);
    regrow::receive::<Exit>().await;
    until_processes(1).await;
    println!(
        "linked: {:.3} s for all to die with their parent",
        start.elapsed().as_secs_f64()
    );
    true
}

fn tell(what: &str, count: u64, bytes: f64) {
    println!(
        "{what}: {:.1} bytes for each of {count}",
        bytes / count as f64
    );
}

/// Until the newborns have had their first turns.
async fn settle() {
    while system_info().queued > 0 {
        regrow::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_processes(count: u64) {
    while system_info().processes > count {
        regrow::yield_now().await;
    }
}
