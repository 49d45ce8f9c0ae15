use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use regrow_runtime::{
    ExitReason, Pid, ReplyTo, exit, is_alive, processes, self_pid, send, trap_exit, try_receive,
};
use regrow_supervisor::{
    CallError, ChildSpec, Context, Next, ServerRef, StartError, StopError, Strategy, Via, ViaName,
};

use crate::common::*;

/// A registry that looks at who is alive when it is asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry(Arc<Mutex<HashMap<&'static str, Pid>>>);

impl Registry {
    pub(super) fn via(&self, key: &'static str) -> Arc<dyn Via> {
        Arc::new(Entry(self.clone(), key))
    }

    fn whereis(&self, key: &str) -> Option<Pid> {
        let owner = self.0.lock().unwrap().get(key).copied();
        owner.filter(|pid| processes().contains(pid))
    }
}

#[derive(Debug)]
struct Entry(Registry, &'static str);

impl Via for Entry {
    fn register(&self) -> Result<(), Pid> {
        let Entry(registry, key) = self;
        if let Some(pid) = registry.whereis(key) {
            return Err(pid);
        }
        registry.0.lock().unwrap().insert(key, self_pid());
        Ok(())
    }

    fn whereis(&self) -> Option<Pid> {
        self.0.whereis(self.1)
    }
}

/// A server that says in `init` who has its name.
struct Named;

struct Born(Option<Pid>);

type Ask = ReplyTo<Pid>;

impl GenServer for Named {
    type Args = (Pid, Arc<dyn Via>, Result<(), ExitReason>);
    type Message = Ask;

    async fn init(
        (test, via, result): Self::Args,
        _: &mut Context<Self>,
    ) -> Result<Self, ExitReason> {
        send(test, Born(via.whereis()));
        result.map(|()| Named)
    }

    async fn handle(&mut self, who: Ask, cx: &mut Context<Self>) -> Next {
        who.send(cx.pid());
        Next::Continue
    }
}

fn args(via: &Arc<dyn Via>) -> <Named as GenServer>::Args {
    (self_pid(), via.clone(), Ok(()))
}

#[test]
fn a_server_has_its_name_in_another_registry_before_init() {
    run(|| async {
        let via = Registry::default().via("one");
        let server = ServerRef::via(via.clone());
        assert_eq!(server.pid(), None);
        let started = Named::start_link(args(&via))
            .via(via.clone())
            .await
            .unwrap();
        assert_eq!(try_receive::<Born>().unwrap().0, started.pid());
        assert_eq!(server.pid(), started.pid());
        assert_eq!(server.call(|who| who).await.ok(), started.pid());
    });
}

#[test]
fn a_taken_name_in_another_registry_is_already_started_and_nothing_else_runs() {
    run(|| async {
        trap_exit(false);
        let via = Registry::default().via("one");
        let first = Named::start(args(&via)).via(via.clone()).await.unwrap();
        let first = first.pid().unwrap();
        assert!(try_receive::<Born>().is_some());
        for start in [Named::start, Named::start_link] {
            let again = start(args(&via)).via(via.clone()).await;
            // A starter that does not trap exits lives on.
            assert_eq!(again, Err(StartError::AlreadyStarted(first)));
        }
        assert_none::<Born>().await;
        assert_eq!(processes().len(), 2);
        assert_eq!(via.whereis(), Some(first));
    });
}

/// `already_started` is only what the start itself finds: an `init` that is told so of another
/// server, and fails with that, has ended with an error.
#[test]
fn an_init_that_finds_another_name_taken_has_failed() {
    struct Outer;

    impl GenServer for Outer {
        type Args = (Pid, Arc<dyn Via>);
        type Message = ();

        async fn init((test, via): Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
            let args = (test, via.clone(), Ok(()));
            Named::start(args).via(via).await?;
            Ok(Outer)
        }

        async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Next {
            Next::Continue
        }
    }

    run(|| async {
        let via = Registry::default().via("one");
        let _first = Named::start(args(&via)).via(via.clone()).await.unwrap();
        let outer = Outer::start((self_pid(), via)).await;
        assert!(matches!(outer, Err(StartError::Exit(_))), "{outer:?}");
    });
}

#[test]
fn a_name_in_another_registry_is_free_when_a_start_has_failed() {
    run(|| async {
        let via = Registry::default().via("one");
        let (test, _, _) = args(&via);
        let failing = Named::start((test, via.clone(), Err(died()))).via(via.clone());
        assert_eq!(failing.await, Err(StartError::Exit(died())));
        assert_eq!(via.whereis(), None);
        assert!(Named::start(args(&via)).via(via.clone()).await.is_ok());
    });
}

#[test]
fn the_last_name_that_a_start_is_given_counts() {
    run(|| async {
        let via = Registry::default().via("one");
        let server = Named::start(args(&via))
            .name("local")
            .via(via.clone())
            .await
            .unwrap();
        assert_eq!(via.whereis(), server.pid());
        assert_eq!(regrow_runtime::whereis("local"), None);
        let other = Registry::default().via("two");
        let server = Named::start(args(&other))
            .via(other.clone())
            .name("local")
            .await
            .unwrap();
        assert_eq!(other.whereis(), None);
        assert_eq!(regrow_runtime::whereis("local"), server.pid());
    });
}

#[test]
fn a_reference_via_a_registry_survives_a_restart() {
    run(|| async {
        let via = Registry::default().via("one");
        let server = ServerRef::via(via.clone());
        let test = self_pid();
        let spec = ChildSpec::new("one", move || {
            let args = (test, via.clone(), Ok(()));
            Named::start_link(args).via(via.clone())
        });
        supervisor(Strategy::OneForOne)
            .child(spec)
            .start_link()
            .await
            .unwrap();
        let first = regrow_runtime::receive::<Born>().await.0.unwrap();
        assert_eq!(server.call(|who| who).await, Ok(first));
        exit(first, ExitReason::Kill);
        let second = regrow_runtime::receive::<Born>().await.0.unwrap();
        assert_ne!(first, second);
        assert_eq!(server.call(|who| who).await, Ok(second));
    });
}

#[test]
fn stop_via_a_registry_is_noproc_afterwards() {
    run(|| async {
        let via = Registry::default().via("one");
        let started = Named::start(args(&via)).via(via.clone()).await.unwrap();
        let server = ServerRef::via(via);
        assert_eq!(server.stop(ExitReason::Normal, None).await, Ok(()));
        assert!(!is_alive(started.pid().unwrap()).await);
        let again = server.stop(ExitReason::Normal, None).await;
        assert_eq!(again, Err(StopError::NoProc));
        assert_eq!(server.call(|who: Ask| who).await, Err(CallError::NoProc));
        server.cast(regrow_runtime::reply_channel().0); // no error
    });
}

#[test]
fn references_that_share_a_via_are_equal() {
    run(|| async {
        let registry = Registry::default();
        let via = registry.via("one");
        let server = ServerRef::<Ask>::via(via.clone());
        assert_eq!(server, ServerRef::via(via));
        assert_eq!(server, server.clone());
        assert_ne!(server, ServerRef::via(registry.via("one")));
        assert_ne!(server, ServerRef::from_pid(self_pid()));
        assert_eq!(server.to_string(), format!("{:?}", registry.via("one")));
    });
}

/// A name that can be compared; which registry is of no interest here.
#[derive(Debug)]
struct Seat(u32);

/// The names of another registry.
#[derive(Debug)]
struct Table(u32);

macro_rules! comparable {
    ($($place:ty)*) => { $(
        impl Via for $place {
            fn register(&self) -> Result<(), Pid> {
                Ok(())
            }

            fn whereis(&self) -> Option<Pid> {
                None
            }

            fn name(&self) -> Option<&dyn ViaName> {
                Some(&self.0)
            }
        }
    )* };
}
comparable!(Seat Table);

#[test]
#[expect(
    clippy::mutable_key_type,
    reason = "what can change in a reference is neither compared nor hashed"
)]
fn references_via_equal_names_of_one_kind_are_equal_and_hash_alike() {
    let seat = |number| ServerRef::<Ask>::via(Arc::new(Seat(number)));
    assert_eq!(seat(7), seat(7));
    assert_ne!(seat(7), seat(8));
    assert_ne!(seat(7), ServerRef::via(Arc::new(Table(7))));
    assert_ne!(seat(7), ServerRef::via(Registry::default().via("7")));
    let seats = HashSet::from([seat(7), seat(8)]);
    assert!(seats.contains(&seat(7)));
    assert!(!seats.contains(&seat(9)));
}
