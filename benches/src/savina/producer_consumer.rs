//! Producers and consumers around a bounded buffer; its manager tells a producer when there is room.

use std::collections::VecDeque;
use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn_link};

use super::{Outcome, Report, Size, reports, work};

struct Produce;

struct Item {
    producer: u64,
    number: u64,
    data: f64,
}

/// To the manager.
enum Request {
    Item(Item, Pid),
    Available(Pid),
    ProducerExit,
}

/// To a consumer.
enum Answer {
    Item(Item),
    Exit,
}

/// This process is the manager.
pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let manager = self_pid();
    let consumers: Vec<Pid> = (0..size.actors)
        .map(|_| spawn_link(consumer(size.count, manager)))
        .collect();
    for index in 0..size.actors {
        send(spawn_link(producer(index, size.count, manager)), Produce);
    }
    manage(size, &consumers).await;
    for &consumer in &consumers {
        send(consumer, Answer::Exit);
    }
    Outcome::since(start, reports(size.actors).await)
}

async fn manage(size: Size, consumers: &[Pid]) {
    let mut idle: VecDeque<Pid> = consumers.iter().copied().collect();
    let mut held: VecDeque<Pid> = VecDeque::new();
    let mut pending: VecDeque<Item> = VecDeque::new();
    let mut next = vec![0; size.actors as usize];
    let mut producing = size.actors;
    while producing > 0 || idle.len() < consumers.len() {
        match receive().await {
            Request::Item(item, producer) => {
                let number = &mut next[item.producer as usize];
                assert_eq!(item.number, *number, "out of order");
                *number += 1;
                match idle.pop_front() {
                    Some(consumer) => send(consumer, Answer::Item(item)),
                    None => pending.push_back(item),
                }
                assert!(pending.len() as u64 <= size.room, "the buffer overflows");
                match pending.len() as u64 >= size.mark() {
                    true => held.push_back(producer),
                    false => send(producer, Produce),
                }
            }
            Request::Available(consumer) => match pending.pop_front() {
                None => idle.push_back(consumer),
                Some(item) => {
                    send(consumer, Answer::Item(item));
                    if let Some(producer) = held.pop_front() {
                        send(producer, Produce);
                    }
                }
            },
            Request::ProducerExit => producing -= 1,
        }
    }
}

async fn producer(producer: u64, count: u64, manager: Pid) {
    let this = self_pid();
    let mut data = 0.0;
    for number in 0..count {
        receive::<Produce>().await;
        data = work::process_item(data);
        let item = Item {
            producer,
            number,
            data,
        };
        send(manager, Request::Item(item, this));
    }
    receive::<Produce>().await;
    send(manager, Request::ProducerExit);
}

async fn consumer(count: u64, manager: Pid) {
    let this = self_pid();
    let (mut used, mut sum) = (0.0, 0);
    loop {
        match receive().await {
            Answer::Item(item) => {
                used = work::process_item(used + item.data);
                sum += item.producer * count + item.number;
                send(manager, Request::Available(this));
            }
            Answer::Exit => {
                assert!(f64::is_finite(used));
                return send(manager, Report(sum));
            }
        }
    }
}
