//! Messages and selective receive.

mod common;

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{run, run_and_simulate};
use futures_lite::future::{or, poll_once, zip};
use regrow_runtime::{
    Down, Exit, Runtime, Timeout, catch_panic, consume_reductions, exit, link, monitor, receive,
    receive_any, self_pid, send, spawn, spawn_monitor, trap_exit, try_receive,
    try_receive_matching, yield_now,
};

/// The rest of the mailbox, in order; only `u32`s.
async fn rest() -> Vec<u32> {
    let mut rest = Vec::new();
    while let Ok(message) = receive_any().timeout(Duration::ZERO).await {
        rest.push(message.downcast::<u32>().expect("only numbers"));
    }
    rest
}

#[test]
fn the_oldest_match_is_taken_and_the_others_keep_their_order() {
    run_and_simulate(1, || async {
        for number in 0..10_u32 {
            send(self_pid(), number);
        }
        assert_eq!(receive::<u32>().matching(|n: &u32| n % 4 == 3).await, 3);
        assert_eq!(receive::<u32>().matching(|n: &u32| n % 4 == 3).await, 7);
        assert_eq!(receive::<u32>().await, 0);
        assert_eq!(receive::<u32>().matching(|n: &u32| *n == 9).await, 9);
        assert_eq!(rest().await, [1, 2, 4, 5, 6, 8]);
    });
}

#[test]
fn a_receive_takes_only_its_type_and_receive_any_takes_the_oldest() {
    run_and_simulate(2, || async {
        trap_exit(true);
        send(self_pid(), "text");
        send(self_pid(), 1_u32);
        let dead = spawn(async {});
        monitor(dead);
        receive::<Down>().await;
        link(dead);
        monitor(dead);
        send(self_pid(), 1_u64);
        assert_eq!(receive::<u64>().await, 1);
        assert_eq!(receive_any().await.downcast::<&str>().unwrap(), "text");
        let number = receive_any().await.downcast::<&str>().unwrap_err();
        assert_eq!(
            (number.peek::<u32>(), number.type_name()),
            (Some(&1), "u32")
        );
        assert!(receive_any().await.is::<Exit>());
        assert!(receive_any().await.is::<Down>());
        assert_eq!(rest().await, []);
    });
}

#[test]
fn messages_of_one_sender_arrive_in_order_however_they_were_addressed() {
    run_and_simulate(3, || async {
        let me = self_pid();
        regrow_runtime::register("target", me).unwrap();
        let senders = 4_u32;
        for sender in 0..senders {
            spawn(async move {
                for number in 0..2_000_u32 {
                    match number % 2 {
                        0 => send(me, (sender, number)),
                        _ => regrow_runtime::send_named("target", (sender, number)).unwrap(),
                    }
                    if number % 64 == 0 {
                        yield_now().await;
                    }
                }
            });
        }
        let mut next = vec![0; senders as usize];
        for _ in 0..senders * 2_000 {
            let (sender, number) = receive::<(u32, u32)>().await;
            assert_eq!(next[sender as usize], number);
            next[sender as usize] += 1;
        }
    });
}

#[test]
fn messages_of_a_thread_arrive_in_order() {
    run(2, async {
        let me = self_pid();
        let thread = std::thread::spawn(move || (0..20_000_u32).for_each(|n| send(me, n)));
        for number in 0..20_000 {
            assert_eq!(receive::<u32>().await, number);
        }
        thread.join().unwrap();
    });
}

struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_message_to_the_dead_or_never_born_is_dropped_silently() {
    run_and_simulate(2, || async {
        let drops = Arc::new(AtomicU32::new(0));
        let (dead, _) = spawn_monitor(async {});
        receive::<Down>().await;
        for _ in 0..10 {
            send(dead, Counted(drops.clone()));
        }
        assert_eq!(drops.load(Ordering::SeqCst), 10);
    });
}

#[test]
fn several_receives_of_different_types_wait_at_once() {
    run_and_simulate(2, || async {
        let me = self_pid();
        for round in 0..60_usize {
            let order = [
                [0, 1, 2],
                [0, 2, 1],
                [1, 0, 2],
                [1, 2, 0],
                [2, 0, 1],
                [2, 1, 0],
            ];
            spawn(async move {
                for kind in order[round % 6] {
                    send(me, ());
                    match kind {
                        0 => send(me, 1_u8),
                        1 => send(me, 2_u16),
                        _ => send(me, 3_u32),
                    }
                    if round % 2 == 0 {
                        yield_now().await;
                    }
                }
            });
            let three = zip(receive::<u8>(), zip(receive::<u16>(), receive::<u32>()));
            assert_eq!(three.await, (1, (2, 3)));
            for _ in 0..3 {
                receive::<()>().await;
            }
        }
    });
}

#[test]
fn of_several_receives_of_one_type_each_gets_its_own_message() {
    run_and_simulate(1, || async {
        let me = self_pid();
        spawn(async move {
            for number in 0..3_u32 {
                yield_now().await;
                send(me, "noise");
                send(me, number);
            }
        });
        let (a, (b, c)) = zip(receive::<u32>(), zip(receive::<u32>(), receive::<u32>())).await;
        let mut all = [a, b, c];
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    });
}

