use super::*;

#[test]
fn stop_from_a_callback_runs_terminate_and_ends_with_the_reason() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::shutdown_with("x"), died()] {
            let server = start_link(Init::Fine).await;
            server.cast(Command::Stop(reason.clone()));
            assert_eq!(reason_in_terminate().await, reason);
            assert_eq!(exited(server.pid().unwrap()).await, reason);
        }
    });
}

#[test]
fn a_panic_runs_terminate_with_it_and_ends_with_it() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        server.cast(Command::Panic);
        let ExitReason::Panic(panic) = reason_in_terminate().await else {
            panic!("not a panic");
        };
        assert_eq!(panic.message(), "handle panics");
        let reason = exited(server.pid().unwrap()).await;
        assert_eq!(reason, ExitReason::Panic(panic));
    });
}

#[test]
fn a_panic_in_handle_info_ends_the_server() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        send(server.pid().unwrap(), "what is this?");
        assert!(matches!(reason_in_terminate().await, ExitReason::Panic(_)));
        let reason = exited(server.pid().unwrap()).await;
        assert!(matches!(reason, ExitReason::Panic(_)));
    });
}

#[test]
fn an_exit_of_oneself_in_a_callback_runs_terminate() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        server.cast(Command::Exit(died()));
        assert_eq!(reason_in_terminate().await, died());
        assert_eq!(exited(server.pid().unwrap()).await, died());
    });
}

#[test]
fn a_panic_in_terminate_replaces_the_reason() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        server.cast(Command::Terminate(Terminate::Panic));
        server.cast(Command::Stop(ExitReason::Normal));
        let reason = exited(server.pid().unwrap()).await;
        assert!(reason.to_string().ends_with("terminate panics"), "{reason}");
    });
}

#[test]
fn the_parents_exit_ends_a_trapping_server_and_never_reaches_handle_info() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
        run_with(reason, |reason| async move {
            let test = self_pid();
            let because = reason.clone();
            let parent = spawn(async move {
                let server = Server::start_link((test, Init::TrapExit)).await.unwrap();
                send(test, server.pid().unwrap());
                receive::<()>().await;
                because
            });
            let server = receive::<Pid>().await;
            let reference = monitor(server);
            send(parent, ());
            assert_eq!(reason_in_terminate().await, reason);
            let down = receive::<regrow_runtime::Down>()
                .matching(move |down| down.reference == reference)
                .await;
            assert_eq!(down.reason, reason);
            assert_none::<Heard>().await;
        });
    }
}

#[test]
fn an_exit_signal_sent_by_the_parent_counts_as_its_exit() {
    run(|| async {
        let server = start_link(Init::TrapExit).await;
        exit(server.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(reason_in_terminate().await, ExitReason::Shutdown);
        assert_eq!(exited(server.pid().unwrap()).await, ExitReason::Shutdown);
    });
}

#[test]
fn a_parent_that_finishes_normally_leaves_a_server_that_does_not_trap() {
    run(|| async {
        let test = self_pid();
        let parent = spawn(async move {
            let server = Server::start_link((test, Init::Fine)).await.unwrap();
            send(test, server);
        });
        down(parent).await;
        let server = receive::<Ref>().await;
        assert_eq!(echo(&server).await, Ok("hello"));
    });
}

#[test]
fn terminate_does_not_run_on_kill_nor_on_exit_signals_without_trapping() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        exit(server.pid().unwrap(), died());
        assert_eq!(exited(server.pid().unwrap()).await, died());
        let server = start_link(Init::TrapExit).await;
        exit(server.pid().unwrap(), ExitReason::Kill);
        assert_eq!(exited(server.pid().unwrap()).await, ExitReason::Killed);
        assert_none::<InTerminate>().await;
    });
}
