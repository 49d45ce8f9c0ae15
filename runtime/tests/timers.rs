//! Timers: never early, once or not at all, in the order of their expiry.

mod common;

use std::future::pending;
use std::time::{Duration, Instant};

use common::run;
use regrow_runtime::{
    Down, ExitReason, Runtime, cancel_timer, exit, read_timer, receive, self_pid, send, send_after,
    sleep, spawn, spawn_monitor,
};

const MINUTE: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_message_comes_after_its_time_and_never_before() {
    run(2, async {
        for after in [0, 1, 2, 5, 30].map(ms) {
            let start = Instant::now();
            let timer = send_after(after, self_pid(), "tick");
            assert_eq!(receive::<&str>().await, "tick");
            assert!(start.elapsed() >= after);
            assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
        }
    });
}

#[test]
fn a_sleep_is_never_too_short() {
    run(2, async {
        for micros in [0, 1, 999, 1_000, 1_001, 7_300, 20_000] {
            let (start, after) = (Instant::now(), Duration::from_micros(micros));
            sleep(after).await;
            assert!(start.elapsed() >= after);
        }
        // From one second on a cheaper clock is used.
        let start = Instant::now();
        sleep(ms(1_000)).await;
        assert!(start.elapsed() >= ms(1_000));
        assert!(start.elapsed() < ms(10_000));
    });
}

#[test]
fn a_cancelled_timer_says_what_was_left_and_sends_nothing() {
    run(2, async {
        let timer = send_after(MINUTE, self_pid(), "never");
        let left = read_timer(timer).unwrap();
        assert!(left <= MINUTE && left > MINUTE / 2, "{left:?}");
        let left_then = cancel_timer(timer).unwrap();
        assert!(left_then <= left);
        assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
        let soon = send_after(ms(2), self_pid(), "never");
        assert!(cancel_timer(soon).is_some());
        sleep(ms(10)).await;
        assert!(receive::<&str>().timeout(Duration::ZERO).await.is_err());
    });
}

#[test]
fn anybody_can_read_and_cancel_a_timer() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let pid = runtime.spawn(pending::<()>());
    let timer = runtime.handle().send_after(MINUTE, pid, ());
    let other = runtime.block_on(async move {
        let (sender, receiver) = regrow_runtime::reply_channel();
        spawn(async move { sender.send(read_timer(timer)) });
        receiver.await.unwrap()
    });
    assert!(other.is_some());
    let outside = std::thread::spawn(move || cancel_timer(timer));
    assert!(outside.join().unwrap().is_some());
    assert_eq!(read_timer(timer), None);
}

#[test]
fn times_of_zero_and_of_years_are_times_like_others() {
    run(1, async {
        send_after(Duration::ZERO, self_pid(), "now");
        assert_eq!(receive::<&str>().await, "now");
        sleep(Duration::ZERO).await;
        for after in [ms(1 << 31), ms(1 << 32), YEAR, 100 * YEAR] {
            let timer = send_after(after, self_pid(), "never");
            sleep(ms(1)).await;
            let left = cancel_timer(timer).unwrap();
            assert!(left <= after && left > after - MINUTE, "{left:?}");
        }
        let for_ever = send_after(Duration::MAX, self_pid(), "never");
        sleep(ms(1)).await;
        assert!(read_timer(for_ever).unwrap() > 100 * YEAR);
        // A short one beside them is not held up.
        let start = Instant::now();
        sleep(ms(3)).await;
        assert!(start.elapsed() < MINUTE);
        assert!(cancel_timer(for_ever).is_some());
        assert!(receive::<&str>().timeout(Duration::ZERO).await.is_err());
    });
}

#[test]
fn timers_fire_in_the_order_of_their_expiry() {
    run(1, async {
        let me = self_pid();
        // In one turn, so that all count from nearly the same instant.
        for after in (1..=100_u64).rev() {
            send_after(ms(after * 3), me, after);
        }
        for wanted in 1..=100_u64 {
            assert_eq!(receive::<u64>().await, wanted);
        }
    });
}

#[test]
fn each_of_many_timers_fires_once() {
    run(2, async {
        let me = self_pid();
        let mut missing = [true; 20_000];
        for number in 0..missing.len() {
            send_after(
                ms(number as u64 % 50),
                me,
                (number, format!("message {number}")),
            );
        }
        for _ in 0..missing.len() {
            let (number, text) = receive::<(usize, String)>().await;
            assert_eq!(text, format!("message {number}"));
            assert!(std::mem::replace(&mut missing[number], false));
        }
        sleep(ms(5)).await;
        assert!(
            receive::<(usize, String)>()
                .timeout(Duration::ZERO)
                .await
                .is_err()
        );
    });
}

