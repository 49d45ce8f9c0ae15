//! Timers.

use std::time::{Duration, Instant};

struct Due;

/// Arms timers of 5 s and cancels each at once, as most timeouts live.
pub fn arm_and_cancel(count: u64) -> Duration {
    arm_and_cancel_beside(0, count)
}

/// The same beside so many other timers, due in a minute and later.
pub fn arm_and_cancel_beside(others: u64, count: u64) -> Duration {
    let this = regrow::self_pid();
    for index in 0..others {
        regrow::send_after(Duration::from_millis(60_000 + index), this, Due);
    }
    let start = Instant::now();
    for _ in 0..count {
        let timer = regrow::send_after(Duration::from_secs(5), this, Due);
        assert!(regrow::cancel_timer(timer).is_some());
    }
    start.elapsed()
}

/// Arms `count` timers due in 1 to 20 ms and receives their messages.
pub async fn send_after(count: u64) -> Duration {
    let this = regrow::self_pid();
    let start = Instant::now();
    for index in 0..count {
        regrow::send_after(Duration::from_millis(1 + index % 20), this, Due);
    }
    for _ in 0..count {
        regrow::receive::<Due>().await;
    }
    start.elapsed()
}

/// `count` processes sleep 1 to 20 ms each.
pub async fn sleepers(count: u64) -> Duration {
    let root = regrow::self_pid();
    let start = Instant::now();
    for index in 0..count {
        regrow::spawn_link(async move {
            regrow::sleep(Duration::from_millis(1 + index % 20)).await;
            regrow::send(root, Due);
        });
    }
    for _ in 0..count {
        regrow::receive::<Due>().await;
    }
    start.elapsed()
}
