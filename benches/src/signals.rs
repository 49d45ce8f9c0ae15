//! What one process does to another, one primitive at a time.

use std::time::{Duration, Instant};

use regrow::{
    Exit, ExitReason, Pid, demonitor, link, monitor, receive, receive_down, reply_channel,
    self_pid, spawn_link, trap_exit, unlink, yield_now,
};

use crate::spawning::idle;
use crate::{Done, bursts};

enum Item {
    Number(u64),
    /// To be answered with [`Done`]
    Mark,
}

/// Sends `count` messages to a process that throws them away; what that one does is not counted.
pub async fn send(count: u64) -> Duration {
    let root = self_pid();
    let sink = spawn_link(async move {
        let mut next = 0;
        loop {
            match receive().await {
                Item::Number(number) => {
                    assert_eq!(number, next, "out of order");
                    next += 1;
                }
                Item::Mark => {
                    next = 0;
                    regrow::send(root, Done);
                }
            }
        }
    });
    let mut time = Duration::ZERO;
    for burst in bursts(count) {
        let start = Instant::now();
        for number in 0..burst {
            regrow::send(sink, Item::Number(number));
        }
        time += start.elapsed();
        regrow::send(sink, Item::Mark);
        receive::<Done>().await;
    }
    end(sink).await;
    time
}

/// Receives `count` messages that are there.
pub async fn receive_waiting(count: u64) -> Duration {
    let this = self_pid();
    let mut time = Duration::ZERO;
    for burst in bursts(count) {
        for number in 0..burst {
            regrow::send(this, number);
        }
        // A mailbox is filled at the start of a turn.
        yield_now().await;
        let start = Instant::now();
        for number in 0..burst {
            assert_eq!(receive::<u64>().await, number);
        }
        time += start.elapsed();
    }
    time
}

/// The same with `receive!`, each message for the second of three arms.
pub async fn receive_arms(count: u64) -> Duration {
    struct First;
    struct Third;

    let this = self_pid();
    let mut time = Duration::ZERO;
    for burst in bursts(count) {
        for number in 0..burst {
            regrow::send(this, number);
        }
        yield_now().await;
        let start = Instant::now();
        for expected in 0..burst {
            regrow::receive! {
                First => unreachable!("nobody sends it"),
                number: u64 => assert_eq!(number, expected),
                Third => unreachable!("nobody sends it"),
            }
        }
        time += start.elapsed();
    }
    time
}

/// Replies that are there when they are waited for.
pub async fn replies(count: u64) -> Duration {
    let start = Instant::now();
    for number in 0..count {
        let (reply_to, reply) = reply_channel();
        reply_to.send(number);
        assert_eq!(reply.await, Ok(number));
    }
    start.elapsed()
}

/// Turns of a process that has nobody to yield to.
pub async fn yields(count: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        yield_now().await;
    }
    start.elapsed()
}

/// Monitors idle processes, ends them and receives their `Down`s.
pub async fn monitor_down(count: u64) -> Duration {
    let mut time = Duration::ZERO;
    for burst in bursts(count) {
        let pids: Vec<Pid> = (0..burst).map(|_| regrow::spawn(idle())).collect();
        let start = Instant::now();
        let watches: Vec<_> = pids.iter().map(|&pid| monitor(pid)).collect();
        for &pid in &pids {
            regrow::exit(pid, ExitReason::Shutdown);
        }
        for (watch, pid) in watches.into_iter().zip(pids) {
            assert_eq!(receive_down(watch).await.pid, pid);
        }
        time += start.elapsed();
    }
    time
}

/// Monitors an idle process and stops at once.
pub async fn monitor_demonitor(count: u64) -> Duration {
    with_idle(count, |idle| {
        demonitor(monitor(idle));
    })
    .await
}

/// Links itself to an idle process and back off.
pub async fn link_unlink(count: u64) -> Duration {
    with_idle(count, |idle| {
        link(idle);
        unlink(idle);
    })
    .await
}

/// Yields after each burst, so that the other sees its signals; the last ones too before the clock stops.
async fn with_idle(count: u64, operation: impl Fn(Pid)) -> Duration {
    let idle = regrow::spawn(idle());
    let start = Instant::now();
    for burst in bursts(count) {
        for _ in 0..burst {
            operation(idle);
        }
        yield_now().await;
    }
    end(idle).await;
    start.elapsed()
}

/// Exit signals to a process that traps them and receives each.
pub async fn exit_trapped(count: u64) -> Duration {
    let root = self_pid();
    let trapping = spawn_link(async move {
        trap_exit(true);
        regrow::send(root, Done);
        for burst in bursts(count) {
            for _ in 0..burst {
                let exit = receive::<Exit>().await;
                assert!(exit.pid == root && exit.reason == ExitReason::Shutdown);
            }
            regrow::send(root, Done);
        }
    });
    receive::<Done>().await;
    let start = Instant::now();
    for burst in bursts(count) {
        for _ in 0..burst {
            regrow::exit(trapping, ExitReason::Shutdown);
        }
        receive::<Done>().await;
    }
    start.elapsed()
}

/// Ends a process and waits until it is gone.
pub(crate) async fn end(pid: Pid) {
    unlink(pid);
    let watch = monitor(pid);
    regrow::exit(pid, ExitReason::Kill);
    receive_down(watch).await;
}
