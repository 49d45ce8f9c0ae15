//! The end of a process: in its order, and whatever panics on the way.

mod common;

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use common::run;
use regrow_runtime::{
    Down, Exit, ExitReason, MonitorRef, Pid, ProcessInfo, Receive, ReplyError, ReplyTo,
    SpawnOptions, exit, is_alive, link, monitor, process_info, processes, receive, register,
    reply_channel, self_pid, send, spawn, spawn_link, spawn_monitor, trap_exit, try_self_pid,
    whereis, yield_now,
};

async fn down(reference: MonitorRef) -> ExitReason {
    let mine = move |down: &Down| down.reference == reference;
    receive::<Down>().matching(mine).await.reason
}

fn boom() -> ExitReason {
    ExitReason::error("boom")
}

fn panic_message(reason: &ExitReason) -> &str {
    match reason {
        ExitReason::Panic(info) => info.message(),
        other => panic!("no panic: {other}"),
    }
}

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn counts(drops: &Arc<AtomicU32>) -> OnDrop<impl FnMut() + Send + use<>> {
    let drops = drops.clone();
    OnDrop(move || {
        drops.fetch_add(1, Ordering::SeqCst);
    })
}

/// A body that ends as it is told, and whose state is dropped after that.
struct Told<F: FnMut()> {
    reason: Receive<ExitReason>,
    _state: OnDrop<F>,
}

impl<F: FnMut() + Unpin> Future for Told<F> {
    type Output = ExitReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExitReason> {
        Pin::new(&mut self.reason).poll(cx)
    }
}

/// A process that ends as it is told and then does `last` in a drop.
fn dies_with<F: FnMut() + Send + Unpin + 'static>(last: F) -> (Pid, MonitorRef) {
    spawn_monitor(Told {
        reason: receive(),
        _state: OnDrop(last),
    })
}

#[test]
fn whoever_sees_the_down_finds_the_state_dropped_and_the_name_free() {
    run(3, async {
        let drops = Arc::new(AtomicU32::new(0));
        for round in 0..1_000 {
            let counted = counts(&drops);
            let child = SpawnOptions::new()
                .name("the one")
                .monitor()
                .spawn(async move {
                    let _counted = counted;
                    receive::<ExitReason>().await
                });
            let child = child.expect("the name is free");
            send(child.pid, counts(&drops));
            match round % 3 {
                0 => exit(child.pid, ExitReason::Kill),
                1 => exit(child.pid, boom()),
                _ => send(child.pid, boom()),
            }
            receive::<Down>().await;
            assert_eq!(whereis("the one"), None);
            assert_eq!(drops.swap(0, Ordering::SeqCst), 2, "state and mailbox");
            assert!(!processes().contains(&child.pid));
            assert!(!is_alive(child.pid).await);
        }
    });
}

#[test]
fn whoever_sees_the_exit_finds_the_name_free() {
    run(3, async {
        trap_exit(true);
        for _ in 0..1_000 {
            let options = SpawnOptions::new().name("the one").link();
            let child = options.spawn(async { boom() }).expect("the name is free");
            assert_eq!(receive::<Exit>().await.pid, child.pid);
            assert_eq!(whereis("the one"), None);
        }
    });
}

#[test]
fn a_failed_call_is_told_when_the_name_is_free_and_the_state_dropped() {
    struct Request(regrow_runtime::ReplyTo<()>);
    run(3, async {
        let drops = Arc::new(AtomicU32::new(0));
        for round in 0..1_500 {
            let counted = counts(&drops);
            let server = SpawnOptions::new().name("server").spawn(async move {
                let _counted = counted;
                let Request(_held) = receive().await;
                match round % 3 {
                    0 => panic!("with the request in hand"),
                    1 => Err::<(), _>(boom()),
                    _ => pending().await,
                }
            });
            let server = server.expect("the name is free").pid;
            let (reply_to, reply) = reply_channel();
            send(server, Request(reply_to));
            if round % 3 == 2 {
                exit(server, ExitReason::Kill);
            }
            let Err(ReplyError::Exit(reason)) = reply.await else {
                panic!("no reply was sent");
            };
            assert_eq!(whereis("server"), None, "{reason}");
            assert!(!is_alive(server).await);
            assert_eq!(drops.swap(0, Ordering::SeqCst), 1);
        }
    });
}

