use super::*;
use crate::probe;

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

/// A server that takes its time to end, and may fail in it.
struct Slow {
    test: Pid,
    fails: bool,
}

impl GenServer for Slow {
    type Args = (Pid, bool);
    type Message = regrow_runtime::ReplyTo<()>;

    async fn init((test, fails): (Pid, bool), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Slow { test, fails })
    }

    async fn handle(&mut self, reply: Self::Message, cx: &mut Context<Self>) -> Next {
        cx.stop_and_reply(died(), reply, ())
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        regrow_runtime::sleep(millis(1)).await;
        send(self.test, InTerminate(reason.clone()));
        assert!(!self.fails, "in terminate");
    }
}

#[test]
fn a_reply_with_a_stop_is_sent_after_terminate_even_if_that_panics() {
    for fails in [false, true] {
        run_with(fails, |fails| async move {
            let server = Slow::start_link((self_pid(), fails)).await.unwrap();
            assert_eq!(server.call(|reply| reply).await, Ok(()));
            yield_now().await; // a reply does not pass through the mailbox
            let told = regrow_runtime::try_receive::<InTerminate>();
            assert_eq!(told.expect("terminate has run").0, died());
            let reason = exited(server.pid().unwrap()).await;
            assert_eq!(matches!(reason, ExitReason::Panic(_)), fails, "{reason}");
        });
    }
}

#[test]
fn a_reply_with_a_stop_fails_if_the_server_is_killed_in_terminate() {
    run(|| async {
        let server = probe::started().await;
        let call = server.call(|reply| {
            probe::act(move |probe, cx| {
                probe.terminate = || exit(self_pid(), ExitReason::Kill);
                cx.stop_and_reply(ExitReason::Normal, reply, "reply")
            })
        });
        assert_eq!(call.await, Err(CallError::Exit(ExitReason::Killed)));
    });
}

#[test]
fn a_reply_sent_before_a_crash_counts() {
    run(|| async {
        let server = probe::started().await;
        let call = server.call(|reply| {
            probe::act(move |_, _| {
                reply.send("replied");
                panic!("then crashed")
            })
        });
        assert_eq!(call.await, Ok("replied"));
    });
}

/// A server whose `terminate` takes more than the turn in which the request came.
struct Closing;

impl GenServer for Closing {
    type Args = ();
    type Message = regrow_runtime::ReplyTo<()>;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Closing)
    }

    async fn handle(&mut self, reply: Self::Message, _: &mut Context<Self>) -> Next {
        drop(reply);
        Next::Stop(ExitReason::Shutdown)
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        regrow_runtime::sleep(crate::common::millis(1)).await;
    }
}

#[test]
fn a_call_that_stops_the_server_gets_its_reason_however_long_terminate_takes() {
    run(|| async {
        let server = Closing::start_link(()).await.unwrap();
        let answer = server.call(|reply| reply).await;
        assert_eq!(answer, Err(CallError::Exit(ExitReason::Shutdown)));
    });
}
