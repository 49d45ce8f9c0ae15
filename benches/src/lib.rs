//! The workloads that the criterion benches and `compare/` measure, each an `async fn` that runs in a
//! process and returns how long its operations took, and a guard that turns a hang into a failure.
#![forbid(unsafe_code)]

pub mod guard;
pub mod lookup;
pub mod memory;
pub mod messages;
pub mod savina;
pub mod servers;
pub mod signals;
pub mod spawning;
pub mod tasks;
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
    use std::future::Future;
    use std::time::Duration;

    use super::*;

    /// Runs a workload in simulation and says how many processes it has left behind.
    fn left_behind<F>(work: impl FnOnce(u64) -> F + Send + 'static) -> usize
    where
        F: Future<Output = Duration> + Send + 'static,
    {
        regrow::simulate(1, async {
            let before = regrow::processes().len();
            work(250).await;
            regrow::processes().len() - before
        })
    }

    #[test]
    fn no_primitive_leaves_a_process_behind() {
        let left = [
            left_behind(signals::send),
            left_behind(signals::receive_waiting),
            left_behind(signals::receive_arms),
            left_behind(signals::replies),
            left_behind(signals::yields),
            left_behind(signals::monitor_down),
            left_behind(signals::monitor_demonitor),
            left_behind(signals::link_unlink),
            left_behind(signals::exit_trapped),
            left_behind(lookup::by_name),
            left_behind(lookup::by_key),
            left_behind(lookup::broadcast),
            left_behind(tasks::spawn_await),
        ];
        assert_eq!(left, [0; 13]);
    }

    #[test]
    fn a_primitive_can_be_measured_again_in_the_same_runtime() {
        let runtime = regrow::Runtime::builder().workers(2).build();
        let runtime = runtime.expect("the runtime starts");
        for _ in 0..2 {
            runtime.block_on(lookup::by_name(5));
            runtime.block_on(lookup::by_key(5));
            runtime.block_on(lookup::broadcast(5));
        }
    }

    #[test]
    fn bursts_and_shares_add_up() {
        for count in [0, 1, 99, 100, 101, 1234] {
            assert_eq!(bursts(count).sum::<u64>(), count);
            assert_eq!(shares(count, 8).sum::<u64>(), count);
        }
    }
}
