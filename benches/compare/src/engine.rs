//! The systems under comparison, and which rows they have no notion of.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::rows::Row;

/// A system under comparison, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    /// This project
    Regrow,
    /// Erlang's virtual machine
    Beam,
    /// tokio's multi-thread runtime
    Tokio,
    /// Goroutines and channels
    Go,
    /// Actors on tokio
    Kameo,
    /// Actors on tokio
    Ractor,
    /// Actors on single-threaded arbiters
    Actix,
}

impl Engine {
    /// The name on the command line and in the JSON.
    pub(crate) fn key(self) -> String {
        let value = self.to_possible_value().expect("no engine is skipped");
        value.get_name().to_owned()
    }

    /// The name in a table's head.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Engine::Regrow => "regrow",
            Engine::Beam => "BEAM",
            Engine::Tokio => "tokio",
            Engine::Go => "Go",
            Engine::Kameo => "kameo",
            Engine::Ractor => "ractor",
            Engine::Actix => "actix",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

const NO_LINKS: &str = "no links";
const NO_SUPERVISORS: &str = "no supervisors";
const OWN_CHANNEL: &str =
    "a reply comes through a channel of its own, whatever else waits: it would be `call` again";
const NO_CHOICE: &str = "messages are taken in the order in which they came";
const NO_SERVERS: &str = "no servers; who waits for messages is in `idle-memory`";
const ON_TOKIO: &str = "stands on tokio's scheduler and sockets: see there";
const IS_SERVER: &str = "every actor is a server: see `server-memory`";

/// Why a row has no cell for that engine; none if it has one.
pub(crate) fn no_notion(row: Row, engine: Engine) -> Option<&'static str> {
    use Row::*;
    match engine {
        Engine::Regrow | Engine::Beam => None,
        Engine::Tokio | Engine::Go => match row {
            SpawnLink if engine == Engine::Go => Some(NO_LINKS),
            CallBacklog => Some(OWN_CHANNEL),
            SelectiveReceive => Some(NO_CHOICE),
            LinkCascade | LinkedMemory => Some(NO_LINKS),
            StartTerminateChild | RestartLatency | RestartLatencyP99 | RestartLatencyP999
            | OneForAll100 => Some(NO_SUPERVISORS),
            ServerMemory => Some(NO_SERVERS),
            _ => None,
        },
        Engine::Kameo | Engine::Ractor | Engine::Actix => match row {
            CallBacklog => Some(OWN_CHANNEL),
            SelectiveReceive => Some(NO_CHOICE),
            TcpEcho | SpinLatency | SpinLatencyMax | IdleCpu | Canary => Some(ON_TOKIO),
            _ if engine == Engine::Actix => no_notion_of_actix(row),
            LinkedMemory => Some(IS_SERVER),
            OneForAll100 if engine == Engine::Ractor => Some("no strategies"),
            _ => None,
        },
    }
}

fn no_notion_of_actix(row: Row) -> Option<&'static str> {
    use Row::*;
    match row {
        SpawnLink | LinkCascade | LinkedMemory => Some(NO_LINKS),
        StartTerminateChild => Some("an actor has no parent and cannot be stopped from outside"),
        RestartLatency | RestartLatencyP99 | RestartLatencyP999 => {
            Some("its supervisor keeps the actor that has stopped, and knows no panics")
        }
        OneForAll100 => Some("no strategies"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regrow_and_the_beam_take_part_in_every_row() {
        for &row in Row::value_variants() {
            assert_eq!(no_notion(row, Engine::Regrow), None);
            assert_eq!(no_notion(row, Engine::Beam), None);
        }
    }

    #[test]
    fn the_echo_row_has_tokio_go_and_the_beam_beside_regrow() {
        let with: Vec<_> = Engine::value_variants()
            .iter()
            .filter(|&&engine| no_notion(Row::TcpEcho, engine).is_none())
            .collect();
        assert_eq!(
            with,
            [&Engine::Regrow, &Engine::Beam, &Engine::Tokio, &Engine::Go]
        );
    }
}
