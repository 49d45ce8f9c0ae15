//! Bytes of resident memory that an idle process takes: plain, linked, and a gen_server.
//!
//! Not a criterion bench: it runs itself once for each kind, since memory that one kind freed would
//! hide what the next one takes. `cargo bench --bench memory -- 100000` counts over fewer processes.

use std::env;
use std::process::{Command, ExitCode};
use std::time::Duration;

use regrow::{Pid, Runtime};
use regrow_benches::{bounded, resident_bytes, servers, spawning};

const PROCESSES: u64 = 1_000_000;
const KINDS: [&str; 3] = ["plain", "linked", "gen_server"];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let Some((kind, count)) = arguments
        .split_first()
        .filter(|(kind, _)| KINDS.contains(&kind.as_str()))
    {
        let count = count
            .first()
            .and_then(|count| count.parse().ok())
            .unwrap_or(PROCESSES);
        println!(
            "{kind:<11} {:>6.1} bytes a process ({count} processes)",
            bytes_each(kind, count)
        );
        return ExitCode::SUCCESS;
    }
    // Anything that is not a number is a criterion option or a filter meant for the other benches.
    let count = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(PROCESSES);
    let this = env::current_exe().expect("this program has a path");
    let ok = KINDS.iter().all(|kind| {
        let status = Command::new(&this)
            .args([kind, count.to_string().as_str()])
            .status();
        status.is_ok_and(|status| status.success())
    });
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn bytes_each(kind: &str, count: u64) -> f64 {
    let runtime = Runtime::builder()
        .workers(2)
        .build()
        .expect("the runtime starts");
    let kind = kind.to_owned();
    bounded("memory", || {
        runtime.block_on(async move {
            let before = resident_bytes();
            match kind.as_str() {
                "plain" => spawn_each(count, || regrow::spawn(spawning::idle())),
                "linked" => spawn_each(count, || regrow::spawn_link(spawning::idle())),
                _ => servers::start_idle(count).await,
            }
            regrow::sleep(Duration::from_millis(500)).await;
            (resident_bytes() - before) as f64 / count as f64
        })
    })
}

fn spawn_each(count: u64, spawn: impl Fn() -> Pid) {
    for _ in 0..count {
        spawn();
    }
}
