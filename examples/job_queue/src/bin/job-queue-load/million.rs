//! `million`: many ready jobs in one tube. How much memory each takes, how long a restart takes, and
//! whether the latency of reserve grows with the queue.

use std::time::{Duration, Instant};

use job_queue::trial::chance::Chance;
use job_queue::trial::directory::Directory;
use job_queue::trial::server::{Kind, Launch, Server, Sync};
use job_queue::trial::wire::{Wire, put};
use rustix::process::Signal;

use crate::Failure;
use crate::options::{Common, Million};

const PATIENCE: Duration = Duration::from_secs(300);
/// How many jobs are put at once.
const BATCH: u64 = 500;

/// What was measured, for the JSON file.
#[derive(serde::Serialize)]
pub(crate) struct Report {
    jobs: u64,
    body: usize,
    servers: Vec<Figures>,
}

/// Of one server.
#[derive(serde::Serialize)]
struct Figures {
    server: &'static str,
    fill_seconds: f64,
    /// Resident bytes with all jobs, less those with none.
    bytes_each: f64,
    /// Resident bytes after the restart, less those of the empty server.
    bytes_each_after_restart: f64,
    /// Seconds from the start of the process to the answer that counts all jobs.
    after_term_seconds: f64,
    after_kill_seconds: f64,
    reserve: Vec<Latency>,
}

/// Of reserve, with so many jobs in the tube.
#[derive(serde::Serialize)]
struct Latency {
    jobs: u64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

/// Measures one server or both.
pub(crate) fn run(common: &Common, options: &Million) -> Result<Report, Failure> {
    let mut servers = Vec::new();
    for kind in common.kinds() {
        let directory = Directory::new(common.directory.as_deref())?;
        let launch = Launch::new(
            kind,
            common.program_of(kind)?,
            directory.path(),
            Sync::Never,
        );
        servers.push(measure(&launch, options, common.seed)?);
    }
    let report = Report {
        jobs: options.jobs,
        body: options.body,
        servers,
    };
    print(&report);
    Ok(report)
}

fn measure(launch: &Launch, options: &Million, seed: u64) -> Result<Figures, Failure> {
    let name = launch.kind.name();
    let mut chance = Chance::new(seed);
    let mut server = launch.start()?;
    let mut wire = Wire::connect(server.address(), PATIENCE)?;
    wire.ask("list-tube-used")?;
    let empty = server.resident()?;
    let begun = Instant::now();
    let mut filling = Duration::ZERO;
    let mut size = 0;
    let mut reserve = Vec::new();
    for target in [1, 1000, options.jobs] {
        let filled = Instant::now();
        while size < target.min(options.jobs) {
            let count = BATCH.min(target - size);
            fill(&mut wire, options.body, count, &mut chance)?;
            size += count;
            if size % 100_000 == 0 {
                let seconds = begun.elapsed().as_secs_f64();
                println!("{name}: {size} jobs after {seconds:.1} s");
            }
        }
        filling += filled.elapsed();
        reserve.push(probe(&mut wire, size, options.probes, &mut chance)?);
    }
    let full = server.resident()?;
    drop(wire);

    server.signal(Signal::TERM)?;
    if server.wait(PATIENCE)?.is_none() {
        return Err(format!("{name} does not end after SIGTERM").into());
    }
    let (mut server, after_term) = restart(launch, options.jobs)?;
    let restarted = server.resident()?;
    server.kill()?;
    let (server, after_kill) = restart(launch, options.jobs)?;
    drop(server);
    let each = |bytes: u64| bytes.saturating_sub(empty) as f64 / options.jobs as f64;
    Ok(Figures {
        server: name,
        fill_seconds: filling.as_secs_f64(),
        bytes_each: each(full),
        bytes_each_after_restart: each(restarted),
        after_term_seconds: after_term.as_secs_f64(),
        after_kill_seconds: after_kill.as_secs_f64(),
        reserve,
    })
}

/// Puts jobs with priorities drawn by chance, many at once.
fn fill(wire: &mut Wire, body: usize, count: u64, chance: &mut Chance) -> Result<(), Failure> {
    let body = vec![b'x'; body];
    let mut bytes = Vec::new();
    for _ in 0..count {
        bytes.extend(put(1 + chance.below(1_000_000), 0, 3600, &body));
    }
    wire.send(&bytes)?;
    for _ in 0..count {
        let answer = wire.answer()?;
        if answer.word() != "INSERTED" {
            return Err(format!("{} as the answer to put", answer.line).into());
        }
    }
    Ok(())
}

/// Times reservations; each job is released again, with another priority.
fn probe(wire: &mut Wire, jobs: u64, probes: u32, chance: &mut Chance) -> Result<Latency, Failure> {
    let mut times = Vec::new();
    for _ in 0..probes.max(1) {
        let begun = Instant::now();
        let answer = wire.ask("reserve")?;
        times.push(begun.elapsed());
        let Some(id) = answer.number() else {
            return Err(format!("{} as the answer to reserve", answer.line).into());
        };
        let pri = 1 + chance.below(1_000_000);
        let released = wire.ask(&format!("release {id} {pri} 0"))?;
        if released.word() != "RELEASED" {
            return Err(format!("{} as the answer to release", released.line).into());
        }
    }
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    Ok(Latency {
        jobs,
        p50_us: at(0.5),
        p99_us: at(0.99),
        max_us: at(1.0),
    })
}

/// Starts the server again; how long it took until it counted all jobs.
fn restart(launch: &Launch, jobs: u64) -> Result<(Server, Duration), Failure> {
    let server = launch.start()?;
    let mut wire = Wire::connect(server.address(), PATIENCE)?;
    let stats = wire.ask("stats-tube default")?;
    let took = server.begun().elapsed();
    let ready = stats.value("current-jobs-ready").unwrap_or("none");
    if ready != jobs.to_string() {
        let name = server.kind().name();
        return Err(format!("{name} has {ready} ready jobs after a restart, not {jobs}").into());
    }
    Ok((server, took))
}

fn print(report: &Report) {
    println!(
        "\n{} ready jobs of {} bytes in one tube, random priorities\n",
        report.jobs, report.body
    );
    println!(
        "| server | put, s | bytes each | after a restart | start after SIGTERM, s | after kill -9, s | reserve p50 / p99, µs, with 1, 1000 and all jobs |"
    );
    println!("|---|---:|---:|---:|---:|---:|---|");
    for figures in &report.servers {
        let reserve: Vec<String> = figures
            .reserve
            .iter()
            .map(|latency| format!("{:.0} / {:.0}", latency.p50_us, latency.p99_us))
            .collect();
        println!(
            "| {} | {:.1} | {:.0} | {:.0} | {:.2} | {:.2} | {} |",
            figures.server,
            figures.fill_seconds,
            figures.bytes_each,
            figures.bytes_each_after_restart,
            figures.after_term_seconds,
            figures.after_kill_seconds,
            reserve.join(", "),
        );
    }
    if report
        .servers
        .iter()
        .any(|it| it.server == Kind::Beanstalkd.name())
    {
        println!(
            "\nbeanstalkd with -b DIR -F, this queue with --sync never; the body is in the bytes."
        );
    }
}
