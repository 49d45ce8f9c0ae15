use std::future::pending;

use regrow_runtime::{
    ExitReason, Pid, exit, is_alive, receive, receive_down, self_pid, send, sleep, spawn,
    spawn_monitor,
};
use regrow_supervisor::{Restart, Strategy, Supervisor, Task};

use super::*;
use crate::common::*;

/// An owner with one task, and that task.
async fn owner_and_task() -> (Pid, Pid) {
    let test = self_pid();
    let owner = spawn(async move {
        let task = Task::spawn(pending::<()>());
        send(test, task.pid().unwrap());
        receive::<ExitReason>().await
    });
    (owner, receive::<Pid>().await)
}

#[test]
fn an_owner_that_ends_abnormally_takes_its_task_along() {
    run(|| async {
        for reason in [ExitReason::Shutdown, died()] {
            let (owner, task) = owner_and_task().await;
            let end = watch(task);
            send(owner, reason.clone());
            assert_eq!(end.await, reason);
        }
        let (owner, task) = owner_and_task().await;
        let end = watch(task);
        exit(owner, ExitReason::Kill);
        assert_eq!(end.await, ExitReason::Killed);
    });
}

#[test]
fn an_owner_that_ends_normally_leaves_its_task_alone() {
    run(|| async {
        let (owner, task) = owner_and_task().await;
        let end = watch(owner);
        send(owner, ExitReason::Normal);
        assert_eq!(end.await, ExitReason::Normal);
        assert!(is_alive(task).await);
        exit(task, ExitReason::Kill);
    });
}

#[test]
fn an_owner_that_does_not_trap_dies_with_its_task_before_it_sees_the_failure() {
    run(|| async {
        let test = self_pid();
        for waits in 0..5 {
            let (owner, _) = spawn_monitor(async move {
                let good = Task::spawn(async { 1 });
                let mut bad = Task::spawn(ending::<i32>(died()));
                match waits {
                    0 => drop(bad.await),
                    1 => drop(bad.yield_for(secs(5)).await),
                    2 => drop(Task::await_many([good, bad]).await),
                    3 => drop(Task::yield_many([bad, good]).await),
                    _ => drop(
                        Task::async_stream([1], |_| ending::<()>(died()))
                            .collect()
                            .await,
                    ),
                }
                send(test, "it lives");
            });
            assert_eq!(receive::<regrow_runtime::Down>().await.reason, died());
            assert!(!is_alive(owner).await);
        }
        assert_empty().await;
    });
}

#[test]
fn it_dies_before_it_sees_the_failure_although_that_came_within_its_turn() {
    run_with_threads(async {
        let test = self_pid();
        for many in [true, false] {
            let (_, watched) = spawn_monitor(async move {
                let bad = Task::spawn(ending::<()>(died()));
                let pid = bad.pid().unwrap();
                ends_within_this_turn(pid);
                match many {
                    true => drop(Task::yield_many([bad]).await),
                    false => drop(Task::await_many([bad]).await),
                }
                send(test, "it lives");
            });
            assert_eq!(receive_down(watched).await.reason, died());
        }
        assert_empty().await;
    });
}

#[test]
fn a_started_task_is_linked_only_if_it_was_started_so() {
    run(|| async {
        let alone = Task::start(async {
            receive::<Go>().await;
            ending::<()>(died()).await;
        });
        let end = watch(alone);
        go(alone);
        assert_eq!(end.await, died());
        assert_empty().await;
        let linked = Task::start_link(async { Err::<(), _>(died()) });
        assert_eq!(exited(linked).await, died());
        assert_empty().await;
    });
}

#[test]
fn a_task_below_a_supervisor_is_temporary_unless_said_otherwise() {
    run(|| async {
        let test = self_pid();
        let fail = move || async move {
            send(test, self_pid());
            receive::<Go>().await;
            Err::<(), _>(died())
        };
        let spec = Task::child_spec("task", fail);
        assert_eq!(spec.restart, Restart::Temporary);
        let supervisor = Supervisor::new(Strategy::OneForOne).child(spec);
        let supervisor = supervisor.start_link().await.unwrap();
        go(receive::<Pid>().await);
        counts_become(&supervisor, [0, 0, 0, 0]).await;

        let again = Task::child_spec("again", fail).restart(Restart::Transient);
        supervisor.start_child(again).await.unwrap();
        let first = receive::<Pid>().await;
        go(first);
        assert_ne!(receive::<Pid>().await, first); // started again
        let done = Task::child_spec("done", move || async {}).restart(Restart::Transient);
        supervisor.start_child(done).await.unwrap();
        counts_become(&supervisor, [2, 1, 0, 2]).await; // and done is not
    });
}

#[test]
fn a_panic_of_the_function_that_makes_the_body_is_the_tasks_and_not_its_supervisors() {
    run(|| async {
        let spec = Task::child_spec("task", || -> std::future::Ready<()> { panic!("no body") });
        let supervisor = Supervisor::new(Strategy::OneForOne).child(spec);
        let supervisor = supervisor.start_link().await.unwrap();
        counts_become(&supervisor, [0, 0, 0, 0]).await;
        while !supervisor.which_children().await.unwrap().is_empty() {
            sleep(millis(1)).await;
        }
    });
}
