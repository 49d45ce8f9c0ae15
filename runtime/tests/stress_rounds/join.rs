//! Several futures inside one process, each polled with a waker of its own and only when that one
//! was woken, as `FuturesUnordered` does. The pause between the children's polls is what makes the
//! difference: without it a runtime that loses such wake-ups passes.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use regrow_runtime::{Pid, receive, self_pid, send, spawn_monitor};

use super::{Ledger, Order, Payload, Random, Threads, all_end_normally};

/// Turns of a spin loop between two children's polls, at most.
const PAUSE: u64 = 400;

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

struct Left(Payload);
struct Right(Payload);
/// This process has begun to wait for that number.
struct Turn(Pid, u64);

impl Side {
    fn send(self, to: Pid, payload: Payload) {
        match self {
            Side::Left => send(to, Left(payload)),
            Side::Right => send(to, Right(payload)),
        }
    }
}

/// One process joins what OS threads send and set; another what processes send.
pub(super) async fn joins(ledger: Arc<Ledger>, mut random: Random, count: u64) -> Threads {
    let signal = Arc::new(Signal::default());
    let waits = Arc::clone(&signal);
    let foreign = joiner(
        Arc::clone(&ledger),
        random.fork(),
        count,
        Vec::new(),
        Some(waits),
    );
    let foreign = spawn_monitor(foreign);
    let threads = [Side::Left, Side::Right].map(|side| {
        foreign_partner(
            Arc::clone(&ledger),
            random.fork(),
            count,
            side,
            foreign.0,
            Arc::clone(&signal),
        )
    });

    let partners = [Side::Left, Side::Right];
    let partners = partners
        .map(|side| spawn_monitor(partner(Arc::clone(&ledger), random.fork(), count, side)));
    let pids = partners.iter().map(|&(pid, _)| pid).collect();
    let native = spawn_monitor(joiner(ledger, random.fork(), count, pids, None));

    let mut processes = vec![foreign, native];
    processes.extend(partners);
    all_end_normally(processes).await;
    threads.into()
}

/// Waits `count` times for one of each side, and for the signal, in whatever order they come.
async fn joiner(
    ledger: Arc<Ledger>,
    mut random: Random,
    count: u64,
    partners: Vec<Pid>,
    signal: Option<Arc<Signal>>,
) {
    let orders = [(); 2].map(|()| Arc::new(Mutex::new(Order::default())));
    for number in 1..=count {
        let [left, right] = orders.clone();
        let timed = random.below(2) == 0;
        let mut children = vec![
            Child::new(async move {
                let Left(payload) = receive().await;
                lock(&left).check(&payload);
            }),
            Child::new(async move {
                let Right(payload) = if timed {
                    let hour = Duration::from_secs(3600);
                    receive().timeout(hour).await.expect("nobody waits an hour")
                } else {
                    receive().await
                };
                lock(&right).check(&payload);
            }),
        ];
        if let Some(signal) = &signal {
            children.push(Child::new(Arc::clone(signal).raised(number)));
            signal.awaited.store(number, Ordering::Release);
        }
        for &partner in &partners {
            send(partner, Turn(self_pid(), number));
        }
        Join {
            children,
            parent: Arc::default(),
            random: random.fork(),
        }
        .await;
        ledger.tick();
    }
}

/// A process that sends one payload a turn.
async fn partner(ledger: Arc<Ledger>, mut random: Random, count: u64, side: Side) {
    for number in 0..count {
        let Turn(joiner, turn) = receive().await;
        assert_eq!(turn, number + 1, "turns come in order");
        random.spin(PAUSE);
        side.send(joiner, Payload::new(&ledger, 0, number));
    }
}

/// An OS thread that sends one payload a turn; the right one raises the signal too.
fn foreign_partner(
    ledger: Arc<Ledger>,
    mut random: Random,
    count: u64,
    side: Side,
    joiner: Pid,
    signal: Arc<Signal>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        for number in 0..count {
            while signal.awaited.load(Ordering::Acquire) <= number {
                thread::yield_now();
            }
            random.spin(2 * PAUSE);
            let signal_first = random.below(2) == 0;
            if matches!(side, Side::Right) && signal_first {
                signal.raise(number + 1);
                random.spin(PAUSE);
            }
            side.send(joiner, Payload::new(&ledger, 0, number));
            if matches!(side, Side::Right) && !signal_first {
                random.spin(PAUSE);
                signal.raise(number + 1);
            }
        }
    })
}

/// A number that a foreign thread raises: a future that has nothing to do with mailboxes.
#[derive(Default)]
struct Signal {
    /// The number that the joiner waits for.
    awaited: AtomicU64,
    raised: Mutex<(u64, Option<Waker>)>,
}

impl Signal {
    fn raise(&self, number: u64) {
        let mut raised = lock(&self.raised);
        raised.0 = number;
        let waker = raised.1.take();
        drop(raised);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn raised(self: Arc<Self>, number: u64) {
        poll_fn(|context| {
            let mut raised = lock(&self.raised);
            if raised.0 >= number {
                return Poll::Ready(());
            }
            raised.1 = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Polls each child only if that child's own waker was used.
struct Join {
    children: Vec<Child>,
    parent: Arc<Mutex<Option<Waker>>>,
    random: Random,
}

struct Child {
    /// `None` once it is done.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    woken: Option<Arc<ChildWaker>>,
}

struct ChildWaker {
    woken: AtomicBool,
    parent: Arc<Mutex<Option<Waker>>>,
}

impl Child {
    fn new(future: impl Future<Output = ()> + Send + 'static) -> Child {
        Child {
            future: Some(Box::pin(future)),
            woken: None,
        }
    }

    /// Polls if woken, and the first time.
    fn poll(&mut self, parent: &Arc<Mutex<Option<Waker>>>) {
        let woken = self.woken.get_or_insert_with(|| {
            Arc::new(ChildWaker {
                woken: AtomicBool::new(true),
                parent: Arc::clone(parent),
            })
        });
        let Some(future) = &mut self.future else {
            return;
        };
        if woken.woken.swap(false, Ordering::AcqRel) {
            let waker = Waker::from(Arc::clone(woken));
            if future
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                self.future = None;
            }
        }
    }
}

impl Wake for ChildWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let parent = lock(&self.parent).clone();
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

impl Future for Join {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Join {
            children,
            parent,
            random,
        } = &mut *self;
        // Before any child is looked at: a child that is woken from here on wakes this turn's waker.
        *lock(parent) = Some(context.waker().clone());
        for child in children.iter_mut() {
            child.poll(parent);
            random.spin(PAUSE);
        }
        if children.iter().all(|child| child.future.is_none()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
