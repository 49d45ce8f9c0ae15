//! Tells random stories to Erlang/OTP and to regrow, until their number is reached or one is told
//! differently.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::{Parser, ValueEnum};
use regrow_runtime::Runtime;
use regrow_stories::{
    AnyStory, Comparison, Difference, Otp, OtpError, Random, Stages, Tally, shrink,
};

/// Stories that were once told differently.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions");

/// Compares supervisors and gen_servers with Erlang/OTP's by random stories. Those that were once told
/// differently come first.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// How many stories
    #[arg(long, default_value_t = 500)]
    stories: u64,
    /// What they are about
    #[arg(long, value_enum, default_value_t = Kind::All)]
    kind: Kind,
    /// Where the stories come from; printed, so that a run can be repeated
    #[arg(long)]
    seed: Option<u64>,
    /// Stories told at a time
    #[arg(long, default_value_t = 16)]
    jobs: usize,
    /// How often each story is simulated, each time with another order of things
    #[arg(long, default_value_t = 2)]
    simulations: u32,
    /// Tell the stories in this file or directory instead
    #[arg(long, value_name = "PATH")]
    replay: Option<PathBuf>,
    /// Without those that were once told differently
    #[arg(long)]
    no_known: bool,
    /// Look for the smallest story that is still told differently
    #[arg(long)]
    shrink: bool,
    /// At the end, print how often what was in the traces
    #[arg(long)]
    tally: bool,
    /// Do nothing, successfully, if there is no Erlang
    #[arg(long)]
    skip_without_erl: bool,
}

/// What stories are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Supervision trees
    Supervisor,
    /// gen_servers and those who use them
    Server,
    /// Both, in turns
    All,
}

/// A story to tell, and how to find it again.
struct Told {
    name: String,
    story: AnyStory,
    seed: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => match error.downcast_ref() {
            Some(OtpError::Missing(_)) if options.skip_without_erl => {
                println!("left out: {error}");
                ExitCode::SUCCESS
            }
            _ => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(options: &Options) -> Result<bool, Error> {
    let runtime = Runtime::new()?;
    let stages = Stages::new(Otp::start()?, runtime.handle(), options.simulations);
    let start = Instant::now();
    let mut tally = Tally::default();
    let (count, found) = match &options.replay {
        Some(path) => {
            let all = files(path)?;
            let count = all.len() as u64;
            (
                count,
                tell_all(&stages, options, count, &mut tally, |index| {
                    load(&all[index as usize])
                })?,
            )
        }
        None => {
            let known = match options.no_known {
                true => Vec::new(),
                false => files(Path::new(REGRESSIONS))?,
            };
            let count = known.len() as u64;
            let load = |index: u64| load(&known[index as usize]);
            let found = tell_all(&stages, options, count, &mut Tally::default(), load)?;
            if let Some((told, difference)) = found {
                explain(&stages, options, told, difference)?;
                return Ok(false);
            }
            println!("{count} known stories told alike");
            let seed = options.seed.unwrap_or_else(fresh_seed);
            println!("{} stories, --seed {seed}", options.stories);
            let mut random = Random::new(seed);
            let seeds: Vec<_> = (0..options.stories).map(|_| random.next_u64()).collect();
            let told = |index: u64| {
                let seed = seeds[index as usize];
                let story = match options.kind {
                    Kind::Supervisor => AnyStory::supervisors(seed),
                    Kind::Server => AnyStory::servers(seed),
                    Kind::All if index.is_multiple_of(2) => AnyStory::supervisors(seed),
                    Kind::All => AnyStory::servers(seed),
                };
                Ok(Told {
                    name: format!("story {index}"),
                    story,
                    seed,
                })
            };
            (
                options.stories,
                tell_all(&stages, options, options.stories, &mut tally, told)?,
            )
        }
    };
    if options.tally {
        print!("{tally}");
    }
    match found {
        None => {
            println!(
                "{count} stories told alike in {:.0} s",
                start.elapsed().as_secs_f64()
            );
            Ok(true)
        }
        Some((told, difference)) => {
            explain(&stages, options, told, difference)?;
            Ok(false)
        }
    }
}

fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}

fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut all = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "story")
        {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

type Error = Box<dyn std::error::Error + Send + Sync>;

fn load(path: &Path) -> Result<Told, Error> {
    let text = std::fs::read_to_string(path)?;
    let name = path.display().to_string();
    let story = AnyStory::parse(&text).map_err(|error| format!("{name}: {error}"))?;
    Ok(Told {
        name,
        story,
        seed: 1,
    })
}

/// The first story found that is told differently.
fn tell_all(
    stages: &Stages,
    options: &Options,
    count: u64,
    tally: &mut Tally,
    story: impl Fn(u64) -> Result<Told, Error> + Sync,
) -> Result<Option<(Told, Difference)>, Error> {
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let found = Mutex::new(None);
    let work = || -> Result<Tally, Error> {
        let mut tally = Tally::default();
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            let told = story(index)?;
            match stages.compare(&told.story, told.seed)? {
                Comparison::Alike(trace) => tally.add(&trace),
                Comparison::Different(difference) => {
                    stop.store(true, Ordering::Relaxed);
                    if let Ok(mut found) = found.lock() {
                        found.get_or_insert((told, difference));
                    }
                }
            }
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of((count / 10).max(100)) {
                println!("{done} of {count}");
            }
        }
        Ok(tally)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        for worker in workers {
            let told = worker
                .join()
                .unwrap_or_else(|_| Err("a teller panicked".into()));
            tally.merge(told?);
        }
        Ok::<_, Error>(())
    })?;
    Ok(found.into_inner().unwrap_or_default())
}

fn explain(
    stages: &Stages,
    options: &Options,
    told: Told,
    mut difference: Difference,
) -> Result<(), OtpError> {
    let Told {
        name,
        mut story,
        seed,
    } = told;
    println!("\n{name} is told differently.");
    if !stages.otp_repeats(&story, &difference.otp, 5)? {
        println!("OTP itself does not always tell it so: is this an order that it leaves open?");
    }
    if options.shrink {
        println!("Shrinking:");
        let differs = |story: &AnyStory| {
            let comparison = stages.compare(story, seed)?;
            Ok(matches!(comparison, Comparison::Different(_)))
        };
        let progress = |story: &AnyStory| println!("  to size {}", story.size());
        let small = shrink(story.clone(), differs, progress)?;
        if let Comparison::Different(smaller) = stages.compare(&small, seed)? {
            (story, difference) = (small, smaller);
        }
    }
    println!("\n{story}\n{}", difference.side_by_side());
    println!("Saved as a file, the story is told again by --replay FILE.");
    Ok(())
}
