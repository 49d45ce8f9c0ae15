use regrow_runtime::{ExitReason, ReplyTo, exit, sleep};
use regrow_supervisor::{
    ChildSpec, ChildState, Context, Next, Restart, ServerRef, StartChildError, Strategy,
    SupervisorRef,
};

use crate::common::*;

/// A supervisor with one worker of this restart type.
async fn with_worker(restart: Restart) -> SupervisorRef {
    let sup = supervisor(Strategy::OneForOne)
        .child(worker("one").restart(restart))
        .start_link()
        .await
        .unwrap();
    starts(1).await;
    sup
}

#[test]
fn permanent_is_restarted_after_any_reason() {
    for reason in [
        ExitReason::Normal,
        ExitReason::Shutdown,
        ExitReason::shutdown_with("done"),
        died(),
    ] {
        run_with(reason, |reason| async move {
            let sup = with_worker(Restart::Permanent).await;
            end(pid(&sup, "one").await, reason);
            started("one").await;
            assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
        });
    }
}

#[test]
fn transient_stays_down_after_an_ordinary_reason() {
    for reason in [
        ExitReason::Normal,
        ExitReason::Shutdown,
        ExitReason::shutdown_with("done"),
    ] {
        run_with(reason, |reason| async move {
            let sup = with_worker(Restart::Transient).await;
            end(pid(&sup, "one").await, reason);
            counts_become(&sup, [1, 0, 0, 1]).await;
            becomes(&sup, "one", ChildState::Stopped).await;
            assert_none::<Started>().await;
            sup.restart_child("one").await.unwrap();
            started("one").await;
        });
    }
}

#[test]
fn transient_is_restarted_after_an_abnormal_reason() {
    run(|| async {
        let sup = with_worker(Restart::Transient).await;
        end(pid(&sup, "one").await, died());
        exit(started("one").await, ExitReason::Kill);
        started("one").await;
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn temporary_is_forgotten_after_any_reason() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
        run_with(reason, |reason| async move {
            let sup = with_worker(Restart::Temporary).await;
            end(pid(&sup, "one").await, reason);
            counts_become(&sup, [0, 0, 0, 0]).await;
            assert_none::<Started>().await;
        });
    }
}

#[test]
fn what_becomes_of_the_spec_depends_on_restart_type_and_end() {
    #[derive(Clone, Copy, PartialEq)]
    enum Way {
        Kill,
        Normal,
        Abnormal,
        BySupervisor,
    }
    for strategy in [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ] {
        for restart in RESTARTS {
            for way in [Way::Kill, Way::Normal, Way::Abnormal, Way::BySupervisor] {
                run(|| async move {
                    let sup = supervisor(strategy).start_link().await.unwrap();
                    let spec = || worker("one").restart(restart);
                    let first = sup.start_child(spec()).await.unwrap();
                    started("one").await;
                    match way {
                        Way::Kill => exit(first, ExitReason::Kill),
                        Way::Normal => end(first, ExitReason::Normal),
                        Way::Abnormal => end(first, died()),
                        Way::BySupervisor => sup.terminate_child("one").await.unwrap(),
                    }
                    let comes_back = match restart {
                        Restart::Permanent => way != Way::BySupervisor,
                        Restart::Transient => matches!(way, Way::Kill | Way::Abnormal),
                        Restart::Temporary => false,
                    };
                    if comes_back {
                        let again = started("one").await;
                        let error = sup.start_child(spec()).await.unwrap_err();
                        assert_eq!(error, StartChildError::AlreadyStarted(again));
                    } else if restart == Restart::Temporary {
                        counts_become(&sup, [0, 0, 0, 0]).await;
                        sup.start_child(spec()).await.unwrap();
                    } else {
                        becomes(&sup, "one", ChildState::Stopped).await;
                        let error = sup.start_child(spec()).await.unwrap_err();
                        assert_eq!(error, StartChildError::AlreadyPresent);
                        sup.restart_child("one").await.unwrap();
                    }
                });
            }
        }
    }
}

#[test]
fn a_temporary_child_does_not_keep_what_its_start_function_captured() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let large = std::sync::Arc::new(vec![0_u8; 1 << 20]);
        let test = regrow_runtime::self_pid();
        for (restart, kept) in [(Restart::Temporary, 1), (Restart::Transient, 2)] {
            let spec = {
                let large = large.clone();
                regrow_supervisor::ChildSpec::new("one", move || {
                    assert!(!large.is_empty());
                    Worker::start_link(("one", test))
                })
                .restart(restart)
            };
            sup.start_child(spec).await.unwrap();
            assert_eq!(std::sync::Arc::strong_count(&large), kept);
            sup.terminate_child("one").await.unwrap();
        }
    });
}

/// Counts, and ends when told to.
struct Counter(u32);

enum Count {
    Next(ReplyTo<u32>),
    End(ExitReason),
}

impl GenServer for Counter {
    type Args = ();
    type Message = Count;

    async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Counter(0))
    }

    async fn handle(&mut self, message: Count, _: &mut Context<Self>) -> Next {
        match message {
            Count::Next(reply) => {
                self.0 += 1;
                reply.send(self.0);
                Next::Continue
            }
            Count::End(reason) => Next::Stop(reason),
        }
    }
}

#[test]
fn a_restarted_server_begins_with_a_fresh_state() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne)
            .child(ChildSpec::new("one", || Counter::start_link(())))
            .start_link()
            .await
            .unwrap();
        for reason in [ExitReason::Normal, died()] {
            let old = pid(&sup, "one").await;
            let counter = ServerRef::from_pid(old);
            assert_eq!(counter.call(Count::Next).await, Ok(1));
            assert_eq!(counter.call(Count::Next).await, Ok(2));
            counter.cast(Count::End(reason));
            down(old).await;
            while pid(&sup, "one").await == old {
                sleep(millis(1)).await;
            }
        }
    });
}
