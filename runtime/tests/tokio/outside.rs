//! Tasks of tokio that talk to processes.

use std::time::Duration;

use regrow_runtime::{
    ExitReason, ReplyError, ReplyTo, exit, monotonic_time, receive, reply_channel, send, sleep,
    timeout,
};

use super::{FOR_EVER, beside, in_time, tokio_runtime};

struct Double(u32, ReplyTo<u32>);

async fn doubler() {
    loop {
        let Double(n, reply) = receive().await;
        reply.send(n * 2);
    }
}

#[test]
fn tasks_ask_a_process_and_all_get_their_answers() {
    in_time(|| {
        let tokio = tokio_runtime();
        let runtime = beside(&tokio).build().unwrap();
        let server = runtime.spawn(doubler());
        tokio.block_on(async {
            let ask = |n| async move {
                let (reply_to, reply) = reply_channel();
                send(server, Double(n, reply_to));
                reply.await
            };
            let tasks: Vec<_> = (0..1_000).map(|n| tokio::spawn(ask(n))).collect();
            for (n, task) in (0..).zip(tasks) {
                assert_eq!(task.await.unwrap(), Ok(n * 2));
            }
            exit(server, ExitReason::Kill);
            // By now or in a moment it is gone, and who asks is told so.
            while ask(1).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
    });
}

#[test]
fn a_task_that_waits_for_an_answer_is_told_that_the_runtime_has_gone() {
    in_time(|| {
        let tokio = tokio_runtime();
        let runtime = beside(&tokio).build().unwrap();
        let (has, had) = std::sync::mpsc::channel();
        let silent = runtime.spawn(async move {
            let question: Double = receive().await;
            has.send(()).unwrap();
            receive::<()>().await;
            drop(question);
        });
        let (reply_to, reply) = reply_channel();
        send(silent, Double(1, reply_to));
        let asker = tokio.spawn(reply);
        had.recv().unwrap();
        drop(runtime);
        let answer = tokio.block_on(asker).unwrap();
        assert_eq!(answer, Err(ReplyError::Exit(ExitReason::Killed)));
    });
}

#[test]
fn time_of_ours_passes_in_tasks_too() {
    in_time(|| {
        let tokio = tokio_runtime();
        let _runtime = beside(&tokio).build().unwrap();
        tokio.block_on(async {
            let start = monotonic_time();
            sleep(Duration::from_millis(5)).await;
            assert!(monotonic_time() - start >= Duration::from_millis(5));
            let late = timeout(Duration::from_millis(5), tokio::time::sleep(FOR_EVER));
            assert!(late.await.is_err());
        });
    });
}

#[test]
fn blocking_work_is_awaited_by_a_task() {
    in_time(|| {
        let tokio = tokio_runtime();
        let runtime = beside(&tokio).build().unwrap();
        let work = runtime.handle().blocking(|| 6 * 7);
        assert_eq!(tokio.block_on(tokio.spawn(work)).unwrap(), Ok(42));
    });
}
