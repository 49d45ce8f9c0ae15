//! Payment: asks the bank, for many orders at a time.
//!
//! Whoever asks for a charge has written down before that the bank is about to be asked. The
//! bank knows each charge by its key, so asking again is no second charge: payment may be killed
//! while the bank has the money and nobody here knows.

use std::collections::VecDeque;

use regrow::{Context, ExitReason, GenServer, Name, Next, ReplyTo, spawn_link};

use crate::bank::client::{Bank, BankError, Charge, Outcome};

/// Payment, whichever process it is at the moment.
pub(crate) const PAYMENT: Name<Pay> = Name::new("payment");
/// So many requests to the bank at a time.
const CONCURRENCY: usize = 64;

/// What payment can be told.
pub(crate) enum Pay {
    /// Take the money.
    Charge(Charge, ReplyTo<Result<Outcome, BankError>>),
    /// Give the money back, or see to it that it will not be taken.
    Void(Charge, ReplyTo<Result<(), BankError>>),
    /// From one of those who ask the bank: there is an answer.
    Done,
}

pub(crate) struct Payment {
    bank: Bank,
    waiting: VecDeque<Pay>,
    running: usize,
}

impl GenServer for Payment {
    type Args = String;
    type Message = Pay;

    async fn init(bank: String, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Payment {
            bank: Bank::new(bank)?,
            waiting: VecDeque::new(),
            running: 0,
        })
    }

    async fn handle(&mut self, message: Pay, cx: &mut Context<Self>) -> Next {
        match message {
            Pay::Done => self.running -= 1,
            request => self.waiting.push_back(request),
        }
        while self.running < CONCURRENCY
            && let Some(request) = self.waiting.pop_front()
        {
            self.running += 1;
            self.ask(request, cx);
        }
        Next::Continue
    }
}

impl Payment {
    /// In a process of its own, linked: if that is killed, we are, and who waits asks again.
    fn ask(&self, request: Pay, cx: &mut Context<Self>) {
        let (bank, payment) = (self.bank.clone(), cx.server_ref());
        spawn_link(async move {
            match request {
                Pay::Charge(charge, reply) => reply.send(bank.charge(&charge).await),
                Pay::Void(charge, reply) => reply.send(bank.void(&charge).await),
                Pay::Done => {}
            }
            payment.cast(Pay::Done);
        });
    }
}
