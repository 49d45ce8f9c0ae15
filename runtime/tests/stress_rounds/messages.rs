//! Ping-pong, fan-in, and a process that yields to itself while foreign threads send to it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use regrow_runtime::{Pid, receive, self_pid, send, spawn_monitor, try_receive, yield_now};

use super::{Ledger, Order, Payload, Random, Threads, all_end_normally};

const PAIRS: u64 = 16;

enum ToPong {
    Ball(Pid, Payload),
    Stop,
}
struct Back(Payload);

/// Pairs that pass one payload to and fro; every other pair receives with a timeout, so that timers
/// are armed and cancelled all the time.
pub(super) async fn ping_pong(ledger: Arc<Ledger>, _: Random, trips: u64) -> Threads {
    let mut processes = Vec::new();
    for pair in 0..PAIRS {
        let timed = pair % 2 == 0;
        let (pong, monitor) = spawn_monitor(pong(timed));
        processes.push((pong, monitor));
        let ledger = Arc::clone(&ledger);
        processes.push(spawn_monitor(async move {
            let mut order = Order::default();
            for number in 0..trips / PAIRS {
                send(
                    pong,
                    ToPong::Ball(self_pid(), Payload::new(&ledger, pair, number)),
                );
                let Back(payload) = receive().await;
                order.check(&payload);
            }
            send(pong, ToPong::Stop);
        }));
    }
    all_end_normally(processes).await;
    Threads::new()
}

async fn pong(timed: bool) {
    loop {
        let next = if timed {
            receive().timeout(Duration::from_millis(100)).await.ok()
        } else {
            Some(receive().await)
        };
        match next {
            Some(ToPong::Ball(from, payload)) => send(from, Back(payload)),
            Some(ToPong::Stop) => return,
            // A slow machine: wait again.
            None => {}
        }
    }
}

/// Eight processes and two OS threads send to one process, each in its own order.
pub(super) async fn fan_in(ledger: Arc<Ledger>, mut random: Random, messages: u64) -> Threads {
    const PROCESSES: u64 = 8;
    const SENDERS: u64 = 10;
    let each = messages / SENDERS;
    let (receiver, monitor) = spawn_monitor(async move {
        let mut order = Order::default();
        while order.received < each * SENDERS {
            order.check(&receive::<Payload>().await);
        }
    });
    let mut processes = vec![(receiver, monitor)];
    for sender in 0..PROCESSES {
        let (ledger, mut random) = (Arc::clone(&ledger), random.fork());
        processes.push(spawn_monitor(async move {
            for number in 0..each {
                send(receiver, Payload::new(&ledger, sender, number));
                if random.below(16) == 0 {
                    yield_now().await;
                }
            }
        }));
    }
    let threads = (PROCESSES..SENDERS)
        .map(|sender| foreign_sender(&ledger, random.fork(), receiver, sender, each));
    let threads = threads.collect();
    all_end_normally(processes).await;
    threads
}

/// One process that yields, wakes itself, looks into its mailbox, waits and times out in turns, while
/// two OS threads send to it: each way of ending a turn meets each moment of a send.
pub(super) async fn self_yield(ledger: Arc<Ledger>, mut random: Random, messages: u64) -> Threads {
    const SENDERS: u64 = 2;
    let each = messages / SENDERS;
    let mut own = random.fork();
    let (receiver, monitor) = spawn_monitor(async move {
        let mut order = Order::default();
        while order.received < each * SENDERS {
            match own.below(5) {
                0 => order.check(&receive::<Payload>().await),
                1 => yield_now().await,
                2 => wake_oneself().await,
                3 => {
                    if let Ok(payload) = receive::<Payload>()
                        .timeout(Duration::from_micros(own.below(200)))
                        .await
                    {
                        order.check(&payload);
                    }
                }
                _ => {
                    while let Some(payload) = try_receive::<Payload>() {
                        order.check(&payload);
                    }
                }
            }
        }
    });
    let threads = (0..SENDERS)
        .map(|sender| foreign_sender(&ledger, random.fork(), receiver, sender, each))
        .collect();
    all_end_normally(vec![(receiver, monitor)]).await;
    threads
}

fn foreign_sender(
    ledger: &Arc<Ledger>,
    mut random: Random,
    to: Pid,
    sender: u64,
    count: u64,
) -> thread::JoinHandle<()> {
    let ledger = Arc::clone(ledger);
    thread::spawn(move || {
        for number in 0..count {
            send(to, Payload::new(&ledger, sender, number));
            random.spin(200);
        }
    })
}

/// Returns pending once, after waking the very waker it was polled with.
async fn wake_oneself() {
    let mut woken = false;
    poll_fn(|context| {
        if woken {
            return Poll::Ready(());
        }
        woken = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
