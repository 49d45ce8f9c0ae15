//! How a simulation ends: well, at a standstill, with its main process, or not of itself.

use std::future::pending;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use regrow_runtime::simulation::{Simulation, SimulationErrorKind};
use regrow_runtime::{
    ExitReason, ReplyTo, receive, register, self_pid, send, send_after, send_named, set_label,
    simulate, sleep, spawn, spawn_link, trap_exit, yield_now,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_standstill_names_who_waits_and_what_is_in_its_mailbox() {
    let error = Simulation::new(9).run(async {
        set_label("the boss");
        spawn_link(async {
            register("server", self_pid()).unwrap();
            drop(receive::<ReplyTo<()>>().await);
        });
        spawn(async { panic!("I am not needed") });
        sleep(ms(5)).await;
        send_named("server", 1_u8).unwrap();
        send_named("server", 2_u8).unwrap();
        send_named("server", "three").unwrap();
        regrow_runtime::receive! { text: String => drop(text) }
    });
    let error = error.unwrap_err();
    let text = error.to_string();
    let SimulationErrorKind::Deadlock(standstill) = &error.kind else {
        panic!("{error}");
    };
    let [boss, server] = &standstill.processes[..] else {
        panic!("{error}");
    };
    assert_eq!(boss.label.as_deref(), Some("the boss"));
    assert!(boss.waiting_at.is_some() && boss.waiting_at != Some(boss.spawned_at));
    assert!(!boss.runnable && boss.messages.is_empty() && boss.parent.is_none());
    assert_eq!(server.name.as_deref(), Some("server"));
    assert_eq!(server.messages, [("u8", 2), ("&str", 1)]);
    assert_eq!(server.parent, Some(boss.pid));
    assert_eq!(standstill.crashes.len(), 1);
    assert!(error.virtual_time >= ms(5) && error.turns > 4);
    for part in [
        "seed 9",
        "<0.1.1> (the boss)",
        "<0.2.1> `server`",
        "2 u8, 1 &str",
        "tests/simulation_ends.rs",
        "I am not needed",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    let panic = catch_unwind(|| simulate(9, receive::<()>())).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("seed 9"));
}

#[test]
fn a_main_process_that_dies_gives_its_reason_and_no_result() {
    let ended = |error: SimulationErrorKind| match error {
        SimulationErrorKind::Ended(reason) => reason,
        other => panic!("{other:?}"),
    };
    let error = Simulation::new(1).run(async { panic!("out of {}", "luck") });
    let error = error.map(|outcome| outcome.value as ()).unwrap_err();
    assert!(error.to_string().contains("out of luck"), "{error}");
    assert!(matches!(ended(error.kind), ExitReason::Panic(_)));
    let killed = Simulation::new(1).run(async {
        spawn_link(async { ExitReason::error("together") });
        pending::<()>().await;
    });
    let reason = ended(killed.unwrap_err().kind);
    assert_eq!(reason, ExitReason::error("together"));
}

#[test]
fn what_does_not_end_is_given_up() {
    let forever = Simulation::new(1).max_turns(500).run(async {
        spawn(pending::<()>());
        loop {
            yield_now().await;
        }
    });
    let error = forever.map(|outcome| outcome.value as ()).unwrap_err();
    assert_eq!(error.turns, 500);
    let SimulationErrorKind::TooLong(standstill) = &error.kind else {
        panic!("{error}");
    };
    let runnable: Vec<bool> = standstill.processes.iter().map(|it| it.runnable).collect();
    assert_eq!(runnable, [true, false]);
    assert!(Simulation::new(1).max_turns(1).run(async {}).is_ok());
}

/// Counts itself.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn at_the_end_everything_that_is_left_is_dropped() {
    struct SpawnsInDrop(Arc<AtomicUsize>);
    impl Drop for SpawnsInDrop {
        fn drop(&mut self) {
            let counted = Counted::new(&self.0);
            spawn(async move {
                pending::<()>().await;
                drop(counted);
            });
        }
    }
    for wrong in [false, true] {
        let count = Arc::new(AtomicUsize::new(0));
        let inside = count.clone();
        let ended = Simulation::new(2).run(async move {
            for _ in 0..600 {
                let counted = Counted::new(&inside);
                let pid = spawn(async move {
                    trap_exit(true);
                    pending::<()>().await;
                    drop(counted);
                });
                send(pid, Counted::new(&inside));
                send_after(HOUR, pid, Counted::new(&inside));
            }
            let last = SpawnsInDrop(inside.clone());
            spawn(async move {
                pending::<()>().await;
                drop(last);
            });
            sleep(SECOND).await;
            assert_eq!(inside.load(Ordering::Relaxed), 3 * 600);
            assert!(!wrong);
        });
        assert_eq!(ended.is_err(), wrong);
        assert_eq!(count.load(Ordering::Relaxed), 0);
        assert_eq!(Arc::strong_count(&count), 1);
    }
}
