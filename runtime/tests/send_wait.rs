//! Waiting for room in a mailbox, and that every message is accounted for.

mod common;
#[path = "common/limits.rs"]
mod limits;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::run;
use futures_lite::future::{block_on, poll_once};
use limits::{ZERO, counts, full, limit_of, rest};
use regrow_runtime::{
    Down, ExitReason, MailboxPolicy, SpawnOptions, TrySendError, exit, mailbox_limit, process_info,
    receive, receive_down, self_pid, send, send_wait, spawn, spawn_monitor, try_send, yield_now,
};

#[test]
fn those_that_wait_are_served_in_their_order_and_nobody_overtakes_them() {
    run(1, async {
        let me = self_pid();
        mailbox_limit(1, MailboxPolicy::Wait);
        send(me, 0_u32);
        for n in 1..20_u32 {
            spawn(async move { send_wait(me, n).await.unwrap() });
            yield_now().await;
        }
        for n in 0..20_u32 {
            assert_eq!(receive::<u32>().await, n);
            // There is room, but it belongs to the first in the line.
            assert_eq!(try_send(me, 99_u32).is_err(), n < 19, "{n}");
        }
        assert_eq!(receive::<u32>().await, 99);
        assert_eq!(counts(me).await, (0, 0, 0));
    });
}

#[test]
fn one_that_gives_up_or_is_killed_leaves_no_trace_in_the_line() {
    run(1, async {
        let me = self_pid();
        mailbox_limit(1, MailboxPolicy::Wait);
        send(me, 0_u32);
        let waiting: Vec<_> = (1..=9_u32)
            .map(|n| {
                SpawnOptions::new().monitor().spawn(async move {
                    send_wait(me, n).await.unwrap();
                })
            })
            .map(Result::unwrap)
            .collect();
        let mut handed = Box::pin(send_wait(me, 10_u32));
        yield_now().await;
        assert!(poll_once(&mut handed).await.is_none());
        for n in [1, 3, 4, 9] {
            exit(waiting[n - 1].pid, ExitReason::Kill);
        }
        receive::<Down>().await;
        for _ in 0..3 {
            receive::<Down>().await;
        }
        for n in [0, 2, 5, 6, 7, 8_u32] {
            assert_eq!(receive::<u32>().await, n);
        }
        // The place is its own by now, though it does not know yet: dropped, it hands it on.
        let mut last = pin!(send_wait(me, 11_u32));
        assert!(poll_once(&mut last).await.is_none());
        drop(handed);
        assert_eq!(last.await, Ok(()));
        assert_eq!(receive::<u32>().await, 11);
        assert_eq!(counts(me).await.1, 0);
    });
}

#[test]
fn those_that_wait_for_one_that_is_dead_or_dies_are_told_and_get_their_message_back() {
    run(2, async {
        let (dead, reference) = spawn_monitor(async {});
        receive_down(reference).await;
        assert_eq!(send_wait(dead, "m").await, Err(TrySendError::NoProc("m")));
        assert_eq!(try_send(dead, "m"), Err(TrySendError::NoProc("m")));
        for _ in 0..50 {
            let pid = full(1, MailboxPolicy::Wait);
            let me = self_pid();
            for n in 0..10_u32 {
                spawn(async move { send(me, send_wait(pid, n).await) });
            }
            yield_now().await;
            exit(pid, ExitReason::Kill);
            let mut back = Vec::new();
            for _ in 0..10 {
                match receive::<Result<(), TrySendError<u32>>>().await {
                    Err(TrySendError::NoProc(n)) => back.push(n),
                    other => panic!("{other:?}"),
                }
            }
            back.sort_unstable();
            assert_eq!(back, Vec::from_iter(0..10));
        }
    });
}

