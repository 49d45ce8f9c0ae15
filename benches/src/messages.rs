//! Messages between processes.

use std::time::{Duration, Instant};

use regrow::{ExitReason, Pid};

use crate::{Done, bursts, shares};

/// Processes in the ring: a prime, so that it falls into step with nothing.
pub const RING: u64 = 503;
/// Senders in the fan-in.
pub const SENDERS: u64 = 8;

struct Go;
struct Ping(Pid);
struct Pong;
struct Token(u64);
struct NextMember(Pid);
struct Wanted;
struct Noise(#[expect(dead_code, reason = "gives the message a body")] u64);

/// `count` round trips, shared by `pairs` pairs of processes.
pub async fn ping_pong(pairs: u64, count: u64) -> Duration {
    let root = regrow::self_pid();
    let pings: Vec<Pid> = shares(count, pairs)
        .map(|trips| regrow::spawn_link(ping(root, trips)))
        .collect();
    let start = Instant::now();
    for ping in pings {
        regrow::send(ping, Go);
    }
    for _ in 0..pairs {
        regrow::receive::<Done>().await;
    }
    start.elapsed()
}

async fn ping(root: Pid, trips: u64) {
    let this = regrow::self_pid();
    let pong = regrow::spawn(async {
        loop {
            let Ping(from) = regrow::receive().await;
            regrow::send(from, Pong);
        }
    });
    regrow::receive::<Go>().await;
    for _ in 0..trips {
        regrow::send(pong, Ping(this));
        regrow::receive::<Pong>().await;
    }
    regrow::exit(pong, ExitReason::Kill);
    regrow::send(root, Done);
}

/// A token that makes `hops` hops through a ring of [`RING`] processes.
pub fn ring(hops: u64) -> impl Future<Output = Duration> + Send {
    ring_of(RING, hops)
}

/// The same through a ring of so many.
pub async fn ring_of(size: u64, hops: u64) -> Duration {
    let root = regrow::self_pid();
    let first = regrow::spawn(async move {
        let NextMember(next) = regrow::receive().await;
        member(next, root).await;
    });
    let mut members = vec![first];
    for _ in 1..size {
        let next = *members.last().expect("the first is in");
        members.push(regrow::spawn(member(next, root)));
    }
    let last = *members.last().expect("the first is in");
    regrow::send(first, NextMember(last));

    let start = Instant::now();
    regrow::send(last, Token(hops));
    regrow::receive::<Done>().await;
    let elapsed = start.elapsed();
    for member in members {
        regrow::exit(member, ExitReason::Kill);
    }
    elapsed
}

async fn member(next: Pid, root: Pid) {
    loop {
        match regrow::receive().await {
            Token(0) => regrow::send(root, Done),
            Token(hops) => regrow::send(next, Token(hops - 1)),
        }
    }
}

/// [`SENDERS`] processes send `count` messages to this one.
pub fn fan_in(count: u64) -> impl Future<Output = Duration> + Send {
    fan_in_from(SENDERS, count)
}

/// The same from so many.
pub async fn fan_in_from(senders: u64, count: u64) -> Duration {
    let root = regrow::self_pid();
    let start = Instant::now();
    for messages in shares(count, senders) {
        regrow::spawn_link(async move {
            for burst in bursts(messages) {
                for number in 0..burst {
                    regrow::send(root, number);
                }
                regrow::yield_now().await;
            }
        });
    }
    for _ in 0..count {
        regrow::receive::<u64>().await;
    }
    start.elapsed()
}

/// Fills this process's mailbox with messages that nobody receives.
pub fn fill_mailbox(count: u64) {
    let this = regrow::self_pid();
    for number in 0..count {
        regrow::send(this, Noise(number));
    }
}

/// Sends itself a message and receives it, past whatever [`fill_mailbox`] left.
pub async fn selective_receive(count: u64) -> Duration {
    let this = regrow::self_pid();
    let start = Instant::now();
    for _ in 0..count {
        regrow::send(this, Wanted);
        regrow::receive::<Wanted>().await;
    }
    start.elapsed()
}
