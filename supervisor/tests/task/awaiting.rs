use std::future::pending;
use std::panic::Location;
use std::time::Duration;

use regrow_runtime::{
    ExitReason, Pid, Status, exit, is_alive, monotonic_time, process_info, receive, self_pid, send,
    simulate_seeds, sleep, spawn, trap_exit,
};
use regrow_supervisor::{
    Agent, Context, Info, Next, Shutdown, Task, TaskError, TaskSupervisor, TaskSupervisorRef,
};

use super::*;
use crate::common::*;

#[test]
fn what_the_body_gives_is_the_result_be_it_an_error() {
    run(|| async {
        assert_eq!(Task::spawn(async { 5 }).await, Ok(5));
        let refused = Task::spawn(async { Err::<(), _>("refused") });
        let pid = refused.pid().unwrap();
        assert_eq!(refused.await, Ok(Err("refused")));
        assert_eq!(exited(pid).await, ExitReason::Normal);
    });
}

#[test]
fn an_end_without_a_result_is_an_error_with_its_reason_normal_too() {
    run(|| async {
        for reason in [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::shutdown_with("x"),
            ExitReason::Kill,
            died(),
        ] {
            let task = Task::spawn(ending::<()>(reason.clone()));
            assert_eq!(task.await, Err(TaskError::Exit(reason)));
        }
        let task: Task<()> = Task::spawn(async { panic!("no") });
        let Err(TaskError::Exit(ExitReason::Panic(info))) = task.await else {
            panic!("another error")
        };
        assert_eq!(info.message(), "no");
    });
}

#[test]
fn a_task_that_is_killed_by_somebody_is_an_error() {
    run(|| async {
        let task = Task::spawn(pending::<()>());
        exit(task.pid().unwrap(), ExitReason::Kill);
        assert_eq!(task.await, Err(TaskError::Exit(ExitReason::Killed)));
    });
}

#[test]
fn an_owner_that_traps_exits_gets_the_exit_as_well_and_nothing_else() {
    run(|| async {
        let good = Task::spawn(async { 5 });
        let good_pid = good.pid().unwrap();
        assert_eq!(good.await, Ok(5));
        assert_eq!(exited(good_pid).await, ExitReason::Normal);
        let bad = Task::spawn(ending::<()>(died()));
        let bad_pid = bad.pid().unwrap();
        assert_eq!(bad.await, Err(TaskError::Exit(died())));
        assert_eq!(exited(bad_pid).await, died());
        assert_empty().await;
    });
}

#[test]
fn after_a_time_out_the_task_goes_on_and_its_result_reaches_nobody() {
    run(|| async {
        let task = Task::spawn(waiting(5));
        let pid = task.pid().unwrap();
        let late = task.timeout(millis(2)).await;
        assert_eq!(late, Err(TaskError::Timeout));
        assert!(is_alive(pid).await);
        go(pid);
        assert_eq!(exited(pid).await, ExitReason::Normal);
        assert_empty().await;
    });
}

#[test]
fn a_task_has_five_seconds_from_the_await_unless_said_otherwise() {
    simulate_seeds(0..5, || async {
        let task = Task::spawn(pending::<()>());
        sleep(secs(3)).await;
        let before = monotonic_time();
        assert_eq!(task.await, Err(TaskError::Timeout));
        assert_lasted(before, secs(5));

        let before = monotonic_time();
        let task = Task::spawn(sleep(secs(3600)));
        assert_eq!(task.no_timeout().await, Ok(()));
        assert_lasted(before, secs(3600));
    });
}

#[test]
fn a_handle_that_is_dropped_leaves_the_task_running_and_nothing_in_the_mailbox() {
    run(|| async {
        let tasks = TaskSupervisor::new().start_link().await.unwrap();
        let task = tasks.async_nolink(waiting(5)).await.unwrap();
        let pid = task.pid().unwrap();
        drop(task);
        let end = watch(pid);
        assert!(is_alive(pid).await);
        go(pid);
        assert_eq!(end.await, ExitReason::Normal);
        assert_empty().await;
    });
}

#[test]
fn a_handle_may_be_given_to_another_process_which_is_not_linked() {
    run(|| async {
        let test = self_pid();
        let task = Task::spawn(waiting(5));
        let pid = task.pid().unwrap();
        spawn(async move { send(test, task.await) });
        go(pid);
        assert_eq!(receive::<Result<i32, TaskError>>().await, Ok(5));
        assert_eq!(exited(pid).await, ExitReason::Normal);
    });
}

