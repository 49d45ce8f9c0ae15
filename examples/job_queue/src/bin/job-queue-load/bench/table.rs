//! Medians of the rounds, as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use job_queue::trial::server::Kind;

use super::{Row, Sample};
use crate::options::{Setting, Work};

/// One measurement, as a line.
pub(crate) fn progress(sample: &Sample) -> String {
    format!(
        "round {}: {:10} {:7} {:18} {:2} connections: {:8.0} jobs/s; processors: client {:.2}, server {:.2}, others {:.2}",
        sample.round,
        sample.server,
        sample.row.setting.name(),
        sample.row.work.name(),
        sample.row.connections,
        sample.jobs_per_second,
        sample.client_cores,
        sample.server_cores,
        sample.other_cores,
    )
}

/// The middle of some numbers; the mean of the two middle ones if they are even.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => numbers[length / 2],
        length => f64::midpoint(numbers[length / 2 - 1], numbers[length / 2]),
    }
}

/// The medians of one server in one row.
#[derive(Clone, Copy)]
struct Medians {
    jobs: f64,
    put: (f64, f64),
    reserve: (f64, f64),
    delete: (f64, f64),
    client: f64,
    server: f64,
}

fn medians(samples: &[&Sample]) -> Medians {
    let of = |get: &dyn Fn(&Sample) -> f64| median(samples.iter().map(|it| get(it)).collect());
    Medians {
        jobs: of(&|it| it.jobs_per_second),
        put: (of(&|it| it.put.p50), of(&|it| it.put.p99)),
        reserve: (of(&|it| it.reserve.p50), of(&|it| it.reserve.p99)),
        delete: (of(&|it| it.delete.p50), of(&|it| it.delete.p99)),
        client: of(&|it| it.client_cores),
        server: of(&|it| it.server_cores),
    }
}

/// The table of all rows.
pub(crate) fn table(samples: &[Sample]) -> String {
    let mut groups: BTreeMap<(Row, &str), Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        let group = groups.entry((sample.row, sample.server)).or_default();
        group.push(sample);
    }
    let groups: BTreeMap<(Row, &str), Medians> = groups
        .into_iter()
        .map(|(key, samples)| (key, medians(&samples)))
        .collect();
    let mut text = String::from(
        "\n| on disk | work | connections | server | jobs/s | put p50 / p99, µs | reserve | delete | processors of client + server | ratio |\n\
         |---|---|---:|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for (&(row, server), medians) in &groups {
        let pair = |(p50, p99): (f64, f64)| format!("{p50:.0} / {p99:.0}");
        let (reserve, delete) = match row.work {
            Work::Put => (String::new(), String::new()),
            Work::Cycle => (pair(medians.reserve), pair(medians.delete)),
        };
        let ratio =
            ratio(&groups, row, server).map_or(String::new(), |ratio| format!("{ratio:.2}"));
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {server} | {:.0} | {} | {reserve} | {delete} | {:.2} + {:.2} | {ratio} |",
            row.setting.name(),
            row.work.name(),
            row.connections,
            medians.jobs,
            pair(medians.put),
            medians.client,
            medians.server,
        );
    }
    text.push_str(
        "\nMedians of the rounds. Ratio: this queue to beanstalkd; under `memory`, beanstalkd without a\n\
         binlog, this queue's `written` row to it.\n",
    );
    text
}

/// This queue's jobs to beanstalkd's.
fn ratio(groups: &BTreeMap<(Row, &str), Medians>, row: Row, server: &str) -> Option<f64> {
    let ours = Kind::JobQueue.name();
    let (from, wanted) = match row.setting {
        Setting::Memory => (Setting::Written, Kind::Beanstalkd.name()),
        setting => (setting, ours),
    };
    if server != wanted {
        return None;
    }
    let mine = groups.get(&(
        Row {
            setting: from,
            ..row
        },
        ours,
    ))?;
    let theirs = groups.get(&(row, Kind::Beanstalkd.name()))?;
    Some(mine.jobs / theirs.jobs)
}

#[cfg(test)]
mod tests {
    use super::super::{Latency, Row, Sample};
    use super::{median, table};
    use crate::options::{Setting, Work};

    fn sample(server: &'static str, setting: Setting, jobs_per_second: f64) -> Sample {
        Sample {
            server,
            row: Row {
                setting,
                work: Work::Put,
                connections: 4,
            },
            round: 1,
            jobs_per_second,
            put: Latency::default(),
            reserve: Latency::default(),
            delete: Latency::default(),
            client_cores: 1.0,
            server_cores: 1.0,
            other_cores: 0.0,
        }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn the_ratio_is_that_of_the_medians_and_of_the_written_row_under_memory() {
        let samples = [
            sample("beanstalkd", Setting::Written, 100.0),
            sample("job-queue", Setting::Written, 300.0),
            sample("job-queue", Setting::Written, 900.0),
            sample("job-queue", Setting::Written, 250.0),
            sample("beanstalkd", Setting::Memory, 200.0),
        ];
        let text = table(&samples);
        let ratio = |server: &str, setting: &str| {
            let line = text.lines().find(|line| {
                line.starts_with(&format!("| {setting} ")) && line.contains(&format!("| {server} "))
            });
            line.unwrap().rsplit('|').nth(1).unwrap().trim().to_owned()
        };
        assert_eq!(ratio("job-queue", "written"), "3.00");
        assert_eq!(ratio("beanstalkd", "memory"), "1.50");
        assert_eq!(ratio("beanstalkd", "written"), "");
    }
}
