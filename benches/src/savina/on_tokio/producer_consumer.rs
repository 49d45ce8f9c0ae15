//! Producers and consumers around a bounded buffer; its manager tells a producer when there is room.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Outcome, Size, receive, reports, send};
use crate::savina::work;

struct Produce;

struct Item {
    producer: u64,
    number: u64,
    data: f64,
}

/// To the manager.
enum Request {
    Item(Item, UnboundedSender<Produce>),
    Available(UnboundedSender<Answer>),
    ProducerExit,
}

/// To a consumer.
enum Answer {
    Item(Item),
    Exit,
}

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (root, mut reported) = mpsc::unbounded_channel();
    let (manager, requests) = mpsc::unbounded_channel();
    let mut consumers = Vec::new();
    for _ in 0..size.actors {
        let (consumer, inbox) = mpsc::unbounded_channel();
        tokio::spawn(consume(
            inbox,
            consumer.clone(),
            size.count,
            manager.clone(),
            root.clone(),
        ));
        consumers.push(consumer);
    }
    for index in 0..size.actors {
        tokio::spawn(produce(index, size.count, manager.clone()));
    }
    manage(size, &consumers, requests).await;
    for consumer in &consumers {
        send(consumer, Answer::Exit);
    }
    Outcome::since(start, reports(&mut reported, size.actors).await)
}

async fn manage(
    size: Size,
    consumers: &[UnboundedSender<Answer>],
    mut inbox: UnboundedReceiver<Request>,
) {
    let mut idle: VecDeque<_> = consumers.iter().cloned().collect();
    let mut held: VecDeque<UnboundedSender<Produce>> = VecDeque::new();
    let mut pending: VecDeque<Item> = VecDeque::new();
    let mut next = vec![0; size.actors as usize];
    let mut producing = size.actors;
    while producing > 0 || idle.len() < consumers.len() {
        match receive(&mut inbox).await {
            Request::Item(item, producer) => {
                let number = &mut next[item.producer as usize];
                assert_eq!(item.number, *number, "out of order");
                *number += 1;
                match idle.pop_front() {
                    Some(consumer) => send(&consumer, Answer::Item(item)),
                    None => pending.push_back(item),
                }
                assert!(pending.len() as u64 <= size.room, "the buffer overflows");
                match pending.len() as u64 >= size.mark() {
                    true => held.push_back(producer),
                    false => send(&producer, Produce),
                }
            }
            Request::Available(consumer) => match pending.pop_front() {
                None => idle.push_back(consumer),
                Some(item) => {
                    send(&consumer, Answer::Item(item));
                    if let Some(producer) = held.pop_front() {
                        send(&producer, Produce);
                    }
                }
            },
            Request::ProducerExit => producing -= 1,
        }
    }
}

async fn produce(producer: u64, count: u64, manager: UnboundedSender<Request>) {
    let (this, mut inbox) = mpsc::unbounded_channel();
    send(&this, Produce);
    let mut data = 0.0;
    for number in 0..count {
        receive(&mut inbox).await;
        data = work::process_item(data);
        let item = Item {
            producer,
            number,
            data,
        };
        send(&manager, Request::Item(item, this.clone()));
    }
    receive(&mut inbox).await;
    send(&manager, Request::ProducerExit);
}

async fn consume(
    mut inbox: UnboundedReceiver<Answer>,
    this: UnboundedSender<Answer>,
    count: u64,
    manager: UnboundedSender<Request>,
    root: UnboundedSender<u64>,
) {
    let (mut used, mut sum) = (0.0, 0);
    loop {
        match receive(&mut inbox).await {
            Answer::Item(item) => {
                used = work::process_item(used + item.data);
                sum += item.producer * count + item.number;
                send(&manager, Request::Available(this.clone()));
            }
            Answer::Exit => {
                assert!(f64::is_finite(used));
                return send(&root, sum);
            }
        }
    }
}