#[test]
fn a_completed_task_has_its_result_and_no_process() {
    run(|| async {
        let mut task = Task::completed("done");
        assert_eq!(task.pid(), None);
        assert_eq!(task.yield_for(Duration::ZERO).await, Some(Ok("done")));
        assert_eq!(Task::completed(1).await, Ok(1));
        assert_empty().await;
    });
}

#[test]
fn a_server_may_have_the_outcome_delivered_as_its_message() {
    /// Has work done, and tells the test what became of it.
    struct Server(Pid);
    enum Message {
        Work(ExitReason),
        Done(Result<u8, ExitReason>),
    }
    impl GenServer for Server {
        type Args = Pid;
        type Message = Message;

        async fn init(test: Pid, _: &mut Context<Self>) -> Result<Self, ExitReason> {
            trap_exit(true);
            Ok(Server(test))
        }

        async fn handle(&mut self, message: Message, cx: &mut Context<Self>) -> Next {
            match message {
                Message::Work(reason) => {
                    let work = async move {
                        match reason {
                            ExitReason::Normal => 7,
                            reason => ending(reason).await,
                        }
                    };
                    Task::spawn(work).deliver_to(cx.server_ref(), Message::Done);
                }
                Message::Done(outcome) => send(self.0, outcome),
            }
            Next::Continue
        }

        /// The exits of the tasks.
        async fn handle_info(&mut self, _: Info, _: &mut Context<Self>) -> Next {
            Next::Continue
        }
    }
    run(|| async {
        let server = Server::start(self_pid()).await.unwrap();
        server.cast(Message::Work(ExitReason::Normal));
        assert_eq!(receive::<Result<u8, ExitReason>>().await, Ok(7));
        server.cast(Message::Work(died()));
        assert_eq!(receive::<Result<u8, ExitReason>>().await, Err(died()));
        server.stop(ExitReason::Normal, None).await.unwrap();
        alone().await;
    });
}

/// Where the process of `body` waits, once it does.
async fn waits_at(body: impl Future<Output = ()> + Send + 'static) -> &'static Location<'static> {
    let pid = spawn(body);
    loop {
        let info = process_info(pid).await.expect("it waits");
        match info.waiting_at {
            Some(place) if info.status == Status::Waiting => {
                exit(pid, ExitReason::Kill);
                return place;
            }
            _ => sleep(millis(1)).await,
        }
    }
}

#[test]
fn who_waits_for_tasks_is_shown_to_wait_on_its_own_line() {
    macro_rules! assert_waits_here {
        ($body:expr) => {
            let place = waits_at(async move { drop($body) }).await;
            assert_eq!((place.file(), place.line()), (file!(), line!()));
        };
    }
    run(|| async {
        let endless = || Task::spawn(pending::<()>());
        assert_waits_here!(endless().await);
        assert_waits_here!(endless().yield_for(secs(9)).await);
        assert_waits_here!(Task::await_many([endless()]).await);
        assert_waits_here!(Task::yield_many([endless()]).await);
        let shutdown = || async {
            let deaf = Task::spawn(trapping_forever(self_pid()));
            receive::<Go>().await;
            deaf
        };
        assert_waits_here!(shutdown().await.shutdown(Shutdown::Infinity).await);
        let deaf = spawn(pending::<()>());
        assert_waits_here!(Agent::<u8>::from_pid(deaf).get(|n| *n).await);
        let deaf = move || TaskSupervisorRef::from_pid(deaf);
        assert_waits_here!(deaf().async_nolink(async {}).await);
        assert_waits_here!(deaf().start_child(async {}).await);
        assert_waits_here!(deaf().children().await);
        assert_waits_here!(Task::async_stream([0], |_| pending::<()>()).next().await);
    });
}

async fn trapping_forever(owner: Pid) {
    trap_exit(true);
    send(owner, Go);
    pending::<()>().await;
}

#[test]
fn a_task_is_known_by_the_line_that_has_started_it() {
    run(|| async {
        let tasks = TaskSupervisor::new().start_link().await.unwrap();
        let assert_here = async |pid: Pid, line: u32| {
            let place = process_info(pid).await.unwrap().spawned_at;
            assert_eq!((place.file(), place.line()), (file!(), line));
        };
        let task = Task::spawn(pending::<()>());
        assert_here(task.pid().unwrap(), line!() - 1).await;
        let task = tasks.async_nolink(pending::<()>()).await.unwrap();
        assert_here(task.pid().unwrap(), line!() - 1).await;
        let pid = tasks.start_child(pending::<()>()).await.unwrap();
        assert_here(pid, line!() - 1).await;
        assert_here(Task::start(pending::<()>()), line!()).await;
    });
}
