//! Supervisors whose settings are made in their own process.

use regrow_runtime::{Exit, ExitReason, Pid, receive, self_pid, send, whereis};
use regrow_supervisor::{
    ChildSpec, ChildState, DynamicSupervisor, FailedToStartChild, SpecError, StartChildError,
    StartError, Strategy, Supervisor, SupervisorRef,
};

use crate::common::*;

#[test]
fn the_function_runs_in_the_supervisors_process_which_has_its_name() {
    run(|| async {
        let test = self_pid();
        let child = worker("one");
        let sup = Supervisor::init(move || async move {
            send(test, (self_pid(), whereis("sup")));
            Ok::<_, ExitReason>(Supervisor::new(Strategy::RestForOne).child(child))
        })
        .name("sup")
        .start_link()
        .await
        .unwrap();
        let (pid, named) = receive::<(Pid, Option<Pid>)>().await;
        assert_eq!((Some(pid), Some(pid)), (sup.pid(), named));
        starts(1).await;
        assert_eq!(counts(&SupervisorRef::named("sup")).await, [1, 1, 0, 1]);
    });
}

#[test]
fn what_the_function_fails_with_is_why_the_start_has_failed() {
    run(|| async {
        let failing = Supervisor::init(|| async { Err::<Supervisor, _>(died()) });
        let error = failing.name("sup").start_link().await.unwrap_err();
        assert_eq!(error, StartError::Exit(died()));
        assert_eq!(whereis("sup"), None);
        let panicking = Supervisor::init(|| async {
            if whereis("nobody").is_none() {
                panic!("no configuration");
            }
            Ok::<_, ExitReason>(Supervisor::new(Strategy::OneForOne))
        });
        let error = panicking.start_link().await.unwrap_err();
        let StartError::Exit(ExitReason::Panic(panic)) = error else {
            panic!("no panic: {error:?}");
        };
        assert_eq!(panic.message(), "no configuration");
        assert_none::<Exit>().await;
        alone().await;
    });
}

#[test]
fn a_supervisor_that_has_nothing_to_supervise_is_ignored() {
    run(|| async {
        let nothing = || Supervisor::init(|| async { Ok::<_, ExitReason>(None) }).name("sup");
        let ignored = nothing().start_link().await.unwrap_err();
        assert_eq!(ignored, StartError::Ignored);
        assert_eq!(whereis("sup"), None);
        assert_none::<Exit>().await;
        alone().await;

        let sub = ChildSpec::supervisor("sub", move || nothing().start_link());
        let sup = supervisor(Strategy::OneForOne)
            .child(sub.clone())
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        starts(1).await;
        assert_eq!(state(&sup, "sub").await, ChildState::Stopped);
        assert_eq!(counts(&sup).await, [2, 1, 1, 1]);
        let dynamic = DynamicSupervisor::new().start_link().await.unwrap();
        let ignored = dynamic.start_child(sub).await;
        assert_eq!(ignored, Err(StartChildError::Ignored));
    });
}

#[test]
fn settings_made_there_are_checked_like_others() {
    run(|| async {
        let child = worker("one");
        let twice = child.clone();
        let sup = Supervisor::init(move || async move {
            let settings = Supervisor::new(Strategy::OneForOne);
            Ok::<_, ExitReason>(settings.children([child, twice]))
        });
        let error = SpecError::DuplicateId { id: "one".into() };
        let expected = StartError::Exit(ExitReason::error(error));
        assert_eq!(sup.start_link().await.unwrap_err(), expected);

        let named = Supervisor::init(|| async {
            Ok::<_, ExitReason>(Supervisor::new(Strategy::OneForOne).name("late"))
        });
        let expected = StartError::Exit(ExitReason::error(SpecError::NameInInit));
        assert_eq!(named.start_link().await.unwrap_err(), expected);

        let fails = Switch::default();
        fails.set(true);
        let child = failing_worker("bad", &fails);
        let failing = Supervisor::init(move || async move {
            Ok::<_, ExitReason>(Supervisor::new(Strategy::OneForOne).child(child))
        });
        let error = failing.start_link().await.unwrap_err();
        let StartError::Exit(ExitReason::ShutdownWith(failed)) = error else {
            panic!("not a failed child: {error:?}");
        };
        assert!(failed.is::<FailedToStartChild>());
    });
}

#[test]
fn a_supervisor_that_is_made_in_its_process_is_made_anew_at_each_restart() {
    run(|| async {
        let test = self_pid();
        let sub = move || {
            Supervisor::init(move || async move {
                send(test, self_pid());
                Ok::<_, ExitReason>(Supervisor::new(Strategy::OneForOne))
            })
            .start_link()
        };
        let sup = supervisor(Strategy::OneForOne)
            .child(ChildSpec::supervisor("sub", sub))
            .start_link()
            .await
            .unwrap();
        let first = receive::<Pid>().await;
        assert_eq!(pid(&sup, "sub").await, first);
        regrow_runtime::exit(first, ExitReason::Kill);
        assert_ne!(receive::<Pid>().await, first);
    });
}
