//! What an operation costs when there are ten and a hundred times as many of something: processes,
//! messages in line, links, children, timers. On regrow only; its cost is to stay the same.

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::programs::{Programs, Work};
use crate::progress::Progress;
use crate::rows::{Row, Unit};
use crate::run::{self, samples};
use crate::statistics::median;
use crate::table::{Table, number};

/// From here on a cost is not called flat.
const FLAT: f64 = 1.5;

/// How a row grows.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// What there is more of.
    of: &'static str,
    sizes: [u64; 3],
    /// Operations a sample; as many as the size if none is said.
    count: Option<u64>,
    /// Why the cost may grow too.
    because: Option<&'static str>,
}

fn scale(row: Row) -> Option<Scale> {
    let usual = row.spec().count;
    let grow = |of, first: u64, count| {
        let sizes = [first, 10 * first, 100 * first];
        Some(Scale {
            of,
            sizes,
            count,
            because: None,
        })
    };
    let growing = |of, first, count, because| {
        let scale: Option<Scale> = grow(of, first, count);
        scale.map(|scale| Scale {
            because: Some(because),
            ..scale
        })
    };
    match row {
        Row::SpawnExit | Row::SpawnLink => grow("processes", 10_000, None),
        Row::PingPong | Row::Call => grow("idle processes beside", 10_000, Some(usual)),
        Row::PingPong64 => grow("pairs", 64, Some(usual)),
        Row::ThreadRing => growing(
            "processes in the ring",
            503,
            Some(usual),
            "the processes do not fit into the processor's caches any more",
        ),
        Row::FanIn | Row::Cast => grow("senders", 8, Some(usual)),
        Row::Skynet => grow("leaves", 10_000, None),
        Row::CallBacklog => grow("messages in line", 5_000, Some(usual)),
        Row::SelectiveReceive => growing(
            "messages before it",
            100,
            Some(usual),
            "each message before the wanted one is looked at once, as on the BEAM",
        ),
        Row::LinkCascade => grow("links", 1_000, None),
        Row::SendAfterCancel => grow("other timers", 10_000, Some(usual)),
        Row::StartTerminateChild => grow("other children", 100, Some(usual)),
        Row::RestartLatency => grow("other children", 10, Some(usual)),
        Row::IdleMemory | Row::LinkedMemory | Row::ServerMemory => grow("processes", 10_000, None),
        Row::SpinLatency => growing(
            "who compute",
            8,
            Some(usual),
            "each that never lets go is found once, which takes some milliseconds, and keeps a thread from then on",
        ),
        Row::TcpEcho => grow("connections", 10, Some(usual)),
        Row::IdleCpu => grow("processes", 1_000, Some(usual)),
        // Either nothing grows, or another row has the same.
        Row::CallBare
        | Row::SendAfter
        | Row::RestartLatencyP99
        | Row::RestartLatencyP999
        | Row::OneForAll100
        | Row::SpinLatencyMax
        | Row::Canary => None,
    }
}

/// A row at three sizes.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GrowthRow {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    /// What there is more of.
    pub(crate) of: String,
    pub(crate) sizes: Vec<u64>,
    /// For each size; null where it could not be measured.
    pub(crate) median: Vec<Option<f64>>,
    /// Why the cost may grow too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) because: Option<String>,
}

impl GrowthRow {
    /// How many times as dear an operation is at the largest size; the smallest is the measure.
    fn times(&self) -> Option<f64> {
        let (first, last) = (*self.median.first()?, *self.median.last()?);
        self.unit.ratio(last?, first?).map(f64::recip)
    }
}

/// Which rows grow in a run.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    run: &'a run::Plan,
    rows: Vec<(Row, Scale)>,
}

