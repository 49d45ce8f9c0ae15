//! Exit signals: the receiver's rules, and their order among other signals.

mod common;
#[path = "common/exits.rs"]
mod exits;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{run, run_and_simulate};
use exits::{boom, down, others};
use regrow_runtime::{
    Down, Exit, ExitReason, Message, MonitorRef, Pid, Runtime, exit, is_alive, link, receive,
    receive_any, self_pid, send, sleep, spawn, spawn_link, spawn_monitor, trap_exit, yield_now,
};

/// A process that traps exits and passes on all that it receives as text.
fn trapping() -> (Pid, MonitorRef) {
    let parent = self_pid();
    spawn_monitor(async move {
        trap_exit(true);
        send(parent, "traps");
        loop {
            let exit = receive::<Exit>().await;
            send(parent, exit);
        }
    })
}

#[test]
fn normal_sent_by_another_is_ignored_unless_it_is_trapped() {
    run_and_simulate(2, || async {
        let (plain, reference) = spawn_monitor(async {
            assert_eq!(receive::<u8>().await, 1);
            Err::<(), _>(boom())
        });
        exit(plain, ExitReason::Normal);
        assert!(is_alive(plain).await);
        send(plain, 1_u8);
        assert_eq!(down(reference).await, boom());

        let (traps, _) = trapping();
        receive::<&str>().await;
        exit(traps, ExitReason::Normal);
        let seen = receive::<Exit>().await;
        assert_eq!((seen.pid, seen.reason), (self_pid(), ExitReason::Normal));
        assert!(is_alive(traps).await);
    });
}

#[test]
fn normal_sent_by_a_thread_that_is_no_process_is_ignored() {
    run(2, async {
        let (plain, reference) = spawn_monitor(async {
            assert_eq!(receive::<u8>().await, 1);
            Err::<(), _>(boom())
        });
        std::thread::spawn(move || exit(plain, ExitReason::Normal))
            .join()
            .unwrap();
        send(plain, 1_u8);
        assert_eq!(down(reference).await, boom());
    });
}

#[test]
fn any_other_reason_ends_one_that_does_not_trap_and_is_a_message_to_one_that_does() {
    run_and_simulate(2, || async {
        for reason in others() {
            let (plain, reference) = spawn_monitor(pending::<()>());
            exit(plain, reason.clone());
            assert_eq!(down(reference).await, reason);

            let (traps, reference) = trapping();
            receive::<&str>().await;
            exit(traps, reason.clone());
            let seen = receive::<Exit>().await;
            assert_eq!((seen.pid, seen.reason), (self_pid(), reason));
            exit(traps, ExitReason::Kill);
            assert_eq!(down(reference).await, ExitReason::Killed);
        }
    });
}

#[test]
fn kill_cannot_be_trapped_and_is_told_as_killed_which_can() {
    run_and_simulate(2, || async {
        trap_exit(true);
        let child = spawn_link(async {
            trap_exit(true);
            pending::<()>().await;
        });
        exit(child, ExitReason::Kill);
        let seen = receive::<Exit>().await;
        assert_eq!((seen.pid, seen.reason), (child, ExitReason::Killed));
    });
}

#[test]
fn through_a_link_normal_is_dropped_and_all_else_ends_the_partner_with_the_same_reason() {
    run_and_simulate(2, || async {
        for reason in others().into_iter().chain([ExitReason::Kill]) {
            let sent = reason.clone();
            let (_, reference) = spawn_monitor(async move {
                spawn_link(async move { sent });
                pending::<()>().await;
            });
            // Kill as well: through a link it is not turned into killed.
            assert_eq!(down(reference).await, reason);
        }
        let (_, reference) = spawn_monitor(async {
            let (child, reference) = spawn_monitor(async {
                receive::<u8>().await;
            });
            link(child);
            send(child, 1_u8);
            assert_eq!(down(reference).await, ExitReason::Normal);
            Err::<(), _>(boom())
        });
        assert_eq!(down(reference).await, boom());
    });
}

