//! The command line.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser};

use crate::protocol::{JOB_SIZE_DEFAULT, JOB_SIZE_MAX, TubeName};
use crate::shared::{Pool, Settings};
use crate::store::{Location, Sync};

/// A durable job queue that speaks the beanstalkd protocol: every client of beanstalkd works.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "job-queue",
    version,
    args_override_self = true,
    disable_version_flag = true
)]
pub struct Args {
    /// Address to listen on; whoever reaches it may do everything
    #[arg(short = 'l', long = "listen", value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = address)]
    pub address: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(short, long, value_name = "PORT", default_value_t = 11_300)]
    pub port: u16,
    /// The largest job, in bytes
    #[arg(short = 'z', long, value_name = "BYTES", default_value_t = JOB_SIZE_DEFAULT, value_parser = job_size)]
    pub max_job_size: usize,
    /// File that keeps the jobs; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "jobs.db")]
    pub database: PathBuf,
    /// Take no more jobs once the database has this size
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=16_000_000))]
    pub database_limit: Option<u32>,
    /// When jobs are forced to the disk: `always` before the answer, `every:MS` milliseconds, or
    /// `never`. The first also survives a machine that loses power, all survive a killed program
    #[arg(long, value_name = "WHEN", default_value = "always", value_parser = sync)]
    sync: Sync,
    /// Same as --sync every:MS; 0 is --sync always
    #[arg(short = 'f', value_name = "MS", conflicts_with_all = ["sync", "never_sync"])]
    pub sync_every: Option<u32>,
    /// Same as --sync never
    #[arg(short = 'F', conflicts_with = "sync")]
    pub never_sync: bool,
    /// Clients beyond this number are turned away
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    pub max_connections: usize,
    /// Jobs that the workers of this program do at the same time
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1_000))]
    pub workers: u16,
    /// Tube whose jobs these workers do
    #[arg(long, value_name = "NAME", default_value = "work", value_parser = tube)]
    pub tube: TubeName,
    /// A job that has failed so often is buried
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub tries: u32,
    /// How long a job that has failed rests first; twice as long after each further failure, a
    /// minute at most
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=60))]
    pub backoff: u32,
    /// Give the workers the kinds of jobs that break things: panic, spin, crash and tree
    #[arg(long)]
    pub chaos: bool,
    /// A line each second about what is going on
    #[arg(short = 'V', long)]
    pub verbose: bool,
    /// What to log: error, warn, info, debug, trace, or a filter such as `info,regrow=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// Scheduler threads; one per core if not given
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
}

impl Args {
    /// The settings that they stand for.
    pub(crate) fn settings(&self) -> Settings {
        let sync = match self.sync_every {
            Some(0) => Sync::Always,
            Some(ms) => Sync::Every(Duration::from_millis(ms.into())),
            None if self.never_sync => Sync::Never,
            None => self.sync,
        };
        Settings {
            listen: SocketAddr::new(self.address, self.port),
            job_size_max: self.max_job_size,
            database: Location {
                path: self.database.clone(),
                sync,
                limit: self.database_limit,
            },
            max_connections: self.max_connections,
            pool: Pool {
                workers: self.workers,
                tube: self.tube.clone(),
                tries: self.tries,
                backoff: self.backoff,
            },
            chaos: self.chaos,
            verbose: self.verbose,
        }
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    let found = (text, 0).to_socket_addrs();
    let mut found = found.map_err(|error| format!("{error} (give a host's name or address)"))?;
    found
        .next()
        .map(|address| address.ip())
        .ok_or_else(|| "the host has no address".to_owned())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| "not a number that fits here".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match number(text)? {
        0 => Err("must be at least 1".into()),
        n => Ok(n),
    }
}

fn job_size(text: &str) -> Result<usize, String> {
    match number(text)? {
        n if n > JOB_SIZE_MAX => Err(format!("must be at most {JOB_SIZE_MAX}")),
        n => Ok(n),
    }
}

fn tube(text: &str) -> Result<TubeName, String> {
    text.parse()
        .map_err(|error: crate::protocol::NameError| error.to_string())
}

fn sync(text: &str) -> Result<Sync, String> {
    match text.split_once(':') {
        None if text == "always" => Ok(Sync::Always),
        None if text == "never" => Ok(Sync::Never),
        Some(("every", ms)) => match number::<u32>(ms)? {
            0 => Ok(Sync::Always),
            ms => Ok(Sync::Every(Duration::from_millis(ms.into()))),
        },
        _ => Err("give always, never, or every:MS".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(words: &[&str]) -> Settings {
        let words = ["job-queue"].iter().chain(words);
        Args::try_parse_from(words)
            .expect("good arguments")
            .settings()
    }

    #[test]
    fn the_flags_of_beanstalkd_mean_what_they_mean_there() {
        let words = ["-l", "127.0.0.2", "-p", "1", "-z", "10", "-f", "20", "-V"];
        let those = settings(&words);
        assert_eq!(those.listen, "127.0.0.2:1".parse().unwrap());
        assert_eq!(those.job_size_max, 10);
        assert_eq!(those.database.sync, Sync::Every(Duration::from_millis(20)));
        assert!(those.verbose);
        assert_eq!(settings(&["-f0"]).database.sync, Sync::Always);
        assert_eq!(settings(&["-F"]).database.sync, Sync::Never);
    }

    #[test]
    fn jobs_are_forced_to_the_disk_when_the_flag_says() {
        assert_eq!(settings(&[]).database.sync, Sync::Always);
        assert_eq!(settings(&["--sync", "never"]).database.sync, Sync::Never);
        let every = settings(&["--sync", "every:5"]).database.sync;
        assert_eq!(every, Sync::Every(Duration::from_millis(5)));
        for wrong in ["every", "every:x", "sometimes", "always:3"] {
            assert!(Args::try_parse_from(["job-queue", "--sync", wrong]).is_err());
        }
        assert!(Args::try_parse_from(["job-queue", "-F", "--sync", "always"]).is_err());
    }
}
