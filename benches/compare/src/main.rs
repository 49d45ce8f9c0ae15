//! Runs the same workloads on regrow and on its peers, one after the other and round by round on
//! the same two cores, and prints one table with the goals and whether they are reached.
#![forbid(unsafe_code)]

mod child;
mod echo_load;
mod engine;
mod goals;
mod growth;
mod machine;
mod measure;
mod options;
mod page;
mod programs;
mod progress;
mod report;
mod results;
mod rows;
mod run;
mod statistics;
mod table;
mod twins;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use clap::{Parser, ValueEnum};
use thiserror::Error;

use crate::engine::Engine;
use crate::options::{Inner, Options, PageOptions, RunOptions, choose};
use crate::programs::{Programs, Work};
use crate::progress::Progress;
use crate::report::{Report, Run};
use crate::rows::Row;
use crate::run::Plan;

/// The Rust engines allocate with the same allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why nothing, or not everything, was done.
#[derive(Debug, Error)]
enum Error {
    #[error("nothing to measure is left")]
    Nothing,
    #[error("not all cells could be measured")]
    Failed,
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{}: not the JSON of a run: {error}", path.display())]
    Json {
        path: PathBuf,
        error: serde_json::Error,
    },
    #[error("{}: {error}", path.display())]
    Place { path: PathBuf, error: page::NoPlace },
    #[error("{}: not what the run's JSON gives; write it with `regrow-compare page`", .0.display())]
    Differs(PathBuf),
    #[error("{0}")]
    System(#[from] io::Error),
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match options.inner {
        Some(Inner::Child {
            engine,
            row,
            count,
            samples,
            workers,
            size,
        }) => {
            let work = Work {
                row,
                count,
                samples,
                size,
            };
            twins::run(engine, work, workers).map_err(Error::System)
        }
        Some(Inner::List) => {
            list();
            Ok(())
        }
        Some(Inner::Page(options)) => write_page(&options),
        None => compare(&options.run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    for row in Row::value_variants() {
        let value = row.to_possible_value().expect("no row is skipped");
        let help = value.get_help().map(ToString::to_string);
        println!("{:<22} {}", value.get_name(), help.unwrap_or_default());
    }
}

/// Runs all rounds, prints the table and writes the JSON.
fn compare(options: &RunOptions) -> Result<(), Error> {
    let start = Instant::now();
    if let Some(path) = &options.json {
        // Now, and not after half an hour.
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        file.map_err(|error| Error::File {
            path: path.clone(),
            error,
        })?;
    }
    let mut left_out = Vec::new();
    let (mut rows, unknown) = choose::<Row>(&options.rows);
    left_out.extend(unknown.iter().map(|name| {
        format!("row {name}: there is none of that name (`regrow-compare list` shows all)")
    }));
    let (engines, unknown) = choose::<Engine>(&options.engines);
    left_out.extend(
        unknown
            .iter()
            .map(|name| format!("engine {name}: there is none of that name")),
    );

    let workers = machine::pin_to_two_cores();
    if workers < 2 {
        let few = rows.iter().filter(|row| row.needs_two_cores());
        let few: Vec<String> = few.map(|row| row.name()).collect();
        left_out.push(format!(
            "the second worker, and with it {}: there is one core only",
            if few.is_empty() {
                "nothing else".into()
            } else {
                few.join(", ")
            }
        ));
        rows.retain(|row| !row.needs_two_cores());
    }
    let programs = Programs::find(&engines, workers)?;
    left_out.extend(
        programs
            .missing
            .iter()
            .map(|(engine, why)| format!("{engine}: {why}")),
    );
    for what in &left_out {
        eprintln!("left out: {what}");
    }

    let plan = Plan {
        rows,
        engines: programs.versions.keys().copied().collect(),
        rounds: if options.quick { 1 } else { options.rounds },
        quick: options.quick,
        limit: Duration::from_secs(options.limit),
    };
    let growth = growth::Plan::new(&plan, options.growth);
    if plan.steps() + growth.steps() == 0 {
        return Err(Error::Nothing);
    }
    let mut progress = Progress::new(plan.steps() + growth.steps());
    let results = plan.run(&programs, &mut progress);
    let (grown, growth_failed) = growth.run(&programs, &mut progress);
    progress.finish();

    let run = Run {
        command: env::args().skip(1).collect::<Vec<_>>().join(" "),
        quick: options.quick,
        rounds: plan.rounds,
        seconds: start.elapsed().as_secs(),
        workers,
        machine: machine::describe(workers),
        versions: programs.versions.clone(),
        tools: vec![
            env!("COMPARE_RUSTC").to_owned(),
            format!(
                "mimalloc {} under all Rust engines",
                machine::locked_version("mimalloc")
            ),
        ],
        foreign_load: results.foreign().round(),
        left_out,
    };
    let report = Report::new(&plan.rows, &results, grown, run);
    print!("{}", page::printed(&report));
    if let Some(path) = &options.json {
        let json = serde_json::to_string_pretty(&report).expect("a report has string keys") + "\n";
        write(path, &json)?;
    }
    if results.failed() || growth_failed {
        return Err(Error::Failed);
    }
    Ok(())
}

fn write_page(options: &PageOptions) -> Result<(), Error> {
    let json = read(&options.from)?;
    let report: Report = serde_json::from_str(&json).map_err(|error| Error::Json {
        path: options.from.clone(),
        error,
    })?;
    let put = if options.check { check } else { write };
    if let Some(path) = &options.page {
        put(path, &page::page(&report))?;
    }
    if let Some(path) = &options.readme {
        let text = page::insert(&read(path)?, &page::short_table(&report));
        let text = text.map_err(|error| Error::Place {
            path: path.clone(),
            error,
        })?;
        put(path, &text)?;
    }
    if options.page.is_none() && options.readme.is_none() {
        print!("{}", page::page(&report));
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| Error::File {
        path: path.to_owned(),
        error,
    })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|error| Error::File {
        path: path.to_owned(),
        error,
    })
}

fn check(path: &Path, text: &str) -> Result<(), Error> {
    if read(path)? == text {
        Ok(())
    } else {
        Err(Error::Differs(path.to_owned()))
    }
}
