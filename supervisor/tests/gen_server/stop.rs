use super::*;

#[test]
fn stop_returns_when_the_server_has_ended_with_the_reason() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            let server = start(Init::Fine).await;
            assert_eq!(server.stop(reason.clone(), None).await, Ok(()));
            assert!(!is_alive(server.pid().unwrap()).await);
            assert_eq!(reason_in_terminate().await, reason);
            let again = server.stop(reason, None).await;
            assert_eq!(again, Err(StopError::NoProc));
        }
    });
}

#[test]
fn stop_by_a_name_that_nobody_has_is_noproc() {
    run(|| async {
        let name = regrow_supervisor::Name::<Command>::new("server");
        let start = Server::start((self_pid(), Init::Fine)).name(&name);
        start.await.unwrap();
        let server = name.server_ref();
        assert_eq!(server.stop(ExitReason::Normal, None).await, Ok(()));
        let again = server.stop(ExitReason::Normal, None).await;
        assert_eq!(again, Err(StopError::NoProc));
    });
}

#[test]
fn stop_waits_behind_earlier_messages() {
    run(|| async {
        let server = start(Init::Fine).await;
        let call = server.call(|reply| Command::Echo("first", reply));
        server.stop(ExitReason::Normal, None).await.unwrap();
        assert_eq!(call.await, Ok("first"));
    });
}

#[test]
fn stop_tells_when_the_server_ends_otherwise() {
    run(|| async {
        let server = start(Init::Fine).await;
        server.cast(Command::Terminate(Terminate::Panic));
        let stopped = server.stop(ExitReason::Normal, None).await;
        assert!(matches!(
            stopped,
            Err(StopError::Exit(ExitReason::Panic(_)))
        ));
    });
}

#[test]
fn stop_may_time_out_and_stays_requested() {
    run(|| async {
        let server = start(Init::Fine).await;
        server.cast(Command::Terminate(Terminate::Hang));
        let stopped = server.stop(ExitReason::Normal, Some(millis(1))).await;
        assert_eq!(stopped, Err(StopError::Timeout));
        assert_none::<regrow_runtime::Down>().await;
        assert_eq!(reason_in_terminate().await, ExitReason::Normal);
        let pid = server.pid().unwrap();
        let end = watch(pid);
        send(pid, ());
        assert_eq!(end.await, ExitReason::Normal);
        assert_none::<Down>().await;
    });
}
