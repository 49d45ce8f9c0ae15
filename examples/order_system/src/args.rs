//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::repo::schema::Sync;

/// A shop whose orders survive every crash: HTTP in front, SQLite behind, a process for each order.
#[derive(Debug, Clone, Parser)]
#[command(name = "order-system", version, args_override_self = true)]
pub struct Args {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = address)]
    pub listen: SocketAddr,
    /// File that keeps the orders; made, with a catalogue, if it is not there
    #[arg(long, value_name = "FILE", default_value = "orders.db")]
    pub database: PathBuf,
    /// Whether an order is accepted when it is on the disk (full) or with the system (normal)
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Sync::Full)]
    pub sync: Sync,
    /// Address of the bank, as in http://127.0.0.1:8081; without it there is one in the program
    #[arg(long, value_name = "URL", value_parser = url)]
    pub bank: Option<String>,
    /// File of the bank in the program
    #[arg(
        long,
        value_name = "FILE",
        default_value = "bank.db",
        conflicts_with = "bank"
    )]
    pub bank_database: PathBuf,
    /// How long a bank that does not answer is asked before the order fails
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub payment_patience: Duration,
    /// Orders that are worked on at a time; the others wait
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least_one)]
    pub max_processing: usize,
    /// How long SIGTERM waits for requests and orders that are under way
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub drain: Duration,
    /// Allow everybody to kill parts of the tree: POST /chaos/{part}, GET /tree
    #[arg(long)]
    pub chaos: bool,
    /// Kill so many processes of the tree a second, at random
    #[arg(long, value_name = "N", default_value = "0", value_parser = rate)]
    pub chaos_rate: f64,
    /// Restarts that every supervisor allows in a minute, instead of 10 (a million with chaos)
    #[arg(long, value_name = "N")]
    pub restart_intensity: Option<u32>,
    /// What to log: error, warn, info, debug, trace, or a filter such as `info,order=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// Scheduler threads of regrow; one per core if not given
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub workers: Option<usize>,
    /// Threads of tokio
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_least_one)]
    pub tokio_threads: usize,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs();
    let mut found = found.map_err(|error| format!("{error} (give HOST:PORT)"))?;
    found.next().ok_or_else(|| "the host has no address".into())
}

fn url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" => Ok(text.trim_end_matches('/').to_owned()),
        other => Err(format!("{other} is not spoken here, only http")),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| "not a number that fits here".into())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match number(text)? {
        0 => Err("must be at least 1".into()),
        n => Ok(n),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = number(text)?;
    match (0.01..=86_400.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err("must be between 0.01 and 86400 seconds".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = number(text)?;
    match rate == 0.0 || (0.001..=10_000.0).contains(&rate) {
        true => Ok(rate),
        false => Err("must be 0, or between 0.001 and 10000".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(["order-system"]).expect("defaults");
        assert_eq!(args.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(args.sync, Sync::Full);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            ["--listen", "nowhere"],
            ["--listen", "127.0.0.1:99999"],
            ["--sync", "perhaps"],
            ["--bank", "the corner"],
            ["--bank", "https://bank"],
            ["--payment-patience", "0"],
            ["--payment-patience", "NaN"],
            ["--max-processing", "0"],
            ["--drain", "inf"],
            ["--chaos-rate", "-3"],
            ["--chaos-rate", "NaN"],
            ["--workers", "0"],
        ] {
            let parsed = Args::try_parse_from(["order-system", bad[0], bad[1]]);
            assert!(parsed.is_err(), "{bad:?}");
        }
    }
}
