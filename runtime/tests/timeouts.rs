//! Time-outs: of a receive (OTP: `after`), and of any future.

mod common;

use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use common::run;
use futures_lite::future::poll_once;
use regrow_runtime::{
    Handle, Runtime, Timeout, consume_reductions, receive, receive_any, reply_channel, self_pid,
    send, sleep, spawn, spawn_link, timeout, yield_now,
};

const MINUTE: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn armed() -> usize {
    Handle::current().system_info().timers
}

/// Keeps the workers busy until it is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn new(processes: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..processes {
            let over = over.clone();
            spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    yield_now().await;
                }
            });
        }
        Load(over)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_time_out_under_load_is_never_early_nor_absurdly_late() {
    run(2, async {
        let _load = Load::new(50);
        for after in [1, 2, 3, 10, 100, 700].map(ms) {
            let start = Instant::now();
            assert_eq!(receive::<u8>().timeout(after).await, Err(Timeout));
            let took = start.elapsed();
            assert!(took >= after && took < MINUTE / 6, "{took:?} for {after:?}");
        }
    });
}

#[test]
fn a_time_out_may_be_of_any_length_and_does_not_fire_at_once() {
    run(1, async {
        let lengths = [
            ms((1 << 31) - 1),
            ms(1 << 31),
            ms((1 << 32) - 1),
            ms(1 << 32),
            YEAR,
            Duration::from_secs(u64::MAX),
            Duration::MAX,
        ];
        for after in lengths {
            let mut one = pin!(receive::<u8>().timeout(after));
            let mut any = pin!(receive_any().timeout(after));
            let mut other = pin!(timeout(after, pending::<()>()));
            let mut nap = pin!(sleep(after));
            for _ in 0..2 {
                assert!(poll_once(&mut one).await.is_none());
                assert!(poll_once(&mut any).await.is_none());
                assert!(poll_once(&mut other).await.is_none());
                assert!(poll_once(&mut nap).await.is_none());
                // Nor does it hold up a short one.
                let start = Instant::now();
                assert_eq!(receive::<u8>().timeout(ms(2)).await, Err(Timeout));
                assert!(start.elapsed() < MINUTE / 6);
            }
            send(self_pid(), 1_u8);
            assert_eq!(one.await, Ok(1));
        }
        assert_eq!(armed(), 0);
    });
}

#[test]
fn a_zero_time_out_without_a_match_leaves_the_mailbox_as_it_was() {
    run(1, async {
        for number in 0..5_u16 {
            send(self_pid(), number);
        }
        for after in [Duration::ZERO, ms(0), ms(1)] {
            assert_eq!(receive::<u8>().timeout(after).await, Err(Timeout));
            let none = receive::<u16>().matching(|&n| n > 9).timeout(after).await;
            assert_eq!(none, Err(Timeout));
        }
        for number in 0..5 {
            assert_eq!(receive::<u16>().timeout(Duration::ZERO).await, Ok(number));
        }
        assert!(receive_any().timeout(Duration::ZERO).await.is_err());
    });
}

#[test]
fn messages_that_come_during_a_plain_wait_do_not_break_it() {
    run(2, async {
        let me = self_pid();
        let sender = spawn_link(async move {
            for number in 0..100_u32 {
                send(me, number);
                sleep(ms(1)).await;
            }
        });
        let start = Instant::now();
        // Four ways to wait for nothing else.
        sleep(ms(20)).await;
        assert!(start.elapsed() >= ms(20));
        assert_eq!(receive::<()>().timeout(ms(20)).await, Err(Timeout));
        assert_eq!(timeout(ms(20), pending::<()>()).await, Err(Timeout));
        let (_reply_to, reply) = reply_channel::<()>();
        assert!(reply.timeout(ms(20)).await.is_err());
        assert!(start.elapsed() >= ms(80));
        regrow_runtime::monitor(sender);
        receive::<regrow_runtime::Down>().await;
        for number in 0..100 {
            assert_eq!(receive::<u32>().timeout(Duration::ZERO).await, Ok(number));
        }
    });
}

#[test]
fn a_future_that_is_ready_in_time_gives_its_output() {
    run(1, async {
        for after in [Duration::ZERO, ms(1), Duration::MAX] {
            assert_eq!(timeout(after, ready("now")).await, Ok("now"));
        }
        let later = async {
            sleep(ms(3)).await;
            "later"
        };
        assert_eq!(timeout(MINUTE, later).await, Ok("later"));
        assert_eq!(armed(), 0);
    });
}

