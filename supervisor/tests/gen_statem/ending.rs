use super::*;

#[test]
fn stop_runs_terminate_in_the_present_state_and_ends_with_the_reason() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::shutdown_with("x"), died()] {
            let machine = start_link(Init::Fine).await;
            go(&machine, State::Busy);
            let because = reason.clone();
            tell(&machine, |_| Transition::Stop(because));
            assert_eq!(in_terminate().await, (reason.clone(), State::Busy));
            assert_eq!(exited(machine.pid().unwrap()).await, reason);
            assert_eq!(which(&machine).await, Err(CallError::NoProc));
            assert_eq!(seen().await, "enter Idle Busy");
        }
    });
}

#[test]
fn an_answer_is_sent_before_the_machine_ends() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::shutdown_with("x"), died()] {
            let machine = start_link(Init::Fine).await;
            let because = reason.clone();
            let answer = machine.call(|reply| Message::StopAndReply(because, reply));
            assert_eq!(answer.await, Ok("so be it"));
            assert_eq!(exited(machine.pid().unwrap()).await, reason);
        }
    });
}

#[test]
fn a_panic_runs_terminate_with_it_and_ends_with_it() {
    run(|| async {
        let machine = start_link(Init::Fine).await;
        let told = machine.call(|reply: ReplyTo<()>| {
            Message::Do(Box::new(move |_: &mut Cx| {
                let _reply = reply;
                panic!("handle panics")
            }))
        });
        let CallError::Exit(reason) = told.await.unwrap_err() else {
            panic!("something else");
        };
        assert!(reason.to_string().ends_with("handle panics"), "{reason}");
        assert_eq!(in_terminate().await, (reason.clone(), State::Idle));
        assert_eq!(exited(machine.pid().unwrap()).await, reason);
    });
}

#[test]
fn nothing_that_was_asked_for_happens_if_the_handler_panics_or_exits() {
    run(|| async {
        let machine = start_link(Init::Fine).await;
        tell(&machine, |cx| {
            cx.next_event(Event::Internal(Message::Note("never")));
            exit_with(died())
        });
        assert_eq!(in_terminate().await, (died(), State::Idle));
        assert_eq!(exited(machine.pid().unwrap()).await, died());
        assert_none::<Seen>().await;
    });
}

#[test]
fn the_parents_exit_ends_a_trapping_machine_and_is_no_event() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
        run_with(reason, |reason| async move {
            let test = self_pid();
            let because = reason.clone();
            let parent = spawn(async move {
                let machine = Machine::start_link((test, Init::TrapExit)).await.unwrap();
                send(test, machine.pid().unwrap());
                receive::<()>().await;
                because
            });
            let machine = receive::<Pid>().await;
            let reference = monitor(machine);
            send(parent, ());
            assert_eq!(in_terminate().await, (reason.clone(), State::Idle));
            let end = receive::<Down>().matching(move |down| down.reference == reference);
            assert_eq!(end.await.reason, reason);
            assert_eq!(seen().await, "enter Idle Idle");
            assert_none::<Seen>().await;
        });
    }
}

#[test]
fn an_exit_signal_ends_a_machine_that_does_not_trap_without_terminate() {
    run(|| async {
        let machine = start(Init::Fine).await;
        let pid = machine.pid().unwrap();
        let end = watch(pid);
        exit(pid, ExitReason::Shutdown);
        assert_eq!(end.await, ExitReason::Shutdown);
        assert_none::<InTerminate>().await;
    });
}

#[test]
fn stop_by_pid_or_name_is_ok_and_then_noproc() {
    run(|| async {
        let machine = start(Init::Fine).await;
        assert_eq!(machine.stop(ExitReason::Shutdown, None).await, Ok(()));
        let again = machine.stop(ExitReason::Normal, None).await;
        assert_eq!(again, Err(StopError::NoProc));
        let nobody: Ref = regrow_supervisor::Name::new("nobody").server_ref();
        let stopped = nobody.stop(ExitReason::Normal, None).await;
        assert_eq!(stopped, Err(StopError::NoProc));
    });
}

#[test]
fn a_stop_waits_behind_what_was_sent_before_and_keeps_after_a_timeout() {
    run(|| async {
        let machine = start(Init::Fine).await;
        let pid = machine.pid().unwrap();
        machine.cast(Message::Note("before"));
        machine.stop(ExitReason::Normal, None).await.unwrap();
        assert_eq!(seen().await, "message before Idle");

        let slow = start(Init::Fine).await;
        slow.cast(Message::Wait);
        let stopped = slow.stop(ExitReason::Normal, Some(millis(1))).await;
        assert_eq!(stopped, Err(StopError::Timeout));
        let reference = monitor(slow.pid().unwrap());
        send(slow.pid().unwrap(), Go);
        let end = receive::<Down>().matching(move |down| down.reference == reference);
        assert_eq!(end.await.reason, ExitReason::Normal);
        assert_eq!(down(pid).await, ExitReason::NoProc);
    });
}

#[test]
fn a_call_that_times_out_leaves_the_machine_and_drops_the_late_answer() {
    run(|| async {
        let machine = start(Init::Fine).await;
        let late = machine.call(Message::Ask).timeout(millis(1)).await;
        assert_eq!(late, Err(CallError::Timeout((&machine).into())));
        go(&machine, State::Busy); // it is answered now
        assert_eq!(which(&machine).await, Ok(State::Busy));
        assert_none::<State>().await;
        let dropped = machine.call(Message::Drop).no_timeout().await;
        assert_eq!(dropped, Err(CallError::NoReply));
    });
}

#[test]
fn terminate_is_not_needed() {
    run(|| async {
        struct Plain;
        impl StateMachine for Plain {
            type Args = ();
            type State = ();
            type Message = ();
            type Timer = ();
            async fn init((): (), _: &mut Context<Self>) -> Result<((), Self), ExitReason> {
                Ok(((), Plain))
            }
            async fn handle(
                &mut self,
                _: Event<()>,
                (): &(),
                _: &mut Context<Self>,
            ) -> Transition<()> {
                Transition::Stop(died())
            }
        }
        let plain = Plain::start_link(()).await.unwrap();
        plain.cast(());
        assert_eq!(exited(plain.pid().unwrap()).await, died());
    });
}

/// A machine whose `terminate` takes more than the turn in which the request came.
struct Closing;

impl StateMachine for Closing {
    type Args = ();
    type State = ();
    type Message = regrow_runtime::ReplyTo<()>;
    type Timer = ();

    async fn init((): (), _: &mut Context<Self>) -> Result<((), Self), ExitReason> {
        Ok(((), Closing))
    }

    async fn handle(
        &mut self,
        request: Event<Self::Message>,
        (): &(),
        _: &mut Context<Self>,
    ) -> Transition<()> {
        drop(request);
        Transition::Stop(ExitReason::Shutdown)
    }

    async fn terminate(&mut self, _: &ExitReason, (): &(), _: &mut Context<Self>) {
        regrow_runtime::sleep(millis(1)).await;
    }
}

#[test]
fn a_call_that_stops_the_machine_gets_its_reason_however_long_terminate_takes() {
    run(|| async {
        let machine = Closing::start_link(()).await.unwrap();
        let answer = machine.call(|reply| reply).await;
        assert_eq!(answer, Err(CallError::Exit(ExitReason::Shutdown)));
    });
}
