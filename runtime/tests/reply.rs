//! Request and reply: every call ends with a reply or with the reason why there is none.

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use common::{run, run_and_simulate};
use futures_lite::future::poll_once;
use regrow_runtime::{
    Down, ExitReason, Pid, Reply, ReplyError, ReplyTo, Runtime, catch_panic, consume_reductions,
    exit, is_alive, monitor, proc_lib, receive, receive_any, reply_channel, self_pid, send, sleep,
    spawn, spawn_monitor, yield_now,
};

const MINUTE: Duration = Duration::from_secs(60);

struct Ask(ReplyTo<u32>);

/// Sends a request.
fn ask(server: Pid) -> Reply<u32> {
    let (reply_to, reply) = reply_channel();
    send(server, Ask(reply_to));
    reply
}

fn boom() -> ExitReason {
    ExitReason::error("boom")
}

async fn await_end() -> ExitReason {
    receive::<Down>().await.reason
}

#[test]
fn a_reply_reaches_the_caller_and_not_its_mailbox() {
    run_and_simulate(2, || async {
        let server = spawn(async {
            for number in 0.. {
                receive::<Ask>().await.0.send(number);
            }
        });
        for number in 0..1_000 {
            assert_eq!(ask(server).await, Ok(number));
        }
        assert!(receive_any().timeout(Duration::ZERO).await.is_err());
    });
}

#[test]
fn messages_between_request_and_reply_stay_in_the_mailbox() {
    run_and_simulate(2, || async {
        let me = self_pid();
        let server = spawn(async move {
            loop {
                let Ask(reply_to) = receive().await;
                send(me, "in between");
                reply_to.send(1);
            }
        });
        for _ in 0..2_000 {
            let reply = ask(server);
            assert_eq!(receive::<&str>().await, "in between");
            assert_eq!(reply.await, Ok(1));
        }
    });
}

#[test]
fn a_large_mailbox_does_not_slow_a_call_down() {
    run(2, async {
        let server = spawn(async {
            loop {
                receive::<Ask>().await.0.send(1);
            }
        });
        // The best of many: what else the machine does is not the mailbox's fault.
        async fn hundred_calls(server: Pid) -> Duration {
            let mut best = MINUTE;
            for _ in 0..10 {
                let start = Instant::now();
                for _ in 0..100 {
                    assert_eq!(ask(server).timeout(MINUTE).await, Ok(1));
                }
                best = best.min(start.elapsed());
            }
            best
        }
        let empty = hundred_calls(server).await;
        for number in 0..200_000_u32 {
            send(self_pid(), number);
        }
        yield_now().await;
        let full = hundred_calls(server).await;
        assert!(
            full < empty * 10 + Duration::from_millis(5),
            "{empty:?} {full:?}"
        );
    });
}

#[test]
fn a_call_to_the_dead_says_noproc() {
    run_and_simulate(2, || async {
        let (dead, _) = spawn_monitor(async {});
        await_end().await;
        let failed = Err(ReplyError::Exit(ExitReason::NoProc));
        assert_eq!(ask(dead).await, failed);
        assert_eq!(ask(dead).timeout(MINUTE).await, failed);
    });
}

#[test]
fn a_call_that_comes_behind_a_deadly_signal_fails() {
    run_and_simulate(3, || async {
        for _ in 0..1_000 {
            let server = spawn(pending::<()>());
            exit(server, ExitReason::Kill);
            let Err(ReplyError::Exit(reason)) = ask(server).await else {
                panic!("nobody replied");
            };
            assert!([ExitReason::Killed, ExitReason::NoProc].contains(&reason));
        }
    });
}

#[test]
fn a_handle_dropped_by_a_process_that_lives_on_says_dropped() {
    run_and_simulate(2, || async {
        let server = spawn(async {
            loop {
                drop(receive::<Ask>().await);
            }
        });
        assert_eq!(ask(server).await, Err(ReplyError::Dropped));
        assert!(is_alive(server).await);
    });
}

#[test]
fn a_handle_dropped_by_a_thread_that_is_no_process_says_dropped_at_once() {
    run(2, async {
        let (reply_to, reply) = reply_channel::<()>();
        std::thread::spawn(move || drop(reply_to)).join().unwrap();
        assert_eq!(reply.await, Err(ReplyError::Dropped));
    });
}

#[test]
fn a_handle_held_by_a_process_that_ends_says_why_it_ended() {
    run_and_simulate(2, || async {
        for way in 0..4 {
            let (server, _) = spawn_monitor(async move {
                let Ask(_held) = receive().await;
                match way {
                    0 => Ok(()),
                    1 => Err(boom()),
                    2 => panic!("holding it"),
                    _ => pending().await,
                }
            });
            let reply = ask(server);
            if way == 3 {
                // It has to have the request by then, or it dies without.
                yield_now().await;
                exit(server, ExitReason::Kill);
            }
            let Err(ReplyError::Exit(reason)) = reply.await else {
                panic!("nobody replied");
            };
            let ended = await_end().await;
            assert!(reason == ended || way == 3, "{reason} {ended}");
        }
    });
}