#[test]
fn a_cancel_against_expiry_means_either_the_message_or_the_time_left() {
    run(3, async {
        let me = self_pid();
        let (mut cancelled, mut fired) = (0, 0);
        for round in 0..3_000_u32 {
            let timer = send_after(ms(1), me, round);
            let (canceller, _) = spawn_monitor(async move {
                let wait = Instant::now() + Duration::from_micros(u64::from(round) % 100 * 20);
                while Instant::now() < wait {
                    regrow_runtime::yield_now().await;
                }
                send(me, cancel_timer(timer));
            });
            let down = receive::<Down>().await;
            assert_eq!((down.pid, down.reason), (canceller, ExitReason::Normal));
            match receive::<Option<Duration>>().await {
                Some(_) => {
                    cancelled += 1;
                    assert!(receive::<u32>().timeout(Duration::ZERO).await.is_err());
                }
                None => {
                    fired += 1;
                    assert_eq!(receive::<u32>().await, round);
                }
            }
        }
        assert!(cancelled > 0 && fired > 0, "{cancelled} {fired}");
        assert!(receive::<u32>().timeout(ms(5)).await.is_err());
    });
}

#[test]
fn a_timer_goes_with_its_receiver() {
    run(2, async {
        let (pid, _) = spawn_monitor(pending::<()>());
        let timer = send_after(MINUTE, pid, ());
        assert!(read_timer(timer).is_some());
        exit(pid, ExitReason::Kill);
        receive::<Down>().await;
        assert_eq!(read_timer(timer), None);
        assert_eq!(cancel_timer(timer), None);
    });
}

#[test]
fn a_message_for_one_that_died_meanwhile_reaches_nobody() {
    run(1, async {
        let me = self_pid();
        for _ in 0..20 {
            let (pid, _) = spawn_monitor(pending::<()>());
            send_after(ms(2), pid, me);
            exit(pid, ExitReason::Kill);
            receive::<Down>().await;
            // It lives in the same slot.
            let heir = spawn(async move {
                let stray = receive::<regrow_runtime::Pid>().timeout(ms(10)).await;
                send(me, stray.is_ok());
            });
            assert_ne!(heir, pid);
            assert!(!receive::<bool>().await);
        }
    });
}

#[test]
fn a_handle_arms_timers_from_any_thread_also_on_an_idle_runtime() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let (told, telling) = std::sync::mpsc::channel();
    let pid = runtime.spawn(async move {
        loop {
            told.send(receive::<u32>().await).unwrap();
        }
    });
    let handle = runtime.handle();
    // A far one first: the worker sleeps until then unless it is woken.
    handle.send_after(MINUTE, pid, 0_u32);
    for number in 1..20 {
        let start = Instant::now();
        handle.send_after(ms(3), pid, number);
        assert_eq!(telling.recv_timeout(MINUTE / 2), Ok(number));
        assert!(start.elapsed() >= ms(3));
    }
}

#[test]
fn a_sleep_works_on_a_thread_that_is_no_process() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let thread = std::thread::spawn(|| {
        let start = Instant::now();
        futures_lite::future::block_on(sleep(ms(5)));
        start.elapsed()
    });
    assert!(thread.join().unwrap() >= ms(5));
    drop(runtime);
}

#[test]
fn a_dropped_sleep_leaves_no_timer() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let handle = runtime.handle();
    let armed = runtime.block_on(async move {
        for _ in 0..100 {
            let mut nap = Box::pin(sleep(MINUTE));
            assert!(futures_lite::future::poll_once(&mut nap).await.is_none());
            let mut wait = Box::pin(receive::<()>().timeout(MINUTE));
            assert!(futures_lite::future::poll_once(&mut wait).await.is_none());
            let (_reply_to, reply) = regrow_runtime::reply_channel::<()>();
            let mut reply = Box::pin(reply.timeout(MINUTE));
            assert!(futures_lite::future::poll_once(&mut reply).await.is_none());
        }
        handle.system_info().timers
    });
    assert_eq!(armed, 0);
}

#[test]
fn many_sleepers_wake_up_each_in_time() {
    run(2, async {
        let me = self_pid();
        let start = Instant::now();
        for number in 0..5_000_u64 {
            spawn(async move {
                let after = ms(number % 40);
                sleep(after).await;
                send(me, start.elapsed() >= after);
            });
        }
        for _ in 0..5_000 {
            assert!(receive::<bool>().await);
        }
    });
}
