use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use regrow_runtime::sleep;
use regrow_supervisor::{Registry, Via};

use super::*;

#[test]
fn a_manager_has_a_name_that_is_taken_once() {
    run(|| async {
        let manager = EventManager::<Happened>::new().name("events");
        let manager = manager.start().await.unwrap();
        let pid = manager.pid().unwrap();
        let again = EventManager::<Happened>::new().name("events").start_link();
        assert_eq!(again.await, Err(StartError::AlreadyStarted(pid)));
        let named: Ref = EventManagerRef::named("events");
        add(&named, "a").await;
        assert_eq!(ids(&manager).await, ["a"]);
        assert_eq!(named.stop(ExitReason::Normal, None).await, Ok(()));
        assert_eq!(whereis("events"), None);
    });
}

#[test]
fn a_manager_may_have_its_name_in_another_registry() {
    const MANAGERS: Registry<&str> = Registry::unique("managers");
    run(|| async {
        MANAGERS.start_link().await.unwrap();
        let start = || EventManager::<Happened>::new().via(MANAGERS.via("events"));
        let manager = start().start_link().await.unwrap();
        let pid = manager.pid().unwrap();
        assert_eq!(MANAGERS.whereis("events"), Some(pid));
        assert_eq!(start().start().await, Err(StartError::AlreadyStarted(pid)));
        let named = Ref::via(MANAGERS.via("events"));
        add(&named, "a").await;
        assert_eq!(ids(&manager).await, ["a"]);
        assert_eq!(named.stop(ExitReason::Normal, None).await, Ok(()));
        assert_eq!(named.pid(), None);
    });
}

/// A registry that does not answer before it is told to.
#[derive(Debug)]
struct Slow(Mutex<mpsc::Receiver<()>>);

impl Via for Slow {
    fn register(&self) -> Result<(), Pid> {
        let _ = self.0.lock().unwrap().recv();
        Ok(())
    }

    fn whereis(&self) -> Option<Pid> {
        None
    }
}

#[test]
fn a_manager_whose_start_takes_too_long_is_killed() {
    // A thread waits, so not in a simulation.
    run_with_threads(async {
        let (answer, registry) = mpsc::channel();
        let slow = Arc::new(Slow(Mutex::new(registry)));
        spawn(async move {
            // The turn of the manager has to end before its end is known.
            sleep(Duration::from_millis(50)).await;
            drop(answer);
        });
        let manager = EventManager::<Happened>::new().via(slow);
        let started = manager.timeout(Duration::from_millis(5)).start_link();
        assert_eq!(started.await, Err(StartError::Timeout));
    });
}

#[test]
fn a_manager_that_stops_ends_its_handlers_the_youngest_first() {
    run(|| async {
        let manager = with(&["a", "b"]).await;
        manager.stop(ExitReason::Shutdown, None).await.unwrap();
        assert_eq!(ended().await, Ended("b", Removal::ManagerStop));
        assert_eq!(ended().await, Ended("a", Removal::ManagerStop));
        assert_eq!(exited(manager.pid().unwrap()).await, ExitReason::Shutdown);
    });
}

#[test]
fn a_manager_ends_with_its_parent_and_so_do_its_handlers() {
    run(|| async {
        let test = self_pid();
        let parent = spawn(async move {
            let manager = start_link().await;
            let made = Reporter {
                test,
                ..reporter("a")
            };
            manager.add_handler(A, || async { Ok(made) }).await.unwrap();
            send(test, manager.pid().unwrap());
            receive::<()>().await;
            died()
        });
        let manager = receive::<Pid>().await;
        let reference = monitor(manager);
        send(parent, ());
        assert_eq!(ended().await, Ended("a", Removal::ManagerStop));
        let end = receive::<Down>().matching(move |down| down.reference == reference);
        assert_eq!(end.await.reason, died());
    });
}

#[test]
fn a_manager_that_is_gone_is_noproc_and_a_notification_is_lost() {
    run(|| async {
        let manager = start_link().await;
        manager.stop(ExitReason::Normal, None).await.unwrap();
        manager.notify(Happened::Word("never"));
        let gone = CallError::NoProc;
        let event = Happened::Word("never");
        assert_eq!(manager.sync_notify(event).await, Err(gone.clone()));
        assert_eq!(manager.which_handlers().await, Err(gone.clone()));
        let called = manager.call(A, Query::Events).await;
        assert_eq!(called, Err(CallHandlerError::Call(gone.clone())));
        let added = manager.add_handler(A, || async { Err(died()) }).await;
        assert_eq!(added, Err(AddHandlerError::Call(gone.clone())));
        let deleted = manager.delete_handler(A).await.unwrap_err();
        assert_eq!(deleted, DeleteHandlerError::Call(gone));
        let stopped = manager.stop(ExitReason::Normal, None).await;
        assert_eq!(stopped, Err(StopError::NoProc));
    });
}

#[test]
fn a_manager_is_a_child_like_any_other() {
    run(|| async {
        let spec = regrow_supervisor::ChildSpec::new("events", || {
            EventManager::<Happened>::new().name("events").start_link()
        });
        let supervisor = supervisor(regrow_supervisor::Strategy::OneForOne).child(spec);
        let supervisor = supervisor.start_link().await.unwrap();
        let manager: Ref = EventManagerRef::named("events");
        add(&manager, "a").await;
        let first = manager.pid().unwrap();
        exit(first, ExitReason::Kill);
        down(first).await;
        while pid_of(&supervisor).await == Some(first) {
            regrow_runtime::yield_now().await;
        }
        assert!(ids(&manager).await.is_empty()); // who adds them is not the supervisor
    });
}

async fn pid_of(supervisor: &regrow_supervisor::SupervisorRef) -> Option<Pid> {
    child(supervisor, "events").await.unwrap().state.pid()
}

#[test]
fn a_manager_can_be_looked_into_and_suspended() {
    run(|| async {
        use regrow_supervisor::sys;
        let manager = with(&["a"]).await;
        sys::suspend(&manager).await.unwrap();
        manager.notify(Happened::Word("waits"));
        assert!(sys::get_status(&manager).await.unwrap().suspended);
        assert_none::<Seen>().await;
        sys::resume(&manager).await.unwrap();
        assert_eq!(seen_by("waits").await, ["a"]);
    });
}
