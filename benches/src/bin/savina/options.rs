//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use regrow_benches::savina::Workload;

use crate::child::Cell;
use crate::engine::Engine;

/// Runs the Savina suite of actor benchmarks on regrow, on the BEAM and on tokio.
///
/// Each workload runs in a fresh process per engine, the engines taking turns, and gives a number that is
/// checked. Figures need a machine that does nothing else: the output says how much it did.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// How often each workload is run on each engine
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Samples of each such run, after a warm-up
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: u32,
    /// Times the work of the suite's sizes, by as many actors
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    pub(crate) scale: f64,
    /// Only these workloads, separated by commas
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',')]
    only: Vec<Workload>,
    /// Only these engines, separated by commas
    #[arg(long, value_name = "ENGINE", value_delimiter = ',')]
    engine: Vec<Engine>,
    /// Worker threads or schedulers of each engine, on as many cores [default: 2, if there are 2]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Seconds after which a run counts as hung
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// Write all samples here
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the table into this page of the book, between its markers
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) inner: Option<Inner>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Inner {
    /// One workload on one engine, in this process (what the program starts for each)
    #[command(hide = true)]
    Child {
        #[command(flatten)]
        cell: Cell,
    },
}

impl Options {
    /// In the order of the suite, each once.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let asked = |it: &&Workload| self.only.is_empty() || self.only.contains(it);
        Workload::all().iter().filter(asked).copied().collect()
    }

    /// In the order of the columns, each once.
    pub(crate) fn engines(&self) -> Vec<Engine> {
        let asked = |it: &Engine| self.engine.is_empty() || self.engine.contains(it);
        Engine::ALL.into_iter().filter(asked).collect()
    }
}

/// Beyond the upper end sums no longer fit into 64 bits, or the memory.
fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 100.0 => Ok(scale),
        _ => Err("a number above 0, 100 at most".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_scale_is_a_positive_number() {
        for right in ["0.01", "1", "100"] {
            assert!(scale(right).is_ok(), "{right}");
        }
        for wrong in ["0", "-1", "NaN", "inf", "101", "much", ""] {
            assert!(scale(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_asked_for_twice_runs_once_and_in_order() {
        let line = [
            "savina",
            "--only",
            "sieve,big,sieve",
            "--engine",
            "tokio,regrow,tokio",
        ];
        let options = Options::parse_from(line);
        assert_eq!(options.workloads(), [Workload::Big, Workload::Sieve]);
        assert_eq!(options.engines(), [Engine::Regrow, Engine::Tokio]);
    }
}
