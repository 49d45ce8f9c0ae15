//! Mailboxes with a limit: what each policy does with what is too much.

mod common;
#[path = "common/limits.rs"]
mod limits;

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::run;
use futures_lite::future::poll_once;
use limits::{ZERO, counts, full, limit_of, rest, with_limit};
use regrow_runtime::{
    Down, Exit, ExitReason, MailboxOverflow, MailboxPolicy, ReplyError, ReplyTo, SpawnOptions,
    TrySendError, exit, is_alive, mailbox_limit, proc_lib, process_info, receive, receive_any,
    receive_down, reply_channel, self_pid, send, send_after, send_named, send_wait, sleep, spawn,
    spawn_link, spawn_monitor, trap_exit, try_receive, try_send, yield_now,
};

struct Ask(ReplyTo<u32>);

#[test]
fn a_system_message_arrives_whatever_the_limit_and_takes_no_place() {
    run(2, async {
        for policy in [
            MailboxPolicy::Wait,
            MailboxPolicy::Refuse,
            MailboxPolicy::DropNewest,
            MailboxPolicy::DropOldest,
            MailboxPolicy::Kill,
        ] {
            let pid = full(2, policy);
            proc_lib::send_system(pid, "how are you?");
            assert_eq!(counts(pid).await, (3, 2, 0));
        }
        // Nobody there: the call in it is told.
        let dead = spawn(async {});
        receive_down(regrow_runtime::monitor(dead)).await;
        let (reply_to, reply) = reply_channel::<u8>();
        proc_lib::send_system(dead, reply_to);
        assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::NoProc)));
    });
}

#[test]
fn a_full_mailbox_does_what_the_table_of_policies_says() {
    use MailboxPolicy::*;
    run(2, async {
        for policy in [Wait, Refuse] {
            let pid = full(3, policy);
            send(pid, 3_u32);
            assert_eq!(try_send(pid, 4_u32), Err(TrySendError::Full(4)));
            // Only what was not given back is lost.
            assert_eq!(counts(pid).await, (3, 3, 1));
        }
        let pid = full(3, Refuse);
        assert_eq!(send_wait(pid, 3_u32).await, Err(TrySendError::Full(3)));
        assert_eq!(counts(pid).await, (3, 3, 0));

        let pid = full(3, DropNewest);
        send(pid, 3_u32);
        assert_eq!(try_send(pid, 4_u32), Ok(()));
        assert_eq!(send_wait(pid, 5_u32).await, Ok(()));
        assert_eq!(counts(pid).await, (3, 3, 3));

        let pid = full(3, DropOldest);
        send(pid, 3_u32);
        assert_eq!(try_send(pid, 4_u32), Ok(()));
        assert_eq!(send_wait(pid, 5_u32).await, Ok(()));
        assert_eq!(counts(pid).await, (3, 3, 3));

        for told in [false, true] {
            let pid = full(3, Kill);
            if told {
                assert_eq!(try_send(pid, 3_u32), Err(TrySendError::NoProc(3)));
            } else {
                send(pid, 3_u32);
            }
            assert!(!is_alive(pid).await);
        }
        let pid = full(3, Kill);
        assert_eq!(send_wait(pid, 3_u32).await, Err(TrySendError::NoProc(3)));
    });
}

#[test]
fn the_oldest_messages_go_and_the_newest_stay() {
    run(1, async {
        mailbox_limit(3, MailboxPolicy::DropOldest);
        let me = self_pid();
        (0..10_u32).for_each(|n| send(me, n));
        yield_now().await;
        assert_eq!(rest().await, [7, 8, 9]);
        // A receive that waits is not confused by what goes beneath it.
        let mut waits = pin!(receive::<u32>().matching(|n: &u32| *n == 104));
        for n in 100..105_u32 {
            assert!(poll_once(&mut waits).await.is_none());
            send(me, n);
            yield_now().await;
        }
        assert_eq!(waits.await, 104);
        assert_eq!(rest().await, [102, 103]);
        assert_eq!(limit_of(me).await.dropped, 9);
    });
}

