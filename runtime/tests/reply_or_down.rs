//! Calls that end with the process that was asked, wherever the reply handle is.

mod common;

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use common::run_and_simulate;
use futures_lite::future::poll_once;
use regrow_runtime::{
    ExitReason, Pid, ReplyError, ReplyTo, exit, is_alive, process_info, receive, receive_any,
    reply_channel, self_pid, send, spawn, yield_now,
};

type Request = ReplyTo<u32>;

/// Passes requests on to another process, and lives on.
fn clerk(worker: Pid) -> Pid {
    spawn(async move {
        loop {
            send(worker, receive::<Request>().await);
        }
    })
}

/// Keeps a request, and never answers.
fn keeper() -> Pid {
    spawn(async {
        let _kept = receive::<Request>().await;
        pending::<()>().await;
    })
}

/// Nothing is left of a call.
async fn assert_no_trace() {
    yield_now().await;
    let info = process_info(self_pid()).await.unwrap();
    assert_eq!(info.monitors.len(), 0);
    assert!(receive_any().timeout(Duration::ZERO).await.is_err());
}

#[test]
fn a_call_ends_with_whoever_was_asked_though_another_has_the_handle() {
    run_and_simulate(2, || async {
        for reason in [ExitReason::Shutdown, ExitReason::error("boom")] {
            let clerk = clerk(keeper());
            let (reply_to, reply) = reply_channel::<u32>();
            let mut reply = pin!(reply.or_down(clerk));
            send(clerk, reply_to);
            assert!(poll_once(reply.as_mut()).await.is_none());
            exit(clerk, reason.clone());
            assert_eq!(reply.await, Err(ReplyError::Exit(reason)));
            assert_no_trace().await;
        }
    });
}

#[test]
fn a_call_of_one_that_ends_normally_or_has_ended_fails() {
    run_and_simulate(2, || async {
        let worker = keeper();
        let short = spawn(async move { send(worker, receive::<Request>().await) });
        let (reply_to, reply) = reply_channel::<u32>();
        let reply = reply.or_down(short);
        send(short, reply_to);
        assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::Normal)));

        let (kept, reply) = reply_channel::<u32>();
        let reply = reply.or_down(short).await;
        assert_eq!(reply, Err(ReplyError::Exit(ExitReason::NoProc)));
        drop(kept);
        assert_no_trace().await;
    });
}

#[test]
fn a_reply_a_time_out_and_a_drop_leave_no_monitor_and_no_down() {
    run_and_simulate(2, || async {
        let worker = spawn(async {
            loop {
                receive::<Request>().await.send(7);
            }
        });
        let clerk = clerk(worker);
        let (reply_to, reply) = reply_channel::<u32>();
        let reply = reply.or_down(clerk);
        send(clerk, reply_to);
        assert_eq!(reply.await, Ok(7));
        assert_no_trace().await;

        let (_kept, reply) = reply_channel::<u32>();
        let reply = reply.timeout(Duration::from_millis(1)).or_down(clerk);
        assert_eq!(reply.await, Err(ReplyError::Timeout));
        assert_no_trace().await;

        let (_kept, reply) = reply_channel::<u32>();
        let reply = reply.or_down(clerk);
        exit(clerk, ExitReason::Kill);
        while is_alive(clerk).await {}
        drop(reply);
        assert_no_trace().await;
    });
}

#[test]
fn who_answers_and_ends_has_answered() {
    run_and_simulate(2, || async {
        for _ in 0..50 {
            let server = spawn(async { receive::<Request>().await.send(7) });
            let (reply_to, reply) = reply_channel::<u32>();
            let reply = reply.or_down(server);
            send(server, reply_to);
            assert_eq!(reply.await, Ok(7));
            assert_no_trace().await;
        }
    });
}

#[test]
fn an_answer_that_is_put_off_is_the_answer_though_the_down_is_there() {
    run_and_simulate(2, || async {
        let server = spawn(async { receive::<Request>().await.send(7) });
        let (reply_to, reply) = reply_channel::<u32>();
        let reply = reply.or_down(server);
        send(server, reply_to);
        while is_alive(server).await {}
        // By now the `Down` is in the mailbox, and this is not.
        yield_now().await;
        send(self_pid(), "news");
        assert_eq!(reply.await, Ok(7));
        assert_eq!(receive::<&str>().await, "news");
        assert_no_trace().await;
    });
}
