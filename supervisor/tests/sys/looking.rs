use regrow_runtime::{ExitReason, SpawnOptions, monitor, receive_down, self_pid, spawn};
use regrow_supervisor::sys::{self, SysError};
use regrow_supervisor::{CallError, Name, Next, Strategy};

use super::*;
use crate::probe::{self, Probe, act};

#[test]
fn get_state_clones_the_state_by_reference_pid_and_name() {
    run(|| async {
        const NAME: Name<Command> = Name::new("counter");
        let server = Counter::start_link(7).name(NAME).await.unwrap();
        let wanted = Counter {
            value: 7,
            clones: true,
        };
        let by_reference = sys::get_state::<Counter>(&server).await;
        assert_eq!(by_reference.unwrap(), wanted);
        let by_pid = sys::get_state::<Counter>(&server.pid().unwrap()).timeout(secs(5));
        assert_eq!(by_pid.await.unwrap(), wanted);
        assert_eq!(sys::get_state::<Counter>(&NAME).await.unwrap(), wanted);
        let by_name = NAME.server_ref();
        assert_eq!(sys::get_state::<Counter>(&by_name).await.unwrap(), wanted);
        let value = sys::get_state_with(&server, |it: &Counter| it.value).await;
        assert_eq!(value, Ok(7));
    });
}

#[test]
fn a_state_of_another_type_is_told_and_touched_by_nobody() {
    run(|| async {
        let server = counter(1).await;
        let error = sys::get_state::<u64>(&server).await.unwrap_err();
        let found = std::any::type_name::<Counter>();
        let expected = "u64";
        assert_eq!(error, SysError::WrongState { expected, found });
        let error = sys::replace_state(&server, |_: &String| "x".into()).await;
        assert!(matches!(error, Err(SysError::WrongState { .. })));
        assert_eq!(server.call(Command::Get).await, Ok(1));
    });
}

/// As a call does.
#[test]
fn a_process_that_asks_for_a_missing_name_in_a_loop_lets_others_run() {
    run(|| async {
        const NAME: Name<Command> = Name::new("late");
        spawn(async { drop(Counter::start(7).name(NAME).await) });
        while let Err(error) = sys::suspend(&NAME).await {
            assert_eq!(error, SysError::Call(CallError::NoProc));
        }
    });
}

#[test]
fn replace_state_puts_what_the_closure_makes_in_its_place() {
    run(|| async {
        let server = counter(1).await;
        let add = |it: &Counter| Counter {
            value: it.value + 41,
            ..*it
        };
        assert_eq!(sys::replace_state(&server, add).await, Ok(()));
        assert_eq!(server.call(Command::Get).await, Ok(42));
    });
}

#[test]
fn a_closure_that_panics_changes_nothing_and_tells_the_asker() {
    run(|| async {
        let server = counter(1).await;
        let error = sys::replace_state(&server, |_: &Counter| panic!("in the closure"));
        let Err(SysError::CallbackFailed(reason)) = error.await else {
            panic!("no failure");
        };
        assert!(reason.to_string().ends_with("in the closure"));
        let exits = sys::get_state_with(&server, |_: &Counter| {
            regrow_runtime::exit_with(ExitReason::Shutdown)
        });
        let exits: Result<(), _> = exits.await;
        assert_eq!(exits, Err(SysError::CallbackFailed(ExitReason::Shutdown)));
        let no_clone = |_: &Counter| Counter {
            value: 2,
            clones: false,
        };
        sys::replace_state(&server, no_clone).await.unwrap();
        let error = sys::get_state::<Counter>(&server).await;
        assert!(matches!(error, Err(SysError::CallbackFailed(_))));
        assert_eq!(server.call(Command::Get).await, Ok(2));
    });
}

