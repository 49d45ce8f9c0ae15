//! Work whose result is awaited.

use std::time::{Duration, Instant};

use regrow::Task;

/// Tasks one after the other, each started and awaited.
pub async fn spawn_await(count: u64) -> Duration {
    let start = Instant::now();
    for number in 0..count {
        assert_eq!(Task::spawn(async move { number }).await, Ok(number));
    }
    start.elapsed()
}
