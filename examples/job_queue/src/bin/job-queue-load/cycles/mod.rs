//! `cycles` and `term`: load, the end of the server, a restart, and every job is accounted for.

mod audit;
mod body;
mod crew;
mod ledger;
#[cfg(test)]
mod ledger_tests;
mod violation;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use job_queue::trial::chance::Chance;
use job_queue::trial::directory::Directory;
use job_queue::trial::server::{Kind as ServerKind, Launch, Server, Sync};
use job_queue::trial::wire::Wire;
use rustix::process::Signal;

use crate::Failure;
use crate::options::{Common, Cycles};
use audit::Audit;
use crew::Shared;
use violation::Kind;

/// How long a server may take to end after SIGTERM.
const END: Duration = Duration::from_secs(30);
/// How many violations are printed; all are in the JSON file.
const SHOWN: usize = 20;

/// How the server is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Kill,
    Term,
}

/// What has come of it, for the JSON file.
#[derive(serde::Serialize)]
pub(crate) struct Report {
    server: &'static str,
    end: String,
    seed: u64,
    cycles: u32,
    counts: ledger::Counts,
    /// Milliseconds from each restart to the first answer.
    restarts_ms: Vec<f64>,
    /// Milliseconds from SIGTERM to the end of the process.
    ends_ms: Vec<f64>,
    /// How the server ended after SIGTERM, and how often.
    exits: std::collections::BTreeMap<String, u32>,
    violations: Vec<violation::Violation>,
}

/// Runs all cycles; the report, and whether every promise was kept.
pub(crate) fn run(common: &Common, options: &Cycles, end: End) -> Result<(Report, bool), Failure> {
    let kind = common.kind();
    let mut directory = Directory::new(common.directory.as_deref())?;
    let launch = Launch::new(kind, common.program()?, directory.path(), Sync::Always);
    let shared = Shared::new(common.seed);
    let mut chance = Chance::new(common.seed);
    let mut audit = Audit::default();
    let mut report = Report {
        server: kind.name(),
        end: format!("{end:?}"),
        seed: common.seed,
        cycles: options.cycles,
        counts: ledger::Counts::default(),
        restarts_ms: Vec::new(),
        ends_ms: Vec::new(),
        exits: std::collections::BTreeMap::new(),
        violations: Vec::new(),
    };
    println!(
        "{}: {} cycles, {} producers, {} workers, {} to {} ms of load each, seed {}",
        kind.name(),
        options.cycles,
        options.producers,
        options.workers,
        options.shortest,
        options.longest.max(options.shortest),
        common.seed
    );
    for cycle in 1..=options.cycles {
        let mut server = start(&launch, &mut report)?;
        let jobs = audit.look(&shared, server.address())?;
        let span = options.longest.saturating_sub(options.shortest);
        let load = Duration::from_millis((options.shortest + chance.below(span + 1)).into());
        shared.begin();
        let ended = load_and_end(&shared, options, &mut chance, &mut server, load, end)?;
        if let Some((status, took)) = ended {
            report.ends_ms.push(took.as_secs_f64() * 1000.0);
            *report.exits.entry(status.clone()).or_insert(0) += 1;
            // The original knows no other end than that of the signal.
            if status != "exit status: 0" && kind == ServerKind::JobQueue {
                shared.violation(Kind::BadEnd, 0, format!("after SIGTERM: {status}"));
            }
        }
        let ledger = shared.ledger();
        let counts = ledger.counts;
        println!(
            "cycle {cycle:3}: {jobs:6} jobs found, {:4} ms of load; so far {} put, {} reserved, {} deleted, {} violations",
            load.as_millis(),
            counts.inserted,
            counts.reserved,
            counts.deleted,
            ledger.violations.len(),
        );
    }
    let server = start(&launch, &mut report)?;
    audit.look(&shared, server.address())?;
    let taken = audit.empty(&shared, server.address())?;
    println!("at the end {taken} jobs were taken out");
    drop(server);

    let ledger = shared.ledger();
    report.counts = ledger.counts;
    report.violations = ledger.violations.clone();
    let passed = report.violations.is_empty();
    print(&report);
    if !passed {
        println!(
            "the server's files are kept in {}",
            directory.keep().display()
        );
    }
    Ok((report, passed))
}

fn start(launch: &Launch, report: &mut Report) -> Result<Server, Failure> {
    let server = launch.start()?;
    first_answer(server.address())?;
    let took = server.begun().elapsed();
    report.restarts_ms.push(took.as_secs_f64() * 1000.0);
    Ok(server)
}

fn first_answer(address: SocketAddr) -> Result<(), Failure> {
    let mut wire = Wire::connect(address, Duration::from_secs(60))?;
    wire.ask("list-tube-used")?;
    Ok(())
}

/// Loads the server for a while and ends it; how it ended after SIGTERM.
fn load_and_end(
    shared: &Shared,
    options: &Cycles,
    chance: &mut Chance,
    server: &mut Server,
    load: Duration,
    end: End,
) -> Result<Option<(String, Duration)>, Failure> {
    let address = server.address();
    std::thread::scope(|scope| {
        for _ in 0..options.producers {
            let chance = chance.fork();
            scope.spawn(move || crew::producer(shared, address, chance));
        }
        for _ in 0..options.workers {
            let chance = chance.fork();
            scope.spawn(move || crew::worker(shared, address, chance));
        }
        std::thread::sleep(load);
        shared.end();
        let begun = Instant::now();
        match end {
            End::Kill => {
                server.kill()?;
                Ok(None)
            }
            End::Term => {
                server.signal(Signal::TERM)?;
                let status = match server.wait(END)? {
                    Some(status) => status.to_string(),
                    None => {
                        server.kill()?;
                        format!("it did not end within {} s", END.as_secs())
                    }
                };
                Ok(Some((status, begun.elapsed())))
            }
        }
    })
}

fn print(report: &Report) {
    let counts = report.counts;
    println!(
        "\n{} acknowledged puts of {}, {} reservations, {} deletions, {} releases and kicks, {} burials; {} changes came too late",
        counts.inserted,
        counts.put,
        counts.reserved,
        counts.deleted,
        counts.released,
        counts.buried,
        counts.too_late,
    );
    let mut restarts = report.restarts_ms.clone();
    restarts.sort_by(f64::total_cmp);
    println!(
        "from the start of the process to the first answer: median {:.0} ms, at most {:.0} ms",
        restarts[restarts.len() / 2],
        restarts[restarts.len() - 1],
    );
    for (status, count) in &report.exits {
        println!("after SIGTERM, {count} times: {status}");
    }
    for kind in Kind::ALL {
        let count = report
            .violations
            .iter()
            .filter(|it| it.kind == kind)
            .count();
        println!("{:40} {count}", kind.text());
    }
    for violation in report.violations.iter().take(SHOWN) {
        println!("  {violation}");
    }
}
