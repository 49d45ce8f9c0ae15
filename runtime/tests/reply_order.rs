//! Replies and signals of one sender: a reply overtakes nothing, and nothing holds it back.

mod common;

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use common::{run, run_and_simulate};
use regrow_runtime::{
    Down, Exit, ExitReason, ReplyTo, Runtime, exit, link, monitor, receive, reply_channel,
    self_pid, send, sleep, spawn, spawn_monitor, trap_exit, try_receive,
};

/// Has its work done by another process, on another thread, within the present turn.
fn meanwhile(work: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    spawn(async move {
        work();
        done.send(()).unwrap();
    });
    wait.recv().unwrap();
}

#[test]
fn a_message_sent_before_the_reply_is_there_when_the_reply_is() {
    run(2, async {
        for round in 0..100_u32 {
            let me = self_pid();
            let (reply_to, reply) = reply_channel();
            meanwhile(move || {
                send(me, round);
                reply_to.send(round);
            });
            assert_eq!(reply.await, Ok(round));
            assert_eq!(try_receive::<u32>(), Some(round));
        }
    });
}

#[test]
fn an_exit_signal_sent_before_the_reply_ends_its_receiver_at_the_await() {
    run(2, async {
        for _ in 0..100 {
            let went_on = Arc::new(AtomicBool::new(false));
            let seen = went_on.clone();
            spawn_monitor(async move {
                let me = self_pid();
                let (reply_to, reply) = reply_channel();
                meanwhile(move || {
                    exit(me, ExitReason::error("boom"));
                    reply_to.send(());
                });
                let _ = reply.await;
                seen.store(true, Ordering::Relaxed);
                pending::<()>().await;
            });
            let down = receive::<Down>().await;
            assert_eq!(down.reason, ExitReason::error("boom"));
            assert!(!went_on.load(Ordering::Relaxed));
        }
    });
}

#[test]
fn a_process_that_dies_of_its_link_to_the_replier_does_not_see_the_call_fail() {
    run(2, async {
        for _ in 0..100 {
            let went_on = Arc::new(AtomicBool::new(false));
            let seen = went_on.clone();
            spawn_monitor(async move {
                let (reply_to, reply) = reply_channel::<()>();
                let server = spawn(async move {
                    receive::<()>().await;
                    drop(reply_to);
                    panic!("boom");
                });
                link(server);
                let (done, wait) = mpsc::channel();
                spawn(async move {
                    monitor(server);
                    send(server, ());
                    receive::<Down>().await;
                    done.send(()).unwrap();
                });
                wait.recv().unwrap();
                let _ = reply.await;
                seen.store(true, Ordering::Relaxed);
            });
            let reason = receive::<Down>().await.reason;
            assert!(matches!(reason, ExitReason::Panic(_)), "{reason}");
            assert!(!went_on.load(Ordering::Relaxed));
        }
    });
}

#[test]
fn of_an_exit_and_a_reply_one_that_traps_gets_the_exit_first() {
    run(2, async {
        trap_exit(true);
        let me = self_pid();
        let (reply_to, reply) = reply_channel();
        meanwhile(move || {
            exit(me, ExitReason::error("boom"));
            reply_to.send(());
        });
        assert_eq!(reply.await, Ok(()));
        let exit = try_receive::<Exit>().expect("it came first");
        assert_eq!(exit.reason, ExitReason::error("boom"));
    });
}

#[test]
fn a_flood_of_messages_puts_a_reply_off_for_one_turn_only() {
    run_and_simulate(2, || async {
        for timeout in [None, Some(Duration::from_secs(60))] {
            let (reply_to, mut reply) = reply_channel();
            if let Some(timeout) = timeout {
                reply = reply.timeout(timeout);
            }
            let mut reply = pin!(reply);
            let mut reply_to = Some(reply_to);
            let mut turns = 0;
            let answer = poll_fn(|cx| {
                turns += 1;
                // Always something that this turn has not taken.
                send(self_pid(), turns);
                if let Some(it) = reply_to.take() {
                    ReplyTo::send(it, 'x');
                }
                let first = reply.as_mut().poll(cx);
                match first.is_pending() {
                    // However often it is polled in one turn.
                    true => reply.as_mut().poll(cx),
                    false => first,
                }
            });
            assert_eq!(answer.await, Ok('x'));
            assert_eq!(turns, 2);
        }
    });
}

#[test]
fn a_reply_is_not_put_off_if_nothing_has_come() {
    run_and_simulate(2, || async {
        let (reply_to, reply) = reply_channel();
        reply_to.send('x');
        let mut reply = pin!(reply);
        let first = poll_fn(|cx| Poll::Ready(reply.as_mut().poll(cx))).await;
        assert_eq!(first, Poll::Ready(Ok('x')));
    });
}

#[test]
fn a_reply_in_time_is_in_time_though_it_is_put_off() {
    run_and_simulate(2, || async {
        let (reply_to, reply) = reply_channel();
        let mut reply = pin!(reply.timeout(Duration::from_millis(1)));
        let me = self_pid();
        assert!(
            poll_fn(|cx| Poll::Ready(reply.as_mut().poll(cx)))
                .await
                .is_pending()
        );
        sleep(Duration::from_millis(5)).await;
        send(me, "news");
        reply_to.send('x');
        assert_eq!(reply.await, Ok('x'));
        assert_eq!(try_receive::<&str>(), Some("news"));
    });
}

/// Unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls until it is ready, and keeps the thread meanwhile.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park_timeout(Duration::from_secs(20)),
        }
    }
}

#[test]
fn whoever_keeps_the_turn_until_the_reply_comes_gets_it() {
    run(2, async {
        let me = self_pid();
        let (reply_to, reply) = reply_channel();
        meanwhile(move || {
            send(me, "news");
            reply_to.send('x');
        });
        assert_eq!(block_on(reply), Ok('x'));
    });
}

#[test]
fn outside_of_processes_a_reply_waits_for_no_turn() {
    let runtime = Runtime::new().unwrap();
    let (reply_to, reply) = reply_channel();
    runtime.spawn(async move { reply_to.send('x') });
    assert_eq!(block_on(reply), Ok('x'));
}