#[test]
fn through_a_link_a_trapping_partner_gets_a_message_for_normal_and_kill_too() {
    run_and_simulate(2, || async {
        trap_exit(true);
        for reason in others()
            .into_iter()
            .chain([ExitReason::Normal, ExitReason::Kill])
        {
            let sent = reason.clone();
            let child = spawn_link(async move { sent });
            let seen = receive::<Exit>().await;
            assert_eq!((seen.pid, seen.reason), (child, reason));
        }
    });
}

#[test]
fn along_a_chain_the_own_kill_stays_kill_and_the_killed_stay_killed() {
    async fn chain(left: u32, end: Pid) {
        for _ in 1..left {
            let me = self_pid();
            spawn(async move {
                link(me);
                send(me, ());
                pending::<()>().await;
            });
            receive::<()>().await;
        }
        send(end, "ready");
        pending::<()>().await;
    }
    run_and_simulate(2, || async {
        trap_exit(true);
        for length in [1, 2, 9] {
            let middle = spawn_link(chain(length, self_pid()));
            receive::<&str>().await;
            exit(middle, ExitReason::Kill);
            assert_eq!(receive::<Exit>().await.reason, ExitReason::Killed);

            let middle = spawn_link(chain(length, self_pid()));
            receive::<&str>().await;
            spawn(async move {
                link(middle);
                ExitReason::Kill
            });
            assert_eq!(receive::<Exit>().await.reason, ExitReason::Kill);
        }
    });
}

#[test]
fn trap_exit_returns_what_was_and_leaves_the_mailbox_alone() {
    run_and_simulate(2, || async {
        assert!(!trap_exit(true));
        assert!(trap_exit(true));
        exit(self_pid(), boom());
        yield_now().await;
        assert!(trap_exit(false));
        assert!(!trap_exit(false));
        assert_eq!(receive::<Exit>().await.reason, boom());
    });
}

#[test]
fn the_trap_flag_counts_when_the_signal_is_received_and_not_when_it_is_sent() {
    run(2, async {
        for (at_sending, at_receipt) in [(false, true), (true, false)] {
            let (child, reference) = spawn_monitor(async move {
                trap_exit(at_sending);
                let me = self_pid();
                // The signal comes in this turn, and is received in the next.
                let sender = std::thread::spawn(move || exit(me, ExitReason::error("to it")));
                sender.join().unwrap();
                trap_exit(at_receipt);
                let trapped = receive::<Exit>().await;
                assert_eq!(
                    (trapped.pid, trapped.reason),
                    (me, ExitReason::error("to it"))
                );
                ExitReason::error("trapped")
            });
            let expected = if at_receipt { "trapped" } else { "to it" };
            assert_eq!(
                down(reference).await,
                ExitReason::error(expected),
                "{child}"
            );
        }
    });
}

#[test]
fn the_first_deadly_signal_is_the_reason() {
    run_and_simulate(2, || async {
        for _ in 0..300 {
            let (pid, reference) = spawn_monitor(pending::<()>());
            exit(pid, boom());
            exit(pid, ExitReason::Kill);
            exit(pid, ExitReason::Shutdown);
            assert_eq!(down(reference).await, boom());
        }
    });
}

#[test]
fn a_trapping_receiver_sees_messages_and_exit_in_the_order_of_sending() {
    run_and_simulate(2, || async {
        let me = self_pid();
        for _ in 0..500 {
            let (other, _) = spawn_monitor(async move {
                trap_exit(true);
                send(me, ());
                for wanted in [true, false, true] {
                    let message = receive_any().await;
                    assert_eq!(message.is::<&str>(), wanted, "{message:?}");
                }
            });
            receive::<()>().await;
            send(other, "a");
            exit(other, boom());
            send(other, "b");
            assert_eq!(receive::<Down>().await.reason, ExitReason::Normal);
        }
    });
}

