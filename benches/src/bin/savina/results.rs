//! The table, and the same as JSON.

use std::collections::BTreeMap;

use regrow_benches::savina::Workload;
use serde::Serialize;

use crate::engine::Engine;
use crate::machine;

/// How the figures were made.
#[derive(Debug)]
pub(crate) struct Run {
    /// As it was typed.
    pub(crate) command: String,
    pub(crate) scale: f64,
    pub(crate) rounds: u32,
    pub(crate) samples: u32,
    pub(crate) workers: u16,
    pub(crate) seconds: u64,
    /// Its version, if there is one.
    pub(crate) beam: Option<String>,
    pub(crate) engines: Vec<Engine>,
}

/// One workload on one engine after some rounds.
#[derive(Debug, Default)]
struct Cell {
    samples: Vec<f64>,
    failures: Vec<String>,
}

/// All cells of a run.
#[derive(Debug, Default)]
pub(crate) struct Results {
    cells: BTreeMap<(Workload, Engine), Cell>,
    /// In percent of a core, the worst.
    foreign: f64,
}

#[derive(Debug, Serialize)]
struct Json {
    machine: String,
    versions: BTreeMap<String, String>,
    workers: u16,
    scale: f64,
    rounds: u32,
    foreign_load_percent: f64,
    rows: Vec<JsonRow>,
}

#[derive(Debug, Serialize)]
struct JsonRow {
    name: String,
    unit: &'static str,
    median: BTreeMap<String, f64>,
    samples: BTreeMap<String, Vec<f64>>,
    failures: BTreeMap<String, Vec<String>>,
}

impl Results {
    pub(crate) fn add(
        &mut self,
        workload: Workload,
        engine: Engine,
        outcome: Result<Vec<f64>, String>,
    ) {
        let cell = self.cells.entry((workload, engine)).or_default();
        match outcome {
            Ok(samples) => cell.samples.extend(samples),
            Err(why) => cell.failures.push(why),
        }
    }

    pub(crate) fn disturbed_by(&mut self, foreign: Option<f64>) {
        self.foreign = self.foreign.max(foreign.unwrap_or(0.0));
    }

    pub(crate) fn failed(&self) -> bool {
        self.cells.values().any(|cell| !cell.failures.is_empty())
    }

    /// Milliseconds.
    fn median(&self, workload: Workload, engine: Engine) -> Option<f64> {
        median(&self.cells.get(&(workload, engine))?.samples)
    }

    /// How many times as fast regrow is.
    fn ratio(&self, workload: Workload, engine: Engine) -> Option<f64> {
        let regrow = self.median(workload, Engine::Regrow)?;
        Some(self.median(workload, engine)? / regrow)
    }

    pub(crate) fn markdown(&self, run: &Run, workloads: &[Workload]) -> String {
        let rivals = self.rivals(run);
        let mut lines = self.preface(run);
        let titles = run.engines.iter().map(|engine| engine.title().to_owned());
        let ratios = rivals
            .iter()
            .map(|rival| format!("{} / regrow", rival.title()));
        let head: Vec<String> = titles.chain(ratios).collect();
        lines.push(format!("| workload | {} |", head.join(" | ")));
        lines.push(format!("|---|{}", "--:|".repeat(head.len())));
        for &workload in workloads {
            let times = run
                .engines
                .iter()
                .map(|&engine| self.show(workload, engine));
            let ratios = rivals
                .iter()
                .map(|&rival| times_sign(self.ratio(workload, rival)));
            let cells: Vec<String> = times.chain(ratios).collect();
            lines.push(format!("| {} | {} |", workload.name(), cells.join(" | ")));
        }
        if !rivals.is_empty() {
            let blank = run.engines.iter().map(|_| String::new());
            let means = rivals.iter().map(|&rival| {
                let ratios = workloads.iter().filter_map(|&it| self.ratio(it, rival));
                times_sign(geometric_mean(&ratios.collect::<Vec<_>>()))
            });
            let cells: Vec<String> = blank.chain(means).collect();
            lines.push(format!("| geometric mean | {} |", cells.join(" | ")));
        }
        lines.join("\n") + "\n"
    }

    /// Whom there is to compare with regrow.
    fn rivals(&self, run: &Run) -> Vec<Engine> {
        let engines = run.engines.iter().copied();
        match run.engines.contains(&Engine::Regrow) {
            true => engines.filter(|it| *it != Engine::Regrow).collect(),
            false => Vec::new(),
        }
    }

    fn preface(&self, run: &Run) -> Vec<String> {
        let versions = versions(run)
            .into_iter()
            .map(|(name, version)| match &*name {
                "beam" => version,
                _ => format!("{name} {version}"),
            });
        let mut lines = vec![
            format!("- Command: `{}`", run.command),
            format!("- Machine: {}", machine::describe()),
            format!("- Versions: {}", versions.collect::<Vec<_>>().join("; ")),
            format!(
                "- {} rounds of {} samples in {} s, {} workers each; foreign load at most {:.0} % of a core",
                run.rounds, run.samples, run.seconds, run.workers, self.foreign
            ),
        ];
        if run.scale != 1.0 {
            lines.push(format!("- **{} times the suite's work**", run.scale));
        }
        let median = "Median milliseconds; a ratio above 1 means that regrow is faster.";
        lines.extend([String::new(), median.into(), String::new()]);
        lines
    }