impl<'a> Plan<'a> {
    /// All rows of the run that can grow, if they are to.
    pub(crate) fn new(run: &'a run::Plan, wanted: bool) -> Plan<'a> {
        let wanted = wanted && run.engines.contains(&Engine::Regrow);
        let rows = run.rows.iter().filter(|_| wanted);
        let rows = rows.filter_map(|&row| Some((row, scale(row)?)));
        Plan {
            run,
            rows: rows.collect(),
        }
    }

    /// How many cells it has.
    pub(crate) fn steps(&self) -> u64 {
        3 * u64::from(self.run.rounds) * self.rows.len() as u64
    }

    /// Measures them; also whether a child broke.
    pub(crate) fn run(
        &self,
        programs: &Programs,
        progress: &mut Progress,
    ) -> (Vec<GrowthRow>, bool) {
        let mut failed = false;
        let mut values = vec![[const { Vec::new() }; 3]; self.rows.len()];
        for round in 1..=self.run.rounds {
            for (values, &(row, scale)) in values.iter_mut().zip(&self.rows) {
                for (values, size) in values.iter_mut().zip(scale.sizes) {
                    let what = format!("round {round}  {}  {size} {}", row.name(), scale.of);
                    let work = Work {
                        row,
                        count: operations(scale, size, self.run.quick),
                        samples: samples(row),
                        size: Some(size),
                    };
                    let limit = self.run.limit;
                    match run::cell(programs, Engine::Regrow, work, &what, progress, limit).0 {
                        Ok(samples) => values.extend(samples.values),
                        Err(_) => failed = true,
                    }
                }
            }
        }
        let rows = self.rows.iter().zip(values);
        let rows = rows.map(|(&(row, scale), values)| GrowthRow {
            name: row.name(),
            unit: row.spec().unit,
            of: scale.of.to_owned(),
            sizes: scale.sizes.to_vec(),
            median: values.iter().map(|values| median(values)).collect(),
            because: scale.because.map(str::to_owned),
        });
        (rows.collect(), failed)
    }
}

/// A quick run has smaller samples, not smaller sizes: these are what the row is about.
fn operations(scale: Scale, size: u64, quick: bool) -> u64 {
    match scale.count {
        Some(count) if quick => count / 10,
        Some(count) => count,
        None => size,
    }
}

/// What the page says of growth.
pub(crate) fn table(rows: &[GrowthRow]) -> String {
    let mut table = Table::new(["row", "of what", "1x", "10x", "100x", "cost at 100x"]);
    let mut reasons = String::new();
    for row in rows {
        let mut cells = vec![format!("`{}`", row.name), row.of.clone()];
        let sizes = row.sizes.iter().zip(&row.median);
        cells.extend(sizes.map(|(size, median)| match median {
            Some(median) => format!("{} ({size})", number(*median, row.unit)),
            None => "FAILED".into(),
        }));
        let times = row.times();
        cells.push(times.map_or(String::new(), |times| format!("{times:.2}x")));
        table.row(cells);
        if times.is_none_or(|times| times <= FLAT) {
            continue;
        }
        let why = row.because.as_deref();
        let why = why.unwrap_or("not flat, and it should be");
        reasons.push_str(&format!("- `{}`: {why}.\n", row.name));
    }
    let intro = "On regrow, at 1, 10 and 100 times a size (in parentheses); what an operation costs at the largest, \
                 compared with the smallest.";
    format!("{intro}\n\n{}\n{reasons}", table.markdown())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn row(name: &str, unit: Unit, median: [f64; 3]) -> GrowthRow {
        GrowthRow {
            name: name.into(),
            unit,
            of: "things".into(),
            sizes: vec![1, 10, 100],
            median: median.map(Some).to_vec(),
            because: None,
        }
    }

    #[test]
    fn a_cost_that_grows_is_said() {
        let text = table(&[
            row("steady", Unit::Nanos, [100.0, 110.0, 120.0]),
            row("growing", Unit::Nanos, [100.0, 200.0, 400.0]),
            row("slowing", Unit::PerSecond, [400.0, 200.0, 100.0]),
        ]);
        assert!(
            text.contains("1.20x") && text.matches("4.00x").count() == 2,
            "{text}"
        );
        assert!(text.contains("`growing`: not flat") && text.contains("`slowing`: not flat"));
        assert!(!text.contains("`steady`: "));
    }

    #[test]
    fn a_cost_that_may_grow_has_its_reason_when_it_does() {
        let excused = |last| GrowthRow {
            because: Some("it has to".into()),
            ..row("excused", Unit::Nanos, [100.0, 100.0, last])
        };
        assert!(table(&[excused(900.0)]).contains("`excused`: it has to"));
        assert!(!table(&[excused(100.0)]).contains("it has to"));
    }

    #[test]
    fn a_size_that_could_not_be_measured_leaves_the_others() {
        let mut broken = row("broken", Unit::Nanos, [100.0, 110.0, 120.0]);
        broken.median[2] = None;
        assert_eq!(broken.times(), None);
        assert!(table(&[broken]).contains("FAILED"));
    }

    #[test]
    fn sizes_are_one_ten_and_a_hundred() {
        for &row in Row::value_variants() {
            if let Some(scale) = scale(row) {
                let [one, ten, hundred] = scale.sizes;
                assert_eq!([ten, hundred], [10 * one, 100 * one]);
                assert!(operations(scale, one, true) > 0);
            }
        }
    }

    #[test]
    fn a_run_without_regrow_has_no_growth() {
        let mut run = run::Plan {
            rows: vec![Row::Call, Row::Canary],
            engines: vec![Engine::Regrow],
            rounds: 2,
            quick: false,
            limit: std::time::Duration::from_secs(1),
        };
        assert_eq!(Plan::new(&run, true).steps(), 6);
        assert_eq!(Plan::new(&run, false).steps(), 0);
        run.engines = vec![Engine::Beam];
        assert_eq!(Plan::new(&run, true).steps(), 0);
    }
}
