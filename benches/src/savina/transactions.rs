//! What the bank's teller has drawn.

use super::Size;
use super::random::Random;

/// So much that no account can run dry.
pub(super) const INITIAL_BALANCE: u64 = 1_000_000_000;

pub(super) struct Transaction {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) amount: u64,
}

/// Money goes to accounts with a higher number only, so that no two wait for each other.
pub(super) fn transactions(size: Size) -> impl Iterator<Item = Transaction> + Send {
    let mut random = Random::new(123_456);
    (0..size.count).map(move |_| {
        let from = random.below((size.actors / 10 * 8).max(1));
        let to = from + random.below(size.actors - from).max(1);
        Transaction {
            from: from as usize,
            to: to as usize,
            amount: random.below(1000) + 1,
        }
    })
}
