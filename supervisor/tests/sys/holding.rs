use regrow_runtime::{ExitReason, exit, trap_exit, yield_now};
use regrow_supervisor::{ChildState, Strategy, sys};

use super::*;
use crate::probe::{self, Do, Foreign, Step, probe};

#[test]
fn calls_and_messages_wait_while_the_server_is_suspended_and_keep_their_order() {
    run(|| async {
        let server = counter(0).await;
        sys::suspend(&server).await.unwrap();
        server.cast(Command::Add(1));
        let call = server.call(Command::Get);
        server.cast(Command::Add(10));
        let early = server.call(Command::Get).timeout(millis(2)).await;
        assert!(early.is_err());
        // It answers what is no work of its own.
        let value = sys::get_state_with(&server, |it: &Counter| it.value).await;
        assert_eq!(value, Ok(0));
        let half = |it: &Counter| Counter {
            value: it.value + 100,
            ..*it
        };
        sys::replace_state(&server, half).await.unwrap();
        let status = sys::get_status(&server).await.unwrap();
        assert!(status.suspended);
        assert_eq!(status.message_queue_len, 4);
        sys::resume(&server).await.unwrap();
        assert_eq!(call.await, Ok(101));
        assert_eq!(server.call(Command::Get).await, Ok(111));
        assert!(!sys::get_status(&server).await.unwrap().suspended);
    });
}

#[test]
fn one_resume_ends_any_number_of_suspends_and_one_too_many_does_nothing() {
    run(|| async {
        let server = counter(5).await;
        sys::resume(&server).await.unwrap();
        for _ in 0..3 {
            sys::suspend(&server).await.unwrap();
        }
        sys::resume(&server).await.unwrap();
        assert_eq!(server.call(Command::Get).await, Ok(5));
    });
}

#[test]
fn a_suspended_server_can_be_stopped_and_runs_terminate() {
    run(|| async {
        let server = probe::started().await;
        sys::suspend(&server).await.unwrap();
        server.cast(Do::Mark("never handled"));
        assert_eq!(server.stop(ExitReason::Shutdown, None).await, Ok(()));
        assert_eq!(probe::step().await, "terminate shutdown");
        assert_none::<Step>().await;
    });
}

#[test]
fn the_exit_of_the_parent_ends_a_suspended_server_and_other_exits_wait() {
    run(|| async {
        let server = probe(|_| Ok(())).trap_exit(true).await.unwrap();
        let pid = server.pid().unwrap();
        sys::suspend(&server).await.unwrap();
        regrow_runtime::spawn(async move { exit(pid, died()) });
        while sys::get_status(&server).await.unwrap().message_queue_len == 0 {
            yield_now().await;
        }
        sys::resume(&server).await.unwrap();
        assert_eq!(probe::step().await, "exit died");
        sys::suspend(&server).await.unwrap();
        exit(pid, ExitReason::Normal);
        assert_eq!(probe::step().await, "terminate normal");
        assert_eq!(exited(pid).await, ExitReason::Normal);
    });
}

#[test]
fn a_suspended_server_can_be_killed_and_those_who_wait_are_told() {
    run(|| async {
        let server = counter(0).await;
        sys::suspend(&server).await.unwrap();
        let call = server.call(Command::Get);
        exit(server.pid().unwrap(), ExitReason::Kill);
        let killed = regrow_supervisor::CallError::Exit(ExitReason::Killed);
        assert_eq!(call.await, Err(killed));
    });
}

#[test]
fn a_timeout_does_not_run_out_while_the_server_is_suspended() {
    run(|| async {
        let server = probe::started().await;
        server.cast(probe::answer(Next::Timeout(millis(10))));
        sys::suspend(&server).await.unwrap();
        regrow_runtime::sleep(millis(30)).await;
        assert_none::<Step>().await;
        sys::resume(&server).await.unwrap();
        assert_eq!(probe::step().await, "timeout");
        // A deadline may have passed by then: it is due at once.
        server.cast(probe::act(|_, cx| cx.timeout(millis(10), Foreign("due"))));
        sys::suspend(&server).await.unwrap();
        regrow_runtime::sleep(millis(30)).await;
        assert_none::<Step>().await;
        sys::resume(&server).await.unwrap();
        assert_eq!(probe::step().await, "foreign due");
    });
}

#[test]
fn a_suspended_supervisor_restarts_nobody_until_it_is_resumed() {
    run(|| async {
        trap_exit(true);
        let sup = supervisor(Strategy::OneForOne).child(worker("one"));
        let sup = sup.start_link().await.unwrap();
        let first = started("one").await;
        sys::suspend(&sup).await.unwrap();
        let end = regrow_runtime::monitor(first);
        super::super::common::end(first, died());
        regrow_runtime::receive_down(end).await;
        regrow_runtime::sleep(millis(5)).await;
        assert_none::<Started>().await;
        sys::resume(&sup).await.unwrap();
        let second = started("one").await;
        assert_eq!(state(&sup, "one").await, ChildState::Running(second));
        // And it takes its children with it when it is to end.
        sys::suspend(&sup).await.unwrap();
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert_eq!(terminations(2).await, ["one", "one"]);
    });
}
