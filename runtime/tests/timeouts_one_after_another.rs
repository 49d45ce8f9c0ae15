//! Waits of one process, one after the other: what is left of one must not change the next.

use std::future::{pending, ready};
use std::time::{Duration, Instant};

use futures_lite::future::poll_once;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use regrow_runtime::{
    Handle, Runtime, Timeout, monotonic_time, receive, reply_channel, self_pid, send, simulate,
    simulate_seeds, sleep, spawn, timeout, yield_now,
};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A wait that is over long before its time.
async fn abandoned(after: Duration) {
    assert_eq!(poll_once(sleep(after)).await, None);
}

/// Waits for so long, and sees that it takes that.
async fn waits(after: Duration) {
    let start = monotonic_time();
    assert_eq!(timeout(after, pending::<()>()).await, Err(Timeout));
    let took = monotonic_time() - start;
    assert!(
        took >= after && took <= after + ms(2),
        "{after:?}: {took:?}"
    );
}

/// The worker has something to do for so long.
async fn busy(time: Duration) {
    let end = monotonic_time() + time;
    while monotonic_time() < end {
        yield_now().await;
    }
}

#[test]
fn a_wait_takes_its_time_whatever_was_left_by_shorter_and_longer_ones() {
    simulate_seeds(0..20, || async {
        for (before, after) in [
            (5, 60),
            (60, 5),
            (5, 5),
            (5, 6),
            (3_600_000, 7),
            (7, 3_600_000),
        ] {
            abandoned(ms(before)).await;
            waits(ms(after)).await;
        }
    });
}

#[test]
fn a_wait_behind_one_that_has_been_left_and_is_over_takes_its_time() {
    simulate_seeds(0..20, || async {
        for passed in [1, 4, 5, 6, 9] {
            abandoned(ms(5)).await;
            busy(ms(passed)).await;
            waits(ms(20)).await;
        }
        // The second may have had the timer of the first, which is over with that.
        abandoned(ms(5)).await;
        abandoned(ms(20)).await;
        busy(ms(10)).await;
        waits(ms(15)).await;
    });
}

#[test]
fn waits_of_many_processes_that_take_turns_each_take_their_time() {
    simulate_seeds(0..5, || async {
        let parent = self_pid();
        for number in 0..100 {
            spawn(async move {
                for round in 0..20 {
                    abandoned(ms(1 + (number * 7 + round * 5) % 40)).await;
                    yield_now().await;
                    waits(ms(1 + (number * 3 + round * 11) % 50)).await;
                }
                send(parent, number);
            });
        }
        for _ in 0..100 {
            receive::<u64>().await;
        }
    });
}

#[test]
fn a_wait_that_began_in_an_executor_of_its_own_wakes_that_one() {
    simulate_seeds(0..20, || async {
        abandoned(ms(5)).await;
        let start = monotonic_time();
        let waits = [7, 3, 9].map(|time| Box::pin(timeout(ms(time), pending::<()>())));
        let mut all: FuturesUnordered<_> = waits.into_iter().collect();
        let mut ended = Vec::new();
        while let Some(error) = all.next().await {
            assert_eq!(error, Err(Timeout));
            ended.push((monotonic_time() - start).as_millis());
        }
        assert_eq!(ended, [3, 7, 9]);
    });
}

#[test]
fn waits_that_are_over_leave_no_timer_behind_where_nothing_happens() {
    simulate_seeds(0..5, || async {
        for _ in 0..100 {
            let (reply_to, reply) = reply_channel();
            spawn(async move { reply_to.send(1) });
            assert_eq!(reply.timeout(ms(3_600_000)).await, Ok(1));
            assert_eq!(timeout(ms(3_600_000), ready(2)).await, Ok(2));
        }
        assert_eq!(Handle::current().system_info().timers, 0);
        let start = monotonic_time();
        waits(ms(10)).await;
        assert!(monotonic_time() - start < ms(1_000));
    });
}

#[test]
fn a_worker_disarms_what_is_left_before_it_sleeps() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    runtime.block_on(async {
        for _ in 0..100 {
            let (reply_to, reply) = reply_channel();
            spawn(async move { reply_to.send(1) });
            assert_eq!(reply.timeout(ms(3_600_000)).await, Ok(1));
        }
        // From its own thread the question would do it.
    });
    let handle = runtime.handle();
    let patience = Instant::now() + Duration::from_secs(60);
    while handle.system_info().timers > 0 {
        assert!(Instant::now() < patience, "timers are left");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_left_of_a_wait_in_one_simulation_is_nothing_in_the_next() {
    let left = simulate(1, async {
        let mut wait = Box::pin(sleep(ms(10_000)));
        assert_eq!(poll_once(&mut wait).await, None);
        (wait,)
    });
    simulate(1, async move {
        drop(left);
        waits(ms(20_000)).await;
    });
}