#[test]
fn a_future_that_is_not_ready_in_time_is_given_up_and_never_early() {
    run(2, async {
        for after in [1, 5, 30].map(ms) {
            let start = Instant::now();
            assert_eq!(timeout(after, pending::<()>()).await, Err(Timeout));
            assert!(start.elapsed() >= after);
        }
        assert_eq!(armed(), 0);
    });
}

#[test]
fn a_time_limit_of_zero_polls_once_and_does_not_wait() {
    run(1, async {
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = polls.clone();
        let future = poll_fn(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Poll::<()>::Pending
        });
        assert_eq!(timeout(Duration::ZERO, future).await, Err(Timeout));
        assert_eq!((polls.load(Ordering::Relaxed), armed()), (1, 0));
    });
}

#[test]
fn a_time_limit_never_hides_what_is_ready_in_a_turn_that_has_no_reductions_left() {
    run(1, async {
        send(self_pid(), 5_u8);
        yield_now().await;
        for after in [Duration::ZERO, ms(1)] {
            consume_reductions(u32::MAX);
            assert_eq!(timeout(after, receive::<u8>()).await, Ok(5));
            send(self_pid(), 5_u8);
            yield_now().await;
        }
    });
}

#[test]
fn a_time_limit_that_is_dropped_has_lost_nothing() {
    run(1, async {
        let mut limited = Box::pin(timeout(MINUTE, receive::<u8>()));
        assert!(poll_once(&mut limited).await.is_none());
        send(self_pid(), 7_u8);
        yield_now().await;
        drop(limited);
        assert_eq!(armed(), 0);
        assert_eq!(timeout(MINUTE, receive::<u8>()).await, Ok(7));
    });
}

#[test]
fn what_timed_out_can_go_on_if_it_was_only_borrowed() {
    run(1, async {
        let mut work = pin!(async {
            let first = receive::<u8>().await;
            (first, receive::<u16>().await)
        });
        send(self_pid(), 1_u8);
        assert_eq!(timeout(ms(5), work.as_mut()).await, Err(Timeout));
        send(self_pid(), 2_u16);
        assert_eq!(timeout(MINUTE, work).await, Ok((1, 2)));
    });
}

#[test]
fn of_time_limits_in_each_other_the_shortest_counts() {
    run(1, async {
        let start = Instant::now();
        let inner = timeout(ms(3), pending::<()>());
        assert_eq!(timeout(MINUTE, inner).await, Ok(Err(Timeout)));
        let inner = timeout(MINUTE, pending::<()>());
        assert_eq!(timeout(ms(3), inner).await, Err(Timeout));
        assert!(start.elapsed() >= ms(6) && start.elapsed() < MINUTE / 2);
        assert_eq!(armed(), 0);
    });
}

#[test]
fn a_time_limit_that_others_poll_wakes_them() {
    run(1, async {
        let start = Instant::now();
        let short = timeout(ms(4), pending::<()>());
        let long = timeout(MINUTE, async { receive::<()>().await });
        let first = futures_lite::future::or(async { short.await.is_err() }, async {
            long.await.is_err()
        });
        assert!(first.await);
        assert!(start.elapsed() >= ms(4) && start.elapsed() < MINUTE / 2);
    });
}

#[test]
fn a_time_limit_works_on_a_thread_that_is_no_process() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let thread = std::thread::spawn(|| {
        let start = Instant::now();
        let ended = futures_lite::future::block_on(timeout(ms(5), pending::<()>()));
        (ended, start.elapsed())
    });
    let (ended, took) = thread.join().unwrap();
    assert_eq!(ended, Err(Timeout));
    assert!(took >= ms(5));
    drop(runtime);
}

#[test]
fn a_time_limit_moves_with_its_future_between_processes() {
    run(2, async {
        let me = self_pid();
        let mut limited = Box::pin(timeout(ms(10), pending::<()>()));
        assert!(poll_once(&mut limited).await.is_none());
        spawn(async move { send(me, limited.await) });
        assert_eq!(receive::<Result<(), Timeout>>().await, Err(Timeout));
    });
}
