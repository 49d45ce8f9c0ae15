//! What nobody should do, and what comes of it: an error or nothing, never more.

mod common;

use std::error::Error;
use std::fmt;
use std::future::{pending, poll_fn};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use common::run;
use futures_lite::future::poll_once;
use regrow_runtime::{
    Alias, Down, EventKinds, Exit, ExitReason, MonitorRef, Pid, RegisterError, Runtime, SpawnError,
    SpawnOptions, alias, blocking, demonitor, exit, exit_with, is_alive, link, monitor,
    monitor_named, proc_lib, process_info, receive, register, reply_channel, self_pid, send,
    send_named, simulate, simulate_seeds, spawn_link, spawn_monitor, subscribe, trap_exit, unalias,
    unlink, unregister, whereis, yield_now,
};
use tracing_subscriber::layer::SubscriberExt;

async fn down(reference: MonitorRef) -> ExitReason {
    let mine = move |down: &Down| down.reference == reference;
    receive::<Down>().matching(mine).await.reason
}

/// A pid whose process has ended, and one that no process ever had.
async fn gone() -> [Pid; 2] {
    let (dead, reference) = spawn_monitor(async {});
    down(reference).await;
    let nobody = monitor_named("nobody at all");
    let mine = move |down: &Down| down.reference == nobody;
    let never = receive::<Down>().matching(mine).await.pid;
    [dead, never]
}

/// Panics when it is dropped, and is counted by what it holds.
#[derive(Debug)]
struct Bomb(#[allow(dead_code)] Arc<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

/// An error that panics when it is dropped.
#[derive(Debug)]
struct Explosive(#[allow(dead_code)] Bomb);

impl fmt::Display for Explosive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("handle with care")
    }
}

impl Error for Explosive {}

/// The text of the panic that `work` ends with.
fn panic_of<T>(work: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).map(drop).unwrap_err();
    *panic.downcast::<String>().expect("a text")
}

#[test]
fn signals_to_who_is_gone_or_never_was_do_nothing_or_say_noproc() {
    run(2, async {
        trap_exit(true);
        for pid in gone().await {
            send(pid, "nobody reads it");
            exit(pid, ExitReason::Kill);
            unlink(pid);
            link(pid);
            let told = receive::<Exit>().await;
            assert_eq!((told.pid, told.reason), (pid, ExitReason::NoProc));
            assert_eq!(down(monitor(pid)).await, ExitReason::NoProc);
            assert!(!is_alive(pid).await);
            assert!(process_info(pid).await.is_none());
            let refused = register("a name for the dead", pid);
            assert_eq!(refused, Err(RegisterError::NoProc(pid)));
            assert!(whereis("a name for the dead").is_none());
        }
        let me = process_info(self_pid()).await.expect("it lives");
        assert!(me.links.is_empty() && me.monitors.is_empty());
    });
}

#[test]
fn stale_references_and_aliases_are_false_and_nothing_more() {
    run(2, async {
        let me = self_pid();
        let (_, reference) = spawn_monitor(async move {
            let (_, inner) = spawn_monitor(pending::<()>());
            send(me, (alias(), inner));
        });
        let (address, of_another): (Alias, MonitorRef) = receive().await;
        down(reference).await;
        assert!(!demonitor(of_another) && !demonitor(reference));
        assert!(!unalias(address));
        address.send("nobody reads it");
    });
}

#[test]
fn a_name_may_be_enormous_but_neither_empty_nor_taken() {
    run(2, async {
        let enormous = "x".repeat(1 << 20);
        register(&*enormous, self_pid()).expect("nobody has it");
        assert_eq!(whereis(&enormous), Some(self_pid()));
        send_named(&enormous, 1_u8).expect("it has the name");
        assert_eq!(receive::<u8>().await, 1);
        let taken = SpawnOptions::new().name(&*enormous).spawn(async {});
        assert!(matches!(taken, Err(SpawnError::NameTaken { .. })));
        unregister(&enormous).expect("it is registered");
        assert_eq!(whereis(&enormous), None);

        assert_eq!(register("", self_pid()), Err(RegisterError::EmptyName));
        let empty = SpawnOptions::new().name("").spawn(async {});
        assert_eq!(empty, Err(SpawnError::EmptyName));
        assert!(unregister("").is_err() && whereis("").is_none());
        assert_eq!(send_named("", 1_u8).map_err(|it| it.into_inner()), Err(1));
        assert_eq!(down(monitor_named(enormous)).await, ExitReason::NoProc);
    });
}