#[test]
fn signals_replies_exits_and_downs_are_never_limited() {
    run(2, async {
        trap_exit(true);
        let me = self_pid();
        mailbox_limit(1, MailboxPolicy::Kill);
        send(me, 1_u32);
        yield_now().await;
        let children = 50;
        for _ in 0..children {
            spawn_link(async {});
            spawn_monitor(async {});
            exit(me, ExitReason::error("sent"));
        }
        for _ in 0..children {
            receive::<Down>().await;
            receive::<Exit>()
                .matching(|exit| exit.reason == ExitReason::Normal)
                .await;
            receive::<Exit>()
                .matching(|exit| exit.reason != ExitReason::Normal)
                .await;
        }
        for n in 0..50 {
            let (reply_to, reply) = reply_channel();
            spawn(async move { reply_to.send(n) });
            assert_eq!(reply.await, Ok(n));
        }
        assert_eq!(counts(me).await, (1, 1, 0));
        // Those in the mailbox count no more when a limit is set behind them.
        let quiet = SpawnOptions::new().trap_exit(true).monitor().spawn(async {
            let (_, reference) = spawn_monitor(async {});
            receive::<&str>().await;
            let before = mailbox_limit(2, MailboxPolicy::Refuse);
            assert_eq!(before, None);
            assert_eq!(limit_of(self_pid()).await.taken, 1);
            receive::<u32>().await;
            assert_eq!(limit_of(self_pid()).await.taken, 0);
            receive::<Exit>().await;
            receive_down(reference).await;
            assert_eq!(limit_of(self_pid()).await.taken, 0);
        });
        let quiet = quiet.unwrap();
        exit(quiet.pid, ExitReason::Shutdown);
        send(quiet.pid, 5_u32);
        sleep(Duration::from_millis(5)).await;
        send(quiet.pid, "go on");
        assert_eq!(
            receive_down(quiet.monitor.unwrap()).await.reason,
            ExitReason::Normal
        );
    });
}

#[test]
fn calls_in_a_message_for_which_there_is_no_room_fail_at_once_and_say_so() {
    run(2, async {
        for policy in [
            MailboxPolicy::Wait,
            MailboxPolicy::Refuse,
            MailboxPolicy::DropNewest,
        ] {
            let pid = full(1, policy);
            let (reply_to, reply) = reply_channel();
            send(pid, Ask(reply_to));
            assert_eq!(reply.await, Err(ReplyError::MailboxFull));
            // Given back, the call is the sender's again.
            let (reply_to, mut reply) = reply_channel();
            if let Err(error) = try_send(pid, Ask(reply_to)) {
                assert!(error.is_full());
                assert_eq!(poll_once(&mut reply).await, None);
                error.into_inner().0.send(5);
                assert_eq!(reply.await, Ok(5));
            } else {
                assert_eq!(policy, MailboxPolicy::DropNewest);
                assert_eq!(reply.await, Err(ReplyError::MailboxFull));
            }
        }
        let oldest = with_limit(1, MailboxPolicy::DropOldest, pending());
        let (reply_to, reply) = reply_channel();
        send(oldest, Ask(reply_to));
        send(oldest, "newest");
        assert_eq!(reply.await, Err(ReplyError::MailboxFull));
        let kills = full(1, MailboxPolicy::Kill);
        let (reply_to, reply) = reply_channel();
        send(kills, Ask(reply_to));
        assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::NoProc)));
    });
}

#[test]
fn whose_mailbox_overflows_under_kill_ends_with_that_reason_even_if_it_traps_exits() {
    run(2, async {
        let options = SpawnOptions::new().trap_exit(true).monitor();
        let options = options.mailbox_limit(5, MailboxPolicy::Kill);
        let seen = Arc::new(AtomicU64::new(0));
        let sees = seen.clone();
        let spawned = options.spawn(async move {
            loop {
                sees.fetch_add(u64::from(receive::<u32>().await), Ordering::SeqCst);
            }
        });
        let spawned = spawned.unwrap();
        let me = self_pid();
        spawn_link(async move {
            // In one turn, so that it may or may not have received the first ones.
            (0..1_000).for_each(|_| send(spawned.pid, 1_u32));
            send(me, "unhurt");
        });
        receive::<&str>().await;
        let reason = receive_down(spawned.monitor.unwrap()).await.reason;
        let ExitReason::Error(error) = &reason else {
            panic!("{reason}");
        };
        assert_eq!(
            error.downcast_ref::<MailboxOverflow>().map(|it| it.max),
            Some(5)
        );
        assert_eq!(reason.to_string(), "more than 5 messages in the mailbox");
    });
}