#[test]
fn a_handle_dropped_earlier_in_the_turn_that_panics_says_that_too() {
    run_and_simulate(1, || async {
        let (server, _) = spawn_monitor(async {
            drop(receive::<Ask>().await);
            panic!("right after");
        });
        let Err(ReplyError::Exit(reason)) = ask(server).await else {
            panic!("nobody replied");
        };
        assert_eq!(reason, await_end().await);
    });
}

#[test]
fn a_handle_dropped_by_a_panic_that_was_caught_is_told_at_the_end_of_the_process() {
    run_and_simulate(1, || async {
        let (server, _) = spawn_monitor(async {
            let Ask(held) = receive().await;
            let caught = catch_panic(async move {
                let _held = held;
                panic!("in a callback");
            });
            let reason = caught.await.unwrap_err();
            receive::<()>().await;
            reason
        });
        let mut reply = Box::pin(ask(server));
        sleep(Duration::from_millis(2)).await;
        assert!(poll_once(&mut reply).await.is_none());
        send(server, ());
        let ended = await_end().await;
        assert_eq!(reply.await, Err(ReplyError::Exit(ended)));
    });
}

#[test]
fn requests_in_the_mailbox_of_one_that_ends_fail_with_its_reason() {
    run_and_simulate(1, || async {
        let (server, _) = spawn_monitor(receive::<ExitReason>());
        let replies: Vec<_> = (0..10).map(|_| ask(server)).collect();
        send(server, boom());
        for reply in replies {
            assert_eq!(reply.await, Err(ReplyError::Exit(boom())));
        }
    });
}

#[test]
fn calls_against_the_end_of_the_server_always_end() {
    run_and_simulate(3, || async {
        let me = self_pid();
        for round in 0..500_u32 {
            let server = spawn(async move {
                for _ in 0..round % 10 {
                    receive::<Ask>().await.0.send(1);
                }
                Err::<(), _>(boom())
            });
            for _ in 0..3 {
                spawn(async move {
                    let mut replies = 0_u32;
                    let error = loop {
                        match ask(server).await {
                            Ok(_) => replies += 1,
                            Err(error) => break error,
                        }
                    };
                    send(me, (replies, error));
                });
            }
            let mut replies = 0;
            for _ in 0..3 {
                let (some, error) = receive::<(u32, ReplyError)>().await;
                replies += some;
                let expected = [boom(), ExitReason::NoProc].map(ReplyError::Exit);
                assert!(expected.contains(&error), "{error}");
            }
            assert_eq!(replies, round % 10);
        }
    });
}

#[test]
fn a_time_out_ends_the_call_and_the_late_reply_is_dropped() {
    run(2, async {
        let drops = Arc::new(AtomicU32::new(0));
        struct Counted(Arc<AtomicU32>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (reply_to, reply) = reply_channel();
        assert!(reply_to.is_wanted());
        let start = Instant::now();
        let timed_out = reply.timeout(Duration::from_millis(5)).await;
        assert!(matches!(timed_out, Err(ReplyError::Timeout)));
        assert!(start.elapsed() >= Duration::from_millis(5));
        assert!(!reply_to.is_wanted());
        reply_to.send(Counted(drops.clone()));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        assert!(receive_any().timeout(Duration::ZERO).await.is_err());
    });
}

#[test]
fn time_outs_of_zero_and_of_years_are_time_outs() {
    run_and_simulate(1, || async {
        let (_reply_to, reply) = reply_channel::<()>();
        assert_eq!(
            reply.timeout(Duration::ZERO).await,
            Err(ReplyError::Timeout)
        );
        let (reply_to, reply) = reply_channel();
        reply_to.send(1);
        assert_eq!(
            reply.timeout(Duration::ZERO).await,
            Ok(1),
            "it is here already"
        );
        for years in [Duration::from_secs(100 * 365 * 24 * 3600), Duration::MAX] {
            let (reply_to, reply) = reply_channel();
            spawn(async move {
                sleep(Duration::from_millis(2)).await;
                reply_to.send(1);
            });
            assert_eq!(reply.timeout(years).await, Ok(1));
        }
    });
}

#[test]
fn a_reply_against_its_time_out_is_one_or_the_other() {
    run(3, async {
        let (mut replies, mut late) = (0, 0);
        for round in 0..1_000_u64 {
            let (reply_to, reply) = reply_channel();
            spawn(async move {
                let until = Instant::now() + Duration::from_micros(round % 100 * 25);
                while Instant::now() < until {
                    yield_now().await;
                }
                reply_to.send(round);
            });
            match reply.timeout(Duration::from_millis(1)).await {
                Ok(number) => {
                    assert_eq!(number, round);
                    replies += 1;
                }
                Err(error) => {
                    assert_eq!(error, ReplyError::Timeout);
                    late += 1;
                }
            }
        }
        assert!(replies > 0 && late > 0, "{replies} {late}");
    });
}

#[test]
fn a_caller_that_gives_up_is_not_wanted_any_more() {
    run_and_simulate(2, || async {
        let (reply_to, reply) = reply_channel::<u8>();
        assert!(reply_to.is_wanted());
        drop(reply);
        assert!(!reply_to.is_wanted());
        reply_to.send(1);
        // The same when it dies.
        let me = self_pid();
        let (caller, _) = spawn_monitor(async move {
            let (reply_to, reply) = reply_channel::<u8>();
            send(me, reply_to);
            reply.await.map(drop).map_err(ExitReason::from)
        });
        let reply_to = receive::<ReplyTo<u8>>().await;
        assert!(reply_to.is_wanted());
        exit(caller, ExitReason::Kill);
        await_end().await;
        assert!(!reply_to.is_wanted());
    });
}

#[test]
fn a_handle_can_be_passed_on_and_answered_by_anybody_at_any_time() {
    run(2, async {
        let third = spawn(async {
            receive::<Ask>().await.0.send(3);
        });
        let server = spawn(async move {
            let ask: Ask = receive().await;
            send(third, ask);
            // Its end is not the end of the call.
        });
        let end = monitor(server);
        assert_eq!(ask(server).await, Ok(3));
        assert_eq!(receive::<Down>().await.reference, end);
        let (reply_to, reply) = reply_channel();
        std::thread::spawn(move || reply_to.send("from a thread"));
        assert_eq!(reply.await, Ok("from a thread"));
    });
}

#[test]
fn a_handle_failed_on_purpose_carries_the_given_reason() {
    run_and_simulate(1, || async {
        let (reply_to, reply) = reply_channel::<()>();
        reply_to.fail(boom());
        assert_eq!(reply.await, Err(ReplyError::Exit(boom())));
    });
}

#[test]
fn threads_and_foreign_executors_can_call_processes() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let server = runtime.spawn(async {
        for number in 0..100 {
            receive::<Ask>().await.0.send(number);
        }
    });
    for number in 0..100 {
        let reply = ask(server).timeout(MINUTE);
        assert_eq!(futures_lite::future::block_on(reply), Ok(number));
    }
    let failed = futures_lite::future::block_on(ask(server));
    assert!(matches!(failed, Err(ReplyError::Exit(_))));
}

