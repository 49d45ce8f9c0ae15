//! Processes that begin and end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use regrow::{Exit, ExitReason, Pid};

use crate::{Done, bursts, until_alive};

/// Spawns `count` processes that end at once, and waits until the last is gone.
pub async fn spawn_exit(count: u64) -> Duration {
    let alive = regrow::processes().len();
    let start = Instant::now();
    for burst in bursts(count) {
        for _ in 0..burst {
            regrow::spawn(async {});
        }
        regrow::yield_now().await;
    }
    until_alive(alive).await;
    start.elapsed()
}

/// Spawns `count` linked processes that end at once, and receives their exits as messages.
pub async fn spawn_link_exit(count: u64) -> Duration {
    let trapped = regrow::trap_exit(true);
    let start = Instant::now();
    for burst in bursts(count) {
        for _ in 0..burst {
            regrow::spawn_link(async {});
        }
        for _ in 0..burst {
            regrow::receive::<Exit>().await;
        }
    }
    let elapsed = start.elapsed();
    regrow::trap_exit(trapped);
    elapsed
}

/// A tree with `leaves` leaves, ten children a node; returns the sum of the leaves' numbers too.
pub async fn skynet(leaves: u64) -> (Duration, u64) {
    let start = Instant::now();
    regrow::spawn(node(0, leaves, regrow::self_pid()));
    let Sum(sum) = regrow::receive().await;
    (start.elapsed(), sum)
}

struct Sum(u64);

/// A leaf sends its number, a node the sum of its ten children.
async fn node(number: u64, leaves: u64, parent: Pid) {
    if leaves == 1 {
        return regrow::send(parent, Sum(number));
    }
    let this = regrow::self_pid();
    let part = leaves / 10;
    for index in 0..10 {
        spawn_node(number + index * part, part, this);
    }
    let mut total = 0;
    for _ in 0..10 {
        let Sum(sum) = regrow::receive().await;
        total += sum;
    }
    regrow::send(parent, Sum(total));
}

/// Apart from [`node`], whose future may not contain itself.
fn spawn_node(number: u64, leaves: u64, parent: Pid) {
    regrow::spawn(node(number, leaves, parent));
}

/// Links `count` idle processes to one, lets that one fail, and waits until all are gone.
pub async fn linked_die(count: u64) -> Duration {
    let root = regrow::self_pid();
    let alive = regrow::processes().len();
    let bodies = Arc::new(AtomicU64::new(count));
    let counted = Arc::clone(&bodies);
    let hub = regrow::spawn(async move {
        for _ in 0..count {
            let body = Body(Arc::clone(&counted));
            regrow::spawn_link(async move {
                idle().await;
                drop(body);
            });
        }
        regrow::send(root, Done);
        idle().await;
    });
    regrow::receive::<Done>().await;
    let start = Instant::now();
    regrow::exit(hub, ExitReason::error("crash"));
    // Cheaper to watch than the process table, which is looked at for the last few only.
    while bodies.load(Ordering::Acquire) > 0 {
        regrow::yield_now().await;
    }
    until_alive(alive).await;
    start.elapsed()
}

struct Body(Arc<AtomicU64>);

impl Drop for Body {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// What an idle process does: waits for a message that nobody sends.
pub async fn idle() {
    enum Never {}
    let never: Never = regrow::receive().await;
    match never {}
}