#[test]
fn timers_names_and_messages_to_oneself_count_as_well() {
    run(1, async {
        let me = self_pid();
        regrow_runtime::register("me", me).unwrap();
        mailbox_limit(2, MailboxPolicy::Refuse);
        send_after(ZERO, me, 1_u32);
        send_named("me", 2_u32).unwrap();
        while counts(me).await.0 < 2 {
            yield_now().await;
        }
        send_named("me", 3_u32).unwrap();
        send(me, 4_u32);
        send_after(Duration::from_millis(1), me, 5_u32);
        while counts(me).await.2 < 3 {
            yield_now().await;
        }
        assert_eq!(counts(me).await, (2, 2, 3));
        let mut all = rest().await;
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}

#[test]
fn every_way_of_receiving_gives_the_place_back() {
    run(1, async {
        let me = self_pid();
        mailbox_limit(4, MailboxPolicy::Refuse);
        for _ in 0..10 {
            for n in 0..4_u32 {
                assert_eq!(try_send(me, n), Ok(()));
            }
            assert!(try_send(me, 4_u32).is_err());
            assert_eq!(receive::<u32>().matching(|n: &u32| *n == 2).await, 2);
            assert_eq!(try_receive::<u32>(), Some(0));
            assert!(receive_any().await.is::<u32>());
            receive! { n: u32 => assert_eq!(n, 3) }
            assert_eq!(counts(me).await, (0, 0, 0));
        }
        // Sent on, a message that had a place needs one anew.
        send(me, 1_u32);
        let message = receive_any().await;
        let other = full(1, MailboxPolicy::Refuse);
        assert!(try_send(other, message).is_err());
    });
}

#[test]
fn a_limit_that_is_set_late_counts_what_is_in_the_mailbox_and_drops_none_of_it() {
    run(1, async {
        let me = self_pid();
        (0..5_u32).for_each(|n| send(me, n));
        yield_now().await;
        mailbox_limit(3, MailboxPolicy::DropNewest);
        assert_eq!(counts(me).await, (5, 5, 0));
        send(me, 5_u32);
        assert_eq!(counts(me).await, (5, 5, 1));
        for n in 0..3_u32 {
            assert_eq!(receive::<u32>().await, n);
        }
        send(me, 6_u32);
        send(me, 7_u32);
        assert_eq!(rest().await, [3, 4, 6]);
        assert_eq!(counts(me).await, (0, 0, 2));
    });
}

#[test]
fn a_stop_that_waits_when_a_limit_is_set_is_neither_counted_nor_dropped() {
    run(2, async {
        let (me, never) = (self_pid(), Some(Duration::from_secs(20)));
        let server = spawn(async move {
            receive::<&str>().await;
            while process_info(self_pid()).await.unwrap().message_queue_len == 0 {}
            mailbox_limit(1, MailboxPolicy::DropOldest);
            send(me, counts(self_pid()).await);
            while process_info(self_pid()).await.unwrap().message_queue_len < 2 {}
            receive::<proc_lib::Terminate>().await;
        });
        spawn(async move {
            send(
                me,
                proc_lib::stop_with(server, ExitReason::Normal, never).await,
            )
        });
        send(server, "limit yourself");
        assert_eq!(receive::<(usize, usize, u64)>().await, (1, 0, 0));
        for n in 0..10_u32 {
            send(server, n);
        }
        assert_eq!(receive::<Result<(), proc_lib::StopError>>().await, Ok(()));
    });
}

#[test]
fn the_next_process_in_the_slot_has_no_limit() {
    run(1, async {
        for round in 0..200_u32 {
            let limited = SpawnOptions::new()
                .monitor()
                .mailbox_limit(1, MailboxPolicy::Refuse);
            let limited = limited.spawn(async {}).unwrap();
            receive_down(limited.monitor.unwrap()).await;
            let pid = spawn(pending::<()>());
            send(pid, round);
            send(pid, round);
            let info = process_info(pid).await.unwrap();
            assert_eq!((info.message_queue_len, info.mailbox_limit), (2, None));
            exit(pid, ExitReason::Kill);
        }
    });
}

#[test]
#[should_panic(expected = "room for one message")]
fn a_mailbox_without_any_room_is_refused() {
    let _ = SpawnOptions::new().mailbox_limit(0, MailboxPolicy::Wait);
}
