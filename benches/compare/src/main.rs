//! Runs the same workloads on regrow, on tokio and on the BEAM, one after the other and round by
//! round on the same two cores, and prints one table with the goals and whether they are met.

mod child;
mod echo_load;
mod machine;
mod measure;
mod on_regrow;
mod on_tokio;
mod rows;
mod table;

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs};

use clap::{Parser, Subcommand, ValueEnum};

use crate::child::Beam;
use crate::machine::ForeignLoad;
use crate::rows::{Engine, Row};
use crate::table::Results;

/// regrow and tokio allocate with the same allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares regrow with tokio and the BEAM on this machine.
///
/// Each row runs in a fresh process per engine; engines take turns within a round. A machine that
/// does something else meanwhile gives no result worth keeping: the output says how much it did.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// How often each cell is measured
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only this row; may be given several times
    #[arg(long, value_name = "ROW")]
    only: Vec<Row>,
    /// Only these engines; may be given several times
    #[arg(long, value_name = "ENGINE")]
    engine: Vec<Engine>,
    /// A tenth of the work: to see that everything runs, not for figures
    #[arg(long)]
    quick: bool,
    /// Write the page here instead of to standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Seconds after which a child counts as hung
    #[arg(long, default_value_t = 90)]
    limit: u64,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// One row on one engine, in this process (what the program starts for each cell)
    #[command(hide = true)]
    Child {
        engine: Engine,
        row: Row,
        count: u64,
        samples: u64,
    },
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match options.inner {
        Some(Inner::Child {
            engine,
            row,
            count,
            samples,
        }) => child::run(engine, row, count, samples)
            .map(|()| true)
            .map_err(Into::into),
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

/// Runs all rounds and writes the page; false if a cell failed.
fn compare(options: &Options) -> Result<bool, Box<dyn Error>> {
    machine::pin_to_two_cores();
    let rows = if options.only.is_empty() {
        Row::value_variants()
    } else {
        &options.only
    };
    let engines = if options.engine.is_empty() {
        &Engine::ALL[..]
    } else {
        &options.engine
    };
    let beam = match engines.contains(&Engine::Beam).then(Beam::find) {
        Some(Ok(beam)) => Some(beam),
        Some(Err(why)) => {
            eprintln!(
                "the BEAM is skipped, its columns stay empty ({why}); Debian has it in erlang-base"
            );
            None
        }
        None => None,
    };

    let start = Instant::now();
    let mut results = Results::default();
    for round in 0..options.rounds {
        for &row in rows {
            for engine in turns(engines, round) {
                let Some(count) = row.count(engine, options.quick) else {
                    continue;
                };
                if engine == Engine::Beam && beam.is_none() {
                    continue;
                }
                let samples = if row.spec().repeated { 3 } else { 1 };
                let foreign = ForeignLoad::watch();
                let limit = Duration::from_secs(options.limit);
                let outcome = child::measure(row, engine, count, samples, beam.as_ref(), limit);
                let foreign = foreign.percent();
                progress(round, row, engine, &outcome, foreign);
                results.cell(row, engine).add(outcome, foreign);
            }
        }
    }

    let page = page(options, rows, &results, beam.as_ref(), start.elapsed())?;
    match &options.output {
        Some(path) => fs::write(path, page)?,
        None => print!("{page}"),
    }
    Ok(!results.failed())
}

/// Another engine begins each round, so that none always runs on the coolest core.
fn turns(engines: &[Engine], round: u32) -> impl Iterator<Item = Engine> {
    let first = round as usize % engines.len();
    engines
        .iter()
        .copied()
        .cycle()
        .skip(first)
        .take(engines.len())
}

fn progress(
    round: u32,
    row: Row,
    engine: Engine,
    outcome: &Result<Vec<f64>, String>,
    foreign: f64,
) {
    let shown = match outcome {
        Ok(values) => values
            .iter()
            .map(|value| format!("{value:.1}"))
            .collect::<Vec<_>>()
            .join(" "),
        Err(why) => format!("FAILED: {why}"),
    };
    eprintln!(
        "round {:>2}  {:<22} {:<7} {shown}  (foreign load {foreign:.0} %)",
        round + 1,
        row.name(),
        engine.title()
    );
}

fn page(
    options: &Options,
    rows: &[Row],
    results: &Results,
    beam: Option<&Beam>,
    took: Duration,
) -> Result<String, Box<dyn Error>> {
    let mut page = String::from("# Results\n\n");
    let arguments: Vec<String> = env::args().skip(1).collect();
    writeln!(
        page,
        "Written by `cargo run --release -p regrow-compare -- {}`; \
         [How we measure](how-we-measure.md) says what each row does.\n",
        arguments.join(" "),
    )?;
    if options.quick {
        writeln!(
            page,
            "**A quick run: it shows that everything works; its figures mean nothing.**\n"
        )?;
    }
    writeln!(page, "- Machine: {}", machine::describe())?;
    writeln!(
        page,
        "- Versions: regrow {}, tokio {}, {}; {}; mimalloc {} under regrow and tokio",
        machine::locked_version("regrow"),
        machine::locked_version("tokio"),
        beam.map_or("no BEAM", |beam| &beam.version),
        env!("COMPARE_RUSTC"),
        machine::locked_version("mimalloc"),
    )?;
    writeln!(
        page,
        "- {} rounds in {} s, two workers each; foreign load at most {:.0} % of a core",
        options.rounds,
        took.as_secs(),
        results.foreign()
    )?;
    let canaries = Engine::ALL
        .iter()
        .filter_map(|&engine| Some(format!("{} {:.1}", engine.title(), results.canary(engine)?)));
    let canaries: Vec<String> = canaries.collect();
    if !canaries.is_empty() {
        writeln!(
            page,
            "- Canary, about 10 us when both cores were free: {}",
            canaries.join(", ")
        )?;
    }
    writeln!(
        page,
        "\nMedian (best sample), nanoseconds an operation unless the row says otherwise. Ratios above 1 mean that regrow is better.\n"
    )?;
    page.push_str(&results.markdown(rows)?);
    Ok(page)
}
