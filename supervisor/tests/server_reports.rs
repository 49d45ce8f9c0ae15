//! What is reported when a server crashes, and by whom.

use regrow_runtime::{ExitReason, exit, receive, register, self_pid, spawn_link};
use regrow_supervisor::{ChildSpec, Context, GenServer, Name, Next, Strategy, Supervisor};

use crate::common::*;
use crate::reports::Collector;

/// A server that stops, or crashes, with a reason of the test's.
struct Fragile;

enum Break {
    Stop(ExitReason),
    Panic,
}

impl GenServer for Fragile {
    type Args = ();
    type Message = Break;

    async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        spawn_link(receive::<()>()); // a neighbour
        Ok(Fragile)
    }

    async fn handle(&mut self, message: Break, _: &mut Context<Self>) -> Next {
        match message {
            Break::Stop(reason) => Next::Stop(reason),
            Break::Panic => panic!("broken"),
        }
    }
}

#[test]
fn a_crash_of_a_child_is_one_report_of_the_server_and_one_of_the_process() {
    const FRAGILE: Name<Break> = Name::new("fragile");
    let collector = Collector::new();
    run_with_threads(async {
        register("the first", self_pid()).unwrap();
        let child = ChildSpec::new("fragile", || Fragile::start_link(()).name(FRAGILE));
        let fragile = || FRAGILE.server_ref();
        let inner = Supervisor::new(Strategy::OneForOne)
            .name("inner")
            .intensity(9, secs(3600))
            .child(child);
        let sup = Supervisor::new(Strategy::OneForOne)
            .name("outer")
            .child(ChildSpec::new("inner", move || inner.clone().start_link()))
            .start_link()
            .await
            .unwrap();
        for message in [
            Break::Panic,
            Break::Stop(ExitReason::error("stops")),
            Break::Stop(ExitReason::Shutdown),
            Break::Stop(ExitReason::shutdown_with("stops")),
            Break::Stop(ExitReason::Normal),
        ] {
            let pid = fragile().pid().unwrap();
            fragile().cast(message);
            down(pid).await;
            while fragile().pid().is_none() {
                regrow_runtime::yield_now().await;
            }
        }
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        supervisor_exited(&sup).await;
    });
    let mut crashes = collector.with("name", "fragile");
    // A busy machine may also have something to say about long turns.
    crashes.retain(|report| report["target"] == "regrow::crash");
    assert_eq!(crashes.len(), 2, "{crashes:?}");
    for (crash, reason) in crashes.iter().zip(["broken", "stops"]) {
        assert_eq!(crash["level"], "ERROR");
        assert!(crash["reason"].ends_with(reason));
        assert_eq!(crash["ancestors"], "[inner, outer, the first]");
        // The supervisor and the neighbour.
        assert_eq!(crash["links"].matches('<').count(), 2);
        let all = collector.with("pid", &crash["pid"]);
        let of_server = all.iter().filter(|it| it["target"] == "regrow::gen_server");
        assert_eq!(of_server.count(), 1);
        let others = all.iter().filter(|it| it["target"] == "regrow::supervisor");
        assert!(others.clone().all(|it| it["id"] == "fragile"));
        let terminated = others.filter(|it| it["report"] == "child_terminated");
        assert_eq!(terminated.count(), 1);
    }
    assert!(crashes[0]["panicked_at"].contains("reports.rs:"));
    assert!(!crashes[1].contains_key("panicked_at"));
}
