//! The command line, and what becomes of names that nobody knows.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::engine::Engine;
use crate::rows::Row;

/// Compares regrow with its peers on this machine
///
/// The same work on regrow, the BEAM, tokio, Go, kameo, ractor and actix, one after the other and
/// round by round on the same two cores: each cell in a fresh process, engines taking turns. Prints
/// a table with ratios, goals, the machine and the versions. What cannot be run is left out, and
/// said. A machine that does something else meanwhile gives no figures worth keeping: the output
/// says how much it did.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) run: RunOptions,
    #[command(subcommand)]
    pub(crate) inner: Option<Inner>,
}

/// What a run does.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Only these rows, separated by commas; `list` shows them
    #[arg(long, value_name = "ROW,...", value_delimiter = ',')]
    pub(crate) rows: Vec<String>,
    /// Only these engines, separated by commas: regrow, beam, tokio, go, kameo, ractor, actix
    #[arg(long, value_name = "ENGINE,...", value_delimiter = ',')]
    pub(crate) engines: Vec<String>,
    /// How often each cell is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// A tenth of the work, one round: to see that everything runs, not for figures
    #[arg(long, conflicts_with = "rounds")]
    pub(crate) quick: bool,
    /// Rows at 1, 10 and 100 times a size too, on regrow: what does an operation cost then?
    #[arg(long)]
    pub(crate) growth: bool,
    /// Write what was found to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Seconds after which a child counts as hung
    #[arg(long, value_name = "SECONDS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Inner {
    /// Show the rows that there are, and what each one does
    List,
    /// Write the page of the book and the short table of the front page from the JSON of a run
    Page(PageOptions),
    /// One row on one engine, in this process (what the program starts for each cell)
    #[command(hide = true)]
    Child {
        engine: Engine,
        row: Row,
        count: u64,
        samples: u64,
        workers: usize,
        #[arg(long)]
        size: Option<u64>,
    },
}

/// What is written from a run's JSON.
#[derive(Debug, Args)]
pub(crate) struct PageOptions {
    /// What `--json` of a run has written
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// Write the page of the book here; without this and `--readme`, to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
    /// Put the short table between its two marks in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) readme: Option<PathBuf>,
    /// Write nothing, and fail if a file does not have what would be written
    #[arg(long)]
    pub(crate) check: bool,
}

/// The values that `names` name, all if there are no names, and the names that none has.
pub(crate) fn choose<T: ValueEnum>(names: &[String]) -> (Vec<T>, Vec<String>) {
    if names.is_empty() {
        return (T::value_variants().to_vec(), Vec::new());
    }
    let mut unknown = Vec::new();
    let mut chosen = vec![false; T::value_variants().len()];
    for name in names.iter().map(|name| name.trim()) {
        let same = |value: &T| {
            let value = value.to_possible_value();
            value.is_some_and(|value| value.matches(name, true))
        };
        match T::value_variants().iter().position(same) {
            Some(index) => chosen[index] = true,
            None if name.is_empty() => {}
            None => unknown.push(name.to_owned()),
        }
    }
    let values = T::value_variants().iter().zip(chosen);
    let values = values.filter(|&(_, chosen)| chosen);
    (values.map(|(value, _)| value.clone()).collect(), unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(names: &[&str]) -> (Vec<Row>, Vec<String>) {
        choose(
            &names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn without_names_all_are_chosen() {
        let (chosen, unknown) = rows(&[]);
        assert_eq!(chosen, Row::value_variants());
        assert!(unknown.is_empty());
    }

    #[test]
    fn names_choose_in_the_order_of_the_table_and_once() {
        let (chosen, unknown) = rows(&["call", "ping-pong", " Call ", ""]);
        assert_eq!(chosen, [Row::PingPong, Row::Call]);
        assert!(unknown.is_empty());
    }

    #[test]
    fn unknown_names_are_told_and_the_others_chosen() {
        let (chosen, unknown) = rows(&["cal", "ring", "call"]);
        assert_eq!(chosen, [Row::Call]);
        assert_eq!(unknown, ["cal", "ring"]);
    }

    #[test]
    fn rows_are_separated_by_commas() {
        let options = Options::parse_from(["regrow-compare", "--rows", "call,cast", "--quick"]);
        assert_eq!(options.run.rows, ["call", "cast"]);
        assert!(options.run.quick);
    }

    #[test]
    fn a_run_has_at_least_one_round() {
        let options = Options::try_parse_from(["regrow-compare", "--rounds", "0"]);
        assert!(options.is_err());
    }
}
