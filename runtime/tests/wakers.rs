//! Wakers: none is lost, none is missed when its process is gone, and what panics
//! in one of somebody else's harms neither processes nor workers.

mod common;

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use common::run;
use futures_lite::future::zip;
use regrow_runtime::{
    Down, ExitReason, Pid, Runtime, exit, receive, reply_channel, self_pid, send, sleep,
    spawn_monitor, yield_now,
};

/// Counts what it is told, and panics when it is woken or dropped, if so armed.
struct Mine {
    on_wake: bool,
    on_drop: bool,
    woken: Arc<AtomicU32>,
}

impl Wake for Mine {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        assert!(!self.on_wake, "in a waker");
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        assert!(
            !self.on_drop || std::thread::panicking(),
            "in the drop of a waker"
        );
    }
}

/// Polls a future once, with a waker that panics.
async fn poll_with_mine<F: Future>(waits: Pin<&mut F>, on_wake: bool) -> Arc<AtomicU32> {
    let woken = Arc::new(AtomicU32::new(0));
    let mine = Mine {
        on_wake,
        on_drop: !on_wake,
        woken: woken.clone(),
    };
    let waker = Waker::from(Arc::new(mine));
    let mut waits = waits;
    poll_fn(|_| {
        let polled = waits.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        Poll::Ready(())
    })
    .await;
    woken
}

#[test]
fn a_waker_that_panics_when_a_timer_fires_harms_nobody() {
    run(1, async {
        let after = Duration::from_millis(2);
        let mut nap = Box::pin(sleep(after));
        let woken = poll_with_mine(nap.as_mut(), true).await;
        let start = Instant::now();
        // Due at the same time, behind it.
        sleep(after).await;
        sleep(after).await;
        assert!(start.elapsed() >= after * 2);
        assert_eq!(woken.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_waker_that_panics_when_a_message_arrives_harms_nobody() {
    run(1, async {
        let mut waits = Box::pin(receive::<char>());
        let woken = poll_with_mine(waits.as_mut(), true).await;
        send(self_pid(), 1_u32);
        assert_eq!(receive::<u32>().await, 1);
        assert_eq!(woken.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_waker_whose_drop_panics_at_the_end_of_its_process_harms_nobody() {
    run(1, async {
        let me = self_pid();
        for kills in [true, false] {
            let (other, _) = spawn_monitor(async move {
                let mut waits = Box::pin(receive::<char>());
                // Only the runtime has it now.
                poll_with_mine(waits.as_mut(), false).await;
                send(me, self_pid());
                if kills {
                    pending::<()>().await;
                }
            });
            assert_eq!(receive::<Pid>().await, other);
            exit(other, ExitReason::Kill);
            assert_eq!(receive::<Down>().await.pid, other);
        }
    });
}

#[test]
fn a_waker_that_panics_when_a_call_fails_harms_neither_the_server_nor_its_watchers() {
    run(1, async {
        for dies in [true, false] {
            let (reply_to, reply) = reply_channel::<()>();
            let mut reply = Box::pin(reply);
            let woken = poll_with_mine(reply.as_mut(), true).await;
            spawn_monitor(async move {
                drop(reply_to);
                if !dies {
                    yield_now().await;
                }
                ExitReason::Shutdown
            });
            assert_eq!(receive::<Down>().await.reason, ExitReason::Shutdown);
            assert_eq!(woken.load(Ordering::SeqCst), 1);
        }
    });
}

#[test]
fn a_waker_that_panics_when_a_reply_comes_is_the_panic_of_whoever_replies_and_of_nobody_else() {
    run(1, async {
        let (reply_to, reply) = reply_channel::<()>();
        let mut reply = Box::pin(reply);
        let woken = poll_with_mine(reply.as_mut(), true).await;
        spawn_monitor(async move { reply_to.send(()) });
        receive::<Down>().await;
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        assert_eq!(reply.await, Ok(()));
    });
}

#[test]
fn a_waker_that_outlives_its_process_and_its_runtime_is_harmless() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let waker = runtime.block_on(async {
        let me = self_pid();
        let (_, reference) = spawn_monitor(async move {
            poll_fn(|cx| {
                send(me, cx.waker().clone());
                Poll::Ready(())
            })
            .await;
        });
        let waker = receive::<Waker>().await;
        assert_eq!(receive::<Down>().await.reference, reference);
        waker.wake_by_ref();
        // Its place has a new tenant by and by: it is not disturbed.
        for _ in 0..100 {
            let (_, _) = spawn_monitor(poll_fn(|_| Poll::Ready(())));
            waker.wake_by_ref();
            receive::<Down>().await;
        }
        waker
    });
    drop(runtime);
    let again = waker.clone();
    std::thread::spawn(move || again.wake()).join().unwrap();
    waker.wake();
}

#[test]
fn wakes_from_many_threads_are_never_lost() {
    /// Ready when a thread has set the flag, and woken the task.
    struct Signal(Arc<(AtomicBool, Mutex<Option<Waker>>)>);
    impl Future for Signal {
        type Output = ();
        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            *self.0.1.lock().unwrap() = Some(cx.waker().clone());
            match self.0.0.load(Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }
    }
    run(2, async {
        let (sender, orders) =
            std::sync::mpsc::channel::<Arc<(AtomicBool, Mutex<Option<Waker>>)>>();
        let orders = Arc::new(Mutex::new(orders));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let orders = orders.clone();
                std::thread::spawn(move || {
                    loop {
                        let Ok(order) = orders.lock().unwrap().recv() else {
                            return;
                        };
                        order.0.store(true, Ordering::SeqCst);
                        if let Some(waker) = order.1.lock().unwrap().take() {
                            waker.wake();
                        }
                    }
                })
            })
            .collect();
        for _ in 0..3_000 {
            let [a, b, c] = [(); 3].map(|()| {
                let order = Arc::new((AtomicBool::new(false), Mutex::new(None)));
                sender.send(order.clone()).unwrap();
                Signal(order)
            });
            zip(a, zip(b, c)).await;
        }
        drop(sender);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
