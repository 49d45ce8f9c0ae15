//! The user's code that a timer comes to (clones, drops, wakers) holds up no other timer, and
//! no worker.

mod common;

use std::future::{Future, pending};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use common::{run, run_and_simulate};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use regrow_runtime::{
    Event, EventKinds, ExitReason, MailboxPolicy, ReplyError, ReplyTo, Runtime, SpawnOptions,
    cancel_timer, process_info, receive, reply_channel, self_pid, send, send_after, send_interval,
    sleep, spawn, subscribe, yield_now,
};

const PATIENCE: Duration = Duration::from_secs(25);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Blocks its thread, once begun, until it is told to go on.
struct Blocker {
    begun: Sender<()>,
    end: Mutex<Option<Receiver<()>>>,
}

/// A blocker; hears that it has begun; ends it.
fn blocker() -> (Blocker, Receiver<()>, Sender<()>) {
    let (begun, has_begun) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let blocker = Blocker {
        begun,
        end: Mutex::new(Some(ended)),
    };
    (blocker, has_begun, end)
}

impl Blocker {
    fn block(&self) {
        // The first time only.
        if let Some(end) = self.end.lock().unwrap().take() {
            let _ = self.begun.send(());
            end.recv_timeout(PATIENCE).expect("somebody is held up");
        }
    }
}

/// Blocks in its first clone.
struct SlowClone(Arc<Blocker>);

impl Clone for SlowClone {
    fn clone(&self) -> Self {
        self.0.block();
        SlowClone(self.0.clone())
    }
}

/// Blocks in its drop.
struct SlowDrop(Blocker);

impl Drop for SlowDrop {
    fn drop(&mut self) {
        self.0.block();
    }
}

/// Blocks when it is woken.
struct SlowWaker(Blocker);

impl Wake for SlowWaker {
    fn wake(self: Arc<Self>) {
        self.0.block();
    }
}

/// In a runtime with one worker, a timer that was due in the same moment and one that is
/// armed later are in time, though what `arm` arms blocks until they have come.
fn neighbours_are_in_time<T: Send + 'static>(arm: impl FnOnce(Blocker) -> T + Send + 'static) {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let (blocker, has_begun, end) = blocker();
    let (told, telling) = mpsc::channel();
    runtime.spawn(async move {
        let _armed = arm(blocker);
        for n in 0..100_u32 {
            send_after(ms(5), self_pid(), n);
        }
        // All in the same turn of the wheel.
        let start = Instant::now();
        while start.elapsed() < ms(8) {}
        for _ in 0..100 {
            receive::<u32>().await;
        }
        sleep(ms(5)).await;
        told.send(()).unwrap();
        pending::<()>().await;
    });
    has_begun.recv_timeout(PATIENCE).expect("it is due");
    telling
        .recv_timeout(PATIENCE)
        .expect("neighbours are held up");
    end.send(()).unwrap();
}

#[test]
fn the_clone_of_an_interval_s_message_holds_up_its_receiver_only() {
    neighbours_are_in_time(|blocker| {
        let receiver = spawn(pending::<()>());
        send_interval(ms(3), receiver, SlowClone(Arc::new(blocker)));
    });
}

#[test]
fn the_drop_of_a_message_for_a_name_that_nobody_has_holds_up_nobody() {
    neighbours_are_in_time(|blocker| {
        send_after(ms(3), "nobody", SlowDrop(blocker));
    });
}

#[test]
fn the_drop_of_a_message_for_a_mailbox_that_is_full_holds_up_nobody() {
    neighbours_are_in_time(|blocker| {
        let options = SpawnOptions::new().mailbox_limit(1, MailboxPolicy::DropNewest);
        let full = options.spawn(pending::<()>()).unwrap().pid;
        send(full, "first");
        send_after(ms(3), full, SlowDrop(blocker));
    });
}

#[test]
fn a_waker_of_somebody_else_s_holds_up_nobody() {
    neighbours_are_in_time(|blocker| {
        let waker = Waker::from(Arc::new(SlowWaker(blocker)));
        let mut sleep = Box::pin(sleep(ms(3)));
        let polled = sleep.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        sleep // dropped it would be disarmed
    });
}

