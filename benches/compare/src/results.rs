//! The samples of a run, cell by cell.

use std::collections::BTreeMap;

use crate::child::Samples;
use crate::engine::Engine;
use crate::rows::Row;
use crate::statistics;

/// What is known about one row on one engine after some rounds.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    /// All samples of all rounds.
    pub(crate) values: Vec<f64>,
    /// How often nothing came although the child did well.
    pub(crate) never: u32,
    /// Why children broke.
    pub(crate) failures: Vec<String>,
    /// The most that others used beside it, in percent of a core.
    pub(crate) foreign: f64,
}

impl Cell {
    /// Adds one child's outcome and the foreign load beside it.
    pub(crate) fn add(&mut self, outcome: Result<Samples, String>, foreign: f64) {
        match outcome {
            Ok(samples) => {
                self.values.extend(samples.values);
                self.never += samples.never;
            }
            Err(why) => self.failures.push(why),
        }
        self.foreign = self.foreign.max(foreign);
    }
}

/// All cells of a run.
#[derive(Debug, Default)]
pub(crate) struct Results {
    cells: BTreeMap<(Row, Engine), Cell>,
}

impl Results {
    /// The cell to add to.
    pub(crate) fn cell(&mut self, row: Row, engine: Engine) -> &mut Cell {
        self.cells.entry((row, engine)).or_default()
    }

    /// The cell, if it was tried.
    pub(crate) fn get(&self, row: Row, engine: Engine) -> Option<&Cell> {
        self.cells.get(&(row, engine))
    }

    /// A cell that was never answered in any round has no median, however many others it had.
    pub(crate) fn median(&self, row: Row, engine: Engine) -> Option<f64> {
        let cell = self.get(row, engine)?;
        (cell.never == 0)
            .then(|| statistics::median(&cell.values))
            .flatten()
    }

    /// Whether a child hung or broke.
    pub(crate) fn failed(&self) -> bool {
        self.cells.values().any(|cell| !cell.failures.is_empty())
    }

    /// The foreign load beside the most disturbed cell, in percent of one core.
    pub(crate) fn foreign(&self) -> f64 {
        let loads = self.cells.values().map(|cell| cell.foreign);
        loads.fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_all_rounds_together() {
        let mut results = Results::default();
        let cell = results.cell(Row::Call, Engine::Regrow);
        cell.add(Ok(Samples::of([3.0, 1.0])), 2.0);
        cell.add(Ok(Samples::of([2.0])), 9.0);
        assert_eq!(results.median(Row::Call, Engine::Regrow), Some(2.0));
        assert_eq!(results.foreign(), 9.0);
        assert!(!results.failed());
    }

    #[test]
    fn a_cell_that_was_not_answered_once_has_no_median() {
        let mut results = Results::default();
        let cell = results.cell(Row::SpinLatency, Engine::Tokio);
        cell.add(Ok(Samples::of([3.0])), 0.0);
        cell.add(Ok(Samples::parse("row", "row never\n")), 0.0);
        assert_eq!(results.median(Row::SpinLatency, Engine::Tokio), None);
        assert!(!results.failed());
    }

    #[test]
    fn a_child_that_broke_makes_the_run_fail_and_leaves_the_other_samples() {
        let mut results = Results::default();
        let cell = results.cell(Row::Call, Engine::Beam);
        cell.add(Err("hung".into()), 0.0);
        cell.add(Ok(Samples::of([5.0])), 0.0);
        assert!(results.failed());
        assert_eq!(results.median(Row::Call, Engine::Beam), Some(5.0));
        assert_eq!(results.median(Row::Call, Engine::Tokio), None);
    }
}
