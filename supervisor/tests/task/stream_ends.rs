//! What becomes of a stream, its tasks and its caller when one of them ends.

use std::future::pending;

use regrow_runtime::{
    ExitReason, Pid, exit, is_alive, monitor, receive, receive_down, self_pid, send, sleep, spawn,
    trap_exit,
};
use regrow_supervisor::{AsyncStream, Task, TaskError, TaskSupervisor, TaskSupervisorRef};

use super::*;
use crate::common::*;

/// From a task that has begun.
struct Began(Pid);

/// Whose tasks a stream has.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Free,
    Linked,
    NotLinked,
}

const KINDS: [Kind; 3] = [Kind::Free, Kind::Linked, Kind::NotLinked];

impl Kind {
    fn dies(self) -> bool {
        !matches!(self, Kind::NotLinked)
    }

    /// A stream whose tasks say that they have begun, and do this with the item then.
    fn stream<F>(
        self,
        tasks: &TaskSupervisorRef,
        test: Pid,
        then: impl Fn(u8) -> F + Clone + Send + Sync + 'static,
    ) -> AsyncStream<'static, ()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let work = move |n| {
            let then = then(n);
            async move {
                send(test, Began(self_pid()));
                then.await;
            }
        };
        let stream = match self {
            Kind::Free => Task::async_stream(0..4, work),
            Kind::Linked => tasks.async_stream(0..4, work),
            Kind::NotLinked => tasks.async_stream_nolink(0..4, work),
        };
        stream.max_concurrency(3)
    }
}

async fn start() -> TaskSupervisorRef {
    TaskSupervisor::new().start_link().await.unwrap()
}

async fn began(n: usize) -> Vec<Pid> {
    let mut pids = Vec::new();
    for _ in 0..n {
        pids.push(receive::<Began>().await.0);
    }
    pids
}

/// Waits until there is nobody but the test and the supervisor.
async fn only_with(tasks: &TaskSupervisorRef) {
    while regrow_runtime::processes().len() > 2 {
        sleep(millis(1)).await;
    }
    assert_eq!(tasks.children().await, Ok(vec![]));
}

/// Does not end when it is asked to.
async fn deaf(_: u8) {
    trap_exit(true);
    pending::<()>().await;
}

#[test]
fn dropping_a_stream_kills_what_runs_and_leaves_nothing_behind() {
    for kind in KINDS {
        run(|| async move {
            let tasks = start().await;
            let mut stream = kind.stream(&tasks, self_pid(), deaf);
            let begun = regrow_runtime::timeout(millis(1), stream.next()).await;
            assert!(begun.is_err());
            began(3).await;
            drop(stream);
            only_with(&tasks).await;
            assert_empty().await;
        });
    }
}

#[test]
fn a_stream_that_was_never_begun_has_done_nothing() {
    run(|| async {
        let tasks = start().await;
        drop(Kind::Free.stream(&tasks, self_pid(), deaf));
        only_with(&tasks).await;
        assert_empty().await;
    });
}

#[test]
fn the_end_of_the_caller_whatever_its_reason_is_the_end_of_the_tasks() {
    for kind in KINDS {
        for reason in [ExitReason::Normal, ExitReason::Kill, died()] {
            run(|| {
                let reason = reason.clone();
                async move {
                    let tasks = start().await;
                    let (test, of) = (self_pid(), tasks.clone());
                    let caller = spawn(async move {
                        let mut stream = kind.stream(&of, test, deaf);
                        let begun = regrow_runtime::timeout(millis(2), stream.next()).await;
                        assert!(begun.is_err());
                        receive::<ExitReason>().await
                    });
                    began(3).await;
                    match reason {
                        ExitReason::Kill => exit(caller, reason),
                        reason => send(caller, reason),
                    }
                    only_with(&tasks).await;
                }
            });
        }
    }
}

#[test]
fn a_stream_that_was_forgotten_ends_with_its_caller_too() {
    for kind in KINDS {
        run(|| async move {
            let tasks = start().await;
            let (test, of) = (self_pid(), tasks.clone());
            spawn(async move {
                let mut stream = kind.stream(&of, test, deaf);
                let begun = regrow_runtime::timeout(millis(2), stream.next()).await;
                assert!(begun.is_err());
                std::mem::forget(stream); // its drop does not run
            });
            began(3).await;
            only_with(&tasks).await;
        });
    }
}

#[test]
fn a_caller_that_traps_exits_gets_failures_as_outcomes_and_nothing_else() {
    for kind in KINDS {
        run(|| async move {
            let tasks = start().await;
            let stream = kind.stream(&tasks, self_pid(), |n| async move {
                match n {
                    0 => {}
                    1 => ending(ExitReason::Normal).await,
                    2 => ending(ExitReason::Kill).await,
                    _ => ending(died()).await,
                }
            });
            let failed = |reason| Err(TaskError::Exit(reason));
            let expected = [
                Ok(()),
                failed(ExitReason::Normal),
                failed(ExitReason::Kill),
                failed(died()),
            ];
            assert_eq!(stream.collect().await, expected);
            began(4).await;
            only_with(&tasks).await;
            assert_empty().await;
        });
    }
}

#[test]
fn a_caller_that_does_not_trap_dies_with_a_linked_task_and_the_others_with_it() {
    for kind in KINDS {
        run(|| async move {
            let tasks = start().await;
            let (test, of) = (self_pid(), tasks.clone());
            let caller = spawn(async move {
                let stream = kind.stream(&of, test, |n| async move {
                    match n {
                        0 => {}
                        2 => {
                            receive::<Go>().await;
                            ending(died()).await
                        }
                        n => deaf(n).await,
                    }
                });
                let mut stream = stream.ordered(false);
                assert_eq!(stream.next().await, Some(Ok(())));
                send(test, stream.next().await);
            });
            let watched = monitor(caller);
            for pid in began(4).await {
                go(pid);
            }
            let reason = receive_down(watched).await.reason;
            if kind.dies() {
                assert_eq!(reason, died(), "{kind:?}");
                assert_none::<Option<Result<(), TaskError>>>().await;
            } else {
                assert_eq!(reason, ExitReason::Normal);
            }
            only_with(&tasks).await;
        });
    }
}

#[test]
fn the_end_of_the_supervisor_is_that_of_its_tasks_and_an_outcome() {
    run(|| async {
        let tasks = start().await;
        let mut stream = Kind::NotLinked.stream(&tasks, self_pid(), |_| pending::<()>());
        assert!(
            regrow_runtime::timeout(millis(1), stream.next())
                .await
                .is_err()
        );
        began(3).await;
        exit(tasks.pid().unwrap(), ExitReason::Kill);
        exited(tasks.pid().unwrap()).await;
        let killed = Some(Err(TaskError::Exit(ExitReason::Killed)));
        assert_eq!(stream.next().await, killed);
        // The fourth cannot be started any more, which ends the stream.
        let refused = stream.next().await;
        assert!(
            matches!(refused, Some(Err(TaskError::NotStarted(_)))),
            "{refused:?}"
        );
        assert_eq!(stream.next().await, None);
        assert!(!is_alive(tasks.pid().unwrap()).await);
        alone().await;
        assert_empty().await;
    });
}