#[test]
fn a_waker_that_was_set_is_woken_once_the_reply_is_there_and_never_before() {
    run_and_simulate(2, || async {
        let counter = Arc::new(Wakes(AtomicU32::new(0)));
        let waker = Waker::from(counter.clone());
        let wakes = || counter.0.load(Ordering::Relaxed);
        let (reply_to, mut reply) = reply_channel();
        // Not even a process that has spent its reductions is woken to look again.
        consume_reductions(1_000_000);
        reply.set_waker(&waker);
        yield_now().await;
        assert_eq!(wakes(), 0);
        reply_to.send(5_u32);
        assert_eq!(wakes(), 1);
        reply.set_waker(&waker); // it is there
        assert_eq!(wakes(), 2);
        assert_eq!(reply.await, Ok(5));
    });
}

#[test]
fn a_poll_replaces_the_waker_that_was_set_and_the_other_way_round() {
    run_and_simulate(2, || async {
        let counter = Arc::new(Wakes(AtomicU32::new(0)));
        let waker = Waker::from(counter.clone());
        let (reply_to, mut reply) = reply_channel();
        reply.set_waker(&waker);
        assert!(poll_once(&mut reply).await.is_none());
        spawn(async { reply_to.send(1_u32) });
        assert_eq!((&mut reply).await, Ok(1)); // it was our own that was woken
        assert_eq!(counter.0.load(Ordering::Relaxed), 0);
        let (reply_to, mut reply) = reply_channel();
        assert!(poll_once(&mut reply).await.is_none());
        reply.set_waker(&waker);
        reply_to.fail(boom());
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
        assert_eq!(reply.await, Err::<u32, _>(ReplyError::Exit(boom())));
    });
}

#[test]
fn whose_handle_a_process_drops_that_is_about_to_end_is_told_its_reason_at_its_end() {
    run_and_simulate(2, || async {
        for later in [false, true] {
            let server = spawn(async move {
                let mut ask = Some(receive::<Ask>().await);
                if !later {
                    ask = None;
                }
                proc_lib::about_to_end();
                for _ in 0..3 {
                    yield_now().await;
                }
                drop(ask);
                for _ in 0..3 {
                    yield_now().await;
                }
                boom()
            });
            let told = ask(server).await;
            assert_eq!(told, Err(ReplyError::Exit(boom())));
            assert!(!is_alive(server).await);
        }
    });
}

#[test]
fn whose_handle_was_dropped_in_an_earlier_turn_is_told_so() {
    run_and_simulate(2, || async {
        let server = spawn(async {
            drop(receive::<Ask>().await);
            yield_now().await;
            proc_lib::about_to_end();
            yield_now().await;
            boom()
        });
        assert_eq!(ask(server).await, Err(ReplyError::Dropped));
    });
}

struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
