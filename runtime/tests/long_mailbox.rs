//! Calls, receives and waits of a process whose mailbox is long.

mod common;

use std::time::{Duration, Instant};

use common::run;
use regrow_runtime::{
    ReplyTo, monitor, process_info, receive, receive_any, receive_down, reply_channel, self_pid,
    send, sleep, spawn, spawn_monitor, yield_now,
};

const MANY: u32 = if cfg!(miri) { 100 } else { 500_000 };

struct Double(u64, ReplyTo<u64>);

fn doubler() -> regrow_runtime::Pid {
    spawn(async {
        loop {
            let Double(n, reply_to) = receive().await;
            reply_to.send(2 * n);
        }
    })
}

async fn double(server: regrow_runtime::Pid, n: u64) -> u64 {
    let (reply_to, reply) = reply_channel();
    send(server, Double(n, reply_to));
    reply.await.unwrap()
}

/// Fills the own mailbox with what nobody wants now.
async fn fill() {
    (0..MANY).for_each(|n| send(self_pid(), n));
    yield_now().await;
}

/// Whether the mailbox is as it was filled.
async fn is_as_filled() -> bool {
    for n in 0..MANY {
        if receive_any().await.downcast::<u32>().ok() != Some(n) {
            return false;
        }
    }
    receive_any().timeout(Duration::ZERO).await.is_err()
}

#[test]
fn calls_and_waits_for_ends_do_not_touch_the_messages_that_wait() {
    // `receive_SUITE`: call_with_huge_message_queue, multi_recv_opt.
    run(2, async {
        fill().await;
        let server = doubler();
        for n in 0..10_000 {
            assert_eq!(double(server, n).await, 2 * n);
            if n % 100 == 0 {
                let (_, reference) =
                    spawn_monitor(async move { assert_eq!(double(server, n).await, 2 * n) });
                receive_down(reference).await;
            }
        }
        assert_eq!(
            process_info(self_pid()).await.unwrap().message_queue_len,
            MANY as usize
        );
        assert!(is_as_filled().await);
    });
}

#[test]
fn a_receive_between_a_request_and_its_reply_takes_nothing_of_either() {
    // `receive_SUITE`: receive_in_between.
    run(2, async {
        let me = self_pid();
        let server = doubler();
        let rounds = if cfg!(miri) { 20 } else { 100_000 };
        for n in 0..rounds {
            let (reply_to, reply) = reply_channel();
            send(server, Double(n, reply_to));
            send(me, n);
            assert_eq!(receive::<u64>().await, n);
            assert_eq!(reply.await, Ok(2 * n));
        }
        assert!(receive_any().timeout(Duration::ZERO).await.is_err());
    });
}

#[test]
fn who_begins_to_wait_with_a_message_in_the_mailbox_goes_on_at_once() {
    // `hibernate_SUITE`: messages_in_queue.
    run(1, async {
        let me = self_pid();
        for wait_first in [false, true] {
            let waits = spawn(async move {
                if wait_first {
                    receive::<&str>().await;
                }
                let n = receive::<u32>().timeout(Duration::from_secs(60)).await;
                send(me, n);
            });
            // In its mailbox before it has ever run, or before it comes to wait for it.
            send(waits, 5_u32);
            yield_now().await;
            send(waits, "go on");
            assert_eq!(
                receive::<Result<u32, _>>().await,
                Ok::<_, regrow_runtime::Timeout>(5)
            );
            receive_down(monitor(waits)).await;
        }
    });
}

#[test]
fn messages_that_arrive_during_a_plain_wait_do_not_end_it() {
    // `after_SUITE`: multi_timeout.
    run(2, async {
        let me = self_pid();
        let time = Duration::from_millis(30);
        for _ in 0..3 {
            spawn(async move {
                for n in 0..20_u32 {
                    send(me, n);
                    sleep(Duration::from_millis(1)).await;
                }
            });
            let start = Instant::now();
            sleep(time).await;
            assert!(start.elapsed() >= time);
        }
        for _ in 0..60 {
            receive::<u32>().await;
        }
    });
}
