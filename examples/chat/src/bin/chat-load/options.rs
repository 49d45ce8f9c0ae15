//! What the command line says.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Loads the chat server and accounts for every message.
#[derive(Parser, Clone, Debug)]
#[command(name = "chat-load")]
pub(crate) struct Options {
    /// How many clients connect.
    #[arg(long, default_value_t = 1000)]
    pub(crate) connections: u32,
    /// How many rooms they are spread over.
    #[arg(long, default_value_t = 100)]
    pub(crate) rooms: u32,
    /// How many messages each client sends in a round.
    #[arg(long, default_value_t = 20)]
    pub(crate) messages: u32,
    /// How many CRASH commands the stormy round has; 0: no stormy round.
    #[arg(long, default_value_t = 0)]
    pub(crate) crashes: u32,
    /// Milliseconds between two messages of one client.
    #[arg(long, default_value_t = 200)]
    pub(crate) pace: u64,
    /// Milliseconds between two crashes.
    #[arg(long, default_value_t = 50)]
    pub(crate) crash_pace: u64,
    /// What chance is drawn from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Seconds to wait for what should happen before it counts as missing.
    #[arg(long, default_value_t = 60)]
    pub(crate) patience: u64,
    /// The chat program; by default the one beside this program.
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
    /// Use a server that is already running (it needs --chaos for --crashes); it is not stopped.
    #[arg(long, requires = "database")]
    pub(crate) connect: Option<SocketAddr>,
    /// The database file of the server given with --connect.
    #[arg(long, requires = "connect")]
    pub(crate) database: Option<PathBuf>,
}

impl Options {
    /// What is wrong with the numbers, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.rooms == 0 || self.messages == 0 {
            return Err("--rooms and --messages must be at least 1".into());
        }
        if self.connections < 2 * self.rooms {
            return Err("every room needs two members: --connections must be twice --rooms".into());
        }
        Ok(())
    }

    /// The room of a member: members are dealt to the rooms in turn.
    pub(crate) fn room_of(&self, member: u32) -> u32 {
        member % self.rooms
    }

    /// How many members a room has.
    pub(crate) fn room_size(&self, room: u32) -> u32 {
        self.connections / self.rooms + u32::from(room < self.connections % self.rooms)
    }

    /// Time between two messages of one member in the calm round.
    pub(crate) fn calm_pace(&self) -> Duration {
        Duration::from_millis(self.pace)
    }

    /// Time between two messages of one member in the stormy round: the talk lasts at least as
    /// long as the crashes do.
    pub(crate) fn stormy_pace(&self) -> Duration {
        let storm = u64::from(self.crashes) * self.crash_pace;
        Duration::from_millis(self.pace.max(storm.div_ceil(u64::from(self.messages))))
    }

    /// How long to wait for what should happen.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

/// The name of a room.
pub(crate) fn room_name(room: u32) -> String {
    format!("#room{room}")
}

/// The nick of a member.
pub(crate) fn nick(member: u32) -> String {
    format!("m{member}")
}

/// The member with this nick, if it is one.
pub(crate) fn member_of(nick: &str) -> Option<u32> {
    nick.strip_prefix('m')?.parse().ok()
}
