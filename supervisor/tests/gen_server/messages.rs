use super::*;

#[test]
fn messages_of_other_types_reach_handle_info() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        send(server.pid().unwrap(), Foreign);
        assert_eq!(heard().await, "foreign");
    });
}

#[test]
fn the_servers_own_type_reaches_handle_however_it_was_sent() {
    run(|| async {
        let server = start(Init::Fine).await;
        send(server.pid().unwrap(), Command::Stop(ExitReason::Normal));
        assert_eq!(reason_in_terminate().await, ExitReason::Normal);
    });
}

#[test]
fn exits_of_others_and_downs_reach_handle_info_of_a_trapping_server() {
    run(|| async {
        struct Watcher(Pid);
        impl GenServer for Watcher {
            type Args = (Pid, Pid);
            type Message = ();
            async fn init(
                (test, watched): (Pid, Pid),
                _: &mut Context<Self>,
            ) -> Result<Self, ExitReason> {
                trap_exit(true);
                monitor(watched);
                regrow_runtime::link(watched);
                Ok(Watcher(test))
            }
            async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Next {
                Next::Continue
            }
            async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
                let text = match info {
                    Info::Exit(exit) => format!("exit {}", exit.reason),
                    Info::Down(down) => format!("down {}", down.reason),
                    other => panic!("handle_info got {other:?}"),
                };
                send(self.0, Heard(text));
                Next::Continue
            }
        }
        let watched = spawn(async {
            receive::<()>().await;
            Err::<(), _>(died())
        });
        Watcher::start((self_pid(), watched)).await.unwrap();
        send(watched, ());
        let mut both = [heard().await, heard().await];
        both.sort();
        assert_eq!(both, ["down died", "exit died"]);
    });
}

#[test]
fn the_default_handle_info_drops_the_message() {
    run(|| async {
        let worker = Worker::start_link(("one", self_pid())).await.unwrap();
        let pid = worker.pid().unwrap();
        send(pid, Foreign);
        worker.stop(ExitReason::Normal, None).await.unwrap();
    });
}

#[test]
fn an_idle_timeout_fires_once_if_nothing_comes() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        server.cast(Command::Idle(1));
        assert_eq!(heard().await, "timeout");
        assert_eq!(echo(&server).await, Ok("hello"));
        assert_none::<Heard>().await;
    });
}

#[test]
fn any_message_cancels_the_idle_timeout_and_a_queued_one_beats_zero() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        server.cast(Command::Idle(0));
        send(server.pid().unwrap(), Foreign);
        server.cast(Command::Idle(60_000));
        assert_eq!(echo(&server).await, Ok("hello"));
        assert_eq!(heard().await, "foreign");
        assert_none::<Heard>().await;
    });
}