    fn show(&self, workload: Workload, engine: Engine) -> String {
        let Some(cell) = self.cells.get(&(workload, engine)) else {
            return String::new();
        };
        let mut text = median(&cell.samples).map_or(String::new(), number);
        if let Some(why) = cell.failures.last() {
            text = format!("{text} FAILED {} times: {why}", cell.failures.len());
        }
        text.trim_start().to_owned()
    }

    pub(crate) fn json(
        &self,
        run: &Run,
        workloads: &[Workload],
    ) -> Result<String, serde_json::Error> {
        let row = |&workload: &Workload| {
            let cells: Vec<(String, &Cell)> = run
                .engines
                .iter()
                .filter_map(|&it| Some((it.name(), self.cells.get(&(workload, it))?)))
                .collect();
            let each =
                |(name, cell): &(String, &Cell)| Some((name.clone(), median(&cell.samples)?));
            JsonRow {
                name: workload.name(),
                unit: "ms",
                median: cells.iter().filter_map(each).collect(),
                samples: cells
                    .iter()
                    .map(|(name, cell)| (name.clone(), cell.samples.clone()))
                    .collect(),
                failures: cells
                    .iter()
                    .filter(|(_, cell)| !cell.failures.is_empty())
                    .map(|(name, cell)| (name.clone(), cell.failures.clone()))
                    .collect(),
            }
        };
        let json = Json {
            machine: machine::describe(),
            versions: versions(run),
            workers: run.workers,
            scale: run.scale,
            rounds: run.rounds,
            foreign_load_percent: self.foreign,
            rows: workloads.iter().map(row).collect(),
        };
        Ok(serde_json::to_string_pretty(&json)? + "\n")
    }
}

/// Of what has run.
fn versions(run: &Run) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for engine in &run.engines {
        let version = match (engine, &run.beam) {
            (Engine::Beam, beam) => beam.clone().unwrap_or_default(),
            _ => machine::locked_version(&engine.name()).to_owned(),
        };
        versions.insert(engine.name(), version);
    }
    versions.insert(
        "mimalloc".into(),
        machine::locked_version("mimalloc").into(),
    );
    versions
}

fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

fn geometric_mean(ratios: &[f64]) -> Option<f64> {
    let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (!ratios.is_empty()).then(|| (logarithms / ratios.len() as f64).exp())
}

fn times_sign(ratio: Option<f64>) -> String {
    ratio.map_or(String::new(), |ratio| format!("{ratio:.2}x"))
}

fn number(millis: f64) -> String {
    match millis {
        _ if millis >= 100.0 => format!("{millis:.0}"),
        _ if millis >= 10.0 => format!("{millis:.1}"),
        _ => format!("{millis:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(engines: &[Engine]) -> Run {
        Run {
            command: "savina --rounds 1".into(),
            scale: 1.0,
            rounds: 1,
            samples: 2,
            workers: 2,
            seconds: 3,
            beam: None,
            engines: engines.to_vec(),
        }
    }

    fn results() -> Results {
        let mut results = Results::default();
        for (workload, engine, samples) in [
            (Workload::Big, Engine::Regrow, [1.0, 3.0]),
            (Workload::Big, Engine::Tokio, [8.0, 16.0]),
            (Workload::Sieve, Engine::Regrow, [10.0, 10.0]),
            (Workload::Sieve, Engine::Tokio, [15.0, 15.0]),
        ] {
            results.add(workload, engine, Ok(samples.to_vec()));
        }
        results
    }

    #[test]
    fn the_table_has_medians_ratios_and_their_geometric_mean() {
        let engines = [Engine::Regrow, Engine::Tokio];
        let text = results().markdown(&run(&engines), &[Workload::Big, Workload::Sieve]);
        for line in [
            "- Command: `savina --rounds 1`",
            "| workload | regrow | tokio | tokio / regrow |",
            "| big | 2.00 | 12.0 | 6.00x |",
            "| sieve | 10.0 | 15.0 | 1.50x |",
            "| geometric mean |  |  | 3.00x |",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn a_failure_is_in_the_table_and_fails_the_run() {
        let mut results = results();
        assert!(!results.failed());
        results.add(Workload::Big, Engine::Tokio, Err("hung".into()));
        assert!(results.failed());
        let text = results.markdown(&run(&[Engine::Tokio]), &[Workload::Big]);
        assert!(
            text.contains("| big | 12.0 FAILED 1 times: hung |"),
            "{text}"
        );
    }

    #[test]
    fn json_has_a_row_for_each_workload_with_the_median_of_each_engine() {
        let run = run(&[Engine::Regrow, Engine::Tokio]);
        let text = results()
            .json(&run, &[Workload::Sieve])
            .expect("it is JSON");
        let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let row = &json["rows"][0];
        assert_eq!(
            (row["name"].as_str(), row["unit"].as_str()),
            (Some("sieve"), Some("ms"))
        );
        assert_eq!(
            row["median"],
            serde_json::json!({"regrow": 10.0, "tokio": 15.0})
        );
        assert_eq!(json["rows"].as_array().map(Vec::len), Some(1));
    }
}
