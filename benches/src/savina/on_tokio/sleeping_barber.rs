//! Customers enter a waiting room, or come again when it is full; a barber serves them one by one.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::yield_now;

use super::{Outcome, Size, receive, reports, send};
use crate::BURST;
use crate::savina::random::Random;
use crate::savina::sleeping_barber::RATE;
use crate::savina::work;

struct Customer {
    number: u64,
    inbox: UnboundedSender<ToCustomer>,
}

enum ToRoom {
    Enter(Customer),
    Next,
    Exit,
}

enum ToBarber {
    Enter(Customer),
    Wait,
    Exit,
}

enum ToCustomer {
    Full,
    Wait,
    Start,
    Done,
}

enum ToFactory {
    Returned(Customer),
    Done,
}

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (root, mut reported) = mpsc::unbounded_channel();
    let (factory, mut inbox) = mpsc::unbounded_channel();
    let (to_barber, customers) = mpsc::unbounded_channel();
    let (room, entering) = mpsc::unbounded_channel();
    tokio::spawn(barber(customers, room.clone(), root));
    tokio::spawn(waiting_room(entering, room.clone(), size.room, to_barber));
    let mut random = Random::new(1);
    for number in 1..=size.count {
        let (inbox, messages) = mpsc::unbounded_channel();
        let this = inbox.clone();
        tokio::spawn(customer(number, messages, this, factory.clone()));
        send(&room, ToRoom::Enter(Customer { number, inbox }));
        work::busy(random.below(RATE) + 10);
        if number % BURST == 0 {
            yield_now().await;
        }
    }
    let mut served = 0;
    while served < size.count {
        match receive(&mut inbox).await {
            ToFactory::Returned(customer) => send(&room, ToRoom::Enter(customer)),
            ToFactory::Done => served += 1,
        }
    }
    send(&room, ToRoom::Exit);
    Outcome::since(start, reports(&mut reported, 1).await)
}

async fn waiting_room(
    mut inbox: UnboundedReceiver<ToRoom>,
    this: UnboundedSender<ToRoom>,
    seats: u64,
    barber: UnboundedSender<ToBarber>,
) {
    let mut waiting: VecDeque<Customer> = VecDeque::new();
    let mut asleep = true;
    loop {
        match receive(&mut inbox).await {
            ToRoom::Enter(customer) if waiting.len() as u64 == seats => {
                send(&customer.inbox, ToCustomer::Full);
            }
            ToRoom::Enter(customer) => {
                match asleep {
                    true => send(&this, ToRoom::Next),
                    false => send(&customer.inbox, ToCustomer::Wait),
                }
                asleep = false;
                waiting.push_back(customer);
            }
            ToRoom::Next => match waiting.pop_front() {
                Some(customer) => send(&barber, ToBarber::Enter(customer)),
                None => {
                    asleep = true;
                    send(&barber, ToBarber::Wait);
                }
            },
            ToRoom::Exit => return send(&barber, ToBarber::Exit),
        }
    }
}

async fn barber(
    mut inbox: UnboundedReceiver<ToBarber>,
    room: UnboundedSender<ToRoom>,
    root: UnboundedSender<u64>,
) {
    let mut random = Random::new(2);
    let mut served = 0;
    loop {
        match receive(&mut inbox).await {
            ToBarber::Enter(customer) => {
                send(&customer.inbox, ToCustomer::Start);
                work::busy(random.below(RATE) + 10);
                served += customer.number;
                send(&customer.inbox, ToCustomer::Done);
                send(&room, ToRoom::Next);
            }
            ToBarber::Wait => {}
            ToBarber::Exit => return send(&root, served),
        }
    }
}

async fn customer(
    number: u64,
    mut messages: UnboundedReceiver<ToCustomer>,
    this: UnboundedSender<ToCustomer>,
    factory: UnboundedSender<ToFactory>,
) {
    let mut started = false;
    loop {
        match receive(&mut messages).await {
            ToCustomer::Full => {
                let inbox = this.clone();
                send(&factory, ToFactory::Returned(Customer { number, inbox }));
            }
            ToCustomer::Wait => {}
            ToCustomer::Start => started = true,
            ToCustomer::Done => {
                assert!(started, "served before it began");
                return send(&factory, ToFactory::Done);
            }
        }
    }
}
