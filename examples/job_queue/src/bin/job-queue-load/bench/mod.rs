//! `bench`: both servers, the same client, row by row and round by round.

mod drive;
mod histogram;
mod machine;
mod table;

use std::sync::mpsc;
use std::time::Duration;

use job_queue::trial::directory::Directory;
use job_queue::trial::server::{Kind, Launch, Sync};

use crate::Failure;
use crate::options::{Bench, Common, Setting, Work};
use drive::Drive;
use machine::Machine;

/// What a row measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) struct Row {
    pub(crate) setting: Setting,
    pub(crate) work: Work,
    pub(crate) connections: usize,
}

/// One measurement of one server.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Sample {
    pub(crate) server: &'static str,
    pub(crate) row: Row,
    pub(crate) round: u32,
    pub(crate) jobs_per_second: f64,
    pub(crate) put: Latency,
    pub(crate) reserve: Latency,
    pub(crate) delete: Latency,
    /// Processors that the client, the server and everybody else had in use.
    pub(crate) client_cores: f64,
    pub(crate) server_cores: f64,
    pub(crate) other_cores: f64,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Everything, for the JSON file.
#[derive(serde::Serialize)]
pub(crate) struct Report {
    rounds: u32,
    seconds: f64,
    body: usize,
    client_threads: usize,
    processors: usize,
    /// Microseconds that writing 4 KiB to a file and syncing it takes there.
    fsync_us: Latency,
    samples: Vec<Sample>,
}

/// Measures everything and prints the table.
pub(crate) fn run(common: &Common, options: &Bench) -> Result<Report, Failure> {
    if options.rounds == 0
        || options.seconds <= 0.0
        || options.connections.contains(&0)
        || options.client_threads == 0
    {
        return Err(
            "--rounds, --seconds, --connections and --client-threads must be more than 0".into(),
        );
    }
    let directory = Directory::new(common.directory.as_deref())?;
    let mut report = Report {
        rounds: options.rounds,
        seconds: options.seconds,
        body: options.body,
        client_threads: options.client_threads,
        processors: std::thread::available_parallelism()?.get(),
        fsync_us: machine::fsync(directory.path())?,
        samples: Vec::new(),
    };
    println!(
        "{} rounds of {} s, bodies of {} bytes, {} processors; writing 4 KiB and fsync: p50 {:.0} µs, p99 {:.0} µs",
        options.rounds,
        options.seconds,
        options.body,
        report.processors,
        report.fsync_us.p50,
        report.fsync_us.p99,
    );
    for round in 1..=options.rounds {
        for row in rows(options) {
            let mut kinds = common.kinds();
            if row.setting == Setting::Memory {
                // This queue always keeps its jobs on disk: its row is `written`.
                kinds.retain(|&kind| kind == Kind::Beanstalkd);
            }
            // Who is measured first has the same share of whatever warms up.
            if round % 2 == 0 {
                kinds.reverse();
            }
            for kind in kinds {
                let sample = measure(common, options, kind, row, round)?;
                println!("{}", table::progress(&sample));
                report.samples.push(sample);
            }
        }
    }
    print!("{}", table::table(&report.samples));
    Ok(report)
}

fn rows(options: &Bench) -> Vec<Row> {
    let mut rows = Vec::new();
    for &setting in &options.settings {
        for &work in &options.work {
            for &connections in &options.connections {
                rows.push(Row {
                    setting,
                    work,
                    connections,
                });
            }
        }
    }
    rows
}

fn measure(
    common: &Common,
    options: &Bench,
    kind: Kind,
    row: Row,
    round: u32,
) -> Result<Sample, Failure> {
    let directory = Directory::new(common.directory.as_deref())?;
    let sync = match row.setting {
        Setting::Synced => Sync::Always,
        Setting::Written => Sync::Never,
        Setting::Memory => Sync::Default,
    };
    let launch = Launch::new(kind, common.program_of(kind)?, directory.path(), sync);
    let server = launch.start()?;
    let id = server.id();
    let drive = Drive {
        address: server.address(),
        work: row.work,
        connections: row.connections,
        body: options.body,
        time: Duration::from_secs_f64(options.seconds),
        threads: options.client_threads,
    };
    let (sender, receiver) = mpsc::channel();
    let (tally, took) = drive::drive(drive, move || {
        // If nobody receives it, there is an error to tell anyhow.
        let _ = sender.send(Machine::now(id));
    })
    .map_err(|error| format!("{}: {error}: {}", kind.name(), server.log()))?;
    let after = Machine::now(id)?;
    let used = after.since(&receiver.recv()??, took);
    let latency = |histogram: &histogram::Histogram| Latency {
        p50: histogram.micros(0.5),
        p99: histogram.micros(0.99),
    };
    Ok(Sample {
        server: kind.name(),
        row,
        round,
        jobs_per_second: tally.jobs as f64 / took.as_secs_f64(),
        put: latency(&tally.put),
        reserve: latency(&tally.reserve),
        delete: latency(&tally.delete),
        client_cores: used.client,
        server_cores: used.server,
        other_cores: used.other,
    })
}