#[test]
fn a_drop_at_the_end_runs_as_the_process_and_may_do_what_processes_do() {
    run(2, async {
        trap_exit(true);
        let me = self_pid();
        let target = spawn(pending::<()>());
        let (pid, reference) = dies_with(move || {
            assert_ne!(self_pid(), me);
            send(me, ("last words of", self_pid()));
            link(me);
            monitor(target);
            register("at the last moment", self_pid()).unwrap();
            let child = spawn_link(async {
                trap_exit(true);
                receive::<Exit>().await.reason
            });
            send(me, child);
            // There is nothing to end any more.
            exit(self_pid(), ExitReason::error("in the drop"));
        });
        send(pid, boom());
        assert_eq!(receive::<(&str, Pid)>().await.1, pid);
        let child = monitor(receive::<Pid>().await);
        assert_eq!(down(reference).await, boom());
        let seen = receive::<Exit>().await;
        assert_eq!((seen.pid, seen.reason), (pid, boom()));
        assert_eq!(whereis("at the last moment"), None);
        // Told last: it may be under way.
        while !process_info(target).await.unwrap().monitored_by.is_empty() {}
        // The child was linked: it heard of the end (before it trapped, or after).
        let reason = down(child).await;
        assert!(reason == boom() || reason == ExitReason::NoProc, "{reason}");
    });
}

#[test]
fn a_drop_of_an_unread_message_runs_as_the_process_too() {
    run(2, async {
        let me = self_pid();
        let (pid, reference) = spawn_monitor(receive::<ExitReason>());
        send(pid, OnDrop(move || send(me, self_pid())));
        send(pid, boom());
        assert_eq!(receive::<Pid>().await, pid);
        assert_eq!(down(reference).await, boom());
    });
}

#[test]
fn a_message_that_reaches_nobody_is_dropped_as_nobody() {
    run(2, async {
        let (pid, reference) = spawn_monitor(async {});
        down(reference).await;
        let seen = Arc::new(Mutex::new(None));
        let see = seen.clone();
        send(
            pid,
            OnDrop(move || *see.lock().unwrap() = Some(try_self_pid())),
        );
        assert_eq!(*seen.lock().unwrap(), Some(None));
    });
}

#[test]
fn a_panic_in_the_drop_of_a_message_that_reaches_nobody_harms_nobody() {
    run(1, async {
        let (pid, reference) = spawn_monitor(async {});
        down(reference).await;
        send(pid, OnDrop(|| panic!("dead letter")));
        // Behind a deadly signal: it is in the inbox of one that dies.
        let (pid, reference) = spawn_monitor(pending::<()>());
        exit(pid, boom());
        send(pid, OnDrop(|| panic!("too late")));
        assert_eq!(down(reference).await, boom());
    });
}

#[test]
fn a_panic_in_a_drop_at_the_end_changes_neither_the_reason_nor_the_order() {
    run(1, async {
        trap_exit(true);
        for reason in [ExitReason::Normal, boom(), ExitReason::Killed] {
            let (pid, reference) = dies_with(|| panic!("in the state"));
            link(pid);
            register("unlucky", pid).unwrap();
            match &reason {
                ExitReason::Killed => exit(pid, ExitReason::Kill),
                reason => send(pid, reason.clone()),
            }
            assert_eq!(down(reference).await, reason);
            assert_eq!(receive::<Exit>().await.reason, reason);
            assert_eq!(whereis("unlucky"), None);
        }
    });
}

#[test]
fn a_panic_in_the_drop_of_one_message_spares_the_others() {
    run(1, async {
        let drops = Arc::new(AtomicU32::new(0));
        let (pid, reference) = spawn_monitor(receive::<ExitReason>());
        for _ in 0..5 {
            send(pid, counts(&drops));
            send(pid, OnDrop(|| panic!("in a message")));
        }
        send(pid, boom());
        assert_eq!(down(reference).await, boom());
        assert_eq!(drops.load(Ordering::SeqCst), 5);
    });
}

#[test]
fn a_panic_is_the_reason_with_its_text_and_place() {
    run(1, async {
        let (_, reference) = spawn_monitor(async { panic!("plain") });
        let reason = down(reference).await;
        let ExitReason::Panic(info) = &reason else {
            panic!("{reason}");
        };
        assert_eq!(info.message(), "plain");
        assert!(
            info.file()
                .is_some_and(|file| file.ends_with("exit_order.rs"))
        );
        assert!(info.line().is_some());
        let (_, reference) = spawn_monitor(async { panic!("with {}", 1) });
        assert_eq!(panic_message(&down(reference).await), "with 1");
    });
}

#[test]
fn a_payload_that_is_no_text_is_a_panic_like_any_other() {
    run(1, async {
        let drops = Arc::new(AtomicU32::new(0));
        let payload = counts(&drops);
        let (_, reference) = spawn_monitor(async move { panic_any(payload) });
        assert!(panic_message(&down(reference).await).contains("no text"));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        // Not even the drop of the payload can do harm.
        let (_, reference) =
            spawn_monitor(async { panic_any(OnDrop(|| panic!("in the payload"))) });
        assert!(matches!(down(reference).await, ExitReason::Panic(_)));
    });
}

