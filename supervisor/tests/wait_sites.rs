//! Who waits for a server or a supervisor is shown to wait on its own line, not on one of ours.

use std::future::{Future, pending};
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, Status, exit, process_info, sleep, spawn};
use regrow_supervisor::{
    Context, DynamicSupervisor, ServerRef, Strategy, Supervisor, SupervisorRef,
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
        assert_waits_here!(server().stop(ExitReason::Normal, None).await);
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
