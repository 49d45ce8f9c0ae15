//! Runs the Savina suite on regrow, on the BEAM and on tokio, in turns, each workload and engine in a
//! process of its own, checks what each gives, and prints a table of times.
//!
//! `cargo run --release -p regrow-benches --bin savina -- --help`
#![forbid(unsafe_code)]

mod beam;
mod child;
mod engine;
mod machine;
mod options;
mod page;
mod results;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs};

use clap::Parser;
use regrow_benches::savina::Workload;

use crate::beam::Beam;
use crate::child::Cell;
use crate::engine::Engine;
use crate::machine::ForeignLoad;
use crate::options::{Inner, Options};
use crate::results::{Results, Run};

/// Both Rust engines allocate with the same allocator, which like the BEAM's has a heap for each thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match options.inner {
        Some(Inner::Child { cell }) => child::run(cell).map(|()| true).map_err(Into::into),
        None => compare(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all rounds and writes what was asked for; false if a cell failed.
fn compare(options: &Options) -> Result<bool, Box<dyn Error>> {
    // Before the work, not after it.
    let page = match &options.page {
        Some(path) => Some((path, page::Page::parse(read(path)?)?)),
        None => None,
    };
    let workers = machine::workers(options.workers)?;
    let (engines, beam) = engines(options)?;
    let workloads = options.workloads();
    let mut results = Results::default();
    let start = Instant::now();
    let total = options.rounds as usize * workloads.len() * engines.len();
    let mut done = 0;
    for round in 0..options.rounds as usize {
        for &workload in &workloads {
            let size = workload.size().scaled(options.scale);
            let expected = workload.expected(size);
            for engine in engine::turns(&engines, round) {
                let cell = Cell {
                    engine,
                    workload,
                    actors: size.actors,
                    count: size.count,
                    room: size.room,
                    samples: options.samples,
                    workers,
                };
                let foreign = ForeignLoad::watch();
                let limit = Duration::from_secs(options.limit);
                let outcome = child::measure(cell, expected, beam.as_ref(), limit);
                results.disturbed_by(foreign.percent());
                done += 1;
                progress(done, total, workload, engine, &outcome);
                results.add(workload, engine, outcome);
            }
        }
    }
    let run = Run {
        command: command(),
        scale: options.scale,
        rounds: options.rounds,
        samples: options.samples,
        workers,
        seconds: start.elapsed().as_secs(),
        beam: beam.as_ref().map(|beam| beam.version.clone()),
        engines,
    };
    let report = results.markdown(&run, &workloads);
    print!("{report}");
    if let Some(path) = &options.json {
        write(path, &results.json(&run, &workloads)?)?;
    }
    if let Some((path, page)) = page {
        write(path, &page.with(&report))?;
    }
    Ok(!results.failed())
}

/// Those that were asked for and are here; what is left out is said.
fn engines(options: &Options) -> Result<(Vec<Engine>, Option<Beam>), Box<dyn Error>> {
    let mut engines = options.engines();
    let mut beam = None;
    if engines.contains(&Engine::Beam) {
        match Beam::find() {
            Ok(found) => beam = Some(found),
            Err(why) => {
                eprintln!("the BEAM is left out ({why}); Debian has it in erlang-base");
                engines.retain(|engine| *engine != Engine::Beam);
            }
        }
    }
    match engines.is_empty() {
        true => Err("no engine is left to run on".into()),
        false => Ok((engines, beam)),
    }
}

fn progress(
    done: usize,
    total: usize,
    workload: Workload,
    engine: Engine,
    outcome: &Result<Vec<f64>, String>,
) {
    let shown = match outcome {
        Ok(samples) => samples
            .iter()
            .map(|millis| format!("{millis:.1}"))
            .collect::<Vec<_>>()
            .join(" "),
        Err(why) => format!("FAILED: {why}"),
    };
    let (name, title) = (workload.name(), engine.title());
    eprintln!("{done:>4}/{total}  {name:<22} {title:<7} {shown}");
}

/// This one, as it was typed.
fn command() -> String {
    let mut words = vec!["savina".to_owned()];
    let arguments = env::args_os().skip(1);
    words.extend(arguments.map(|it| it.to_string_lossy().into_owned()));
    words.join(" ")
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
