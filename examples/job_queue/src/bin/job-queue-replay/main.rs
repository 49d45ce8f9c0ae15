//! `job-queue-replay`: plays scripts to `beanstalkd` and to this queue and compares what they say.
//!
//! ```text
//! cargo build --release -p job-queue
//! target/release/job-queue-replay                      all scripts
//! target/release/job-queue-replay examples/job_queue/tests/replay/reserve.txt --show
//! ```
//!
//! Each script is played to a fresh server of each kind on a port of its own. What they answer must
//! be the same, byte for byte. `allowed.txt` beside the scripts lists what may differ: values of
//! keys that cannot be the same (a process id), and differences that are meant, which a script
//! shows exactly where they occur and DIFFERENCES.md explains. A script that fails is played a
//! second time, alone, so that a loaded machine is not taken for a difference.
//!
//! The exit code is 0 if nothing else differs, 1 if something does, 2 if it could not be compared.

#![forbid(unsafe_code)]

mod allowed;
mod compare;
mod play;
mod report;
mod script;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use job_queue::trial::server::{Kind, beside};

use crate::allowed::Allowed;
use crate::compare::{Verdict, compare};
use crate::play::{PlayError, Stage, Transcript};
use crate::script::Script;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Plays scripts to beanstalkd and to this queue and compares their answers byte for byte.
#[derive(Parser, Debug)]
#[command(name = "job-queue-replay", version)]
struct Options {
    /// The scripts, or directories of them [default: tests/replay of the package].
    scripts: Vec<PathBuf>,
    /// The program of beanstalkd.
    #[arg(long, default_value = "beanstalkd", value_name = "PROGRAM")]
    beanstalkd: PathBuf,
    /// The program of this queue [default: the one beside this program].
    #[arg(long, value_name = "PROGRAM")]
    job_queue: Option<PathBuf>,
    /// What is compared with beanstalkd. Another beanstalkd shows whether the scripts and the masks
    /// are sound.
    #[arg(long, value_enum, default_value_t = Against::JobQueue)]
    against: Against,
    /// The list of what may differ [default: allowed.txt in tests/replay of the package].
    #[arg(long, value_name = "FILE")]
    allowed: Option<PathBuf>,
    /// The page that explains each difference [default: DIFFERENCES.md of the package].
    #[arg(long, value_name = "FILE")]
    differences: Option<PathBuf>,
    /// How many scripts are played at a time.
    #[arg(long, default_value_t = 8, value_name = "N")]
    parallel: usize,
    /// Seconds to wait for an answer before it counts as missing.
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    patience: u64,
    /// Where the servers' files are put [default: where temporary files are].
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Print everything that was sent and said.
    #[arg(long)]
    show: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Against {
    JobQueue,
    Beanstalkd,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("job-queue-replay: {problem}");
            ExitCode::from(2)
        }
    }
}

/// What has come of one script.
struct Played {
    transcripts: [Transcript; 2],
    verdict: Verdict,
    took: Duration,
    /// It failed the first time and passed when it was alone.
    second_time: bool,
}

fn run(options: &Options) -> Result<bool, Failure> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (scripts, whole) = if options.scripts.is_empty() {
        (gather(&[package.join("tests/replay")])?, true)
    } else {
        (gather(&options.scripts)?, false)
    };
    let list = options
        .allowed
        .clone()
        .unwrap_or_else(|| package.join("tests/replay/allowed.txt"));
    let allowed = Allowed::parse(&read(&list)?)
        .map_err(|problem| format!("{}, {problem}", list.display()))?;
    let page = options
        .differences
        .clone()
        .unwrap_or_else(|| package.join("DIFFERENCES.md"));
    let page = match allowed.names().next() {
        Some(_) => read(&page)?,
        // There is nothing to explain.
        None => String::new(),
    };
    let mut complaints = complaints(&scripts, &allowed, &page, whole);

    let stage = Stage {
        beanstalkd: options.beanstalkd.clone(),
        job_queue: match &options.job_queue {
            Some(program) => program.clone(),
            None => beside()?,
        },
        parent: options.directory.clone(),
        patience: Duration::from_secs(options.patience),
    };
    let begun = Instant::now();
    let played = play_all(options, &stage, &allowed, &scripts);

    let mut sum = report::Sum::default();
    for (script, result) in scripts.iter().zip(played) {
        match result {
            Ok(played) => report::script(options.show, options.against, script, &played, &mut sum),
            Err(problem) => complaints.push(format!("{}: {problem}", script.name)),
        }
    }
    Ok(report::end(&allowed, &complaints, &sum, begun.elapsed()))
}