#[test]
fn a_larger_limit_lets_those_that_wait_go_on_and_another_policy_asks_them_anew() {
    run(1, async {
        let me = self_pid();
        assert_eq!(mailbox_limit(1, MailboxPolicy::Wait), None);
        send(me, 0_u32);
        let mut waiting: Vec<_> = (1..=5_u32).map(|n| Box::pin(send_wait(me, n))).collect();
        for waits in &mut waiting {
            assert!(poll_once(waits).await.is_none());
        }
        let before = mailbox_limit(3, MailboxPolicy::Wait).unwrap();
        assert_eq!((before.max, before.policy), (1, MailboxPolicy::Wait));
        assert_eq!(poll_once(&mut waiting[4]).await, None);
        assert_eq!(poll_once(&mut waiting[1]).await, Some(Ok(())));
        assert_eq!(poll_once(&mut waiting[0]).await, Some(Ok(())));
        mailbox_limit(3, MailboxPolicy::Refuse);
        assert_eq!(
            poll_once(&mut waiting[2]).await,
            Some(Err(TrySendError::Full(3)))
        );
        mailbox_limit(usize::MAX, MailboxPolicy::Refuse);
        assert_eq!(poll_once(&mut waiting[4]).await, Some(Ok(())));
        drop(waiting);
        assert_eq!(rest().await, [0, 2, 1, 5]);
        assert_eq!(limit_of(me).await.taken, 0);
    });
}

#[test]
fn a_thread_may_wait_for_room_too() {
    run(2, async {
        let me = self_pid();
        mailbox_limit(3, MailboxPolicy::Wait);
        let thread = std::thread::spawn(move || {
            for n in 0..2_000_u32 {
                block_on(send_wait(me, n)).unwrap();
            }
        });
        for n in 0..2_000_u32 {
            assert_eq!(receive::<u32>().await, n);
            assert!(process_info(me).await.unwrap().message_queue_len <= 3);
        }
        thread.join().unwrap();
    });
}

/// Counts itself as long as it exists.
struct Counted {
    alive: Arc<AtomicU64>,
    from: u64,
    number: u64,
}

impl Counted {
    fn new(alive: &Arc<AtomicU64>, from: u64, number: u64) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        let alive = alive.clone();
        Counted {
            alive,
            from,
            number,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn under_contention_each_message_is_received_refused_or_dropped_and_counted_once() {
    const SENDERS: u64 = 8;
    const EACH: u64 = if cfg!(miri) { 20 } else { 3_000 };
    use MailboxPolicy::*;
    run(3, async {
        for policy in [Wait, Refuse, DropNewest, DropOldest] {
            let alive = Arc::new(AtomicU64::new(0));
            let me = self_pid();
            mailbox_limit(16, policy);
            let lost_before = limit_of(me).await.dropped;
            let given_back = Arc::new(AtomicU64::new(0));
            for from in 0..SENDERS {
                let (alive, given_back) = (alive.clone(), given_back.clone());
                spawn_monitor(async move {
                    for number in 0..EACH {
                        let message = Counted::new(&alive, from, number);
                        let sent = match (from + number) % 3 {
                            0 => send_wait(me, message).await,
                            1 => try_send(me, message),
                            _ => {
                                send(me, message);
                                Ok(())
                            }
                        };
                        given_back.fetch_add(u64::from(sent.is_err()), Ordering::SeqCst);
                        if number % 17 == from {
                            yield_now().await;
                        }
                    }
                });
            }
            let (mut done, mut received) = (0, 0);
            let mut next = [0; SENDERS as usize];
            while done < SENDERS {
                receive! {
                    counted: Counted => {
                        received += 1;
                        let from = counted.from as usize;
                        assert!(counted.number >= next[from], "out of order");
                        next[from] = counted.number + 1;
                    }
                    down: Down => {
                        assert_eq!(down.reason, ExitReason::Normal);
                        done += 1;
                    }
                }
            }
            while let Ok(counted) = receive::<Counted>().timeout(ZERO).await {
                received += 1;
                drop(counted);
            }
            let limit = limit_of(me).await;
            let lost = limit.dropped - lost_before;
            assert_eq!(limit.taken, 0, "{policy:?}");
            let given_back = given_back.load(Ordering::SeqCst);
            assert_eq!(received + given_back + lost, SENDERS * EACH, "{policy:?}");
            while alive.load(Ordering::SeqCst) > 0 {
                yield_now().await;
            }
        }
    });
}
