use std::future::{IntoFuture, Pending, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use regrow_runtime::{
    ExitReason, Pid, exit, is_alive, receive, self_pid, send, sleep, spawn, trap_exit,
};
use regrow_supervisor::{
    CallerEnded, ChildSpec, Restart, Shutdown, StartAsync, StartChildError, Strategy, Supervisor,
    Task, TaskError, TaskSupervisor, TaskSupervisorRef, TerminateChildError,
};

use super::*;
use crate::common::*;

async fn start() -> TaskSupervisorRef {
    TaskSupervisor::new().start_link().await.unwrap()
}

async fn children_become(tasks: &TaskSupervisorRef, n: usize) {
    while tasks.children().await.unwrap().len() != n {
        sleep(millis(1)).await;
    }
}

#[test]
fn a_task_is_a_child_for_as_long_as_it_runs() {
    run(|| async {
        let tasks = start().await;
        let task = tasks.async_nolink(waiting(5)).await.unwrap();
        let pid = task.pid().unwrap();
        assert_eq!(tasks.children().await, Ok(vec![pid]));
        assert_eq!(tuple(tasks.count_children().await.unwrap()), [1, 1, 0, 1]);
        go(pid);
        assert_eq!(task.await, Ok(5));
        children_become(&tasks, 0).await;
        assert_empty().await;
    });
}

#[test]
fn a_linked_task_and_its_caller_die_with_each_other() {
    run(|| async {
        let tasks = start().await;
        let task = tasks.async_(ending::<()>(died())).await.unwrap();
        let pid = task.pid().unwrap();
        assert_eq!(task.await, Err(TaskError::Exit(died())));
        assert_eq!(exited(pid).await, died());

        let test = self_pid();
        let by = tasks.clone();
        let caller = spawn(async move {
            let task = by.async_(pending::<()>()).await.unwrap();
            send(test, task.pid().unwrap());
            task.no_timeout().await.unwrap();
        });
        let pid = receive::<Pid>().await;
        let end = watch(pid);
        exit(caller, died());
        assert_eq!(end.await, died());
        assert!(is_alive(tasks.pid().unwrap()).await);
    });
}

#[test]
fn a_task_that_is_not_linked_and_its_caller_do_not_care_for_each_others_end() {
    run(|| async {
        let tasks = start().await;
        let task = tasks.async_nolink(ending::<()>(died())).await.unwrap();
        assert_eq!(task.await, Err(TaskError::Exit(died())));
        assert_empty().await;

        let test = self_pid();
        let by = tasks.clone();
        let caller = spawn(async move {
            let task = by.async_nolink(waiting(())).await.unwrap();
            send(test, task.pid().unwrap());
            task.no_timeout().await.unwrap();
        });
        let pid = receive::<Pid>().await;
        exit(caller, died());
        down(caller).await;
        assert!(is_alive(pid).await);
        go(pid);
        children_become(&tasks, 0).await;
    });
}

#[test]
fn beyond_max_children_nothing_is_started_and_that_is_an_error() {
    run(|| async {
        let tasks = TaskSupervisor::new().max_children(1);
        let tasks = tasks.start_link().await.unwrap();
        let first = tasks.start_child(waiting(())).await.unwrap();
        let body = Arc::new(());
        let held = |body: &Arc<()>| {
            let body = body.clone();
            async move { drop(body) }
        };
        let refused = tasks.async_(held(&body)).await.unwrap_err();
        assert_eq!(refused, StartChildError::MaxChildren);
        let refused = tasks.async_nolink(held(&body)).await.unwrap_err();
        assert_eq!(refused, StartChildError::MaxChildren);
        let refused = tasks.start_child(held(&body)).await.unwrap_err();
        assert_eq!(refused, StartChildError::MaxChildren);
        assert_eq!(Arc::strong_count(&body), 1);
        go(first);
        children_become(&tasks, 0).await;
        assert_eq!(tasks.async_nolink(async { 1 }).await.unwrap().await, Ok(1));

        let none = TaskSupervisor::new().max_children(0);
        let none = none.start_link().await.unwrap();
        let refused = none.start_child(async {}).await;
        assert_eq!(refused, Err(StartChildError::MaxChildren));
    });
}

#[test]
fn without_a_supervisor_nothing_is_started() {
    run(|| async {
        let nobody = TaskSupervisorRef::named("nobody");
        for error in [
            nobody.async_nolink(async {}).await.unwrap_err(),
            nobody.start_child(async {}).await.unwrap_err(),
        ] {
            let noproc = StartChildError::Call(regrow_supervisor::CallError::NoProc);
            assert_eq!(error, noproc);
        }
    });
}

#[test]
fn a_started_child_does_not_depend_on_its_caller() {
    run(|| async {
        let tasks = start().await;
        let test = self_pid();
        let by = tasks.clone();
        let caller = spawn(async move {
            let child = by.start_child(waiting(())).await.unwrap();
            send(test, child);
            ending::<()>(died()).await;
        });
        let child = receive::<Pid>().await;
        down(caller).await;
        assert!(is_alive(child).await);
        go(child);
        children_become(&tasks, 0).await;
        // A failure is nobody's.
        tasks
            .start_child(async { Err::<(), _>(died()) })
            .await
            .unwrap();
        children_become(&tasks, 0).await;
        assert_empty().await;
    });
}

type Starting = <StartAsync<Pending<()>> as IntoFuture>::IntoFuture;

/// Has the supervisor asked to start a task, and goes no further.
async fn asked(tasks: &TaskSupervisorRef) -> Starting {
    let mut starting = tasks.async_nolink(pending::<()>()).into_future();
    poll_fn(|cx| {
        assert!(Pin::new(&mut starting).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    starting
}

/// Waits for the only task.
async fn only_child(tasks: &TaskSupervisorRef) -> Pid {
    children_become(tasks, 1).await;
    tasks.children().await.unwrap()[0]
}

fn caller_ended(reason: &ExitReason) -> ExitReason {
    match reason {
        ExitReason::ShutdownWith(error) => {
            let ended: Option<&CallerEnded> = error.downcast_ref();
            ended.expect("the caller's end").reason.clone()
        }
        other => panic!("another reason: {other}"),
    }
}

#[test]
fn if_the_caller_ends_before_it_hands_the_work_over_the_task_shuts_down_and_says_why() {
    run(|| async {
        for reason in [ExitReason::Normal, died()] {
            let tasks = start().await;
            let by = tasks.clone();
            let caller = spawn(async move {
                let _starting = asked(&by).await;
                receive::<ExitReason>().await
            });
            let child = only_child(&tasks).await;
            let watched = regrow_runtime::monitor(child);
            send(caller, reason.clone());
            let ended = regrow_runtime::receive_down(watched).await.reason;
            assert_eq!(caller_ended(&ended), reason);
        }
    });
}

#[test]
fn if_the_start_is_given_up_the_task_shuts_down() {
    run(|| async {
        let tasks = start().await;
        let starting = asked(&tasks).await;
        let child = only_child(&tasks).await;
        let watched = regrow_runtime::monitor(child);
        drop(starting);
        let ended = regrow_runtime::receive_down(watched).await.reason;
        assert_eq!(caller_ended(&ended), ExitReason::Normal);
        children_become(&tasks, 0).await;
        assert_empty().await;
    });
}

#[test]
fn whoever_waits_for_a_task_that_is_terminated_is_told() {
    run(|| async {
        let tasks = start().await;
        let task = tasks.async_nolink(pending::<()>()).await.unwrap();
        let pid = task.pid().unwrap();
        tasks.terminate_child(pid).await.unwrap();
        assert_eq!(task.await, Err(TaskError::Exit(ExitReason::Shutdown)));
        let unknown = tasks.terminate_child(pid).await;
        assert_eq!(unknown, Err(TerminateChildError::NotFound));
    });
}

#[test]
fn the_end_of_the_supervisor_is_the_end_of_its_tasks_in_the_way_each_has_asked_for() {
    run(|| async {
        let tasks = start().await;
        let test = self_pid();
        let deaf = move || async move {
            trap_exit(true);
            send(test, Go);
            pending::<()>().await;
        };
        let gentle = tasks.async_nolink(pending::<()>()).await.unwrap();
        let late = Shutdown::Timeout(millis(2));
        let late = tasks.async_nolink(deaf()).shutdown(late).await.unwrap();
        let brutal = tasks.async_nolink(pending::<()>());
        let brutal = brutal.shutdown(Shutdown::BrutalKill).await.unwrap();
        let child = tasks.start_child(pending::<()>());
        let child = child.shutdown(Shutdown::BrutalKill).await.unwrap();
        receive::<Go>().await;
        let watched = regrow_runtime::monitor(child);
        tasks.stop(ExitReason::Normal, None).await.unwrap();
        for (task, reason) in [
            (gentle, ExitReason::Shutdown),
            (late, ExitReason::Killed),
            (brutal, ExitReason::Killed),
        ] {
            assert_eq!(task.await, Err(TaskError::Exit(reason)));
        }
        let ended = regrow_runtime::receive_down(watched).await.reason;
        assert_eq!(ended, ExitReason::Killed);
    });
}

#[test]
fn by_its_name_it_is_found_again_after_a_restart() {
    run(|| async {
        let spec =
            ChildSpec::supervisor("tasks", || TaskSupervisor::new().name("tasks").start_link());
        let supervisor = Supervisor::new(Strategy::OneForOne).child(spec);
        let supervisor = supervisor.start_link().await.unwrap();
        let tasks = TaskSupervisorRef::named("tasks");
        let task = tasks.async_nolink(pending::<()>()).await.unwrap();
        let first = tasks.pid().unwrap();
        exit(first, ExitReason::Kill);
        assert!(task.await.is_err());
        while pid(&supervisor, "tasks").await == first {
            sleep(millis(1)).await;
        }
        assert_eq!(tasks.async_nolink(async { 5 }).await.unwrap().await, Ok(5));
        assert_eq!(counts(&supervisor).await, [1, 1, 1, 0]);
    });
}

#[test]
fn as_a_dynamic_supervisor_it_takes_tasks_that_are_started_again() {
    run(|| async {
        let tasks = TaskSupervisor::new().intensity(1, secs(3600));
        let tasks = tasks.start_link().await.unwrap();
        let test = self_pid();
        let spec = Task::child_spec("again", move || async move {
            send(test, self_pid());
            receive::<Go>().await;
            Err::<(), _>(died())
        });
        let spec = spec.restart(Restart::Transient);
        tasks.dynamic().start_child(spec).await.unwrap();
        go(receive::<Pid>().await);
        go(receive::<Pid>().await);
        assert_eq!(exited(tasks.pid().unwrap()).await, ExitReason::Shutdown);
    });
}
