//! What a run found, as the JSON file has it and as the page is made of it.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, no_notion};
use crate::goals::goals;
use crate::growth::GrowthRow;
use crate::results::Results;
use crate::rows::{Row, Unit};
use crate::statistics;

/// Figures by engine.
pub(crate) type Figures = BTreeMap<Engine, f64>;

/// A whole run.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// In the order of the table.
    pub(crate) rows: Vec<RowReport>,
    /// Rows at one, ten and a hundred times a size, if they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) growth: Vec<GrowthRow>,
    /// How it was run.
    #[serde(flatten)]
    pub(crate) run: Run,
}

/// How a run was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The arguments.
    pub(crate) command: String,
    /// A run for the harness, not for figures.
    pub(crate) quick: bool,
    /// How often each cell was measured.
    pub(crate) rounds: u32,
    /// How long all took.
    pub(crate) seconds: u64,
    /// Workers, schedulers or threads each.
    pub(crate) workers: usize,
    /// Processor, memory, system.
    pub(crate) machine: String,
    /// What each engine calls itself.
    pub(crate) versions: BTreeMap<Engine, String>,
    /// What else the figures depend on: the compiler and the allocator.
    pub(crate) tools: Vec<String>,
    /// The most that others used meanwhile, in percent of a core.
    pub(crate) foreign_load: f64,
    /// What was not done, and why.
    pub(crate) left_out: Vec<String>,
}

/// One row on all engines.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RowReport {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) unit: Unit,
    /// Whether the short table has it.
    pub(crate) short: bool,
    pub(crate) median: Figures,
    /// How many times as good regrow is.
    pub(crate) ratio: Figures,
    pub(crate) best: Figures,
    /// The middle half of the samples, in percent of the median.
    pub(crate) spread: Figures,
    /// The most that others used beside it, in percent of a core.
    pub(crate) foreign_load: Figures,
    /// Why an engine has no value.
    pub(crate) empty: BTreeMap<Engine, String>,
    pub(crate) goals: Vec<GoalReport>,
}

/// What a row aims at.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GoalReport {
    pub(crate) goal: String,
    /// Null if a side was not measured.
    pub(crate) met: Option<bool>,
}

impl Report {
    /// What `results` say of these rows.
    pub(crate) fn new(rows: &[Row], results: &Results, growth: Vec<GrowthRow>, run: Run) -> Report {
        Report {
            rows: rows.iter().map(|&row| row_report(row, results)).collect(),
            growth,
            run,
        }
    }
}

fn row_report(row: Row, results: &Results) -> RowReport {
    let spec = row.spec();
    let mut report = RowReport {
        name: row.name(),
        title: spec.title.to_owned(),
        unit: spec.unit,
        short: spec.short,
        median: Figures::new(),
        ratio: Figures::new(),
        best: Figures::new(),
        spread: Figures::new(),
        foreign_load: Figures::new(),
        empty: BTreeMap::new(),
        goals: Vec::new(),
    };
    let own = results.median(row, Engine::Regrow);
    for &engine in Engine::value_variants() {
        if let Some(why) = no_notion(row, engine) {
            report.empty.insert(engine, why.to_owned());
        }
        let Some(cell) = results.get(row, engine) else {
            continue;
        };
        report.foreign_load.insert(engine, tenths(cell.foreign));
        let Some(median) = results.median(row, engine) else {
            report.empty.insert(engine, why_empty(cell));
            continue;
        };
        report.median.insert(engine, tenths(median));
        let add = |figures: &mut Figures, value: Option<f64>| {
            value.map(|value| figures.insert(engine, value));
        };
        add(
            &mut report.best,
            statistics::best(&cell.values, spec.unit).map(tenths),
        );
        add(
            &mut report.spread,
            statistics::spread(&cell.values).map(tenths),
        );
        if engine != Engine::Regrow {
            let ratio = own.and_then(|own| spec.unit.ratio(own, median));
            add(
                &mut report.ratio,
                ratio.map(|ratio| (ratio * 1000.0).round() / 1000.0),
            );
        }
    }
    report.goals = goals(row)
        .iter()
        .map(|goal| GoalReport {
            goal: goal.describe(spec.unit),
            met: goal.met(row, |row, engine| results.median(row, engine)),
        })
        .collect();
    report
}

