use std::future::pending;
use std::time::Duration;

use regrow_runtime::{
    ExitReason, Pid, exit, is_alive, monotonic_time, receive, receive_down, self_pid, send,
    simulate_seeds, spawn, spawn_monitor,
};
use regrow_supervisor::{Task, TaskError};

use super::*;
use crate::common::*;

#[test]
fn a_task_that_is_still_running_can_be_waited_for_again() {
    run(|| async {
        let mut task = Task::spawn(waiting(5));
        assert_eq!(task.yield_for(Duration::ZERO).await, None);
        assert_eq!(task.yield_for(millis(1)).await, None);
        go(task.pid().unwrap());
        assert_eq!(task.yield_for(secs(5)).await, Some(Ok(5)));
    });
}

#[test]
fn an_end_without_a_result_is_its_reason() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            let mut task = Task::spawn(ending::<()>(reason.clone()));
            assert_eq!(task.yield_for(secs(5)).await, Some(Err(reason)));
        }
    });
}

#[test]
fn a_look_sees_what_is_there_already() {
    run(|| async {
        let mut task = Task::spawn(async { 5 });
        down(task.pid().unwrap()).await;
        assert_eq!(task.yield_for(Duration::ZERO).await, Some(Ok(5)));
    });
}

#[test]
fn a_look_sees_what_has_come_within_its_turn() {
    run_with_threads(async {
        for _ in 0..20 {
            let mut task = Task::spawn(async { 5 });
            let pid = task.pid().unwrap();
            if ends_within_this_turn(pid) {
                assert_eq!(task.yield_for(Duration::ZERO).await, Some(Ok(5)));
            }
            exited(pid).await;
            let task = Task::spawn(async { 6 });
            match ends_within_this_turn(task.pid().unwrap()) {
                true => assert_eq!(task.ignore().await, Some(Ok(6))),
                false => drop(task.ignore().await),
            }
        }
        assert_empty().await;
    });
}

#[test]
fn a_wait_that_is_given_up_has_taken_nothing() {
    run(|| async {
        let mut task = Task::spawn(waiting(5));
        let given_up = regrow_runtime::timeout(millis(1), task.yield_for(secs(5))).await;
        assert!(given_up.is_err());
        go(task.pid().unwrap());
        assert_eq!(task.await, Ok(5));
    });
}

#[test]
fn a_result_is_given_once_and_then_there_is_nothing_to_come() {
    simulate_seeds(0..5, || async {
        let mut task = Task::spawn(async { 5 });
        assert_eq!(task.yield_for(secs(5)).await, Some(Ok(5)));
        let before = monotonic_time();
        assert_eq!(task.yield_for(secs(5)).await, None);
        assert_lasted(before, secs(5));
        assert_eq!(task.await, Err(TaskError::Taken));
    });
}

#[test]
fn an_ignored_task_goes_on_without_link_and_without_result() {
    run(|| async {
        let test = self_pid();
        let owner = spawn(async move {
            let task = Task::spawn(waiting(5));
            send(test, task.pid().unwrap());
            assert_eq!(task.ignore().await, None);
            exit(self_pid(), died());
        });
        let task = receive::<Pid>().await;
        down(owner).await;
        assert!(is_alive(task).await);
        let end = watch(task);
        go(task);
        assert_eq!(end.await, ExitReason::Normal);
        assert_empty().await;
    });
}

#[test]
fn ignoring_a_task_that_has_ended_says_how_and_leaves_no_exit() {
    run(|| async {
        let task = Task::spawn(async { 5 });
        down(task.pid().unwrap()).await;
        assert_eq!(task.ignore().await, Some(Ok(5)));
        let task = Task::spawn(ending::<()>(died()));
        down(task.pid().unwrap()).await;
        assert_eq!(task.ignore().await, Some(Err(died())));
        assert_empty().await;
    });
}

#[test]
fn only_the_owner_can_ignore_or_shut_down_a_linked_task() {
    run(|| async {
        for ignore in [true, false] {
            let task = Task::spawn(pending::<()>());
            let pid = task.pid().unwrap();
            let (_, watched) = spawn_monitor(async move {
                match ignore {
                    true => drop(task.ignore().await),
                    false => drop(task.shutdown(Default::default()).await),
                }
            });
            let ExitReason::Panic(info) = receive_down(watched).await.reason else {
                panic!("another end")
            };
            assert!(info.message().contains("owner"), "{}", info.message());
            assert!(is_alive(pid).await);
            exit(pid, ExitReason::Kill);
        }
    });
}
