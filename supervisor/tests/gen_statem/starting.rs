use regrow_runtime::{receive_down, spawn_monitor};

use super::*;

#[test]
fn start_and_start_link_return_when_init_is_done() {
    run(|| async {
        for machine in [start(Init::Fine).await, start_link(Init::Fine).await] {
            go(&machine, State::Busy);
            assert_eq!(seen().await, "enter Idle Busy");
            assert_eq!(which(&machine).await, Ok(State::Busy));
            assert_eq!(machine.stop(ExitReason::Normal, None).await, Ok(()));
            assert_eq!(which(&machine).await, Err(CallError::NoProc));
            assert_eq!(in_terminate().await, (ExitReason::Normal, State::Busy));
        }
    });
}

#[test]
fn a_failing_or_panicking_init_gives_its_reason_and_frees_the_name_first() {
    run(|| async {
        let start = |init| Machine::start_link((self_pid(), init)).name("machine");
        let error = start(Init::Fail(died())).await.unwrap_err();
        assert_eq!(error, StartError::Exit(died()));
        assert_eq!(whereis("machine"), None);
        let error = start(Init::Panic).await.unwrap_err();
        assert!(error.to_string().ends_with("init panics"), "{error}");
        assert_eq!(whereis("machine"), None);
        assert_none::<InTerminate>().await;
        assert_none::<Exit>().await;
    });
}

#[test]
fn an_init_that_takes_too_long_is_killed_and_leaves_nothing() {
    run(|| async {
        for link in [false, true] {
            let args = (self_pid(), Init::Hang);
            let start = match link {
                false => Machine::start(args),
                true => Machine::start_link(args),
            };
            let error = start.timeout(millis(5)).await.unwrap_err();
            assert_eq!(error, StartError::Timeout);
        }
        assert_none::<Exit>().await;
        alone().await;
    });
}

#[test]
fn a_taken_name_is_already_started_and_can_be_used_again_after_a_stop() {
    run(|| async {
        let start = |link| {
            let args = (self_pid(), Init::Fine);
            let start = match link {
                false => Machine::start(args),
                true => Machine::start_link(args),
            };
            start.name("machine")
        };
        for by_name in [false, true] {
            let machine = start(by_name).await.unwrap();
            for link in [false, true] {
                let error = start(link).await.unwrap_err();
                assert_eq!(error, StartError::AlreadyStarted(machine.pid().unwrap()));
            }
            let named: Ref = regrow_supervisor::Name::new("machine").server_ref();
            assert_eq!(which(&named).await, Ok(State::Idle));
            let stopped = if by_name { &named } else { &machine };
            stopped.stop(ExitReason::Normal, None).await.unwrap();
            assert_eq!(which(&named).await, Err(CallError::NoProc));
        }
    });
}

#[test]
fn a_name_in_another_registry_is_taken_only_once() {
    #[derive(Debug, Default)]
    struct OneName(std::sync::Mutex<Option<Pid>>);
    impl regrow_supervisor::Via for OneName {
        fn register(&self) -> Result<(), Pid> {
            let mut owner = self.0.lock().unwrap();
            match *owner {
                Some(pid) => Err(pid),
                None => {
                    *owner = Some(self_pid());
                    Ok(())
                }
            }
        }
        fn whereis(&self) -> Option<Pid> {
            *self.0.lock().unwrap()
        }
    }
    run(|| async {
        let registry = Arc::new(OneName::default());
        let start = || Machine::start((self_pid(), Init::Fine)).via(registry.clone());
        let machine = start().await.unwrap();
        let error = start().await.unwrap_err();
        assert_eq!(error, StartError::AlreadyStarted(machine.pid().unwrap()));
        let named: Ref = ServerRef::via(registry.clone());
        assert_eq!(which(&named).await, Ok(State::Idle));
        assert_eq!(named.stop(ExitReason::Normal, None).await, Ok(()));
    });
}

#[test]
fn a_machine_is_a_child_like_any_other() {
    run(|| async {
        let test = self_pid();
        let spec = regrow_supervisor::ChildSpec::new("machine", move || {
            Machine::start_link((test, Init::Fine)).name("machine")
        });
        let supervisor = supervisor(regrow_supervisor::Strategy::OneForOne).child(spec);
        supervisor.start_link().await.unwrap();
        let machine: Ref = regrow_supervisor::Name::new("machine").server_ref();
        go(&machine, State::Busy);
        tell(&machine, |_| panic!("broken"));
        assert_eq!(
            all_seen().await,
            ["enter Idle Idle", "enter Idle Busy", "enter Idle Idle"]
        );
        assert_eq!(which(&machine).await, Ok(State::Idle));
    });
}

#[test]
fn an_init_may_ignore_the_start_or_fail_it_without_a_noise() {
    run(|| async {
        for init in [Init::Ignore, Init::FailSilently(died())] {
            let expected = match &init {
                Init::Ignore => StartError::Ignored,
                _ => StartError::Exit(died()),
            };
            // A starter that does not trap exits lives on.
            let test = self_pid();
            let (_, end) = spawn_monitor(async move {
                trap_exit(false);
                let start = Machine::start_link((test, init)).name("machine");
                send(test, start.await.unwrap_err());
            });
            assert_eq!(receive::<StartError>().await, expected);
            assert_eq!(whereis("machine"), None);
            assert_eq!(receive_down(end).await.reason, ExitReason::Normal);
        }
        assert_none::<InTerminate>().await;
    });
}

#[test]
fn start_monitor_gives_a_monitor_and_no_link() {
    run(|| async {
        let args = (self_pid(), Init::Fine);
        let (machine, reference) = Machine::start_monitor(args).await.unwrap();
        tell(&machine, |_| Transition::Stop(died()));
        let end: Down = receive().await;
        assert_eq!((end.reference, end.reason), (reference, died()));
        assert_none::<Exit>().await;
    });
}

#[test]
fn a_process_can_become_a_machine_and_ends_with_its_parent() {
    run(|| async {
        let test = self_pid();
        let parent = spawn(async move {
            let options = regrow_runtime::SpawnOptions::new().link().trap_exit(true);
            let body = async move { Machine { test }.enter_loop(State::Busy).await };
            send(test, options.spawn(body).unwrap().pid);
            receive::<()>().await;
            ExitReason::Shutdown
        });
        let pid = receive::<Pid>().await;
        let machine: Ref = ServerRef::from_pid(pid);
        assert_eq!(machine.call(Message::Ask).await, Ok(State::Busy));
        assert_eq!(seen().await, "enter Busy Busy");
        send(parent, ());
        assert_eq!(in_terminate().await, (ExitReason::Shutdown, State::Busy));
    });
}
