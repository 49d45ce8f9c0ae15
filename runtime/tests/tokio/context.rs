//! Every thread that runs code of the user's has entered tokio.

use std::thread::{self, ThreadId};
use std::time::Duration;

use futures_lite::future::{block_on, poll_once};
use regrow_runtime::{
    ExitReason, Runtime, SpawnOptions, blocking, exit, receive, receive_down, self_pid, send, spawn,
};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{FOR_EVER, beside, in_time, run, tokio_runtime};

/// Says farewell from a task of tokio, which it starts in its drop: there it needs the context.
struct Farewell(&'static str, UnboundedSender<&'static str>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let (word, to) = (self.0, self.1.clone());
        tokio::spawn(async move { to.send(word) });
    }
}

fn farewells() -> (
    UnboundedSender<&'static str>,
    UnboundedReceiver<&'static str>,
) {
    unbounded_channel()
}

#[test]
fn a_process_that_is_killed_in_a_future_of_tokio_is_dropped_in_its_context() {
    run(async {
        let (to, mut heard) = farewells();
        let this = self_pid();
        let options = SpawnOptions::new().monitor();
        let body = Farewell("body", to.clone());
        let waiting = options.spawn(async move {
            send(this, "waiting");
            tokio::time::sleep(FOR_EVER).await;
            drop(body);
        });
        let waiting = waiting.unwrap();
        assert_eq!(receive::<&str>().await, "waiting");
        send(waiting.pid, Farewell("message", to));
        exit(waiting.pid, ExitReason::Kill);
        let end = receive_down(waiting.monitor.unwrap()).await;
        assert_eq!(end.reason, ExitReason::Killed);
        // By tasks of their own, and so in any order.
        let mut words = [heard.recv().await, heard.recv().await];
        words.sort_unstable();
        assert_eq!(words, [Some("body"), Some("message")]);
        assert_eq!(heard.recv().await, None);
    });
}

#[test]
fn what_is_given_up_with_the_runtime_is_dropped_in_the_context() {
    in_time(|| {
        let tokio = tokio_runtime();
        let builder = beside(&tokio).blocking_threads(1);
        let runtime = builder.build().unwrap();
        let (to, mut heard) = farewells();
        let (begun, is_begun) = std::sync::mpsc::channel();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let mut occupies = runtime.handle().blocking(move || {
            begun.send(()).unwrap();
            gone.recv().unwrap_err();
        });
        assert!(block_on(poll_once(&mut occupies)).is_none());
        is_begun.recv().unwrap();
        let word = Farewell("blocking work", to.clone());
        let mut waits = runtime.handle().blocking(move || drop(word));
        assert!(block_on(poll_once(&mut waits)).is_none());
        let word = Farewell("process", to.clone());
        runtime.spawn(async move {
            tokio::time::sleep(FOR_EVER).await;
            drop(word);
        });
        let handle = runtime.handle();
        handle.send_after(FOR_EVER, "nobody", Farewell("timer", to));

        let listener = tokio.spawn(async move {
            let (mut words, mut go) = (Vec::new(), Some(go));
            while let Some(word) = heard.recv().await {
                if word == "blocking work" {
                    go = None; // what was at work may end, now that the rest is given up
                }
                words.push(word);
            }
            drop(go);
            words
        });
        drop(runtime);
        let mut words = tokio.block_on(listener).unwrap();
        words.sort_unstable();
        assert_eq!(words, ["blocking work", "process", "timer"]);
    });
}

#[test]
fn the_threads_for_blocking_work_have_entered() {
    run(async {
        let slept = blocking(|| {
            let handle = Handle::current();
            handle.block_on(async { tokio::spawn(async { "by a task" }).await })
        });
        assert_eq!(slept.await.unwrap(), "by a task");
    });
}

#[test]
fn a_thread_that_takes_the_place_of_one_that_is_stuck_has_entered() {
    in_time(|| {
        let tokio = tokio_runtime();
        let runtime = beside(&tokio).workers(1).build().unwrap();
        runtime.block_on(async {
            let this = self_pid();
            let (free, is_free) = std::sync::mpsc::channel::<()>();
            spawn(async move {
                send(this, thread::current().id());
                // Until it was replaced: somebody else must run those below.
                is_free.recv().unwrap_err();
            });
            let stuck: ThreadId = receive().await;
            spawn(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                send(this, thread::current().id());
            });
            let spare: ThreadId = receive().await;
            assert_ne!(spare, stuck);
            drop(free);
        });
    });
}

/// tokio panics when somebody leaves in another order than he has entered, and counts wrongly from
/// then on; it would do so again when the thread leaves.
#[test]
fn who_leaves_what_he_has_entered_in_the_wrong_order_ends_alone() {
    in_time(|| {
        let (tokio, other) = (tokio_runtime(), tokio_runtime());
        let runtime = beside(&tokio).workers(1).build().unwrap();
        let handle = other.handle().clone();
        let end = runtime.block_on(async move {
            let confused = SpawnOptions::new().monitor().spawn(async move {
                let (one, two) = (handle.enter(), handle.enter());
                drop(one);
                drop(two);
            });
            receive_down(confused.unwrap().monitor.unwrap()).await
        });
        assert!(matches!(end.reason, ExitReason::Panic(_)), "{}", end.reason);
        drop(runtime);
    });
}

#[test]
fn without_a_handle_a_process_has_no_tokio() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    assert!(runtime.block_on(async { Handle::try_current().is_err() }));
}

mod simulated {
    use regrow_runtime::Runtime;
    use regrow_runtime::simulation::{Simulation, SimulationErrorKind, simulate};

    use super::super::{FOR_EVER, tokio_runtime};

    #[test]
    fn a_simulation_starts_no_runtime_beside_tokio() {
        let tokio = tokio_runtime();
        let handle = tokio.handle().clone();
        let error = simulate(1, async move {
            Runtime::builder().tokio(handle).build().unwrap_err()
        });
        assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("simulation"), "{error}");
    }

    /// Even if whoever simulates is in tokio.
    #[test]
    fn a_simulated_process_has_no_tokio_and_is_told_so() {
        let tokio = tokio_runtime();
        let _entered = tokio.enter();
        let run = Simulation::new(1).run(async { tokio::time::sleep(FOR_EVER).await });
        let error = run.unwrap_err();
        assert!(matches!(error.kind, SimulationErrorKind::Ended(_)));
        let text = error.to_string();
        assert!(text.contains("no reactor running"), "{text}");
        assert!(text.contains("seed 1"), "{text}");
    }
}
