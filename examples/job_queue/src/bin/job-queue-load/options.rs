//! What the command line says.

use std::io;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use job_queue::trial::server::{Kind, beside};

/// Loads the job queue, or beanstalkd, measures it and accounts for every job.
#[derive(Parser, Debug)]
#[command(name = "job-queue-load", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Measure both servers with the same client: jobs a second and latency, with and without fsync.
    Bench(Bench),
    /// Load, kill -9 and restart, again and again, and account for every acknowledged job.
    Cycles(Cycles),
    /// Load and SIGTERM, again and again: the end must be clean and nothing lost.
    Term(Cycles),
    /// A million ready jobs in one tube: memory, start after a restart, latency of reserve.
    Million(Million),
}

/// What all commands have.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// What chance is drawn from.
    #[arg(long, global = true, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write the figures to this file, too.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The program of this queue [default: the one beside this program].
    #[arg(long, global = true, value_name = "PROGRAM")]
    pub(crate) job_queue: Option<PathBuf>,
    /// The program of beanstalkd.
    #[arg(
        long,
        global = true,
        default_value = "beanstalkd",
        value_name = "PROGRAM"
    )]
    pub(crate) beanstalkd: PathBuf,
    /// The server under load (`bench` measures both unless it is given).
    #[arg(long, global = true, value_enum)]
    pub(crate) server: Option<Which>,
    /// Where the servers' files are put; what the disk there does matters [default: where temporary
    /// files are].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    JobQueue,
    Beanstalkd,
}

impl Common {
    /// The server under load.
    pub(crate) fn kind(&self) -> Kind {
        match self.server {
            Some(Which::Beanstalkd) => Kind::Beanstalkd,
            Some(Which::JobQueue) | None => Kind::JobQueue,
        }
    }

    /// The program of the server under load.
    pub(crate) fn program(&self) -> io::Result<PathBuf> {
        self.program_of(self.kind())
    }

    /// The program of a server.
    pub(crate) fn program_of(&self, kind: Kind) -> io::Result<PathBuf> {
        match (kind, &self.job_queue) {
            (Kind::Beanstalkd, _) => Ok(self.beanstalkd.clone()),
            (Kind::JobQueue, Some(program)) => Ok(program.clone()),
            (Kind::JobQueue, None) => beside(),
        }
    }

    /// The servers to compare.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        match self.server {
            None => vec![Kind::Beanstalkd, Kind::JobQueue],
            Some(_) => vec![self.kind()],
        }
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Cycles {
    /// How often.
    #[arg(long, default_value_t = 10)]
    pub(crate) cycles: u32,
    /// How many clients put.
    #[arg(long, default_value_t = 4)]
    pub(crate) producers: u32,
    /// How many clients reserve.
    #[arg(long, default_value_t = 8)]
    pub(crate) workers: u32,
    /// The shortest load of one cycle, in milliseconds.
    #[arg(long, default_value_t = 300, value_name = "MS")]
    pub(crate) shortest: u32,
    /// The longest.
    #[arg(long, default_value_t = 2500, value_name = "MS")]
    pub(crate) longest: u32,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Bench {
    /// How often each row is measured; the median counts.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: u32,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// Bytes of a job's body.
    #[arg(long, default_value_t = 100)]
    pub(crate) body: usize,
    /// How many connections; more than one number gives more rows.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub(crate) connections: Vec<usize>,
    /// Scheduler threads of the client. More than one pays only if processors are left for the
    /// server.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) client_threads: usize,
    /// Which settings.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Setting::Synced, Setting::Written, Setting::Memory])]
    pub(crate) settings: Vec<Setting>,
    /// Which work.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Work::Put, Work::Cycle])]
    pub(crate) work: Vec<Work>,
}

/// What is on disk when a put is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, serde::Serialize)]
pub(crate) enum Setting {
    /// It is synced: `--sync always` and `-b DIR -f0`.
    Synced,
    /// It is written and not synced: `--sync never` and `-b DIR -F`.
    Written,
    /// Beanstalkd keeps nothing on disk; this queue, which always does, as under `written`.
    Memory,
}

impl Setting {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Written => "written",
            Self::Memory => "memory",
        }
    }
}

/// What each connection does, one command after the answer to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, serde::Serialize)]
pub(crate) enum Work {
    /// put.
    Put,
    /// put, reserve, delete.
    Cycle,
}

impl Work {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Cycle => "put+reserve+delete",
        }
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Million {
    /// How many jobs.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) jobs: u64,
    /// Bytes of a job's body.
    #[arg(long, default_value_t = 100)]
    pub(crate) body: usize,
    /// How many reservations are timed at each size.
    #[arg(long, default_value_t = 2000)]
    pub(crate) probes: u32,
}
