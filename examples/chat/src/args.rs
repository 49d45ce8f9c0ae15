//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::db::schema::Location;
use crate::server::Config;

/// An IRC server that heals itself. Connect to it with any IRC client.
#[derive(Debug, Clone, Parser)]
#[command(name = "chat", version, args_override_self = true)]
pub struct Args {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6667", value_parser = address)]
    pub listen: SocketAddr,
    /// File that keeps the messages; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "chat.db")]
    pub database: PathBuf,
    /// Keep no more history once the database has this size
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub database_limit: Option<u32>,
    /// Clients beyond this number are turned away
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least_one)]
    pub max_connections: usize,
    /// Rooms that may be in memory at once; a JOIN that would make one more is refused (437)
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    pub max_rooms: usize,
    /// Allow everybody to crash things: CRASH <#room | db | cache | connection NICK>, and TREE
    #[arg(long)]
    pub chaos: bool,
    /// Restarts that every supervisor allows in its period, instead of 3, 5 and 10
    #[arg(long, value_name = "N")]
    pub restart_intensity: Option<u32>,
    /// Silence after which a client is asked whether it is there, and then disconnected
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub ping_interval: Duration,
    /// Time that a client has for NICK and USER
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub registration_timeout: Duration,
    /// Output that may wait for a client, the answers that it has asked for not counted; one
    /// that does not read is disconnected
    #[arg(long, value_name = "BYTES", default_value_t = 1_048_576, value_parser = queue_size)]
    pub send_queue: usize,
    /// How long messages wait for a database that is away before chat goes on without history
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub history_wait: Duration,
    /// How many messages of a room may wait for the database
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least_one)]
    pub history_queue: usize,
    /// How long a room without members stays in memory, if something was ever said in it
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub room_idle: Duration,
    /// Lines that a client may send at once
    #[arg(long, value_name = "LINES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub flood_burst: u32,
    /// Lines a second that a client may send in the long run
    #[arg(long, value_name = "LINES", default_value_t = 10.0, value_parser = rate)]
    pub flood_rate: f64,
    /// What to log: error, warn, info, debug, trace, or a filter such as `info,regrow=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// Scheduler threads; one per core if not given
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub workers: Option<usize>,
}

impl Args {
    /// The settings that they stand for.
    pub(crate) fn config(&self) -> Config {
        Config {
            listen: self.listen,
            database: Location {
                path: self.database.clone(),
                limit: self.database_limit,
            },
            max_connections: self.max_connections,
            max_rooms: self.max_rooms,
            chaos: self.chaos,
            restart_intensity: self.restart_intensity,
            ping_interval: self.ping_interval,
            registration_timeout: self.registration_timeout,
            send_queue: self.send_queue,
            history_wait: self.history_wait,
            history_queue: self.history_queue,
            room_idle: self.room_idle,
            flood_burst: self.flood_burst,
            flood_rate: self.flood_rate,
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text
        .to_socket_addrs()
        .map_err(|error| format!("{error} (give HOST:PORT)"))?;
    found
        .into_iter()
        .next()
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

fn queue_size(text: &str) -> Result<usize, String> {
    match number(text)? {
        n if n < 4_096 => Err("must be at least 4096, or the welcome does not fit".into()),
        n => Ok(n),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = number(text)?;
    if (0.01..=31_536_000.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("must be between 0.01 and 31536000 seconds".into())
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = number(text)?;
    if (0.01..=1e9).contains(&rate) {
        Ok(rate)
    } else {
        Err("must be between 0.01 and 1e9".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(["chat"]).expect("defaults");
        assert_eq!(args.listen.to_string(), "127.0.0.1:6667");
        assert_eq!(args.database, PathBuf::from("chat.db"));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            ["--listen", "nowhere"],
            ["--listen", "127.0.0.1:99999"],
            ["--max-connections", "0"],
            ["--max-connections", "-1"],
            ["--max-rooms", "0"],
            ["--max-rooms", "many"],
            ["--database-limit", "0"],
            ["--ping-interval", "0"],
            ["--ping-interval", "NaN"],
            ["--history-wait", "inf"],
            ["--send-queue", "10"],
            ["--flood-rate", "-3"],
            ["--flood-burst", "0"],
            ["--workers", "0"],
        ] {
            assert!(
                Args::try_parse_from(["chat", bad[0], bad[1]]).is_err(),
                "{bad:?}"
            );
        }
    }
}
