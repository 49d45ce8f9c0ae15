//! Links and unlinks from both sides at the same instant.

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::run;
use regrow_runtime::{
    Down, ExitReason, MonitorRef, Pid, exit, link, process_info, receive, self_pid, send, spawn,
    spawn_monitor, unlink, yield_now,
};

async fn links_of(pid: Pid) -> Vec<Pid> {
    process_info(pid).await.expect("it lives").links
}

/// Waits for the end of a process that is monitored.
async fn down(reference: MonitorRef) -> Down {
    receive::<Down>()
        .matching(move |down: &Down| down.reference == reference)
        .await
}

fn boom() -> ExitReason {
    ExitReason::error("boom")
}

/// Links and unlinks at random, then says that it is done and waits for its end.
async fn fickle(peer: Pid, seed: u64, parent: Pid) -> ExitReason {
    let mut random = seed | 1;
    // Few, for it is the last ones that count.
    for _ in 0..5 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        match random % 5 {
            0 | 1 => link(peer),
            2 | 3 => unlink(peer),
            _ => yield_now().await,
        }
    }
    send(parent, self_pid());
    receive().await
}

#[test]
fn links_and_unlinks_from_both_sides_at_once_leave_both_sides_in_agreement() {
    run(3, async {
        let me = self_pid();
        let mut linked = 0;
        for seed in 1..=3_000_u64 {
            let start = move |seed| {
                spawn_monitor(async move {
                    let peer = receive::<Pid>().await;
                    fickle(peer, seed, me).await
                })
            };
            let (a, down_a) = start(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let (b, down_b) = start(seed.wrapping_mul(0xD134_2543_DE82_EF95));
            send(a, b);
            send(b, a);
            receive::<Pid>().await;
            receive::<Pid>().await;
            // Both have sent all they will: the questions are behind it.
            let (of_a, of_b) = (links_of(a).await, links_of(b).await);
            assert_eq!(of_a == [b], of_b == [a], "{seed}: {of_a:?} {of_b:?}");

            send(a, boom());
            assert_eq!(down(down_a).await.reason, boom());
            if of_a == [b] {
                linked += 1;
            } else {
                send(b, ExitReason::Shutdown);
            }
            let expected = if of_a == [b] {
                boom()
            } else {
                ExitReason::Shutdown
            };
            assert_eq!(down(down_b).await.reason, expected);
        }
        assert!((500..2_500).contains(&linked), "{linked}");
    });
}

#[test]
fn an_unlink_does_not_remove_a_link_that_its_caller_had_not_seen() {
    run(3, async {
        let start = Instant::now();
        let mut met = 0;
        // It takes two at the same time, which cannot be had for certain.
        while met < 100 && start.elapsed() < Duration::from_secs(10) {
            let me = self_pid();
            let in_turn = Arc::new(AtomicBool::new(false));
            let linked = Arc::new(AtomicBool::new(false));
            let (flag, other_flag) = (in_turn.clone(), linked.clone());
            let a = spawn(async move {
                let b = receive::<Pid>().await;
                while !flag.load(Ordering::SeqCst) {
                    yield_now().await;
                }
                link(b);
                other_flag.store(true, Ordering::SeqCst);
                send(me, true);
                pending::<()>().await;
            });
            let b = spawn(async move {
                yield_now().await;
                // From here on this turn sees no signals any more.
                in_turn.store(true, Ordering::SeqCst);
                let limit = Instant::now() + Duration::from_millis(1);
                while !linked.load(Ordering::SeqCst) && Instant::now() < limit {
                    std::hint::spin_loop();
                }
                let met = linked.load(Ordering::SeqCst);
                link(a);
                unlink(a);
                send(me, met);
                pending::<()>().await;
            });
            send(a, b);
            let both = receive::<bool>().await & receive::<bool>().await;
            let (of_a, of_b) = (links_of(a).await, links_of(b).await);
            assert_eq!(of_a == [b], of_b == [a], "both agree");
            if both {
                met += 1;
                assert_eq!(of_a, [b], "the link of the other side stands");
            }
            exit(a, ExitReason::Kill);
            exit(b, ExitReason::Kill);
        }
        assert!(met > 0, "they never met");
    });
}
