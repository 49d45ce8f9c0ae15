use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use regrow_runtime::{
    Exit, ExitReason, exit_with, is_alive, monotonic_time, receive, self_pid, send, simulate_seeds,
    spawn, trap_exit,
};
use regrow_supervisor::{Shutdown, Task, TaskSupervisor};

use super::*;
use crate::common::*;

struct Ready;

/// Traps exits, says so, and does this with the first.
async fn trapping<T>(test: regrow_runtime::Pid, then: impl FnOnce(Exit) -> Option<T>) -> T {
    trap_exit(true);
    send(test, Ready);
    match then(receive::<Exit>().await) {
        Some(value) => value,
        None => pending().await,
    }
}

#[test]
fn a_task_that_ends_as_it_was_asked_to_is_none() {
    run(|| async {
        for how in [
            Shutdown::BrutalKill,
            Shutdown::Infinity,
            Shutdown::default(),
        ] {
            let task = Task::spawn(pending::<()>());
            let pid = task.pid().unwrap();
            assert_eq!(task.shutdown(how).await, None, "{how}");
            assert!(!is_alive(pid).await);
        }
        let test = self_pid();
        let obedient = Task::spawn(trapping(test, |exit| -> Option<()> {
            exit_with(exit.reason)
        }));
        receive::<Ready>().await;
        assert_eq!(obedient.shutdown(Shutdown::default()).await, None);
        assert_empty().await;
    });
}

#[test]
fn a_result_that_was_there_or_comes_at_the_last_moment_is_given() {
    run(|| async {
        for how in [
            Shutdown::BrutalKill,
            Shutdown::Infinity,
            Shutdown::default(),
        ] {
            let task = Task::spawn(async { 5 });
            down(task.pid().unwrap()).await;
            assert_eq!(task.shutdown(how).await, Some(Ok(5)), "{how}");
        }
        let test = self_pid();
        let last = Task::spawn(trapping(test, |_| Some("at last")));
        receive::<Ready>().await;
        let pid = last.pid().unwrap();
        assert_eq!(last.shutdown(Shutdown::Infinity).await, Some(Ok("at last")));
        assert!(!is_alive(pid).await);
        assert_eq!(
            Task::completed(1).shutdown(Shutdown::BrutalKill).await,
            Some(Ok(1))
        );
        assert_empty().await;
    });
}

#[test]
fn a_shutdown_waits_for_the_end_although_the_result_comes_before_it() {
    /// A message that takes its time to be dropped, which is a part of the end.
    struct Slow(Arc<AtomicBool>);

    impl Drop for Slow {
        fn drop(&mut self) {
            thread::sleep(millis(50));
            self.0.store(true, Ordering::SeqCst);
        }
    }

    run_with_threads(async {
        let dropped = Arc::new(AtomicBool::new(false));
        let task = Task::spawn(trapping(self_pid(), |_| Some(5)));
        receive::<Ready>().await;
        send(task.pid().unwrap(), Slow(dropped.clone()));
        assert_eq!(task.shutdown(Shutdown::Infinity).await, Some(Ok(5)));
        assert!(dropped.load(Ordering::SeqCst));
    });
}

#[test]
fn another_end_is_its_reason_before_or_now() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::shutdown_with("x"), died()] {
            let task = Task::spawn(ending::<()>(reason.clone()));
            down(task.pid().unwrap()).await;
            assert_eq!(
                task.shutdown(Shutdown::default()).await,
                Some(Err(reason.clone()))
            );

            let test = self_pid();
            let end = reason.clone();
            let task = Task::spawn(trapping(test, |_| -> Option<()> { exit_with(end) }));
            receive::<Ready>().await;
            assert_eq!(task.shutdown(Shutdown::default()).await, Some(Err(reason)));
        }
        // What is asked for depends on how.
        let task = Task::spawn(ending::<()>(ExitReason::Shutdown));
        down(task.pid().unwrap()).await;
        let outcome = task.shutdown(Shutdown::BrutalKill).await;
        assert_eq!(outcome, Some(Err(ExitReason::Shutdown)));
        assert_empty().await;
    });
}

#[test]
fn one_that_does_not_end_in_time_is_killed_and_that_is_told() {
    run(|| async {
        let test = self_pid();
        let deaf = Task::spawn(trapping(test, |_| None::<()>));
        receive::<Ready>().await;
        let pid = deaf.pid().unwrap();
        let outcome = deaf.shutdown(Shutdown::Timeout(millis(2))).await;
        assert_eq!(outcome, Some(Err(ExitReason::Killed)));
        assert!(!is_alive(pid).await);
        assert_empty().await;
    });
    simulate_seeds(0..5, || async {
        let test = self_pid();
        let deaf = Task::spawn(trapping(test, |_| None::<()>));
        receive::<Ready>().await;
        let before = monotonic_time();
        deaf.shutdown(Shutdown::default()).await;
        assert_lasted(before, secs(5));
    });
}

#[test]
fn a_shutdown_never_ends_an_owner_that_does_not_trap() {
    run(|| async {
        let owner = spawn(async {
            for how in [Shutdown::default(), Shutdown::BrutalKill] {
                let task = Task::spawn(pending::<()>());
                assert_eq!(task.shutdown(how).await, None);
            }
            receive::<Go>().await;
        });
        let end = watch(owner);
        go(owner);
        assert_eq!(end.await, ExitReason::Normal);
    });
}

#[test]
fn a_task_that_is_not_linked_can_be_shut_down_by_anybody() {
    run(|| async {
        let tasks = TaskSupervisor::new().start_link().await.unwrap();
        let task = tasks.async_nolink(pending::<u8>()).await.unwrap();
        let test = self_pid();
        spawn(async move { send(test, task.shutdown(Shutdown::default()).await) });
        assert_eq!(receive::<Option<Result<u8, ExitReason>>>().await, None);
        assert_empty().await;
    });
}
