use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, exit, receive, self_pid, send, send_after, whereis};
use regrow_supervisor::{
    CallError, ChildSpec, Context, DynamicSupervisor, DynamicSupervisorRef, GenServer, Name, Next,
    Registry, ServerRef, StartChildError, StartError, Strategy, Supervisor, SupervisorRef,
};

use crate::common::*;

const WORKER: Name<End> = Name::new("worker");

#[test]
fn a_reference_by_name_survives_a_restart_and_a_pid_does_not() {
    run(|| async {
        let test = self_pid();
        let start = move || Worker::start_link(("one", test)).name(WORKER);
        supervisor(Strategy::OneForOne)
            .child(ChildSpec::new("one", start))
            .start_link()
            .await
            .unwrap();
        let first = started("one").await;
        let by_pid = ServerRef::<End>::from_pid(first);
        let by_name = WORKER.server_ref();
        assert_eq!(by_name.pid(), Some(first));
        exit(first, ExitReason::Kill);
        let second = started("one").await;
        assert_eq!(by_name.pid(), Some(second));
        by_pid.cast(End(died())); // goes nowhere
        by_name.cast(End(ExitReason::Normal));
        let terminated = regrow_runtime::receive::<Terminated>().await;
        assert_eq!(terminated.reason, ExitReason::Normal);
    });
}

#[test]
fn a_name_made_at_run_time_is_the_same_name() {
    run(|| async {
        let name = Name::<End>::from_string(format!("{}er", "work"));
        assert_eq!(ServerRef::from(&name), WORKER.server_ref());
        let start = Worker::start_link(("one", self_pid())).name(name.clone());
        let server = start.await.unwrap();
        assert_eq!(WORKER.whereis(), server.pid());
        assert_eq!(whereis(name.as_str()), server.pid());
    });
}

#[test]
fn a_timer_for_a_name_reaches_whoever_has_it_then() {
    run(|| async {
        let test = self_pid();
        send_after(Duration::from_millis(20), WORKER, End(ExitReason::Normal));
        let server = Worker::start_link(("one", test)).name(WORKER).await;
        started("one").await;
        let terminated = regrow_runtime::receive::<Terminated>().await;
        assert_eq!(terminated.reason, ExitReason::Normal);
        drop(server);
    });
}

#[test]
#[should_panic(expected = "in a process; elsewhere use `Name::server_ref_on`")]
fn a_name_outside_a_process_panics_and_says_so() {
    WORKER.server_ref().cast(End(ExitReason::Normal));
}

#[test]
fn references_are_values() {
    fn value<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    // Whatever the message is: a reference holds none.
    type NotSync = std::cell::Cell<u8>;
    value::<ServerRef<NotSync>>();
    value::<Name<NotSync>>();
    value::<regrow_supervisor::SupervisorRef>();
    value::<regrow_supervisor::DynamicSupervisorRef>();
    value::<Arc<ChildSpec>>();
    value::<ChildSpec>();
}

const PLACES: Registry<&'static str, ()> = Registry::unique("places");

#[test]
fn supervisors_may_have_their_names_in_another_registry() {
    run(|| async {
        PLACES.start_link().await.unwrap();
        let start = || {
            Supervisor::new(Strategy::OneForOne)
                .via(PLACES.via("static"))
                .start_link()
        };
        let first = start().await.unwrap();
        let taken = start().await.unwrap_err();
        assert_eq!(taken, StartError::AlreadyStarted(first.pid().unwrap()));
        let by_key = SupervisorRef::via(PLACES.via("static"));
        assert_eq!(by_key.pid(), first.pid());
        by_key.start_child(worker("one")).await.unwrap();
        assert_eq!(counts(&by_key).await, [1, 1, 0, 1]);

        let later = Supervisor::init(|| async {
            let pid = PLACES.whereis("later");
            assert_eq!(pid, Some(self_pid()));
            Ok::<_, ExitReason>(Supervisor::new(Strategy::OneForOne))
        });
        let later = later.via(PLACES.via("later")).start_link().await.unwrap();
        assert_eq!(later.pid(), PLACES.whereis("later"));

        let dynamic = DynamicSupervisor::new().via(PLACES.via("dynamic"));
        let dynamic = dynamic.start_link().await.unwrap();
        let by_key = DynamicSupervisorRef::via(PLACES.via("dynamic"));
        assert_eq!(by_key.pid(), dynamic.pid());
        by_key.start_child(worker("two")).await.unwrap();
        by_key.stop(ExitReason::Normal, None).await.unwrap();
        assert_eq!(by_key.pid(), None);
        let late = by_key.start_child(worker("two")).await;
        assert_eq!(late, Err(StartChildError::Call(CallError::NoProc)));
    });
}

/// Takes its time to clean up: until it is told that it may go.
struct Slow(Pid);

struct MayGo;

impl GenServer for Slow {
    type Args = Pid;
    type Message = ();

    async fn init(test: Pid, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Slow(test))
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Next {
        Next::Stop(ExitReason::Normal)
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        send(self.0, "cleaning up");
        receive::<MayGo>().await;
    }
}

#[test]
fn a_name_is_taken_until_its_owner_has_cleaned_up() {
    run(|| async {
        let test = self_pid();
        let start = || Slow::start_link(test).name("slow");
        let first = start().await.unwrap().pid().unwrap();
        send(first, ());
        assert_eq!(receive::<&str>().await, "cleaning up");
        let second = start().await.unwrap_err();
        assert_eq!(second, StartError::AlreadyStarted(first));
        send(first, MayGo);
        assert_eq!(exited(first).await, ExitReason::Normal);
        start().await.unwrap();
    });
}
