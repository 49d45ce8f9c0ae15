//! Who waits for a server or a supervisor is shown to wait on its own line, not on one of ours.

use std::future::{Future, pending};
use std::time::Duration;

use regrow_runtime::{
    ExitReason, MailboxPolicy, Pid, SpawnOptions, Status, exit, process_info, self_pid, send,
    sleep, spawn,
};
use regrow_supervisor::pg::Scope;
use regrow_supervisor::{
    Context, DynamicSupervisor, Name, Registry, RequestIds, ServerRef, Strategy, Supervisor,
    SupervisorRef, multi_call, sys,
};

use crate::common::*;

/// A server whose `init` never ends.
struct Hangs;

impl GenServer for Hangs {
    type Args = ();
    type Message = ();

    async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        pending().await
    }

    async fn handle(&mut self, _: (), _: &mut Context<Self>) -> regrow_supervisor::Next {
        regrow_supervisor::Next::Continue
    }
}

/// The line in this file on which the process of `body` waits, once it does.
async fn line_of(body: impl Future<Output = ()> + Send + 'static) -> u32 {
    let pid = spawn(body);
    let place = loop {
        let info = process_info(pid).await.expect("it waits");
        match info.waiting_at {
            Some(place) if info.status == Status::Waiting => break place,
            _ => sleep(Duration::from_millis(1)).await,
        }
    };
    exit(pid, ExitReason::Kill);
    assert_eq!(place.file(), file!());
    place.line()
}

macro_rules! assert_waits_here {
    ($body:expr) => {
        let line = line_of(async move {
            let _ = $body;
        });
        assert_eq!(line.await, line!(), "{}", stringify!($body));
    };
}

#[test]
fn calls_starts_and_stops_are_known_by_the_line_of_their_caller() {
    run(|| async {
        let deaf: Pid = spawn(pending::<()>());
        let server = move || ServerRef::<regrow_runtime::ReplyTo<u8>>::from_pid(deaf);
        let supervisor = move || SupervisorRef::from_pid(deaf);
        assert_waits_here!(server().call(|reply| reply).await);
        assert!(regrow_runtime::register("deaf", deaf).is_ok());
        let name = Name::<regrow_runtime::ReplyTo<u8>>::new("deaf");
        assert_waits_here!(name.call(|reply| reply).await);
        assert_waits_here!(server().stop(ExitReason::Normal, None).await);
        assert_waits_here!(server().send_request(|to| to).receive_response(None).await);
        assert_waits_here!(server().send_request(|to| to).wait_response(None).await);
        assert_waits_here!(multi_call([server()], |to| to, None).await);
        let requests = move || {
            let mut requests = RequestIds::new();
            requests.send_request(&server(), |to| to, ());
            requests
        };
        assert_waits_here!(requests().receive_response(None, true).await);
        assert_waits_here!(requests().wait_response(secs(9), true).await);
        let full = SpawnOptions::new().mailbox_limit(1, MailboxPolicy::Wait);
        let full = full.spawn(pending::<()>()).unwrap().pid;
        send(full, 1_u8);
        assert_waits_here!(ServerRef::from_pid(full).cast_wait(2_u8).await);
        assert_waits_here!(supervisor().which_children().await);
        assert_waits_here!(supervisor().terminate_child("one").await);
        assert_waits_here!(Hangs::start(()).await);
        assert_waits_here!(Hangs::start_link(()).timeout(Duration::from_secs(9)).await);
        let spec = || regrow_supervisor::ChildSpec::new("hangs", || Hangs::start_link(()));
        let hangs = move || Supervisor::new(Strategy::OneForOne).child(spec());
        assert_waits_here!(hangs().start_link().await);
    });
}

#[test]
fn who_waits_for_a_lock_or_a_scope_is_known_by_its_line() {
    run(|| async {
        const ROOMS: Registry<u8> = Registry::unique("rooms");
        ROOMS.start_link().await.unwrap();
        let _lock = ROOMS.lock(1).await.unwrap();
        assert_waits_here!(ROOMS.lock(1).await);

        const SCOPE: Scope<u8> = Scope::new("scope");
        let scope = SCOPE.start_link().await.unwrap();
        let scope = ServerRef::<()>::from_pid(scope);
        sys::suspend(&scope).await.unwrap();
        assert_waits_here!(SCOPE.join(1, [self_pid()]).await);
        assert_waits_here!(SCOPE.leave(1, [self_pid()]).await);
        assert_waits_here!(SCOPE.monitor(1).await);
        assert_waits_here!(SCOPE.monitor_scope().await);
        sys::resume(&scope).await.unwrap();
    });
}

#[test]
fn servers_and_supervisors_are_spawned_on_the_line_of_their_starter() {
    run(|| async {
        let supervisor = Supervisor::new(Strategy::OneForOne);
        let line = line!() + 1;
        let supervisor = supervisor.start_link().await.unwrap();
        let info = process_info(supervisor.pid().unwrap()).await.unwrap();
        assert_eq!(
            (info.spawned_at.file(), info.spawned_at.line()),
            (file!(), line)
        );
        let dynamic = DynamicSupervisor::new();
        let line = line!() + 1;
        let dynamic = dynamic.start_link().await.unwrap();
        let info = process_info(dynamic.pid().unwrap()).await.unwrap();
        assert_eq!(
            (info.spawned_at.file(), info.spawned_at.line()),
            (file!(), line)
        );
    });
}
