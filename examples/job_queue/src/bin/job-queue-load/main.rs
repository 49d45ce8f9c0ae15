//! `job-queue-load`: loads the job queue and beanstalkd with the same client, measures them, and
//! accounts for every job.
//!
//! ```text
//! cargo build --release -p job-queue
//! target/release/job-queue-load bench                        both servers, all rows
//! target/release/job-queue-load cycles --cycles 100          load, kill -9, restart
//! target/release/job-queue-load term                         load, SIGTERM, restart
//! target/release/job-queue-load million                      a million jobs in a tube
//! ```
//!
//! It starts every server itself, on a port that the system gives, with files of its own.
//!
//! **bench.** Each connection sends a command when the last one is answered. The clients are
//! processes of regrow, one for each connection, on one scheduler thread (`--client-threads`), so
//! that the client takes no more than one processor; each row says how much of it, and how much the
//! server took. Servers
//! are measured in turn, round by round, each time afresh; the median counts.
//!
//! **cycles**, **term** and **million** use plain threads with blocking sockets. `cycles` and `term`
//! begin with the same draws for the same seed; what the threads make of it is the scheduler's.
//!
//! The exit code is 0 if every promise was kept, 1 if one was not, 2 if it could not be found out.
//! `bench` and `million` measure, they do not judge.

#![forbid(unsafe_code)]

mod bench;
mod cycles;
mod million;
mod options;

use std::process::ExitCode;

use clap::Parser;

use crate::cycles::End;
use crate::options::{Command, Options};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("job-queue-load: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<bool, Failure> {
    let common = &options.common;
    let (report, passed) = match &options.command {
        Command::Bench(bench) => (serde_json::to_value(bench::run(common, bench)?)?, true),
        Command::Million(million) => (serde_json::to_value(million::run(common, million)?)?, true),
        Command::Cycles(cycles) => {
            let (report, passed) = cycles::run(common, cycles, End::Kill)?;
            (serde_json::to_value(report)?, passed)
        }
        Command::Term(cycles) => {
            let (report, passed) = cycles::run(common, cycles, End::Term)?;
            (serde_json::to_value(report)?, passed)
        }
    };
    if let Some(file) = &common.json {
        let text = serde_json::to_string_pretty(&report)? + "\n";
        std::fs::write(file, text)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    Ok(passed)
}
