//! What supervisors can be asked beyond the walk of `api.rs`, and for how long one waits.

use regrow_runtime::{ExitReason, exit, receive, self_pid, send, spawn, spawn_link};
use regrow_supervisor::{
    AutoShutdown, CallError, Child, ChildSpec, ChildState, Context, DynamicSupervisor,
    GetChildSpecError, Next, Restart, RestartChildError, SpecError, StartChildError, Strategy,
    SupervisorRef, WhichChildError, check_childspecs,
};

use crate::common::*;

#[test]
fn which_child_tells_of_one_child_what_which_children_tells_of_all() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .children([worker("one"), worker("two").restart(Restart::Transient)])
            .start_link()
            .await
            .unwrap();
        sup.terminate_child("one").await.unwrap();
        for child in sup.which_children().await.unwrap() {
            assert_eq!(sup.which_child(&child.id).await, Ok(child));
        }
        let one = sup.which_child("one").await.unwrap();
        assert_eq!(one.state, ChildState::Stopped);
        let three = sup.which_child("three").await;
        assert_eq!(three, Err(WhichChildError::NotFound));
        sup.stop(ExitReason::Normal, None).await.unwrap();
        let late = sup.which_child("one").await;
        assert_eq!(late, Err(WhichChildError::Call(CallError::NoProc)));
    });
}

#[test]
fn a_dynamic_supervisor_knows_its_children_by_pid() {
    run(|| async {
        let sup = DynamicSupervisor::new().start_link().await.unwrap();
        let one = sup.start_child(worker("one")).await.unwrap();
        let info = sup.which_child(one).await.unwrap();
        assert_eq!((&*info.id, info.state), ("one", ChildState::Running(one)));
        assert_eq!(&*sup.get_childspec(one).await.unwrap().id, "one");
        let stranger = spawn(async {});
        let found = sup.which_child(stranger).await;
        assert_eq!(found, Err(WhichChildError::NotFound));
        let spec = sup.get_childspec(stranger).await;
        assert_eq!(spec.unwrap_err(), GetChildSpecError::NotFound);
    });
}

#[test]
fn the_spec_of_a_dynamic_child_starts_another_unless_it_is_temporary() {
    run(|| async {
        let sup = DynamicSupervisor::new().start_link().await.unwrap();
        let one = sup.start_child(worker("one")).await.unwrap();
        let spec = sup.get_childspec(one).await.unwrap();
        assert_ne!(sup.start_child(spec).await.unwrap(), one);
        let gone = sup.start_child(worker("gone").restart(Restart::Temporary));
        let spec = sup.get_childspec(gone.await.unwrap()).await.unwrap();
        let error = SpecError::NoStartFunction { id: "gone".into() };
        let again = sup.start_child(spec).await;
        assert_eq!(again, Err(StartChildError::BadSpec(error)));
    });
}

#[test]
fn specs_can_be_checked_without_a_supervisor() {
    run(|| async {
        let significant = worker("one").significant(true);
        let transient = significant.clone().restart(Restart::Transient);
        let id = || "one".into();
        let never = SpecError::SignificantWithoutAutoShutdown { id: id() };
        let permanent = SpecError::SignificantPermanent { id: id() };
        let twice = SpecError::DuplicateId { id: id() };
        // As in OTP: without a word on auto-shutdown, only what is wrong in any case is.
        for (spec, mode, expected) in [
            (&worker("one"), None, None),
            (&significant, None, Some(&permanent)),
            (&significant, Some(AutoShutdown::Never), Some(&never)),
            (
                &significant,
                Some(AutoShutdown::AnySignificant),
                Some(&permanent),
            ),
            (&transient, None, None),
            (&transient, Some(AutoShutdown::Never), Some(&never)),
            (&transient, Some(AutoShutdown::AllSignificant), None),
        ] {
            let checked = check_childspecs(std::slice::from_ref(spec), mode);
            assert_eq!(checked.as_ref().err(), expected);
        }
        let checked = check_childspecs(&[worker("one"), worker("two"), worker("one")], None);
        assert_eq!(checked, Err(twice));
    });
}

#[test]
fn a_bad_spec_is_told_before_a_taken_id() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        let bad = worker("one").significant(true);
        let error = SpecError::SignificantWithoutAutoShutdown { id: "one".into() };
        let answer = sup.start_child(bad).await;
        assert_eq!(answer, Err(StartChildError::BadSpec(error)));
    });
}

/// A child whose start function says besides the pid how often it has run.
fn telling(id: &'static str) -> ChildSpec {
    let test = self_pid();
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    ChildSpec::new(id, move || {
        let run = 1 + runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move {
            let server = Worker::start_link((id, test)).await?;
            Ok::<_, ExitReason>(Child::from(server).with_info(run))
        }
    })
}

