//! The result page: one Markdown table, lost rows included.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::rows::{Engine, Goal, Row, Unit};

/// What is known about one row on one engine after some rounds.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    values: Vec<f64>,
    failures: Vec<String>,
    foreign: f64,
}

impl Cell {
    /// Adds one child's outcome and the foreign load beside it.
    pub(crate) fn add(&mut self, outcome: Result<Vec<f64>, String>, foreign: f64) {
        match outcome {
            Ok(values) => self.values.extend(values),
            Err(why) => self.failures.push(why),
        }
        self.foreign = self.foreign.max(foreign);
    }

    fn median(&self) -> Option<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(sorted[middle]),
            _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
        }
    }

    /// The fastest sample, or the highest rate.
    fn best(&self, unit: Unit) -> Option<f64> {
        let values = self.values.iter().copied();
        if unit == Unit::PerSecond {
            values.reduce(f64::max)
        } else {
            values.reduce(f64::min)
        }
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

    /// Whether a child hung or broke.
    pub(crate) fn failed(&self) -> bool {
        self.cells.values().any(|cell| !cell.failures.is_empty())
    }

    /// The foreign load beside the most disturbed cell, in percent of one core.
    pub(crate) fn foreign(&self) -> f64 {
        self.cells
            .values()
            .map(|cell| cell.foreign)
            .fold(0.0, f64::max)
    }

    /// An engine's canary in microseconds.
    pub(crate) fn canary(&self, engine: Engine) -> Option<f64> {
        Some(self.median(Row::Canary, engine)? / 1000.0)
    }

    fn median(&self, row: Row, engine: Engine) -> Option<f64> {
        self.cells.get(&(row, engine))?.median()
    }

    /// How many times as good as `engine` regrow is.
    fn ratio(&self, row: Row, engine: Engine) -> Option<f64> {
        let (own, other) = (self.median(row, Engine::Regrow)?, self.median(row, engine)?);
        match row.spec().unit {
            Unit::PerSecond => Some(own / other),
            // No measurable idle time on our side would divide by zero.
            Unit::CpuMicros if own < 1.0 => None,
            Unit::Nanos | Unit::Bytes | Unit::CpuMicros => Some(other / own),
        }
    }

    /// `None` when a side is missing.
    fn met(&self, row: Row, goal: Goal) -> Option<bool> {
        Some(match goal {
            Goal::Times(engine, times) => self.ratio(row, engine)? >= times,
            Goal::AtMost(most) => self.median(row, Engine::Regrow)? <= most,
            Goal::WithinOwn(other, times) => {
                self.median(row, Engine::Regrow)? <= times * self.median(other, Engine::Regrow)?
            }
        })
    }

    /// The table in Markdown.
    pub(crate) fn markdown(&self, rows: &[Row]) -> Result<String, fmt::Error> {
        let mut text = String::from(
            "| work | BEAM | tokio | regrow | ratio to BEAM | ratio to tokio | goal | met? |\n",
        );
        text.push_str("|---|--:|--:|--:|--:|--:|---|---|\n");
        for &row in rows {
            let spec = row.spec();
            write!(text, "| {} |", spec.title)?;
            for engine in Engine::ALL {
                write!(text, " {} |", self.show(row, engine))?;
            }
            for engine in [Engine::Beam, Engine::Tokio] {
                let ratio = self
                    .ratio(row, engine)
                    .map_or(String::new(), |ratio| format!("{ratio:.2}x"));
                write!(text, " {ratio} |")?;
            }
            let goals: Vec<_> = spec
                .goals
                .iter()
                .map(|&goal| describe(goal, spec.unit))
                .collect();
            writeln!(text, " {} | {} |", goals.join(", "), self.verdict(row))?;
        }
        Ok(text)
    }

    fn verdict(&self, row: Row) -> &'static str {
        let goals: Vec<_> = row
            .spec()
            .goals
            .iter()
            .map(|&goal| self.met(row, goal))
            .collect();
        if goals.contains(&Some(false)) {
            "**no**"
        } else if goals.contains(&None) {
            "not measured"
        } else if goals.is_empty() {
            ""
        } else {
            "yes"
        }
    }

    fn show(&self, row: Row, engine: Engine) -> String {
        let Some(cell) = self.cells.get(&(row, engine)) else {
            return String::new();
        };
        let unit = row.spec().unit;
        let mut text = match (cell.median(), cell.best(unit)) {
            (Some(median), Some(best)) => {
                format!("{} ({})", number(median, unit), number(best, unit))
            }
            _ => String::new(),
        };
        if let Some(why) = cell.failures.last() {
            let _ = write!(text, " FAILED {} times: {why}", cell.failures.len());
        }
        if cell.foreign > 5.0 {
            let _ = write!(text, " [foreign load {:.0} %]", cell.foreign);
        }
        text.trim().to_owned()
    }
}

fn describe(goal: Goal, unit: Unit) -> String {
    match goal {
        Goal::Times(engine, times) => format!(">= {times}x {}", engine.title()),
        Goal::AtMost(most) => format!("<= {}", number(most, unit)),
        Goal::WithinOwn(other, times) => format!("<= {times}x \"{}\"", other.spec().title),
    }
}

fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanos if value >= 10_000.0 => format!("{:.1} us", value / 1000.0),
        Unit::PerSecond if value >= 1000.0 => format!("{:.1}k", value / 1000.0),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
