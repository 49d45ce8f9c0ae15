//! Two processes link to and unlink from each other at random and at the same time. When all is
//! quiet both must hold the same opinion, and it must be the one that counts when one of them dies.

use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{
    Down, Exit, ExitReason, Pid, exit, link, monitor, process_info, receive, self_pid, send, spawn,
    trap_exit, try_receive, unlink, yield_now,
};

use super::{Ledger, Random, Threads};

const PAIRS: u64 = 8;
const OPERATIONS: u64 = 12;

/// Whom to link with, and who wants to know when it is quiet.
struct Begin {
    peer: Pid,
    judge: Pid,
}
/// All that this one did to its peer lies before this message.
struct Quiet;
struct Ready;
struct PeerIsDead {
    linked: bool,
}
struct Judged;

/// Repeats the story `count` times, some pairs at a time.
pub(super) async fn agreement(ledger: Arc<Ledger>, mut random: Random, count: u64) -> Threads {
    for _ in 0..count / PAIRS {
        let pairs: Vec<[Pid; 2]> = (0..PAIRS).map(|_| pair(&mut random)).collect();
        for _ in 0..2 * PAIRS {
            receive::<Ready>().await;
        }
        for pair in pairs {
            judge(pair, &mut random).await;
            ledger.tick();
        }
    }
    Threads::new()
}

fn pair(random: &mut Random) -> [Pid; 2] {
    let pair = [(); 2].map(|()| spawn(party(random.fork())));
    for (own, peer) in [(0, 1), (1, 0)] {
        send(
            pair[own],
            Begin {
                peer: pair[peer],
                judge: self_pid(),
            },
        );
    }
    pair
}

async fn party(mut random: Random) {
    trap_exit(true);
    let Begin { peer, judge } = receive().await;
    for _ in 0..random.below(OPERATIONS) {
        if random.below(2) == 0 {
            link(peer)
        } else {
            unlink(peer)
        }
        match random.below(4) {
            0 => yield_now().await,
            1 => random.spin(400),
            _ => {}
        }
    }
    // Signals between two processes keep their order: after the peer's second `Quiet` nothing of
    // either side, answers to the other's requests included, can still be under way.
    for _ in 0..2 {
        send(peer, Quiet);
        receive::<Quiet>().await;
    }
    send(judge, Ready);

    let PeerIsDead { linked } = receive().await;
    if linked {
        let told = receive::<Exit>().timeout(Duration::from_secs(10)).await;
        assert!(
            told.is_ok_and(|told| told.pid == peer),
            "a linked process was not told"
        );
    }
    yield_now().await;
    assert!(
        try_receive::<Exit>().is_none(),
        "told of an exit {}",
        if linked { "twice" } else { "without a link" }
    );
    send(judge, Judged);
}

/// Compares both opinions, then kills one of the two and lets the other say what it was told.
async fn judge([one, other]: [Pid; 2], random: &mut Random) {
    let opinions = [(one, other), (other, one)];
    let mut linked = Vec::new();
    for (own, peer) in opinions {
        let info = process_info(own)
            .await
            .expect("a party waits for the verdict");
        linked.push(info.links.contains(&peer));
    }
    assert_eq!(
        linked[0], linked[1],
        "{one} and {other} disagree about their link"
    );

    let (dies, stays) = if random.below(2) == 0 {
        (one, other)
    } else {
        (other, one)
    };
    await_end(dies, ExitReason::Kill).await;
    let survivor = monitor(stays);
    send(stays, PeerIsDead { linked: linked[0] });
    let down = receive::<Down>()
        .matching(move |down: &Down| down.reference == survivor)
        .await;
    assert!(
        matches!(down.reason, ExitReason::Normal),
        "the survivor ended with {}",
        down.reason
    );
    receive::<Judged>().await;
}

async fn await_end(pid: Pid, reason: ExitReason) {
    let watched = monitor(pid);
    exit(pid, reason);
    receive::<Down>()
        .matching(move |down: &Down| down.reference == watched)
        .await;
}