#[test]
fn a_start_function_can_tell_whoever_asked_more_than_the_pid() {
    run(|| async {
        // At the supervisor's own start nobody asks.
        let sup = supervisor(Strategy::OneForOne)
            .child(telling("one"))
            .start_link()
            .await
            .unwrap();
        let one = started("one").await;
        assert_eq!(pid(&sup, "one").await, one);
        let not_found = sup.restart_child_with_info::<u32>("two").await;
        assert_eq!(not_found, Err(RestartChildError::NotFound));
        let running = sup.restart_child_with_info::<u32>("one").await;
        assert_eq!(running, Err(RestartChildError::Running));
        sup.terminate_child("one").await.unwrap();
        assert_eq!(counts(&sup).await, [1, 0, 0, 1]);
        let (pid, run) = sup.restart_child_with_info::<u32>("one").await.unwrap();
        assert_eq!((pid, run), (started("one").await, Some(2)));
        sup.terminate_child("one").await.unwrap();
        sup.terminate_child("one").await.unwrap();
        sup.delete_child("one").await.unwrap();
        let gone = sup.restart_child_with_info::<u32>("one").await;
        assert_eq!(gone, Err(RestartChildError::NotFound));

        let (pid, run) = sup
            .start_child_with_info::<u32>(telling("two"))
            .await
            .unwrap();
        assert_eq!((pid, run), (started("two").await, Some(1)));
        end(pid, died());
        assert_ne!(started("two").await, pid);
        // Of another type than asked for, not asked for, not there.
        let (_, other) = sup
            .start_child_with_info::<String>(telling("three"))
            .await
            .unwrap();
        assert_eq!(other, None);
        sup.start_child(telling("four")).await.unwrap();
        let (_, none) = sup
            .start_child_with_info::<u32>(worker("five"))
            .await
            .unwrap();
        assert_eq!(none, None);
    });
}

#[test]
fn a_dynamic_start_function_can_tell_more_than_the_pid_too() {
    run(|| async {
        let sup = DynamicSupervisor::new().start_link().await.unwrap();
        let (pid, run) = sup
            .start_child_with_info::<u32>(telling("one"))
            .await
            .unwrap();
        assert_eq!((pid, run), (started("one").await, Some(1)));
    });
}

/// Asks its own supervisor in `init`, which is waiting for that `init`.
struct Tangled;

impl GenServer for Tangled {
    type Args = (regrow_runtime::Pid, ChildSpec);
    type Message = ();

    async fn init((test, late): Self::Args, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let sup = SupervisorRef::from_pid(cx.parent().unwrap()).timeout(millis(20));
        send(test, sup.count_children().await);
        send(test, sup.start_child(late).await);
        Ok(Tangled)
    }

    async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Next {
        Next::Continue
    }
}

#[test]
fn a_child_that_asks_its_supervisor_in_init_is_told_what_that_waits_for() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let test = self_pid();
        let late = worker("late");
        let line = line!() + 1;
        let start = move || Tangled::start_link((test, late.clone()));
        let tangled = ChildSpec::new("tangled", start);
        sup.start_child(tangled).await.unwrap();
        let counted = receive::<Result<regrow_supervisor::Counts, CallError>>().await;
        let Err(CallError::Busy { waits_at }) = counted else {
            panic!("not busy: {counted:?}");
        };
        assert!(waits_at.file().ends_with("asking.rs"));
        assert_eq!(waits_at.line(), line);
        let started = receive::<Result<regrow_runtime::Pid, StartChildError>>().await;
        assert_eq!(
            started,
            Err(StartChildError::Call(CallError::Busy { waits_at }))
        );
        // The request was not taken back: it is carried out when the supervisor is free again.
        starts(1).await;
        assert_eq!(counts(&sup).await, [2, 2, 0, 2]);
    });
}

#[test]
fn a_limit_is_no_part_of_what_a_reference_means() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let hasty = sup.clone().timeout(millis(200));
        assert_eq!(sup, hasty);
        assert_eq!(counts(&hasty).await, [0; 4]);
        let dynamic = DynamicSupervisor::new().start_link().await.unwrap();
        let hasty = dynamic.clone().timeout(millis(5));
        assert_eq!(dynamic, hasty);
        // It stops a child that takes its time.
        let slow = ChildSpec::new("slow", || async {
            Ok::<_, ExitReason>(spawn_trapping(receive::<()>()))
        });
        let slow = hasty.start_child(slow).await.unwrap();
        let stopping = hasty.terminate_child(slow).await.unwrap_err();
        assert!(matches!(
            stopping,
            regrow_supervisor::TerminateChildError::Call(CallError::Busy { .. })
        ));
        exit(slow, ExitReason::Kill);
        assert_eq!(tuple(dynamic.count_children().await.unwrap()), [0; 4]);
    });
}

#[test]
fn a_message_that_means_nothing_to_a_supervisor_is_dropped() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        let dynamic = DynamicSupervisor::new().start_link().await.unwrap();
        for pid in [sup.pid().unwrap(), dynamic.pid().unwrap()] {
            send(pid, "what?");
            let friend = spawn_link(async move { exit(pid, died()) });
            assert_eq!(exited(friend).await, ExitReason::Normal);
        }
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
        assert_eq!(tuple(dynamic.count_children().await.unwrap()), [0; 4]);
    });
}
