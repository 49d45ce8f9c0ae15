//! Timers in virtual time: those that nobody can wait for, to the millisecond.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{
    Down, ExitReason, Handle, TimedOut, Timeout, cancel_timer, exit, monotonic_time, read_timer,
    receive, self_pid, send_after, send_interval, simulate_seeds, sleep, spawn_monitor,
    start_timer, timeout,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_time_of_any_length_is_over_when_it_is_and_not_before() {
    simulate_seeds(0..4, || async {
        let lengths = [
            ms(0),
            ms(1),
            ms(1 << 31),
            ms(1 << 32),
            365 * DAY,
            36_500 * DAY,
        ];
        for after in lengths {
            let start = monotonic_time();
            send_after(after, self_pid(), ());
            receive::<()>().await;
            sleep(after).await;
            assert_eq!(receive::<u8>().timeout(after).await, Err(Timeout));
            assert_eq!(timeout(after, pending::<()>()).await, Err(Timeout));
            let took = monotonic_time() - start;
            // Each is rounded up to a millisecond.
            assert!(took >= 4 * after && took <= 4 * after + ms(4), "{took:?}");
        }
    });
}

#[test]
fn timers_of_all_lengths_fire_in_the_order_of_their_expiry() {
    simulate_seeds(0..20, || async {
        let mut lengths: Vec<u64> = (0..40).flat_map(|bit| [1 << bit, (1 << bit) + 5]).collect();
        lengths.dedup();
        for &length in lengths.iter().rev() {
            send_after(ms(length), self_pid(), length);
        }
        lengths.sort_unstable();
        for &length in &lengths {
            assert_eq!(receive::<u64>().await, length);
        }
    });
}

#[test]
fn the_thousandth_of_an_interval_comes_after_a_thousand_times_the_interval() {
    simulate_seeds(0..4, || async {
        let start = monotonic_time();
        let timer = send_interval(ms(1_700), self_pid(), "tick");
        for number in 1..=1_000 {
            receive::<&str>().await;
            // It has slept past some of them.
            if number % 10 == 0 {
                sleep(ms(3_000)).await;
            }
        }
        // The last but one reading was late, the last was not.
        let left = cancel_timer(timer).unwrap();
        let at = monotonic_time() + left - start;
        assert_eq!(at.as_millis() % 1_700, 0, "{at:?}");
    });
}

#[test]
fn a_cancel_says_exactly_what_was_left() {
    simulate_seeds(0..4, || async {
        let timer = start_timer(365 * DAY, self_pid(), ());
        sleep(300 * DAY).await;
        assert_eq!(read_timer(timer), Some(65 * DAY));
        assert_eq!(cancel_timer(timer), Some(65 * DAY));
        let waited = receive::<TimedOut<()>>().timeout(100 * DAY).await;
        assert!(waited.is_err());
    });
}

#[test]
fn a_timer_goes_with_its_target_at_once_whatever_runs_first() {
    simulate_seeds(0..50, || async {
        let lives = Arc::new(());
        let (pid, _) = spawn_monitor(async {
            let share = receive::<Arc<()>>().await;
            send_after(DAY, self_pid(), share);
            sleep(ms(5)).await;
        });
        for after in 5..10 {
            send_after(ms(after), pid, lives.clone());
        }
        send_interval(ms(3), pid, lives.clone());
        sleep(ms(7)).await;
        exit(pid, ExitReason::Kill);
        receive::<Down>().await;
        assert_eq!(Arc::strong_count(&lives), 1);
        assert_eq!(Handle::current().system_info().timers, 0);
    });
}