type Waiting = Pin<Box<dyn Future<Output = u32> + Send>>;

#[test]
fn a_waiting_receive_misses_nothing_when_others_take_around_its_place() {
    // Some receives wait while others take messages, the newest above all, which
    // is where a waiting one stands. The model is a plain list.
    run_and_simulate(1, || async {
        let mut random = 0x2545_F491_4F6C_DD1D_u64;
        let mut below = move |end: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % end
        };
        for _ in 0..300 {
            let mut model: Vec<u32> = Vec::new();
            let mut next = 0_u32;
            // Each waits for a rest modulo 7.
            let mut waiting: Vec<(u32, Waiting)> = Vec::new();
            for _ in 0..60 {
                match below(5) {
                    0 | 1 => {
                        for _ in 0..below(4) {
                            send(self_pid(), next);
                            model.push(next);
                            next += 1;
                        }
                        yield_now().await;
                    }
                    2 => {
                        let wanted = below(7) as u32;
                        let receive = receive::<u32>().matching(move |n: &u32| n % 7 == wanted);
                        waiting.push((wanted, Box::pin(receive)));
                    }
                    3 => {
                        // The newest, by a receive of its own.
                        let newest = model.last().copied();
                        let taken = try_receive_matching(|n: &u32| Some(*n) == newest);
                        assert_eq!(taken, newest);
                        model.pop();
                    }
                    _ if waiting.is_empty() => {}
                    _ => {
                        let at = below(waiting.len() as u64) as usize;
                        let (wanted, receive) = &mut waiting[at];
                        let found = model.iter().position(|n| n % 7 == *wanted);
                        let expected = found.map(|at| model.remove(at));
                        assert_eq!(poll_once(receive).await, expected);
                        if expected.is_some() {
                            drop(waiting.remove(at));
                        }
                    }
                }
            }
            drop(waiting);
            assert_eq!(rest().await, model);
        }
    });
}

#[test]
fn a_receive_that_is_dropped_has_taken_nothing() {
    run_and_simulate(1, || async {
        let mut waits = Box::pin(receive::<u32>());
        assert!(poll_once(&mut waits).await.is_none());
        send(self_pid(), 5_u32);
        yield_now().await;
        drop(waits);
        assert_eq!(receive::<u32>().await, 5);
        // The loser of a race takes nothing either.
        send(self_pid(), 6_u32);
        send(self_pid(), "wins");
        let first = or(
            async { receive::<&str>().await.len() as u32 },
            receive::<u32>(),
        )
        .await;
        assert_eq!((first, receive::<u32>().await), (4, 6));
    });
}

#[test]
fn a_receive_never_asks_twice_about_the_same_message() {
    run_and_simulate(1, || async {
        const MESSAGES: u32 = 10_000;
        for number in 0..MESSAGES {
            send(self_pid(), number);
        }
        let mut asked = 0;
        let mut waits = Box::pin(receive::<u32>().matching(|_: &u32| {
            asked += 1;
            false
        }));
        for round in 0..100 {
            assert!(poll_once(&mut waits).await.is_none());
            send(self_pid(), MESSAGES + round);
            yield_now().await;
        }
        drop(waits);
        assert_eq!(asked, MESSAGES + 99);
    });
}

#[test]
fn a_panic_in_a_predicate_leaves_the_mailbox_as_it_was() {
    run_and_simulate(1, || async {
        for number in 0..5_u32 {
            send(self_pid(), number);
        }
        let panics =
            receive::<u32>().matching(|n: &u32| if *n == 2 { panic!("two") } else { false });
        let reason = catch_panic(panics).await.unwrap_err();
        assert!(reason.to_string().ends_with("two"));
        let caught = catch_panic(async { try_receive_matching(|_: &u32| panic!("one")) }).await;
        assert!(caught.is_err());
        assert_eq!(rest().await, [0, 1, 2, 3, 4]);
        // Uncaught, it ends the process like any panic.
        let (other, _) = spawn_monitor(async {
            receive::<u8>()
                .matching(|_: &u8| panic!("in a predicate"))
                .await;
        });
        send(other, 1_u8);
        let reason = receive::<Down>().await.reason;
        assert!(reason.to_string().ends_with("in a predicate"));
    });
}

#[test]
fn a_predicate_that_looks_into_the_mailbox_finds_it_empty_and_harms_nothing() {
    run_and_simulate(1, || async {
        for number in 0..3_u32 {
            send(self_pid(), number);
        }
        yield_now().await;
        let taken = try_receive_matching(|n: &u32| {
            assert_eq!(try_receive::<u32>(), None);
            *n == 1
        });
        assert_eq!(taken, Some(1));
        assert_eq!(rest().await, [0, 2]);
    });
}

