//! How many instructions each hot path takes, against the figures on record.
//!
//! ```text
//! cargo run --profile bench -p regrow-benches --bin instructions
//! ```
//!
//! Times depend on what else a machine does, instructions hardly do: a path that grows by a
//! twentieth has grown. Each path runs twice under callgrind, with more and with fewer
//! operations, so that start and stop cancel out; on one worker, so that nothing is left to
//! chance.
#![forbid(unsafe_code)]

mod paths;
mod record;
mod valgrind;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use self::paths::Path;
use self::record::{Change, Record};

/// Counts the instructions of each hot path and compares them with those on record.
///
/// Ends with code 1 if a path has grown by more than a twentieth. What a change costs on purpose
/// goes on record with it: run with --record and commit the file.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Only this path; may be given several times
    #[arg(long, value_name = "PATH")]
    only: Vec<Path>,
    /// Put what is counted on record
    #[arg(long)]
    record: bool,
    /// The record
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json"))]
    file: PathBuf,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// One path, in this process (what the program starts under callgrind)
    #[command(hide = true)]
    Child { path: Path, count: u64 },
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(Inner::Child { path, count }) = options.inner {
        paths::run(path, count);
        return ExitCode::SUCCESS;
    }
    match count(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether no path has grown.
fn count(options: &Options) -> Result<bool, String> {
    let compiler = valgrind::compiler()?;
    let before = Record::read(&options.file)?;
    let mut now = before.clone();
    if !options.record && before.compiler != compiler {
        println!(
            "on record are figures of {}, this is {compiler}: they are shown, and decide nothing",
            before.compiler
        );
    }
    let decides = before.compiler == compiler;
    now.compiler = compiler;

    let paths = match &options.only[..] {
        [] => Path::value_variants(),
        some => some,
    };
    println!("{:22} {:>9} {:>9}", "instructions of", "recorded", "now");
    let mut grown = Vec::new();
    for &path in paths {
        let name = path.name();
        let counted = valgrind::instructions(path)?;
        let recorded = before.paths.get(&name).copied();
        let change = Change::of(recorded, counted);
        let shown = recorded.map_or_else(|| "none".to_owned(), |it| it.to_string());
        println!("{name:22} {shown:>9} {counted:>9} {change}");
        if change.is_growth() {
            grown.push(name.clone());
        }
        now.paths.insert(name, counted);
    }
    if options.record {
        now.write(&options.file)?;
        println!("on record now: {}", options.file.display());
        return Ok(true);
    }
    if grown.is_empty() || !decides {
        return Ok(true);
    }
    eprintln!(
        "error: grown by more than a twentieth: {}; if it is worth it, put it on record in the same commit: --record",
        grown.join(", ")
    );
    Ok(false)
}
