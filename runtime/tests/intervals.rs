//! Intervals: a timer that sends again and again, without drift.

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::run;
use regrow_runtime::{
    Down, ExitReason, Handle, Runtime, cancel_timer, exit, read_timer, receive, register, self_pid,
    send_interval, sleep, spawn_monitor, unregister, yield_now,
};

const MINUTE: Duration = Duration::from_secs(60);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn an_interval_sends_again_and_again_never_early_and_without_drift() {
    run(2, async {
        let (start, every) = (Instant::now(), ms(4));
        let timer = send_interval(every, self_pid(), "tick");
        for number in 1..=50 {
            assert_eq!(receive::<&str>().await, "tick");
            assert!(start.elapsed() >= every * number);
            if number % 10 == 0 {
                // Late readers do not shift those that follow.
                sleep(ms(7)).await;
            }
        }
        // However late each came, the next is due at a multiple of the interval.
        let next = read_timer(timer).unwrap();
        assert!(next <= every);
        assert_eq!(Handle::current().system_info().timers, 1);
        assert!(cancel_timer(timer).unwrap() <= every);
        assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
    });
}

#[test]
fn an_interval_that_was_held_up_sends_what_it_missed() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let count = runtime.block_on(async {
        let start = Instant::now();
        let timer = send_interval(ms(2), self_pid(), ());
        // The only worker does nothing else.
        while start.elapsed() < ms(41) {}
        for _ in 0..20 {
            receive::<()>().await;
        }
        let took = start.elapsed();
        assert!(cancel_timer(timer).is_some());
        let mut count = 20;
        while receive::<()>().timeout(Duration::ZERO).await.is_ok() {
            count += 1;
        }
        (count, took)
    });
    // As many as there was time for by then, and none more.
    assert!(count.0 >= 20 && count.1 >= ms(40), "{count:?}");
}

#[test]
fn a_cancelled_interval_sends_no_more() {
    run(2, async {
        let timer = send_interval(ms(1), self_pid(), ());
        receive::<()>().await;
        assert!(cancel_timer(timer).is_some());
        // What had fired before.
        sleep(ms(5)).await;
        while receive::<()>().timeout(Duration::ZERO).await.is_ok() {}
        assert!(receive::<()>().timeout(ms(20)).await.is_err());
    });
}

#[test]
fn an_interval_of_zero_is_one_of_a_millisecond() {
    run(1, async {
        let start = Instant::now();
        send_interval(Duration::ZERO, self_pid(), ());
        for number in 1..=10 {
            receive::<()>().await;
            assert!(start.elapsed() >= ms(number));
        }
    });
}

#[test]
fn intervals_of_years_and_for_ever_are_intervals_like_others() {
    run(1, async {
        for every in [ms(1 << 32), 100 * 365 * 24 * 60 * MINUTE, Duration::MAX] {
            let timer = send_interval(every, self_pid(), ());
            sleep(ms(1)).await;
            assert!(read_timer(timer).unwrap() > ms(1 << 31));
            assert!(cancel_timer(timer).is_some());
        }
        assert!(receive::<()>().timeout(ms(2)).await.is_err());
    });
}

/// Counts its clones, and those that live.
struct Clones(Arc<AtomicUsize>, Arc<()>);

impl Clone for Clones {
    fn clone(&self) -> Self {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        assert!(before != 1, "the second one panics");
        Clones(self.0.clone(), self.1.clone())
    }
}

#[test]
fn an_interval_and_its_message_go_before_the_down_of_its_target_comes() {
    run(2, async {
        for round in 0..50 {
            let (made, lives) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
            let (pid, _) = spawn_monitor(pending::<()>());
            let message = Clones(made.clone(), lives.clone());
            let timer = send_interval(MINUTE, pid, message);
            if round % 2 == 0 {
                yield_now().await;
            }
            assert_eq!(Arc::strong_count(&lives), 2);
            exit(pid, ExitReason::Kill);
            receive::<Down>().await;
            assert_eq!(Arc::strong_count(&lives), 1);
            assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
            assert_eq!(Handle::current().system_info().timers, 0);
        }
    });
}

#[test]
fn an_interval_that_fires_while_its_target_dies_leaves_nothing() {
    run(3, async {
        let lives = Arc::new(());
        for _ in 0..200 {
            let (pid, _) = spawn_monitor(async {
                receive::<Arc<()>>().await;
            });
            send_interval(ms(1), pid, lives.clone());
            receive::<Down>().await;
            assert_eq!(Handle::current().system_info().timers, 0);
        }
        // A firing that was under way may still drop its share.
        let start = Instant::now();
        while Arc::strong_count(&lives) > 1 {
            assert!(start.elapsed() < MINUTE / 3);
            yield_now().await;
        }
    });
}

#[test]
fn a_panic_of_the_clone_leaves_out_that_message_only() {
    run(1, async {
        let made = Arc::new(AtomicUsize::new(0));
        let message = Clones(made.clone(), Arc::new(()));
        let timer = send_interval(ms(1), self_pid(), message);
        for _ in 0..4 {
            receive::<Clones>().await;
        }
        assert!(cancel_timer(timer).is_some());
        assert!(made.load(Ordering::SeqCst) >= 5);
    });
}

#[test]
fn an_interval_for_a_name_goes_on_whoever_has_it() {
    run(2, async {
        let timer = Handle::current().send_interval(ms(2), "clock", 1_u8);
        sleep(ms(10)).await;
        register("clock", self_pid()).unwrap();
        receive::<u8>().await;
        unregister("clock").unwrap();
        sleep(ms(6)).await;
        while receive::<u8>().timeout(Duration::ZERO).await.is_ok() {}
        assert!(receive::<u8>().timeout(ms(10)).await.is_err());
        register("clock", self_pid()).unwrap();
        receive::<u8>().await;
        assert!(cancel_timer(timer).is_some());
    });
}
