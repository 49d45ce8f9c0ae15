//! Reductions: whoever runs, the others have their turn.

mod common;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use common::run;
use futures_util::StreamExt;
use futures_util::future::{Either, join_all, select};
use futures_util::stream::FuturesUnordered;
use regrow_runtime::{
    Pid, ReplyTo, blocking, consume_reductions, receive, reply_channel, self_pid, send, sleep,
    spawn, yield_now,
};

struct Ask(u32, ReplyTo<u32>);

/// Answers each number with the next.
fn answerer() -> Pid {
    spawn(async {
        loop {
            let Ask(number, reply_to) = receive().await;
            reply_to.send(number + 1);
        }
    })
}

/// A neighbour on the same worker, that counts its turns.
fn neighbour() -> Arc<AtomicU32> {
    let turns = Arc::new(AtomicU32::new(0));
    let counts = turns.clone();
    spawn(async move {
        loop {
            counts.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
        }
    });
    turns
}

async fn ask(answerer: Pid, number: u32) -> u32 {
    let (reply_to, reply) = reply_channel();
    send(answerer, Ask(number, reply_to));
    reply.await.unwrap()
}

#[test]
fn replies_that_are_there_already_do_not_keep_the_worker() {
    run(1, async {
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        spawn(async move { ends.store(true, Ordering::SeqCst) });
        while !over.load(Ordering::SeqCst) {
            let (reply_to, reply) = reply_channel();
            reply_to.send(());
            reply.await.unwrap();
        }
    });
}

#[test]
fn messages_that_are_there_already_do_not_keep_the_worker() {
    run(1, async {
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        spawn(async move { ends.store(true, Ordering::SeqCst) });
        while !over.load(Ordering::SeqCst) {
            send(self_pid(), ());
            receive::<()>().await;
        }
    });
}

#[test]
fn reductions_that_are_consumed_end_the_turn_at_the_next_await() {
    run(1, async {
        let turns = neighbour();
        for _ in 0..100 {
            consume_reductions(1_000_000);
            let (reply_to, reply) = reply_channel();
            reply_to.send(());
            reply.await.unwrap();
        }
        assert!(turns.load(Ordering::SeqCst) >= 99);
    });
}

#[test]
fn children_of_a_futures_unordered_are_all_woken_and_starve_nobody() {
    run(1, async {
        let turns = neighbour();
        let answerer = answerer();
        let me = self_pid();
        let mut children = FuturesUnordered::<Pin<Box<dyn Future<Output = u32> + Send>>>::new();
        for number in 0..60_u32 {
            match number % 6 {
                0 => children.push(Box::pin(async move {
                    for round in 0..200 {
                        assert_eq!(ask(answerer, round).await, round + 1);
                    }
                    number
                })),
                1 => children.push(Box::pin(async move {
                    for _ in 0..200 {
                        send(me, (number, 'm'));
                        let mine = move |it: &(u32, char)| it.0 == number;
                        receive::<(u32, char)>().matching(mine).await;
                    }
                    number
                })),
                2 => children.push(Box::pin(async move {
                    for _ in 0..200 {
                        yield_now().await;
                    }
                    number
                })),
                3 => children.push(Box::pin(async move {
                    sleep(Duration::from_millis(u64::from(number % 5))).await;
                    number
                })),
                4 => children.push(Box::pin(blocking(move || number))),
                _ => children.push(Box::pin(async move {
                    for _ in 0..20 {
                        consume_reductions(1_000_000);
                        assert_eq!(ask(answerer, number).await, number + 1);
                    }
                    number
                })),
            }
        }
        let mut ended = Vec::new();
        while let Some(number) = children.next().await {
            ended.push(number);
        }
        ended.sort_unstable();
        assert_eq!(ended, Vec::from_iter(0..60));
        // At least where reductions were consumed the others had their turns.
        assert!(turns.load(Ordering::SeqCst) >= 20);
    });
}

#[test]
fn join_all_and_select_over_calls_lose_no_answer() {
    run(2, async {
        let answerer = answerer();
        for round in 0..50_u32 {
            let asked = join_all((0..40).map(|number| ask(answerer, number + round))).await;
            assert_eq!(asked, Vec::from_iter(round + 1..round + 41));
        }
        for round in 0..200_u32 {
            let first = Box::pin(ask(answerer, round));
            let second = Box::pin(blocking(move || round + 1));
            let (one, other) = match select(first, second).await {
                Either::Left((one, rest)) => (one, rest.await),
                Either::Right((one, rest)) => (one, rest.await),
            };
            assert_eq!((one, other), (round + 1, round + 1));
        }
    });
}
