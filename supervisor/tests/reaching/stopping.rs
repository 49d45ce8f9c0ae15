//! `stop`, with every outcome, by every kind of reference.

use regrow_runtime::{Down, exit, is_alive, processes, receive_down, self_pid, send, whereis};
use regrow_supervisor::{StartError, StopError};

use super::*;

#[test]
fn stop_ends_the_server_with_the_reason_and_then_there_is_nobody() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            for (pid, server) in start_known().await {
                let end = regrow_runtime::monitor(pid);
                assert_eq!(server.stop(reason.clone(), None).await, Ok(()), "{server}");
                assert!(!is_alive(pid).await);
                assert_eq!(receive_down(end).await.reason, reason);
                for timeout in [None, Some(millis(1)), Some(millis(0))] {
                    let again = server.stop(ExitReason::Normal, timeout).await;
                    assert_eq!(again, Err(StopError::NoProc), "{server}");
                }
            }
        }
        assert_none::<Down>().await;
    });
}

#[test]
fn a_server_that_does_not_stop_in_time_stops_later() {
    run(|| async {
        for (pid, server) in start_known().await {
            server.cast(Command::Wait);
            for timeout in [millis(0), millis(1)] {
                let stopped = server.stop(died(), Some(timeout)).await;
                assert_eq!(stopped, Err(StopError::Timeout), "{server}");
            }
            assert!(is_alive(pid).await);
            let end = regrow_runtime::monitor(pid);
            send(pid, Go);
            assert_eq!(receive_down(end).await.reason, died());
        }
        assert_none::<Down>().await;
    });
}

#[test]
fn a_server_that_ends_otherwise_gives_its_reason() {
    run(|| async {
        for (_, server) in start_known().await {
            // A crash in `terminate` is the reason then.
            server.cast(Command::InTerminate(Terminate::Panic));
            let stopped = server.stop(ExitReason::Normal, None).await;
            let Err(StopError::Exit(ExitReason::Panic(panic))) = stopped else {
                panic!("{stopped:?}");
            };
            assert!(panic.to_string().ends_with("terminate panics"));
        }
        for (_, server) in start_known().await {
            // It was about to end with another one.
            server.cast(Command::Panic(regrow_runtime::reply_channel().0));
            let stopped = server.stop(ExitReason::Normal, None).await;
            let crashed = matches!(stopped, Err(StopError::Exit(ExitReason::Panic(_))));
            assert!(crashed || stopped == Err(StopError::NoProc), "{stopped:?}");
        }
        for (pid, server) in start_known().await {
            server.cast(Command::Wait);
            exit(pid, ExitReason::Kill);
            let stopped = server.stop(ExitReason::Normal, None).await;
            let killed = stopped == Err(StopError::Exit(ExitReason::Killed));
            assert!(killed || stopped == Err(StopError::NoProc), "{stopped:?}");
        }
    });
}

#[test]
fn a_process_that_stops_itself_is_told() {
    run(|| async {
        regrow_runtime::register("server", self_pid()).unwrap();
        for me in [Ref::from_pid(self_pid()), NAME.server_ref()] {
            let stopped = me.stop(ExitReason::Normal, None).await;
            assert_eq!(stopped, Err(StopError::CallingSelf));
        }
        assert!(is_alive(self_pid()).await);
    });
}

/// A request to stop does not overtake what was sent before.
#[test]
fn all_casts_before_a_stop_are_handled() {
    /// Counts, and says at its end how far it came.
    struct Counter(Pid, u32);

    struct Counted(u32);

    impl GenServer for Counter {
        type Args = Pid;
        type Message = ();

        async fn init(test: Pid, _: &mut Context<Self>) -> Result<Self, ExitReason> {
            Ok(Counter(test, 0))
        }

        async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Next {
            self.1 += 1;
            Next::Continue
        }

        async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
            send(self.0, Counted(self.1));
        }
    }

    run(|| async {
        let server = Counter::start(self_pid()).await.unwrap();
        for _ in 0..1_000 {
            server.cast(());
        }
        server.stop(ExitReason::Normal, None).await.unwrap();
        assert_eq!(receive::<Counted>().await.0, 1_000);
    });
}

/// Two owners of one resource must not overlap.
#[test]
fn the_name_of_a_server_is_taken_while_it_terminates() {
    run(|| async {
        let first = Server::start(()).name(NAME).await.unwrap();
        let pid = first.pid().unwrap();
        first.cast(Command::InTerminate(Terminate::Wait));
        let stopped = first.stop(ExitReason::Normal, Some(millis(1))).await;
        assert_eq!(stopped, Err(StopError::Timeout)); // in `terminate`
        let second = Server::start(()).name(NAME).await;
        assert_eq!(second, Err(StartError::AlreadyStarted(pid)));
        assert_eq!(whereis("server"), Some(pid));
        send(pid, Go);
        down(pid).await;
        assert_eq!(whereis("server"), None);
        assert!(Server::start(()).name(NAME).await.is_ok());
        assert_eq!(processes().len(), 2);
    });
}
