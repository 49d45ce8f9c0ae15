//! Exits that a process sends to itself, and how it leaves with a reason.

mod common;
#[path = "common/exits.rs"]
mod exits;

use std::future::{Future, pending, poll_fn};
use std::time::Duration;

use common::{run, run_and_simulate};
use exits::{boom, down, others};
use regrow_runtime::{
    Exit, ExitReason, catch_panic, exit, exit_with, receive, self_pid, send, spawn_monitor,
    trap_exit, yield_now,
};

#[test]
fn a_process_can_kill_itself_although_it_traps() {
    run_and_simulate(2, || async {
        let (_, reference) = spawn_monitor(async {
            trap_exit(true);
            exit(self_pid(), ExitReason::Kill);
            unreachable!("it is dead");
        });
        assert_eq!(down(reference).await, ExitReason::Killed);
    });
}

#[test]
fn an_exit_to_oneself_ends_there_and_then_with_normal_too() {
    run_and_simulate(2, || async {
        for reason in others().into_iter().chain([ExitReason::Normal]) {
            let wanted = reason.clone();
            let (_, reference) = spawn_monitor(async move {
                exit(self_pid(), reason);
                unreachable!("it has ended");
            });
            assert_eq!(down(reference).await, wanted);
        }
    });
}

#[test]
fn an_exit_to_oneself_is_a_message_when_trapping_with_normal_too() {
    run_and_simulate(2, || async {
        trap_exit(true);
        for reason in others().into_iter().chain([ExitReason::Normal]) {
            exit(self_pid(), reason.clone());
            let seen = receive::<Exit>().await;
            assert_eq!((seen.pid, seen.reason), (self_pid(), reason));
        }
    });
}

#[test]
fn an_exit_to_oneself_unwinds_from_within_predicates_and_nested_futures() {
    run_and_simulate(2, || async {
        let (_, reference) = spawn_monitor(async {
            send(self_pid(), 1_u8);
            receive::<u8>()
                .matching(|_| exit_now(boom()))
                .timeout(Duration::from_secs(60))
                .await
                .expect("never asked twice");
        });
        assert_eq!(down(reference).await, boom());
    });
    fn exit_now(reason: ExitReason) -> bool {
        exit(self_pid(), reason);
        true
    }
}

#[test]
fn an_exit_to_oneself_cannot_be_caught() {
    run(1, async {
        for (sent, reason) in [
            (boom(), boom()),
            (ExitReason::Normal, ExitReason::Normal),
            (ExitReason::Kill, ExitReason::Killed),
        ] {
            let again = sent.clone();
            let (_, reference) = spawn_monitor(async move {
                let _ = catch_panic(catch_panic(async { exit(self_pid(), sent) })).await;
                unreachable!("nobody catches it");
            });
            assert_eq!(down(reference).await, reason);
            // With the means of the language one gets as far as the end of the turn.
            let (_, reference) = spawn_monitor(async move {
                let exits = std::panic::AssertUnwindSafe(|| exit(self_pid(), again));
                let caught = std::panic::catch_unwind(exits);
                assert!(caught.is_err());
                pending::<()>().await;
            });
            assert_eq!(down(reference).await, reason);
        }
    });
}

#[test]
fn an_exit_to_oneself_is_the_reason_whatever_comes_of_the_rest_of_the_turn() {
    fn leave() {
        let exits = std::panic::AssertUnwindSafe(|| exit(self_pid(), boom()));
        assert!(std::panic::catch_unwind(exits).is_err());
    }
    run(1, async {
        let (_, returns) = spawn_monitor(async { leave() });
        let (_, fails) = spawn_monitor(async {
            leave();
            Err::<(), _>(ExitReason::Shutdown)
        });
        let (_, panics) = spawn_monitor(async {
            leave();
            panic!("too late");
        });
        let (_, traps) = spawn_monitor(async {
            leave();
            trap_exit(true);
            yield_now().await;
            unreachable!("it has ended");
        });
        let (_, leaves_again) = spawn_monitor(async {
            leave();
            exit(self_pid(), ExitReason::Kill);
        });
        // In a waker of its own, which the runtime wakes and guards.
        let (pid, wakes) = spawn_monitor(poll_fn(|_| {
            struct Leaves;
            impl std::task::Wake for Leaves {
                fn wake(self: std::sync::Arc<Self>) {
                    exit(self_pid(), boom());
                }
            }
            let waker = std::sync::Arc::new(Leaves).into();
            let mut cx = std::task::Context::from_waker(&waker);
            std::pin::pin!(receive::<u8>()).poll(&mut cx).map(drop)
        }));
        yield_now().await;
        send(pid, 'x');
        for reference in [returns, fails, panics, traps, leaves_again, wakes] {
            assert_eq!(down(reference).await, boom());
        }
    });
}

#[test]
fn exit_with_can_be_caught_and_is_the_reason_if_nobody_does() {
    run(1, async {
        for reason in others().into_iter().chain([ExitReason::Normal]) {
            let (raised, again) = (reason.clone(), reason.clone());
            let (_, reference) = spawn_monitor(async move {
                // All the same to it.
                trap_exit(true);
                exit_with(raised)
            });
            assert_eq!(down(reference).await, reason);
            let caught = catch_panic(async move { exit_with(again) }).await;
            assert_eq!(caught, Err(reason));
        }
        // Raised by the process itself, `Kill` is a reason like any other.
        let (_, reference) = spawn_monitor(async { exit_with(ExitReason::Kill) });
        assert_eq!(down(reference).await, ExitReason::Kill);
    });
}