#[test]
fn a_zero_time_out_looks_at_everything_that_has_arrived() {
    run_and_simulate(1, || async {
        let zero = Duration::ZERO;
        assert_eq!(receive::<u32>().timeout(zero).await, Err(Timeout));
        for number in 0..1_000_u32 {
            send(self_pid(), number);
        }
        // Sent in this very turn, the last of them last.
        let last = receive::<u32>()
            .matching(|n: &u32| *n == 999)
            .timeout(zero)
            .await;
        assert_eq!(last, Ok(999));
        assert_eq!(receive::<&str>().timeout(zero).await, Err(Timeout));
        let none = receive::<u32>()
            .matching(|n: &u32| *n > 999)
            .timeout(zero)
            .await;
        assert_eq!(none, Err(Timeout));
        assert_eq!(rest().await, Vec::from_iter(0..999));
    });
}

#[test]
fn a_time_out_never_hides_a_message_even_in_a_turn_that_has_no_reductions_left() {
    run_and_simulate(1, || async {
        for limit in [Duration::ZERO, Duration::from_millis(5)] {
            send(self_pid(), 1_u32);
            let mut limited = pin!(receive::<u32>().timeout(limit));
            let received = poll_fn(|cx| {
                consume_reductions(1_000_000);
                limited.as_mut().poll(cx)
            });
            assert_eq!(received.await, Ok(1));
        }
    });
}

#[test]
fn a_time_out_counts_from_the_first_poll_and_other_messages_do_not_extend_it() {
    run(2, async {
        let me = self_pid();
        let noise = spawn(async move {
            loop {
                send(me, "noise");
                regrow_runtime::sleep(Duration::from_millis(2)).await;
            }
        });
        let limit = Duration::from_millis(60);
        let start = Instant::now();
        assert_eq!(receive::<u32>().timeout(limit).await, Err(Timeout));
        let took = start.elapsed();
        assert!(took >= limit, "{took:?}");
        assert!(took < limit * 20, "{took:?}");
        exit(noise, regrow_runtime::ExitReason::Kill);
    });
}

#[test]
fn a_time_out_of_years_neither_fires_at_once_nor_overflows() {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    run_and_simulate(1, || async {
        let me = self_pid();
        for limit in [
            Duration::from_millis(u32::MAX as u64),
            YEAR,
            1_000 * YEAR,
            Duration::MAX,
        ] {
            let mut limited = Box::pin(receive::<u32>().timeout(limit));
            assert!(poll_once(&mut limited).await.is_none());
            regrow_runtime::sleep(Duration::from_millis(2)).await;
            assert!(poll_once(&mut limited).await.is_none());
            spawn(async move { send(me, 1_u32) });
            assert_eq!(limited.await, Ok(1));
        }
    });
}

#[test]
fn try_receive_sees_what_had_arrived_when_the_turn_began() {
    run_and_simulate(1, || async {
        send(self_pid(), 1_u32);
        assert_eq!(try_receive::<u32>(), None);
        yield_now().await;
        assert_eq!(try_receive::<&str>(), None);
        assert_eq!(try_receive::<u32>(), Some(1));
        assert_eq!(try_receive::<u32>(), None);
    });
}

#[test]
fn a_full_mailbox_does_not_let_its_reader_starve_others() {
    run_and_simulate(1, || async {
        let me = self_pid();
        let reads = spawn(async move {
            loop {
                // Sends itself as much as it reads: there is always more.
                send(self_pid(), receive::<u32>().await);
            }
        });
        send(reads, 1_u32);
        for _ in 0..20 {
            spawn(async move { send(me, "had a turn") });
            receive::<&str>().await;
        }
        exit(reads, regrow_runtime::ExitReason::Kill);
    });
}

#[test]
fn each_message_to_a_process_that_dies_is_dropped_once() {
    run(3, async {
        let drops = Arc::new(AtomicU32::new(0));
        for round in 0..200_u32 {
            let (victim, reference) = spawn_monitor(async move {
                for _ in 0..round % 20 {
                    drop(receive::<Counted>().await);
                }
            });
            let counted = drops.clone();
            let thread = std::thread::spawn(move || {
                for _ in 0..30 {
                    send(victim, Counted(counted.clone()));
                }
            });
            let mine = move |down: &Down| down.reference == reference;
            receive::<Down>().matching(mine).await;
            thread.join().unwrap();
            assert_eq!(drops.swap(0, Ordering::SeqCst), 30);
        }
    });
}

fn says_where_it_belongs<T>(ended: std::thread::Result<T>) -> bool {
    let Err(payload) = ended else { return false };
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.is_some_and(|it| it.contains("inside a regrow process"))
}

#[test]
fn receiving_outside_a_process_panics_and_says_why() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let polled = std::thread::spawn(|| futures_lite::future::block_on(receive::<u32>()));
    assert!(says_where_it_belongs(polled.join()));
    let calls: [fn(); 4] = [
        || assert_eq!(self_pid(), self_pid()),
        || assert_eq!(try_receive::<u32>(), None),
        || assert!(spawn(pending::<()>()).node() == 0),
        || assert!(trap_exit(true)),
    ];
    for call in calls {
        assert!(says_where_it_belongs(std::thread::spawn(call).join()));
    }
    drop(runtime);
}