#[test]
fn drops_that_panic_everywhere_at_the_end_abort_nothing_and_leak_nothing() {
    run(2, async {
        let count = Arc::new(());
        for by_signal in [true, false] {
            let state = Bomb(count.clone());
            let (pid, reference) = spawn_monitor(async move {
                let _state = state;
                receive::<ExitReason>().await
            });
            for _ in 0..3 {
                send(pid, Bomb(count.clone()));
            }
            let (reply_to, reply) = reply_channel::<Bomb>();
            send(pid, reply_to);
            if by_signal {
                exit(pid, ExitReason::Shutdown);
            } else {
                send(pid, ExitReason::Shutdown);
            }
            let reason = down(reference).await;
            if by_signal {
                assert_eq!(reason, ExitReason::Shutdown);
            } else {
                // The body drops its state itself, before it has ended.
                assert!(reason.to_string().ends_with("in a drop"), "{reason}");
            }
            assert!(reply.await.is_err());
            // To the dead: dropped here, by who sends it.
            send(pid, Bomb(count.clone()));
        }
        // Through an alias that has ended.
        let address = alias();
        address.send(Bomb(count.clone()));
        unalias(address);
        yield_now().await;
        assert_eq!(Arc::strong_count(&count), 1);
    });
}

#[test]
fn a_waker_that_panics_spares_the_process_that_wakes_it() {
    struct Grumpy;
    impl Wake for Grumpy {
        fn wake(self: Arc<Self>) {
            panic!("let me sleep");
        }
    }
    run(2, async {
        let (reply_to, reply) = reply_channel::<u8>();
        let mut reply = Box::pin(reply);
        let grumpy = Waker::from(Arc::new(Grumpy));
        poll_fn(|_| {
            let mut cx = std::task::Context::from_waker(&grumpy);
            assert!(reply.as_mut().poll(&mut cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let (_, reference) = spawn_monitor(async move { reply_to.send(1) });
        assert_eq!(down(reference).await, ExitReason::Normal);
        assert_eq!(reply.await, Ok(1));
    });
}

/// An error that cannot even be shown.
struct Unspeakable;

impl fmt::Debug for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Debug")
    }
}

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Display")
    }
}

impl Error for Unspeakable {}

/// Shows every field of every event, as a subscriber does.
struct Showing;