/// What is wrong with the lists before anything is played.
fn complaints(scripts: &[Script], allowed: &Allowed, page: &str, whole: bool) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut used = BTreeSet::new();
    for script in scripts {
        for step in &script.steps {
            if let Some(differs) = &step.differs {
                used.insert(differs.name.as_str());
                if allowed.reason(&differs.name).is_none() {
                    complaints.push(format!(
                        "{}, line {}: the difference {} is not on the list of what may differ",
                        script.name, step.line, differs.name
                    ));
                }
            }
        }
    }
    for name in allowed.names() {
        if whole && !used.contains(name) {
            complaints.push(format!(
                "the difference {name} is listed, and no script shows it"
            ));
        }
        if !page.contains(&format!("`{name}`")) {
            complaints.push(format!(
                "the difference {name} is not explained in DIFFERENCES.md"
            ));
        }
    }
    complaints
}

/// Plays all scripts, some at a time, and those that fail once more, alone.
fn play_all(
    options: &Options,
    stage: &Stage,
    allowed: &Allowed,
    scripts: &[Script],
) -> Vec<Result<Played, PlayError>> {
    let results: Vec<Mutex<Option<Result<Played, PlayError>>>> =
        scripts.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..options.parallel.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(script) = scripts.get(index) else {
                        return;
                    };
                    let result = play_pair(options.against, stage, allowed, script);
                    if let Ok(mut place) = results[index].lock() {
                        *place = Some(result);
                    }
                }
            });
        }
    });
    results
        .into_iter()
        .zip(scripts)
        .map(|(place, script)| {
            let first = place.into_inner().ok().flatten();
            match first {
                Some(Ok(played)) if played.verdict.problems.is_empty() => Ok(played),
                _ => {
                    let again = play_pair(options.against, stage, allowed, script)?;
                    Ok(Played {
                        second_time: again.verdict.problems.is_empty(),
                        ..again
                    })
                }
            }
        })
        .collect()
}

/// Plays a script to both servers at once.
fn play_pair(
    against: Against,
    stage: &Stage,
    allowed: &Allowed,
    script: &Script,
) -> Result<Played, PlayError> {
    let begun = Instant::now();
    let other = match against {
        Against::JobQueue => Kind::JobQueue,
        Against::Beanstalkd => Kind::Beanstalkd,
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| stage.play(Kind::Beanstalkd, script));
        let second = stage.play(other, script);
        let first = match first.join() {
            Ok(first) => first,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        (first, second)
    });
    let transcripts = [first?, second?];
    let declared = against == Against::JobQueue;
    let verdict = compare(script, allowed, &transcripts[0], &transcripts[1], declared);
    Ok(Played {
        transcripts,
        verdict,
        took: begun.elapsed(),
        second_time: false,
    })
}

/// The scripts in these files and directories, by name.
fn gather(places: &[PathBuf]) -> Result<Vec<Script>, Failure> {
    let mut files = Vec::new();
    for place in places {
        if place.is_dir() {
            for entry in std::fs::read_dir(place)? {
                let path = entry?.path();
                let is_script = path.extension().is_some_and(|extension| extension == "txt");
                if is_script && path.file_name().is_some_and(|name| name != "allowed.txt") {
                    files.push(path);
                }
            }
        } else {
            files.push(place.clone());
        }
    }
    files.sort();
    if files.is_empty() {
        return Err("there are no scripts there".into());
    }
    files
        .iter()
        .map(|file| {
            let name = file.file_name().unwrap_or(file.as_os_str());
            Ok(script::parse(&name.to_string_lossy(), &read(file)?)?)
        })
        .collect()
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()).into())
}