#[test]
fn such_code_is_reported_if_it_takes_long() {
    run(1, async {
        subscribe(EventKinds::LONG_SCHEDULE);
        let (blocker, _has_begun, end) = blocker();
        send_after(ms(1), "nobody", SlowDrop(blocker));
        let event = receive::<Event>().await;
        let Event::LongSchedule { label, .. } = event else {
            panic!("{event:?}");
        };
        assert_eq!(label.as_deref(), Some("errand of a timer"));
        end.send(()).unwrap();
    });
}

#[test]
fn without_room_for_another_process_it_is_done_all_the_same() {
    let builder = Runtime::builder().workers(1).max_processes(1);
    let runtime = builder.build().unwrap();
    runtime.block_on(async {
        let lives = Arc::new(());
        send_after(ms(1), "nobody", lives.clone());
        while Arc::strong_count(&lives) > 1 {
            yield_now().await;
        }
        let woken = Arc::new(AtomicUsize::new(0));
        let mut other = Box::pin(sleep(ms(1)));
        let waker = Waker::from(Arc::new(CountWakes(woken.clone())));
        let _ = other.as_mut().poll(&mut Context::from_waker(&waker));
        while woken.load(Ordering::Relaxed) == 0 {
            yield_now().await;
        }
    });
}

struct CountWakes(Arc<AtomicUsize>);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_call_in_a_message_that_reaches_nobody_fails() {
    struct Ask(#[allow(dead_code)] ReplyTo<()>);
    run_and_simulate(1, || async {
        let (reply_to, reply) = reply_channel();
        send_after(ms(1), "nobody", Ask(reply_to));
        let noproc = ReplyError::Exit(ExitReason::NoProc);
        assert_eq!(reply.await, Err(noproc));

        let options = SpawnOptions::new().mailbox_limit(1, MailboxPolicy::Refuse);
        let full = options.spawn(pending::<()>()).unwrap().pid;
        send(full, "first");
        let (reply_to, reply) = reply_channel();
        send_after(ms(1), full, Ask(reply_to));
        assert_eq!(reply.await, Err(ReplyError::MailboxFull));
    });
}

/// Counts its clones; the second one panics.
struct Fragile(Arc<AtomicUsize>);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        assert!(before != 1, "the second one panics");
        Fragile(self.0.clone())
    }
}

#[test]
fn ticks_count_in_a_mailbox_with_a_limit_and_those_that_fail_to_be_cloned_do_not() {
    run_and_simulate(1, || async {
        let made = Arc::new(AtomicUsize::new(0));
        let options = SpawnOptions::new().mailbox_limit(3, MailboxPolicy::DropNewest);
        let receiver = options.spawn(pending::<()>()).unwrap().pid;
        let timer = send_interval(ms(1), receiver, Fragile(made.clone()));
        // Three that count, and the one that fails.
        while made.load(Ordering::SeqCst) < 4 {
            sleep(ms(1)).await;
        }
        sleep(ms(10)).await;
        assert_eq!(made.load(Ordering::SeqCst), 4, "it is full");
        assert!(cancel_timer(timer).is_some());
        let info = process_info(receiver).await.unwrap();
        assert_eq!(info.mailbox_limit.unwrap().taken, 3);
        assert_eq!(info.message_queue_len, 3);
    });
}

#[test]
fn an_interval_for_a_name_that_nobody_has_spawns_nothing() {
    run(1, async {
        subscribe(EventKinds::SPAWNED);
        let timer = send_interval(ms(1), "nobody", Arc::new(()));
        sleep(ms(20)).await;
        // Before the cancel: who fires at that moment may have the last share.
        let event = receive::<Event>().timeout(Duration::ZERO).await;
        assert!(event.is_err(), "{event:?}");
        assert!(cancel_timer(timer).is_some());
    });
}

#[test]
fn a_sleep_in_a_set_of_futures_wakes_it_through_a_waker_of_its_own() {
    run_and_simulate(2, || async {
        let sleeps: FuturesUnordered<_> = (0..50).map(|n| sleep(ms(n % 7))).collect();
        assert_eq!(sleeps.count().await, 50);
    });
}