#[test]
fn the_place_of_a_panic_that_somebody_caught_is_nobody_elses() {
    run(1, async {
        let (_, reference) = spawn_monitor(async {
            let caught = std::panic::catch_unwind(|| panic!("mine"));
            assert!(caught.is_err());
        });
        down(reference).await;
        let (_, reference) =
            spawn_monitor(async { std::panic::resume_unwind(Box::new("not mine")) });
        let reason = down(reference).await;
        assert_eq!(reason.to_string(), "panic: not mine");
    });
}

/// An error whose drop panics.
#[derive(Debug, thiserror::Error)]
#[error("live ammunition")]
struct Ammunition;

impl Drop for Ammunition {
    fn drop(&mut self) {
        panic!("bang");
    }
}

#[test]
fn a_panic_in_the_drop_of_a_reason_harms_nobody() {
    run(1, async {
        let (_, reference) = spawn_monitor(async { Err::<(), _>(Ammunition) });
        let down = receive::<Down>().await;
        assert_eq!(down.reference, reference);
        // If ours is the last, it must not go off here.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(down)));
        // Here the process's own is the last.
        let unseen = spawn(async { Err::<(), _>(Ammunition) });
        while is_alive(unseen).await {}
        // And here that of a signal which counts for nothing.
        let (unseen, reference) = spawn_monitor(async { Err::<(), _>(Ammunition) });
        regrow_runtime::demonitor(reference);
        while is_alive(unseen).await {}
    });
}

#[test]
fn a_drop_at_the_end_may_spawn_what_lives_on() {
    run(2, async {
        let me = self_pid();
        let (pid, reference) = dies_with(move || {
            spawn(async move {
                let parent = process_info(self_pid()).await.unwrap().parent;
                send(me, parent);
            });
        });
        exit(pid, ExitReason::Kill);
        assert_eq!(down(reference).await, ExitReason::Killed);
        assert_eq!(receive::<Option<Pid>>().await, Some(pid));
    });
}

#[test]
fn what_a_dying_process_sent_in_its_drops_comes_before_its_down() {
    run(2, async {
        let me = self_pid();
        for _ in 0..300 {
            let (pid, _) = dies_with(move || send(me, "last words"));
            send(pid, boom());
            let first = regrow_runtime::receive_any().await;
            assert!(first.is::<&str>(), "{first:?}");
            receive::<Down>().await;
        }
    });
}

#[test]
fn state_is_dropped_once_however_a_process_ends() {
    run(2, async {
        let drops = Arc::new(AtomicU32::new(0));
        for round in 0..400 {
            let counted = counts(&drops);
            let (pid, reference) = spawn_monitor(async move {
                let _counted = counted;
                match receive::<u8>().timeout(Duration::from_secs(60)).await {
                    Ok(0) => ExitReason::Normal,
                    Ok(1) => panic!("one"),
                    Ok(2) => {
                        exit(self_pid(), boom());
                        ExitReason::Normal
                    }
                    _ => pending().await,
                }
            });
            match round % 5 {
                way @ 0..3 => send(pid, way as u8),
                3 => exit(pid, ExitReason::Kill),
                _ => {
                    send(pid, 0_u8);
                    exit(pid, ExitReason::Kill);
                }
            }
            down(reference).await;
            assert_eq!(drops.swap(0, Ordering::SeqCst), 1, "in round {round}");
        }
    });
}

#[test]
fn links_are_told_before_calls() {
    type Question = Pin<Box<dyn Future<Output = Option<ProcessInfo>> + Send>>;
    /// Asks a process how it is at the moment that a call fails.
    struct Ask(Pid, Mutex<mpsc::Sender<Question>>);
    impl Wake for Ask {
        fn wake(self: Arc<Self>) {
            let mut question: Question = Box::pin(process_info(self.0));
            let asked = question
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            assert!(asked.is_pending());
            let _ = self.1.lock().expect("nobody panics").send(question);
        }
    }
    run(2, async {
        let options = SpawnOptions::new().trap_exit(true);
        let partner = options.spawn(pending::<()>()).unwrap().pid;
        let server = spawn(async move {
            link(partner);
            let _request: ReplyTo<()> = receive().await;
            receive::<ExitReason>().await
        });
        let (reply_to, reply) = reply_channel::<()>();
        send(server, reply_to);
        let (asked, asking) = mpsc::channel();
        let waker = Waker::from(Arc::new(Ask(partner, Mutex::new(asked))));
        let mut reply = pin!(reply);
        let polled = reply.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        send(server, ExitReason::error("boom"));
        let question = loop {
            match asking.try_recv() {
                Ok(question) => break question,
                Err(_) => yield_now().await,
            }
        };
        // The question is behind the exit signal, which has removed the link.
        let partner = question.await.expect("it lives");
        assert!(partner.links.is_empty());
        assert!(reply.await.is_err());
    });
}