fn why_empty(cell: &crate::results::Cell) -> String {
    match cell.failures.last() {
        _ if cell.never > 0 => "never: not one call was answered".into(),
        Some(why) => format!("FAILED: {why}"),
        None => "no value".into(),
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::child::Samples;

    /// Two rows, one won and one lost, with every kind of cell.
    pub(crate) fn example() -> Report {
        let mut results = Results::default();
        let mut add = |row, engine, values: &[f64]| {
            let samples = Samples::of(values.iter().copied());
            results.cell(row, engine).add(Ok(samples), 1.0);
        };
        add(Row::Call, Engine::Regrow, &[100.0, 102.0, 98.0]);
        add(Row::Call, Engine::Beam, &[1500.0, 1600.0, 1400.0]);
        add(Row::Call, Engine::Tokio, &[700.0]);
        add(Row::CallBare, Engine::Tokio, &[150.0]);
        add(Row::TcpEcho, Engine::Regrow, &[150_000.0]);
        add(Row::TcpEcho, Engine::Tokio, &[170_000.0]);
        let spin = results.cell(Row::SpinLatency, Engine::Tokio);
        spin.add(
            Ok(Samples::parse("spin-latency", "spin-latency never")),
            0.0,
        );
        let broken = results.cell(Row::TcpEcho, Engine::Beam);
        broken.add(Err("hung: killed after 90 s".into()), 30.0);
        let run = Run {
            command: "--rounds 3".into(),
            rounds: 3,
            seconds: 12,
            workers: 2,
            machine: "a machine, 2 CPUs".into(),
            versions: BTreeMap::from([
                (Engine::Regrow, "0.1.0".into()),
                (Engine::Beam, "OTP 25".into()),
            ]),
            tools: vec!["rustc 1.95.0".into()],
            foreign_load: 30.0,
            left_out: vec!["Go: go is not installed".into()],
            quick: false,
        };
        let rows = [Row::Call, Row::SpinLatency, Row::TcpEcho];
        Report::new(&rows, &results, Vec::new(), run)
    }

    #[test]
    fn the_json_has_name_unit_and_medians_by_engine() {
        let json: serde_json::Value = serde_json::to_value(example()).unwrap();
        let call = &json["rows"][0];
        assert_eq!(call["name"], "call");
        assert_eq!(call["unit"], "ns");
        assert_eq!(call["median"]["regrow"], 100.0);
        assert_eq!(call["median"]["beam"], 1500.0);
        assert_eq!(call["median"]["tokio"], 700.0);
        assert_eq!(call["ratio"]["beam"], 15.0);
        assert_eq!(call["median"].get("go"), None);
        assert_eq!(json["rows"][2]["unit"], "requests/s");
        assert_eq!(json["rows"][2]["ratio"]["tokio"], 0.882);
    }

    #[test]
    fn the_json_can_be_read_again() {
        let report = example();
        let text = serde_json::to_string_pretty(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }

    #[test]
    fn goals_say_whether_they_are_met_missed_or_open() {
        let report = example();
        let met = |row: usize| -> Vec<_> {
            let goals = report.rows[row].goals.iter();
            goals.map(|goal| (goal.goal.as_str(), goal.met)).collect()
        };
        assert_eq!(
            met(0),
            [
                (">= 14x BEAM", Some(true)),
                (">= 7x kameo", None),
                (">= 6x ractor", None),
                (">= 2x tokio's `call-bare`", Some(false)),
            ]
        );
        assert_eq!(
            met(2),
            [(">= 1.1x tokio", Some(false)), (">= 1.4x Go", None)]
        );
    }

    #[test]
    fn every_cell_without_a_value_has_a_reason() {
        let report = example();
        let empty = |row: usize, engine| report.rows[row].empty[&engine].as_str();
        assert!(empty(1, Engine::Tokio).starts_with("never"));
        assert!(empty(2, Engine::Beam).contains("hung: killed after 90 s"));
        assert!(empty(2, Engine::Kameo).contains("tokio"));
    }
}
