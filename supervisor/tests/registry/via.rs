//! Servers that are known by a key.

use regrow_runtime::Handle;
use regrow_supervisor::{CallError, ChildSpec, Restart, ServerRef, StopError, Strategy};

use super::*;

fn room(key: &'static str) -> ServerRef<End> {
    ServerRef::via(ROOMS.via(key))
}

#[test]
fn a_server_is_started_under_a_key_and_reached_by_it() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let via = ROOMS.via_with("lobby", 5);
        let server = Worker::start_link(("one", self_pid()))
            .via(via)
            .await
            .unwrap();
        assert_eq!(ROOMS.lookup("lobby"), Some((server.pid().unwrap(), 5)));
        assert_eq!(room("lobby").pid(), server.pid());
        room("lobby").cast(End(ExitReason::Normal));
        assert_eq!(exited(server.pid().unwrap()).await, ExitReason::Normal);
        assert_eq!(room("lobby").pid(), None);
    });
}

#[test]
fn a_second_start_under_a_key_is_already_started() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let start = || Worker::start_link(("one", self_pid())).via(ROOMS.via("lobby"));
        let pid = start().await.unwrap().pid().unwrap();
        assert_eq!(started("one").await, pid);
        let again = start().await.unwrap_err();
        assert_eq!(again, StartError::AlreadyStarted(pid));
        assert_none::<Started>().await; // its `init` has not run
    });
}

#[test]
fn a_key_that_nobody_has_is_no_process() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let called = room("lobby").call::<()>(|_| End(died())).await;
        assert_eq!(called, Err(CallError::NoProc));
        room("lobby").cast(End(died()));
        let stopped = room("lobby").stop(ExitReason::Normal, None).await;
        assert_eq!(stopped, Err(StopError::NoProc));
    });
}

#[test]
fn the_key_is_looked_up_for_each_message_and_so_survives_a_restart() {
    run(|| async {
        let test = self_pid();
        let worker = ChildSpec::new("one", move || {
            Worker::start_link(("one", test)).via(ROOMS.via("lobby"))
        });
        let supervisor = supervisor(Strategy::RestForOne);
        let supervisor = supervisor.child(ROOMS.child_spec()).child(worker);
        supervisor.start_link().await.unwrap();
        let lobby = room("lobby");
        for _ in 0..2 {
            let pid = started("one").await;
            assert_eq!(lobby.pid(), Some(pid));
            lobby.cast(End(died()));
            down(pid).await;
        }
        let last = started("one").await;
        assert_eq!(lobby.pid(), Some(last));
    });
}

#[test]
fn a_server_restarts_under_its_key_when_the_registry_has_failed() {
    run(|| async {
        let test = self_pid();
        let worker = ChildSpec::new("one", move || {
            Worker::start_link(("one", test)).via(ROOMS.via("lobby"))
        });
        let top = supervisor(Strategy::RestForOne).child(ROOMS.child_spec());
        let top = top.child(worker).start_link().await.unwrap();
        let first = started("one").await;
        exit(pid(&top, "rooms").await, ExitReason::Kill);
        let second = started("one").await;
        assert_ne!(first, second);
        assert_eq!(room("lobby").pid(), Some(second));
    });
}

#[test]
fn a_server_whose_registry_does_not_run_is_not_started() {
    run(|| async {
        let start = Worker::start_link(("one", self_pid())).via(ROOMS.via("lobby"));
        let Err(StartError::Exit(reason)) = start.await else {
            panic!("started");
        };
        assert_eq!(reason.to_string(), "the registry `rooms` is not running");
        assert_none::<Started>().await;
    });
}

#[test]
fn temporary_servers_by_key_come_and_go() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let orders = regrow_supervisor::DynamicSupervisor::new();
        let orders = orders.start_link().await.unwrap();
        let test = self_pid();
        let spec = |key| {
            let start = move || Worker::start_link((key, test)).via(ROOMS.via(key));
            ChildSpec::new(key, start).restart(Restart::Temporary)
        };
        for _ in 0..3 {
            let pid = orders.start_child(spec("lobby")).await.unwrap();
            let again = orders.start_child(spec("lobby")).await.unwrap_err();
            assert_eq!(
                again,
                regrow_supervisor::StartChildError::AlreadyStarted(pid)
            );
            orders.terminate_child(pid).await.unwrap();
            assert_eq!(ROOMS.whereis("lobby"), None);
        }
    });
}

#[test]
fn a_reference_by_key_says_which() {
    let lobby = room("lobby");
    assert_eq!(format!("{lobby:?}"), r#"ServerRef(rooms["lobby"])"#);
}

#[test]
fn references_by_key_are_equal_if_registry_runtime_and_key_are() {
    const OTHERS: Registry<&str, u32> = Registry::unique("others");
    run(|| async {
        assert_eq!(room("lobby"), room("lobby"));
        assert_ne!(room("lobby"), room("attic"));
        assert_ne!(room("lobby"), ServerRef::via(OTHERS.via("lobby")));
        // The value is for who registers.
        assert_eq!(room("lobby"), ServerRef::via(ROOMS.via_with("lobby", 5)));
        let bound = ROOMS.on(&Handle::current());
        let again = ROOMS.on(&Handle::current());
        let lobby = ServerRef::<End>::via(bound.via("lobby"));
        assert_eq!(lobby, ServerRef::via(again.via("lobby")));
        assert_ne!(lobby, room("lobby"));
    });
}