#[test]
fn status_says_what_it_is_and_how_it_is() {
    run(|| async {
        let start = Counter::start_link(0).name("named").label("a counter");
        let server = start.await.unwrap();
        let status = sys::get_status(&server).await.unwrap();
        assert_eq!(status.pid, server.pid().unwrap());
        assert_eq!(status.name.as_deref(), Some("named"));
        assert_eq!(status.label.as_deref(), Some("a counter"));
        assert_eq!(status.parent, Some(self_pid()));
        assert_eq!(status.behaviour, "gen_server");
        assert!(status.module.ends_with("sys::Counter"));
        assert!(status.state.ends_with("sys::Counter"), "its type only");
        assert!(!status.suspended && !status.hibernating);
        assert!(!status.statistics && !status.traced);
        assert_eq!(status.message_queue_len, 0);
        let alone = Counter::start(0).await.unwrap();
        assert_eq!(sys::get_status(&alone).await.unwrap().parent, None);
    });
}

#[test]
fn supervisors_of_both_kinds_answer_as_well() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let status = sys::get_status(&sup).await.unwrap();
        assert_eq!(status.pid, sup.pid().unwrap());
        let dynamic = regrow_supervisor::DynamicSupervisor::new();
        let dynamic = dynamic.start_link().await.unwrap();
        let status = sys::get_status(&dynamic).await.unwrap();
        assert_eq!(status.pid, dynamic.pid().unwrap());
    });
}

#[test]
fn who_cannot_answer_is_an_error_and_says_why() {
    run(|| async {
        let noproc = Err(SysError::Call(CallError::NoProc));
        let server = Counter::start(1).await.unwrap();
        server.stop(ExitReason::Normal, None).await.unwrap();
        assert_eq!(sys::suspend(&server).await, noproc);
        assert_eq!(sys::suspend(&Name::<()>::new("nobody")).await, noproc);

        let itself = Err(SysError::Call(CallError::CallingSelf));
        assert_eq!(sys::suspend(&self_pid()).await, itself);

        let no_behaviour = spawn(std::future::pending::<()>());
        let is_late = |answer| matches!(answer, Err(SysError::Call(CallError::Timeout(_))));
        assert!(is_late(sys::resume(&no_behaviour).timeout(millis(1)).await));

        let busy = counter(1).await;
        busy.call(|reply| Command::Wait(reply, millis(20)))
            .await
            .unwrap();
        assert!(is_late(sys::resume(&busy).timeout(millis(1)).await));
        assert_eq!(sys::resume(&busy).no_timeout().await, Ok(()));

        // It is in the mailbox of one that ends.
        let end = |_: &mut Probe, _: &mut probe::Context| Next::Stop(ExitReason::Shutdown);
        let ends = probe::started().await;
        sys::suspend(&ends).await.unwrap();
        ends.cast(act(end));
        sys::resume(&ends).await.unwrap();
        let told = sys::get_status(&ends).await.unwrap_err();
        let (CallError::Exit(ExitReason::Shutdown) | CallError::NoProc) = call_error(told) else {
            panic!("not told why");
        };
    });
}

fn call_error(error: SysError) -> CallError {
    match error {
        SysError::Call(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_system_message_is_no_info_and_waits_behind_what_was_sent_before() {
    run(|| async {
        let server = probe::started().await;
        server.cast(act(|probe, _| {
            probe.tell("before");
            Next::Continue
        }));
        let seen = sys::get_state_with(&server, |probe: &Probe| probe.tell("asked"));
        seen.await.unwrap();
        assert_eq!(probe::steps(2).await, ["before", "asked"]);
        assert_none::<probe::Step>().await;
    });
}

#[test]
fn askers_of_a_server_that_ends_are_told_so() {
    // Many askers at once, of one that ends while they ask.
    run(|| async {
        for _ in 0..20 {
            let server = Counter::start(1).await.unwrap();
            let pid = server.pid().unwrap();
            let mut ends = Vec::new();
            for _ in 0..5 {
                let server = server.clone();
                let asker = SpawnOptions::new().monitor().spawn(async move {
                    while let Ok(state) = sys::get_state::<Counter>(&server).await {
                        assert_eq!(state.value, 1);
                    }
                });
                ends.push(asker.unwrap().monitor.unwrap());
            }
            let end = monitor(pid);
            regrow_runtime::exit(pid, died());
            receive_down(end).await;
            for end in ends {
                assert_eq!(receive_down(end).await.reason, ExitReason::Normal);
            }
        }
    });
}
