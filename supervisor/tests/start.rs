use regrow_runtime::{Exit, ExitReason, self_pid, spawn, whereis};
use regrow_supervisor::{
    ChildSpec, FailedToStartChild, SpecError, StartError, Strategy, Supervisor,
};

use crate::common::*;

/// The failed child that a start error tells about.
fn failed_child(error: &StartError) -> &FailedToStartChild {
    let StartError::Exit(ExitReason::ShutdownWith(error)) = error else {
        panic!("not a failed child: {error:?}");
    };
    error.downcast_ref().expect("a failed child")
}

#[test]
fn children_start_in_the_order_given() {
    run(|| async {
        supervisor(Strategy::OneForOne)
            .children([worker("one"), worker("two"), worker("three")])
            .start_link()
            .await
            .unwrap();
        assert_eq!(starts(3).await, ["one", "two", "three"]);
    });
}

#[test]
fn a_failing_child_undoes_the_start_in_reverse() {
    run(|| async {
        let fails = Switch::default();
        fails.set(true);
        let error = supervisor(Strategy::OneForOne)
            .name("sup")
            .children([worker("one"), worker("two")])
            .child(failing_worker("bad", &fails))
            .child(worker("never"))
            .start_link()
            .await
            .unwrap_err();
        assert_eq!(starts(2).await, ["one", "two"]);
        assert_eq!(terminations(2).await, ["two", "one"]);
        let failed = failed_child(&error);
        assert_eq!(&*failed.id, "bad");
        assert_eq!(failed.reason, ExitReason::error("start fails"));
        assert_eq!(whereis("sup"), None);
        assert_none::<Started>().await; // no second try, nothing after the failed child
        assert_none::<Exit>().await;
        alone().await;
    });
}

#[test]
fn the_inner_reason_is_carried_outwards_unchanged() {
    run(|| async {
        let inner = || {
            Supervisor::new(Strategy::OneForOne)
                .child(ChildSpec::new("bad", || async {
                    if self_pid() != spawn(async {}) {
                        panic!("out of luck");
                    }
                    Ok::<_, ExitReason>(self_pid())
                }))
                .start_link()
        };
        let error = Supervisor::new(Strategy::OneForOne)
            .child(ChildSpec::supervisor("inner", inner))
            .start_link()
            .await
            .unwrap_err();
        let outer = failed_child(&error);
        assert_eq!(&*outer.id, "inner");
        let ExitReason::ShutdownWith(inner) = &outer.reason else {
            panic!("wrapped: {:?}", outer.reason);
        };
        let inner = inner.downcast_ref::<FailedToStartChild>().unwrap();
        assert_eq!(&*inner.id, "bad");
        let ExitReason::Panic(panic) = &inner.reason else {
            panic!("not a panic: {:?}", inner.reason);
        };
        assert_eq!(panic.message(), "out of luck");
    });
}

#[test]
fn duplicate_ids_are_refused_by_name() {
    run(|| async {
        let error = supervisor(Strategy::OneForOne)
            .children([worker("one"), worker("two"), worker("one")])
            .start_link()
            .await
            .unwrap_err();
        let id = "one".into();
        let expected = ExitReason::error(SpecError::DuplicateId { id });
        assert_eq!(error, StartError::Exit(expected));
        assert_none::<Started>().await;
    });
}

#[test]
fn a_period_of_zero_is_refused() {
    run(|| async {
        let expected = || StartError::Exit(ExitReason::error(SpecError::ZeroPeriod));
        let error = Supervisor::new(Strategy::OneForOne)
            .intensity(1, secs(0))
            .start_link()
            .await
            .unwrap_err();
        assert_eq!(error, expected());
        let error = regrow_supervisor::DynamicSupervisor::new()
            .intensity(1, secs(0))
            .start_link()
            .await
            .unwrap_err();
        assert_eq!(error, expected());
    });
}