impl tracing::Subscriber for Showing {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Show;
        impl tracing::field::Visit for Show {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn fmt::Debug) {
                let _ = format!("{value:?}");
            }
        }
        event.record(&mut Show);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_reason_that_panics_when_it_is_shown_is_a_reason_like_any_other() {
    tracing::subscriber::set_global_default(Showing).expect("the only one");
    run(2, async {
        trap_exit(true);
        let child = spawn_link(async { Err::<(), _>(Unspeakable) });
        let reference = monitor(child);
        let told = receive::<Exit>().await;
        assert!(matches!(told.reason, ExitReason::Error(_)));
        let reason = down(reference).await;
        assert!(matches!(reason, ExitReason::Error(_) | ExitReason::NoProc));
        // The worker has survived the report.
        let (_, reference) = spawn_monitor(async {});
        assert_eq!(down(reference).await, ExitReason::Normal);
    });
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_is_a_panic_like_any_other() {
    run(2, async {
        let count = Arc::new(());
        let payload = Bomb(count.clone());
        let (_, reference) = spawn_monitor(async move { panic_any(payload) });
        let ExitReason::Panic(info) = down(reference).await else {
            panic!("a panic is its reason");
        };
        assert_eq!(info.message(), "a payload that is no text");
        assert_eq!(Arc::strong_count(&count), 1);
        let (_, reference) = spawn_monitor(async { panic_any(42_u64) });
        assert!(matches!(down(reference).await, ExitReason::Panic(_)));
    });
}

#[test]
fn a_thousand_deadly_signals_at_once_end_a_process_once() {
    run(2, async {
        let (victim, reference) = spawn_monitor(pending::<()>());
        for _ in 0..1_000 {
            exit(victim, ExitReason::Kill);
            exit(victim, ExitReason::Shutdown);
        }
        assert_eq!(down(reference).await, ExitReason::Killed);
    });
}

#[test]
fn a_drop_that_ends_its_process_with_a_reason_that_panics_when_dropped_aborts_nothing() {
    struct Leaves(Arc<()>);
    impl Drop for Leaves {
        fn drop(&mut self) {
            exit_with(ExitReason::error(Explosive(Bomb(self.0.clone()))));
        }
    }
    run(2, async {
        let count = Arc::new(());
        let state = Leaves(count.clone());
        let (pid, reference) = spawn_monitor(async move {
            let _state = state;
            pending::<()>().await;
        });
        send(pid, Leaves(count.clone()));
        exit(pid, ExitReason::Shutdown);
        assert_eq!(down(reference).await, ExitReason::Shutdown);
        assert_eq!(Arc::strong_count(&count), 1);
    });
}

#[test]
fn an_answer_of_a_failed_start_that_nobody_waits_for_may_panic_when_dropped() {
    run(2, async {
        let me = self_pid();
        let count = Arc::new(());
        let bomb = Bomb(count.clone());
        let start = proc_lib::start(|ready: proc_lib::InitAck<()>| async move {
            send(me, self_pid());
            receive::<()>().await;
            ready.fail(ExitReason::error(Explosive(bomb)));
        });
        // Given up once it has begun.
        assert!(poll_once(start).await.is_none());
        let child = receive::<Pid>().await;
        let reference = monitor(child);
        send(child, ());
        assert_eq!(down(reference).await, ExitReason::Normal);
        assert_eq!(Arc::strong_count(&count), 1);
    });
}

#[test]
fn a_crash_that_a_simulation_remembers_may_panic_when_dropped() {
    let count = Arc::new(());
    let inside = count.clone();
    simulate(1, async move {
        let bomb = Bomb(inside);
        let end = async move { exit_with(ExitReason::error(Explosive(bomb))) };
        let (_, reference) = spawn_monitor(end);
        // Harmless: the last that has the reason is the simulation.
        drop(down(reference).await);
    });
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn a_reason_that_panics_when_it_is_shown_ends_no_program() {
    let end = || async { exit_with(ExitReason::error(Unspeakable)) };
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let caught = [
        panic_of(|| runtime.block_on(async move { end().await })),
        panic_of(|| simulate(1, async move { end().await })),
        panic_of(|| simulate_seeds([1], end)),
    ];
    for text in caught {
        assert!(text.contains("a reason that cannot be shown"), "{text}");
    }
}

#[test]
fn numbers_of_threads_beyond_all_measure_are_cut_or_refused() {
    let builder = || Runtime::builder().workers(1);
    let runtime = builder().spare_workers(usize::MAX).build().unwrap();
    assert_eq!(runtime.block_on(async { 1 }), 1);
    let refused = builder().workers(usize::MAX).build().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let all = builder()
        .blocking_threads(usize::MAX)
        .max_processes(usize::MAX);
    let all = all
        .long_queue(usize::MAX, 0)
        .shutdown_patience(Duration::MAX);
    assert_eq!(all.build().unwrap().block_on(blocking_one()), 1);
}

async fn blocking_one() -> u8 {
    blocking(|| 1).await
}

/// A subscriber that panics at whatever it is told.
struct Panics;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Panics {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        panic!("do not tell me")
    }
}

#[test]
fn a_subscriber_that_panics_does_not_keep_a_runtime_from_its_end() {
    let builder = Runtime::builder().workers(1);
    let runtime = builder.shutdown_patience(Duration::from_millis(5));
    let runtime = runtime.build().unwrap();
    let stream = runtime.handle().events(EventKinds::LONG_QUEUE, 1);
    let (begun, begins) = mpsc::channel();
    let (open, wait) = mpsc::channel::<()>();
    runtime.spawn(async {
        blocking(move || {
            begun.send(()).unwrap();
            let _ = wait.recv();
        })
        .await;
    });
    begins.recv().unwrap();
    let subscriber = tracing_subscriber::registry().with(Panics);
    tracing::subscriber::with_default(subscriber, || drop(runtime));
    // All has been done that comes after the report.
    assert!(matches!(stream.recv_timeout(Duration::ZERO), Ok(None)));
    drop(open);
}

/// What a panic says.
fn text_of(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
    *payload.downcast::<String>().unwrap()
}

#[test]
fn what_needs_a_process_says_what_serves_outside_of_one() {
    assert_eq!(
        text_of(|| _ = subscribe(EventKinds::NONE)),
        "`subscribe` must be called inside a regrow process; `Handle::events` works anywhere"
    );
    assert_eq!(
        text_of(|| _ = trap_exit(true)),
        "`trap_exit` must be called inside a regrow process; `SpawnOptions::trap_exit` lets one \
         trap exits from its birth"
    );
}