#[test]
fn what_is_sent_after_a_deadly_signal_is_never_handled() {
    run_and_simulate(2, || async {
        let before = Arc::new(AtomicU32::new(0));
        for _ in 0..1_000 {
            let handled = before.clone();
            let (other, reference) = spawn_monitor(async move {
                loop {
                    match receive::<&str>().await {
                        "before" => handled.fetch_add(1, Ordering::SeqCst),
                        after => panic!("handled {after}"),
                    };
                }
            });
            send(other, "before");
            yield_now().await;
            exit(other, boom());
            send(other, "after");
            assert_eq!(down(reference).await, boom());
        }
        assert!(before.load(Ordering::SeqCst) > 0);
    });
}

#[test]
fn after_a_kill_is_alive_says_no() {
    run_and_simulate(2, || async {
        for _ in 0..1_000 {
            let other = spawn(pending::<()>());
            assert!(is_alive(other).await);
            exit(other, ExitReason::Kill);
            assert!(!is_alive(other).await);
        }
    });
}

#[test]
fn a_busy_process_that_never_receives_can_be_ended() {
    run_and_simulate(2, || async {
        let (busy, reference) = spawn_monitor(async {
            loop {
                yield_now().await;
            }
        });
        yield_now().await;
        exit(busy, boom());
        assert_eq!(down(reference).await, boom());
    });
}

#[test]
fn an_exit_signal_beats_the_time_out_of_a_receive() {
    run_and_simulate(2, || async {
        for round in 0..100 {
            let (waits, reference) = spawn_monitor(async {
                let timed_out = receive::<u8>().timeout(Duration::from_millis(1)).await;
                assert!(timed_out.is_err());
                pending::<()>().await;
            });
            if round % 2 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            exit(waits, boom());
            assert_eq!(down(reference).await, boom());
        }
    });
}

/// Counts its drops.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn one_that_is_killed_before_its_first_turn_never_runs_and_is_dropped_once() {
    run_and_simulate(1, || async {
        let drops = Arc::new(AtomicU32::new(0));
        let counted = Counted(drops.clone());
        let (pid, reference) = spawn_monitor(async move {
            let _counted = counted;
            panic!("it ran");
        });
        exit(pid, boom());
        assert_eq!(down(reference).await, boom());
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn an_exit_signal_to_the_dead_is_dropped() {
    run_and_simulate(2, || async {
        let (pid, reference) = spawn_monitor(async {});
        down(reference).await;
        for reason in [ExitReason::Normal, ExitReason::Kill, boom()] {
            exit(pid, reason);
        }
        assert!(!is_alive(pid).await);
    });
}

#[test]
fn a_thread_that_is_no_process_can_send_exit_signals() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let victims: Vec<Pid> = (0..50).map(|_| runtime.spawn(pending::<()>())).collect();
    for (index, pid) in victims.iter().enumerate() {
        let reason = if index % 2 == 0 {
            ExitReason::Kill
        } else {
            boom()
        };
        exit(*pid, reason);
    }
    let alive = runtime.block_on(async move {
        let mut alive = 0;
        for pid in victims {
            alive += u32::from(is_alive(pid).await);
        }
        alive
    });
    assert_eq!(alive, 0);
}

#[test]
fn what_is_sent_as_an_exit_message_is_no_exit_signal() {
    run_and_simulate(2, || async {
        trap_exit(true);
        let child = spawn_link(pending::<()>());
        exit(child, ExitReason::Kill);
        let forged = receive::<Exit>().await;
        let (plain, reference) = spawn_monitor(async {
            let Ok(exit) = receive_any().await.downcast::<Exit>() else {
                panic!("it is an ordinary message")
            };
            exit.reason
        });
        send(plain, forged);
        assert_eq!(down(reference).await, ExitReason::Killed);
        let message: Option<Message> = receive_any().timeout(Duration::ZERO).await.ok();
        assert!(message.is_none());
    });
}
