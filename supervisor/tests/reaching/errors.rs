//! The reasons for which a call fails, to the letter.

use regrow_runtime::{exit, exit_with, is_alive, self_pid, send, spawn};

use super::*;

/// What a call gets from a server that does this on the request.
async fn called(request: impl FnOnce(ReplyTo<u32>) -> Command) -> Result<u32, CallError> {
    start().await.call(request).no_timeout().await
}

#[test]
fn a_server_that_stops_without_a_reply_gives_its_reason() {
    run(|| async {
        let with = ExitReason::shutdown_with("moving house");
        for reason in [ExitReason::Normal, ExitReason::Shutdown, with, died()] {
            let answer = called(|reply| Command::StopWith(reason.clone(), reply)).await;
            assert_eq!(answer, Err(CallError::Exit(reason)));
        }
    });
}

/// And not that it lives on without an answer, however long it takes to clean up.
#[test]
fn a_server_that_stops_without_a_reply_gives_its_reason_after_terminate() {
    run(|| async {
        for reason in [ExitReason::Normal, died()] {
            let server = start().await;
            server.cast(Command::InTerminate(Terminate::Wait));
            let stop = |reply| Command::StopWith(reason.clone(), reply);
            let mut request = server.send_request(stop);
            assert_eq!(request.wait_response(millis(2)).await, None);
            send(server.pid().unwrap(), Go);
            let told = request.receive_response(None).await;
            assert_eq!(told, Err(CallError::Exit(reason)));
            assert!(!is_alive(server.pid().unwrap()).await);
        }
    });
}

#[test]
fn a_server_that_panics_gives_the_panic() {
    run(|| async {
        let answer = called(Command::Panic).await.unwrap_err().to_string();
        assert!(answer.starts_with("the server ended without a reply: panic at "));
        assert!(answer.ends_with("asked to panic"), "{answer}");
    });
}

#[test]
fn a_server_that_is_killed_meanwhile_gives_killed() {
    run(|| async {
        let server = start().await;
        let call = server.call(Command::Keep).no_timeout();
        exit(server.pid().unwrap(), ExitReason::Kill);
        assert_eq!(call.await, Err(CallError::Exit(ExitReason::Killed)));
    });
}

/// Any process can be called, a behaviour or not.
#[test]
fn a_process_that_ends_by_itself_gives_its_reason() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::Kill, died()] {
            let ends = reason.clone();
            let pid = spawn(async move {
                let _request: Command = receive().await;
                exit_with(ends)
            });
            let answer = Ref::from_pid(pid).call(Command::Keep).await;
            assert_eq!(answer, Err(CallError::Exit(reason)));
        }
    });
}

#[test]
fn nobody_there_is_noproc_by_pid_name_and_via() {
    run(|| async {
        for (pid, server) in start_known().await {
            regrow_supervisor::ServerRef::<Command>::from_pid(pid)
                .stop(ExitReason::Normal, None)
                .await
                .unwrap();
            let answer = server.call(Command::Keep).no_timeout().await;
            assert_eq!(answer, Err(CallError::NoProc), "{server}");
        }
    });
}

#[test]
fn a_call_that_times_out_says_who_was_called() {
    run(|| async {
        for (pid, server) in start_known().await {
            let late = server.call(Command::Keep).timeout(millis(1)).await;
            let error = late.unwrap_err();
            assert_eq!(error.to_string(), format!("no reply from {server} in time"));
            let CallError::Timeout(callee) = error else {
                panic!("another error");
            };
            assert_eq!(callee, (&server).into());
            assert!(callee.pid() == Some(pid) || callee.pid().is_none());
        }
        let late = NAME.server_ref().call(Command::Keep).timeout(millis(1));
        assert_eq!(
            late.await.unwrap_err().to_string(),
            "no reply from server in time"
        );
    });
}

#[test]
fn a_process_that_calls_itself_is_told_at_once_by_pid_name_and_via() {
    run(|| async {
        regrow_runtime::register("server", self_pid()).unwrap();
        let via = via::Registry::default().via("me");
        via.register().unwrap();
        for me in [Ref::from_pid(self_pid()), NAME.server_ref(), Ref::via(via)] {
            let begin = regrow_runtime::monotonic_time();
            let calls = [
                me.call(Command::Keep),
                me.call(Command::Keep).timeout(millis(0)),
                me.call(Command::Keep).no_timeout(),
            ];
            for call in calls {
                assert_eq!(call.await, Err(CallError::CallingSelf));
            }
            if regrow_runtime::simulation::seed().is_some() {
                assert_eq!(regrow_runtime::monotonic_time(), begin);
            }
        }
        assert_none::<Command>().await;
    });
}

/// Or every result of a call would be larger for the rare case.
#[test]
fn an_error_is_as_small_as_an_exit_reason() {
    assert_eq!(size_of::<CallError>(), size_of::<ExitReason>());
}
