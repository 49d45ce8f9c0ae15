//! A ring of a million processes, and a token that goes round: what a process costs.
//!
//! ```sh
//! cargo run --release --example ring [processes]
//! ```
//!
//! Each process knows its successor alone and passes on what it gets: the exercise of Joe Armstrong's
//! book on Erlang, by `spawn`, `!` and `receive`. The figures are those of the build: with
//! `--release` they can be compared.

use std::error::Error;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use regrow::{ExitReason, Pid, Runtime, monitor, receive, receive_down, self_pid, send, spawn};

const PROCESSES: NonZeroU64 = NonZeroU64::new(1_000_000).unwrap();

/// Counts the hops.
struct Token(u64);
struct Stop;

async fn link_of_the_ring(next: Pid) {
    loop {
        receive! {
            Token(hops) => send(next, Token(hops + 1)),
            Stop => {
                send(next, Stop);
                return;
            }
        }
    }
}

/// Memory in use, in bytes, as the system sees it.
fn resident() -> std::io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    kib.map(|kib: u64| kib * 1024)
        .ok_or(std::io::ErrorKind::InvalidData.into())
}

fn each(time: Duration, count: u64) -> String {
    format!(
        "{} ms, {} ns each",
        time.as_millis(),
        time.as_nanos() / u128::from(count)
    )
}

async fn ring(processes: u64) -> std::io::Result<()> {
    let before = resident()?;
    let began = Instant::now();
    // From the last to the first, so that each has a successor when it starts. That of the last is this
    // process, which closes the ring.
    let last = spawn(link_of_the_ring(self_pid()));
    let first = (1..processes).fold(last, |next, _| spawn(link_of_the_ring(next)));
    println!(
        "{processes} processes: {}",
        each(began.elapsed(), processes)
    );

    let began = Instant::now();
    send(first, Token(0));
    let Token(hops) = receive().await;
    println!("{hops} hops, once round: {}", each(began.elapsed(), hops));
    assert_eq!(hops, processes);
    // All of them are alive and have run, so this is what they need.
    let memory = resident()?.saturating_sub(before);
    println!("{} MiB, {} bytes each", memory >> 20, memory / processes);

    let began = Instant::now();
    let end = monitor(last);
    send(first, Stop);
    let Stop = receive().await;
    assert_eq!(receive_down(end).await.reason, ExitReason::Normal);
    println!("all have ended: {}", each(began.elapsed(), processes));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let processes = match std::env::args().nth(1) {
        None => PROCESSES,
        Some(text) => text
            .parse()
            .map_err(|_| format!("not a number of processes: {text}"))?,
    };
    Ok(Runtime::new()?.block_on(ring(processes.get()))?)
}
