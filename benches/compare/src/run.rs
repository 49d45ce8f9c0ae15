//! A run: which cells are measured, in which order, and the rounds themselves.

use std::time::Duration;

use crate::child;
use crate::echo_load::CONNECTIONS;
use crate::engine::Engine;
use crate::machine::ForeignLoad;
use crate::programs::{Programs, Work};
use crate::progress::Progress;
use crate::results::Results;
use crate::rows::Row;

/// What a run does.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rows: Vec<Row>,
    /// Those that can be run.
    pub(crate) engines: Vec<Engine>,
    pub(crate) rounds: u32,
    pub(crate) quick: bool,
    /// After which a child counts as hung.
    pub(crate) limit: Duration,
}

impl Plan {
    /// All cells of one round in their order. Another engine begins each round, so that none always
    /// runs on the coolest core.
    fn round(&self, round: u32) -> Vec<(Row, Engine, u64)> {
        let mut cells = Vec::new();
        for &row in &self.rows {
            let first = round as usize % self.engines.len().max(1);
            let (earlier, later) = self.engines.split_at(first);
            for &engine in later.iter().chain(earlier) {
                if let Some(count) = row.count(engine, self.quick) {
                    cells.push((row, engine, count));
                }
            }
        }
        cells
    }

    /// How many cells all rounds have.
    pub(crate) fn steps(&self) -> u64 {
        u64::from(self.rounds) * self.round(0).len() as u64
    }

    /// Runs all rounds.
    pub(crate) fn run(&self, programs: &Programs, progress: &mut Progress) -> Results {
        let mut results = Results::default();
        for round in 0..self.rounds {
            for (row, engine, count) in self.round(round) {
                let what = format!("round {}  {}  {engine}", round + 1, row.name());
                let work = Work {
                    row,
                    count,
                    samples: samples(row),
                    size: None,
                };
                let (outcome, foreign) = cell(programs, engine, work, &what, progress, self.limit);
                results.cell(row, engine).add(outcome, foreign);
            }
        }
        results
    }
}

/// How many samples a child takes.
pub(crate) fn samples(row: Row) -> u64 {
    if row.spec().repeated { 3 } else { 1 }
}

/// Measures one cell and tells of it; also the load of others meanwhile.
pub(crate) fn cell(
    programs: &Programs,
    engine: Engine,
    work: Work,
    what: &str,
    progress: &mut Progress,
    limit: Duration,
) -> (Result<child::Samples, String>, f64) {
    progress.begin(what);
    let foreign = ForeignLoad::watch();
    let command = programs.command(engine, work);
    let name = work.row.name();
    let outcome = match work.row {
        Row::TcpEcho => {
            let connections = work.size.map_or(CONNECTIONS, |size| size as usize);
            let time = Duration::from_millis(work.count);
            child::measure_echo(&name, command, connections, time, limit)
        }
        _ => child::measure(&name, command, limit),
    };
    let foreign = foreign.percent();
    progress.done(what, &tell(&outcome, foreign), outcome.is_err());
    (outcome, foreign)
}

fn tell(outcome: &Result<child::Samples, String>, foreign: f64) -> String {
    match outcome {
        Err(why) => format!("FAILED: {why}"),
        Ok(samples) if samples.never > 0 => "never".into(),
        Ok(samples) => {
            let values = samples.values.iter().map(|value| format!("{value:.1}"));
            let values: Vec<String> = values.collect();
            format!("{}  (foreign load {foreign:.0} %)", values.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(engines: &[Engine]) -> Plan {
        Plan {
            rows: vec![Row::Call, Row::SelectiveReceive],
            engines: engines.to_vec(),
            rounds: 3,
            quick: true,
            limit: Duration::from_secs(1),
        }
    }

    #[test]
    fn engines_take_turns_and_another_one_begins_each_round() {
        let plan = plan(&[Engine::Regrow, Engine::Beam, Engine::Tokio]);
        let order = |round| -> Vec<(Row, Engine)> {
            let cells = plan.round(round).into_iter();
            cells.map(|(row, engine, _)| (row, engine)).collect()
        };
        use Engine::{Beam, Regrow, Tokio};
        use Row::{Call, SelectiveReceive};
        let first = [
            (Call, Regrow),
            (Call, Beam),
            (Call, Tokio),
            (SelectiveReceive, Regrow),
            (SelectiveReceive, Beam),
        ];
        assert_eq!(order(0), first);
        assert_eq!(order(3), first);
        assert_eq!(order(1)[..3], [(Call, Beam), (Call, Tokio), (Call, Regrow)]);
        assert_eq!(plan.steps(), 15);
    }

    #[test]
    fn a_plan_without_engines_has_no_steps() {
        assert_eq!(plan(&[]).steps(), 0);
    }
}
