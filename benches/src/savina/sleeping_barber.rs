//! Customers enter a waiting room, or come again when it is full; a barber serves them one by one.

use std::collections::VecDeque;
use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn, spawn_link, yield_now};

use super::random::Random;
use super::{Outcome, Report, Size, reports, work};
use crate::BURST;

/// The longest time of a haircut, and between two customers, in turns of a generator.
pub(super) const RATE: u64 = 1000;

#[derive(Clone, Copy)]
struct Customer {
    number: u64,
    pid: Pid,
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

/// This process is the factory of customers.
pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let factory = self_pid();
    let barber = spawn_link(async move {
        let room = receive().await;
        barber(room, factory).await;
    });
    let room = spawn_link(waiting_room(size.room, barber));
    send(barber, room);
    let mut random = Random::new(1);
    for number in 1..=size.count {
        let pid = spawn(customer(number, factory));
        send(room, ToRoom::Enter(Customer { number, pid }));
        work::busy(random.below(RATE) + 10);
        if number % BURST == 0 {
            yield_now().await;
        }
    }
    let mut served = 0;
    while served < size.count {
        match receive().await {
            ToFactory::Returned(customer) => send(room, ToRoom::Enter(customer)),
            ToFactory::Done => served += 1,
        }
    }
    send(room, ToRoom::Exit);
    Outcome::since(start, reports(1).await)
}

async fn waiting_room(seats: u64, barber: Pid) {
    let this = self_pid();
    let mut waiting: VecDeque<Customer> = VecDeque::new();
    let mut asleep = true;
    loop {
        match receive().await {
            ToRoom::Enter(customer) if waiting.len() as u64 == seats => {
                send(customer.pid, ToCustomer::Full);
            }
            ToRoom::Enter(customer) => {
                waiting.push_back(customer);
                match asleep {
                    true => send(this, ToRoom::Next),
                    false => send(customer.pid, ToCustomer::Wait),
                }
                asleep = false;
            }
            ToRoom::Next => match waiting.pop_front() {
                Some(customer) => send(barber, ToBarber::Enter(customer)),
                None => {
                    asleep = true;
                    send(barber, ToBarber::Wait);
                }
            },
            ToRoom::Exit => return send(barber, ToBarber::Exit),
        }
    }
}

/// Reports the sum of the numbers of whom it has served.
async fn barber(room: Pid, factory: Pid) {
    let mut random = Random::new(2);
    let mut served = 0;
    loop {
        match receive().await {
            ToBarber::Enter(customer) => {
                send(customer.pid, ToCustomer::Start);
                work::busy(random.below(RATE) + 10);
                served += customer.number;
                send(customer.pid, ToCustomer::Done);
                send(room, ToRoom::Next);
            }
            ToBarber::Wait => {}
            ToBarber::Exit => return send(factory, Report(served)),
        }
    }
}

async fn customer(number: u64, factory: Pid) {
    let pid = self_pid();
    let mut started = false;
    loop {
        match receive().await {
            ToCustomer::Full => send(factory, ToFactory::Returned(Customer { number, pid })),
            ToCustomer::Wait => {}
            ToCustomer::Start => started = true,
            ToCustomer::Done => {
                assert!(started, "served before it began");
                return send(factory, ToFactory::Done);
            }
        }
    }
}
