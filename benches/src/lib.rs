//! The workloads that the criterion benches and `compare/` measure, each an `async fn` that runs in a
//! process and returns how long its operations took, and a guard that turns a hang into a failure.
#![forbid(unsafe_code)]

pub mod guard;
pub mod memory;
pub mod messages;
pub mod savina;
pub mod servers;
pub mod spawning;
pub mod timers;

pub use guard::bounded;
pub use memory::resident_bytes;

/// Operations between two yields where a process would otherwise never wait.
pub const BURST: u64 = 100;

/// Cuts `count` operations into bursts of at most [`BURST`].
pub(crate) fn bursts(count: u64) -> impl Iterator<Item = u64> + Send {
    (0..count.div_ceil(BURST)).map(move |burst| BURST.min(count - burst * BURST))
}

/// Shares `count` operations among `parts` processes.
pub(crate) fn shares(count: u64, parts: u64) -> impl Iterator<Item = u64> + Send {
    (0..parts).map(move |part| count / parts + u64::from(part < count % parts))
}

/// A message without content.
#[derive(Debug)]
pub(crate) struct Done;

/// Waits until no more than `alive` processes are left.
pub(crate) async fn until_alive(alive: usize) {
    while regrow::processes().len() > alive {
        regrow::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_and_shares_add_up() {
        for count in [0, 1, 99, 100, 101, 1234] {
            assert_eq!(bursts(count).sum::<u64>(), count);
            assert_eq!(shares(count, 8).sum::<u64>(), count);
        }
    }
}
