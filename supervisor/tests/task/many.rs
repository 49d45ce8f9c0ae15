use std::future::pending;
use std::time::Duration;

use regrow_runtime::{
    ExitReason, is_alive, monitor, monotonic_time, receive_down, simulate_seeds, sleep,
};
use regrow_supervisor::{OnYieldTimeout, Shutdown, Task, TaskError, TaskSupervisor};

use super::*;
use crate::common::*;

#[test]
fn each_task_is_given_back_in_its_place_with_what_became_of_it() {
    run(|| async {
        let tasks = [
            Task::spawn(waiting(1)),
            Task::spawn(async { 2 }),
            Task::spawn(ending(died())),
            Task::completed(4),
        ];
        let pids: Vec<_> = tasks.iter().map(Task::pid).collect();
        for pid in pids[1..].iter().flatten() {
            down(*pid).await;
        }
        let yielded = Task::yield_many(tasks).timeout(millis(2)).await;
        let (tasks, outcomes): (Vec<_>, Vec<_>) = yielded.into_iter().unzip();
        let expected = [None, Some(Ok(2)), Some(Err(died())), Some(Ok(4))];
        assert_eq!(outcomes, expected);
        assert_eq!(tasks.iter().map(Task::pid).collect::<Vec<_>>(), pids);
        // Once more: what was taken is not to be had again.
        go(pids[0].unwrap());
        let yielded = Task::yield_many(tasks).await;
        let outcomes: Vec<_> = yielded.into_iter().map(|(_, outcome)| outcome).collect();
        assert_eq!(outcomes, [Some(Ok(1)), None, None, None]);
    });
}

#[test]
fn one_common_time_counts_for_all() {
    simulate_seeds(0..5, || async {
        let before = monotonic_time();
        let naps = (1..=10).map(|n| Task::spawn(sleep(secs(n))));
        let yielded = Task::yield_many(naps).timeout(millis(5500)).await;
        assert_lasted(before, millis(5500));
        let ended = yielded.iter().filter(|(_, it)| it.is_some()).count();
        assert_eq!(ended, 5);

        let before = monotonic_time();
        let naps = (1..=10).map(|n| Task::spawn(sleep(secs(n))));
        assert_eq!(Task::await_many(naps).await, Err(TaskError::Timeout));
        assert_lasted(before, secs(5));
        let naps = (1..=10).map(|n| Task::spawn(sleep(secs(n))));
        assert_eq!(Task::await_many(naps).no_timeout().await, Ok(vec![(); 10]));
        assert_lasted(before, secs(15));
    });
}

#[test]
fn a_limit_ends_the_wait_and_touches_nobody() {
    run(|| async {
        let slow: Vec<_> = (0..3).map(|_| Task::spawn(pending())).collect();
        let quick = (0..2).map(|n| Task::spawn(async move { n }));
        let all = slow.into_iter().chain(quick);
        let yielded = Task::yield_many(all)
            .limit(2)
            .on_timeout(OnYieldTimeout::KillTask);
        let (tasks, outcomes): (Vec<_>, Vec<_>) = yielded.await.into_iter().unzip();
        assert_eq!(outcomes, [None, None, None, Some(Ok(0)), Some(Ok(1))]);
        for task in &tasks[..3] {
            assert!(is_alive(task.pid().unwrap()).await);
        }
    });
}

#[test]
fn what_is_still_running_is_left_let_go_or_killed_as_asked_for() {
    run(|| async {
        let tasks = TaskSupervisor::new().start_link().await.unwrap();
        for what in [
            OnYieldTimeout::Nothing,
            OnYieldTimeout::Ignore,
            OnYieldTimeout::KillTask,
        ] {
            let linked = Task::spawn(waiting(1));
            let not_linked = tasks.async_nolink(waiting(2)).await.unwrap();
            let yielded = Task::yield_many([linked, not_linked])
                .timeout(millis(1))
                .on_timeout(what)
                .await;
            for (task, outcome) in yielded {
                assert_eq!(outcome, None);
                let pid = task.pid().unwrap();
                let kept = what != OnYieldTimeout::KillTask;
                assert_eq!(is_alive(pid).await, kept, "{what:?}");
                let result = match what {
                    OnYieldTimeout::Nothing => {
                        go(pid);
                        let n = task.await.unwrap();
                        if n == 1 {
                            assert_eq!(exited(pid).await, ExitReason::Normal);
                        }
                        continue;
                    }
                    _ => task.await,
                };
                assert_eq!(result, Err(TaskError::Taken));
                go(pid);
            }
        }
        while tasks.count_children().await.unwrap().active > 0 {
            sleep(millis(1)).await;
        }
        assert_empty().await;
    });
}

#[test]
fn results_come_in_the_order_of_the_tasks() {
    run(|| async {
        let tasks: Vec<_> = (0..10).map(|n| Task::spawn(waiting(n))).collect();
        for task in tasks.iter().rev() {
            go(task.pid().unwrap());
        }
        assert_eq!(Task::await_many(tasks).await, Ok((0..10).collect()));
        assert_eq!(Task::<u8>::await_many([]).await, Ok(vec![]));
    });
}

#[test]
fn the_first_failure_ends_the_wait_at_once() {
    run(|| async {
        let tasks = [
            Task::spawn(pending()),
            Task::spawn(async { 1 }),
            Task::spawn(ending(died())),
        ];
        let pid = tasks[0].pid().unwrap();
        let failed = Task::await_many(tasks).no_timeout().await;
        assert_eq!(failed, Err(TaskError::Exit(died())));
        assert!(is_alive(pid).await); // the others go on
        let mut taken = Task::completed(1);
        taken.yield_for(Duration::ZERO).await;
        let tasks = [taken, Task::completed(2)];
        assert_eq!(Task::await_many(tasks).await, Err(TaskError::Taken));
    });
}

#[test]
fn of_thousands_that_have_ended_none_is_missed_without_any_time() {
    run_with_threads(async {
        let tasks: Vec<_> = (0..20_000).map(|n| Task::spawn(async move { n })).collect();
        for task in &tasks {
            receive_down(monitor(task.pid().unwrap())).await;
        }
        let yielded = Task::yield_many(tasks).timeout(Duration::ZERO).await;
        for (n, (_, outcome)) in yielded.into_iter().enumerate() {
            assert_eq!(outcome, Some(Ok(n)));
        }
        let tasks = (0..20_000).map(|n| Task::spawn(async move { n }));
        assert_eq!(Task::await_many(tasks).await, Ok((0..20_000).collect()));
        let shut = Task::completed(0).shutdown(Shutdown::default()).await;
        assert_eq!(shut, Some(Ok(0)));
    });
}
