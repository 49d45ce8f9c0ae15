use super::*;

#[test]
fn start_and_start_link_return_when_init_is_done() {
    run(|| async {
        for server in [start(Init::Fine).await, start_link(Init::Fine).await] {
            assert_eq!(echo(&server).await, Ok("hello"));
        }
    });
}

#[test]
fn a_taken_name_is_already_started_with_its_pid() {
    run(|| async {
        let test = self_pid();
        let first = Server::start((test, Init::Fine))
            .name("server")
            .await
            .unwrap();
        assert_eq!(whereis("server"), first.pid());
        let pid = first.pid().unwrap();
        for link in [false, true] {
            let args = (test, Init::Fine);
            let start = match link {
                false => Server::start(args),
                true => Server::start_link(args),
            };
            let error = start.name("server").await.unwrap_err();
            assert_eq!(error, StartError::AlreadyStarted(pid));
        }
        assert_none::<Exit>().await;
    });
}

#[test]
fn a_failing_init_gives_its_reason_and_frees_the_name_first() {
    run(|| async {
        let test = self_pid();
        for round in 0..100 {
            let args = (test, Init::Fail(ExitReason::error("no")));
            let start = match round % 2 {
                0 => Server::start(args),
                _ => Server::start_link(args),
            };
            let error = start.name("server").await.unwrap_err();
            assert_eq!(error, StartError::Exit(ExitReason::error("no")));
            assert_eq!(whereis("server"), None);
        }
        alone().await;
    });
}

#[test]
fn a_failing_start_link_leaves_no_exit_in_a_trapping_parent() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            let args = (self_pid(), Init::Fail(reason.clone()));
            let error = Server::start_link(args).await.unwrap_err();
            assert_eq!(error, StartError::Exit(reason));
            yield_now().await;
            assert_none::<Exit>().await;
        }
        assert_none::<InTerminate>().await;
    });
}

#[test]
fn a_failing_start_link_kills_a_parent_that_does_not_trap() {
    run(|| async {
        let test = self_pid();
        let start = async move |reason| {
            let (_, reference) = spawn_monitor(async move {
                let error = Server::start_link((test, Init::Fail(reason))).await;
                send(test, error.is_err());
            });
            let down = receive::<Down>().matching(move |down| down.reference == reference);
            down.await.reason
        };
        // Whichever comes first, the answer or the link's signal.
        for _ in 0..200 {
            assert_eq!(start(died()).await, died());
        }
        assert_none::<bool>().await;
        assert_eq!(start(ExitReason::Normal).await, ExitReason::Normal);
        assert!(receive::<bool>().await);
    });
}

#[test]
fn a_panicking_init_gives_the_panic() {
    run(|| async {
        let error = Server::start_link((self_pid(), Init::Panic)).await;
        let Err(StartError::Exit(ExitReason::Panic(panic))) = error else {
            panic!("not a panic: {error:?}");
        };
        assert_eq!(panic.message(), "init panics");
        assert!(panic.file().is_some_and(|file| file.ends_with("mod.rs")));
        assert_none::<InTerminate>().await;
    });
}

#[test]
fn an_init_that_takes_too_long_is_killed_and_leaves_nothing() {
    run(|| async {
        let test = self_pid();
        for link in [false, true] {
            let args = (test, Init::HangTrapping);
            let start = match link {
                false => Server::start(args),
                true => Server::start_link(args),
            };
            let error = start.name("server").timeout(millis(10)).await.unwrap_err();
            assert_eq!(error, StartError::Timeout);
            let pid = receive::<Pid>().await;
            assert!(!is_alive(pid).await);
            assert_eq!(whereis("server"), None);
        }
        assert_none::<Exit>().await;
        alone().await;
    });
}

#[test]
fn a_server_killed_in_init_fails_its_start() {
    run(|| async {
        let test = self_pid();
        let starter = spawn(async move {
            let started = Server::start((test, Init::Hang)).await;
            send(test, started.map(|_| ()));
        });
        exit(receive::<Pid>().await, ExitReason::Kill);
        let started = receive::<Result<(), StartError>>().await;
        assert_eq!(started, Err(StartError::Exit(ExitReason::Killed)));
        down(starter).await;
    });
}

#[test]
fn a_linked_server_dies_with_its_starter_even_in_init() {
    run(|| async {
        let test = self_pid();
        let starter = spawn(async move {
            let _started = Server::start_link((test, Init::Hang)).await;
        });
        let server = receive::<Pid>().await;
        let end = watch(server);
        exit(starter, ExitReason::Kill);
        assert_eq!(end.await, ExitReason::Killed);
    });
}
