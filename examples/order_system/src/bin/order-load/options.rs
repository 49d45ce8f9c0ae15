//! What the command line says.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use order_system::Sync;

/// Loads the order system, kills parts of it, and accounts for every order.
#[derive(Parser, Clone, Debug)]
#[command(name = "order-load", version)]
pub(crate) struct Options {
    /// How long customers order
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub(crate) seconds: u64,
    /// How many customers there are
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) customers: u32,
    /// Milliseconds that a customer thinks between two orders
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub(crate) pace: u64,
    /// Processes of the shop that are killed a second, any of them
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(crate) kills: u32,
    /// Kill the whole shop so many times while customers order (SIGKILL), and start it again
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) kill_9: u32,
    /// Tell the shop to end while customers order (SIGTERM), and start it again
    #[arg(long)]
    pub(crate) term: bool,
    /// Of 100 answers of the bank, so many get lost
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=90))]
    pub(crate) bank_faults: u32,
    /// Whether an order is accepted when it is on the disk
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Sync::Full)]
    pub(crate) sync: Sync,
    /// What chance is drawn from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The program of the shop; by default the one beside this program
    #[arg(long, value_name = "FILE")]
    pub(crate) server: Option<PathBuf>,
}

impl Options {
    /// The time until the next SIGKILL: sometimes hardly any.
    pub(crate) fn pause(&self, cycle: u32) -> Duration {
        let mut chance = Chance::new(self.seed ^ (u64::from(cycle) << 32));
        Duration::from_millis(20 + chance.below(600))
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (customers, pace) = (self.customers, self.pace);
        write!(f, "{customers} customers, {pace} ms between orders, ")?;
        let (kills, faults, seed) = (self.kills, self.bank_faults, self.seed);
        write!(
            f,
            "{kills} kills/s, {faults} % bank faults, sync {:?}, seed {seed}",
            self.sync
        )
    }
}

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Chance(seed)
    }

    /// A number from 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
