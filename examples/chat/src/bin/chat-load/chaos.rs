//! The client that crashes things.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use regrow::{Pid, send, sleep};

use crate::conduct::Notice;
use crate::irc::{Line, Wire};
use crate::options::{Options, nick, room_name};

/// How many crashes there were of what.
#[derive(Clone, Default, Debug)]
pub(crate) struct Crashes {
    pub(crate) rooms: u32,
    pub(crate) pools: u32,
    pub(crate) caches: u32,
    pub(crate) connections: u32,
    /// How many the server has answered.
    answered: u32,
    /// How many of them hit nothing: it was just restarting, or had not connected again.
    pub(crate) missed: u32,
}

impl Crashes {
    /// All of them.
    pub(crate) fn total(&self) -> u32 {
        self.rooms + self.pools + self.caches + self.connections
    }
}

/// What one CRASH command hits.
enum Target {
    Room(u32),
    Pool,
    Cache,
    Connection(u32),
}

/// The body of the chaos process: crashes what chance says, then reports to the conductor.
pub(crate) async fn chaos(options: Options, address: SocketAddr, conductor: Pid) {
    let mut crashes = Crashes::default();
    let problem = storm(&options, address, conductor, &mut crashes)
        .await
        .err();
    send(
        conductor,
        Notice::StormOver(crashes, problem.map(|problem| problem.to_string())),
    );
}

async fn storm(
    options: &Options,
    address: SocketAddr,
    conductor: Pid,
    crashes: &mut Crashes,
) -> std::io::Result<()> {
    let mut chance = Chance::new(options.seed);
    let mut wire = Wire::connect(address).await?;
    wire.send("NICK chaos\r\nUSER chaos 0 * :chaos").await?;
    wire.expect(&["376", "422"]).await?;
    for _ in 0..options.crashes {
        let target = match chance.below(20) {
            0..9 => Target::Room(chance.below(options.rooms)),
            9..12 => Target::Pool,
            12..15 => Target::Cache,
            _ => Target::Connection(chance.below(options.connections)),
        };
        let command = match target {
            Target::Room(room) => {
                crashes.rooms += 1;
                format!("CRASH {}", room_name(room))
            }
            Target::Pool => {
                crashes.pools += 1;
                "CRASH db".to_owned()
            }
            Target::Cache => {
                crashes.caches += 1;
                "CRASH cache".to_owned()
            }
            Target::Connection(member) => {
                crashes.connections += 1;
                send(conductor, Notice::Crashing(member));
                format!("CRASH connection {}", nick(member))
            }
        };
        wire.send(&command).await?;
        let next = Instant::now() + Duration::from_millis(options.crash_pace);
        read_until(&mut wire, next, crashes).await?;
    }
    // Until all is answered.
    while crashes.answered < options.crashes {
        wire.fill().await?;
        read_answers(&mut wire, crashes).await?;
    }
    wire.send("QUIT :enough").await
}

/// Reads what the server answers until it is time for the next crash.
async fn read_until(wire: &mut Wire, until: Instant, crashes: &mut Crashes) -> std::io::Result<()> {
    loop {
        read_answers(wire, crashes).await?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let timer = async {
            sleep(left).await;
            Ok(())
        };
        or(wire.fill(), timer).await?;
    }
}

/// Takes in the answers that have arrived.
async fn read_answers(wire: &mut Wire, crashes: &mut Crashes) -> std::io::Result<()> {
    while let Some(text) = wire.take_line() {
        let line = Line::parse(&text);
        if line.command == "PING" {
            wire.send(&format!("PONG :{}", line.text())).await?;
        } else if line.command == "NOTICE" && line.text().starts_with("CRASH: ") {
            crashes.answered += 1;
            crashes.missed += u32::from(line.text().contains("is not running"));
        } else if line.command == "ERROR" || line.is_refusal() {
            return Err(std::io::Error::other(text));
        }
    }
    Ok(())
}

/// Numbers that look random and are the same for the same seed (xorshift64*).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero would stay zero for ever.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        (drawn % u64::from(bound)) as u32
    }
}
