//! Timers: never early, once or not at all, in the order of their expiry.

mod common;

use std::future::pending;
use std::time::{Duration, Instant};

use common::{run, run_and_simulate};
use regrow_runtime::{
    Down, ExitReason, Runtime, TimedOut, TimerRef, cancel_timer, exit, read_timer, receive,
    self_pid, send, send_after, sleep, spawn, spawn_monitor, start_timer, yield_now,
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
fn what_start_timer_delivers_says_which_timer_it_is_of() {
    run_and_simulate(2, || async {
        let (early, late) = (
            start_timer(ms(5), self_pid(), "tick"),
            start_timer(ms(6), self_pid(), "tick"),
        );
        let zero = start_timer(Duration::ZERO, self_pid(), "tick");
        assert!(early != late && late != zero);
        for timer in [zero, early, late] {
            let timed_out = receive::<TimedOut<&str>>().await;
            assert_eq!((timed_out.timer, timed_out.message), (timer, "tick"));
            assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
        }
        // The stale message of a timer that was restarted can be told from the new one.
        let old = start_timer(ms(1), self_pid(), ());
        sleep(ms(5)).await;
        assert_eq!(cancel_timer(old), None);
        let new = start_timer(ms(1), self_pid(), ());
        let of_new = |it: &TimedOut<()>| it.timer == new;
        assert_eq!(receive().matching(of_new).await.timer, new);
        assert_eq!(receive::<TimedOut<()>>().await.timer, old);
    });
}

#[test]
fn a_cancelled_start_timer_delivers_nothing() {
    run_and_simulate(2, || async {
        let timer = start_timer(ms(1_000), self_pid(), "never");
        let left = cancel_timer(timer).unwrap();
        assert!(left <= ms(1_000), "{left:?}");
        assert_eq!(cancel_timer(timer), None);
        let waited = receive::<TimedOut<&str>>().timeout(ms(20)).await;
        assert!(waited.is_err());
    });
}

#[test]
fn after_a_cancel_that_says_none_the_message_may_wait_in_the_mailbox() {
    run_and_simulate(1, || async {
        let timer = send_after(ms(1), self_pid(), "come");
        sleep(ms(10)).await;
        assert_eq!(cancel_timer(timer), None);
        // So: cancel, and then flush with a zero time-out.
        let flushed = receive::<&str>().timeout(Duration::ZERO).await;
        assert_eq!(flushed, Ok("come"));
    });
}

#[test]
fn a_timer_that_is_not_known_reads_and_cancels_as_none() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let pid = runtime.spawn(pending::<()>());
    let timers = [
        runtime.handle().send_after(MINUTE, pid, ()),
        runtime.handle().send_after(MINUTE, "nobody", ()),
    ];
    drop(runtime);
    for timer in timers {
        assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
    }
    run_and_simulate(1, || async move {
        // Others are armed in the same place of a wheel by now.
        let own = send_after(MINUTE, self_pid(), ());
        for timer in timers {
            assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
        }
        assert!(cancel_timer(own).is_some());
        let next = send_after(MINUTE, self_pid(), ());
        assert_eq!((read_timer(own), cancel_timer(own)), (None, None));
        assert!(cancel_timer(next).is_some());
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
    run_and_simulate(2, || async {
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
    // Only simulated: where a thread may be held up while it arms them, the times differ.
    regrow_runtime::simulate_seeds(0..50, || async {
        let me = self_pid();
        // In one turn, so that all count from the same instant.
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
    run_and_simulate(2, || async {
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

/// Thousands that expire together, while somebody cancels `every` so many of them.
/// The cancels begin so long `before` that.
async fn storm(every: usize, before: Duration, canceller_is_other: bool) -> (usize, usize) {
    const COUNT: usize = 4_000;
    let me = self_pid();
    let (start, after) = (Instant::now(), ms(40));
    let timers: Vec<TimerRef> = (0..COUNT).map(|i| send_after(after, me, i)).collect();
    let to_cancel: Vec<_> = (0..COUNT).step_by(every).map(|i| (i, timers[i])).collect();
    let cancels = async move {
        let begin = start + after - before;
        while Instant::now() < begin {
            yield_now().await;
        }
        let mut cancelled = Vec::new();
        for (i, timer) in to_cancel {
            cancelled.push((i, cancel_timer(timer)));
            if i % 64 == 0 {
                yield_now().await;
            }
        }
        cancelled
    };
    let cancelled = if canceller_is_other {
        spawn(async move { send(me, cancels.await) });
        receive::<Vec<(usize, Option<Duration>)>>().await
    } else {
        cancels.await
    };
    let mut comes = [true; COUNT];
    let mut count = 0;
    for (i, left) in cancelled {
        comes[i] = left.is_none();
        count += usize::from(left.is_some());
    }
    for _ in 0..COUNT - count {
        let i = receive::<usize>().await;
        assert!(start.elapsed() >= after);
        assert!(std::mem::replace(&mut comes[i], false), "{i} came wrongly");
    }
    assert!(receive::<usize>().timeout(ms(2)).await.is_err());
    (count, COUNT - count)
}

#[test]
fn thousands_of_timers_of_one_instant_all_come() {
    run(2, async {
        let start = Instant::now();
        let (cancelled, came) = storm(usize::MAX, ms(0), false).await;
        assert!(cancelled <= 1 && came >= 3_999);
        assert!(start.elapsed() < MINUTE / 6);
    });
}

#[test]
fn cancels_while_thousands_expire_mean_either_the_message_or_the_time_left() {
    for canceller_is_other in [false, true] {
        let (cancelled, came) = run(3, async move {
            let (mut cancelled, mut came) = (0, 0);
            // At once, and then around the instant at which they expire.
            for before in [40, 0, 1, 1, 1, 2, 2, 3, 4, 5].map(ms) {
                let (more_cancelled, more_came) = storm(2, before, canceller_is_other).await;
                cancelled += more_cancelled;
                came += more_came;
            }
            (cancelled, came)
        });
        // Half of them were never to be cancelled.
        assert!(cancelled > 0 && came >= 20_000, "{cancelled} {came}");
    }
}

#[test]
fn large_and_compound_messages_arrive_intact() {
    type Compound = (Vec<u8>, Option<Box<[String; 3]>>, [u64; 64]);
    fn compound(seed: u64) -> Compound {
        let bytes = (0..50_000 + seed).map(|n| (n ^ seed) as u8).collect();
        let words = [seed, seed + 1, seed + 2].map(|n| format!("word {n}"));
        (bytes, Some(Box::new(words)), [seed; 64])
    }
    run_and_simulate(2, || async {
        for seed in 0..200 {
            let to = self_pid();
            match seed % 2 {
                0 => send_after(ms(seed % 20), to, (seed, compound(seed))),
                _ => start_timer(ms(seed % 20), to, (seed, compound(seed))),
            };
        }
        let mut seeds = Vec::new();
        for _ in 0..100 {
            let (seed, message) = receive::<(u64, Compound)>().await;
            assert!(message == compound(seed));
            let other = receive::<TimedOut<(u64, Compound)>>().await.message;
            assert!(other.1 == compound(other.0));
            seeds.extend([seed, other.0]);
        }
        seeds.sort_unstable();
        assert!(seeds.into_iter().eq(0..200));
    });
}

#[test]
fn a_timer_goes_with_its_receiver() {
    run_and_simulate(2, || async {
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
    run_and_simulate(1, || async {
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
