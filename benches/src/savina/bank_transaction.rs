//! A teller has money moved between accounts; each asks the other and waits before its next transaction.

use std::time::Instant;

use regrow::{Pid, ReplyTo, receive, reply_channel, self_pid, send, spawn_link, yield_now};

use super::transactions::{INITIAL_BALANCE, transactions};
use super::{Outcome, Report, Size, reports};
use crate::BURST;

enum Message {
    Credit {
        amount: u64,
        recipient: Pid,
        teller: Pid,
    },
    Debit(u64, ReplyTo<()>),
    Stop(Pid),
}

struct Completed;

/// This process is the teller.
pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let teller = self_pid();
    let accounts: Vec<Pid> = (0..size.actors)
        .map(|index| spawn_link(account(index)))
        .collect();
    for (number, it) in (1..).zip(transactions(size)) {
        let credit = Message::Credit {
            amount: it.amount,
            recipient: accounts[it.to],
            teller,
        };
        send(accounts[it.from], credit);
        if number % BURST == 0 {
            yield_now().await;
        }
    }
    for _ in 0..size.count {
        receive::<Completed>().await;
    }
    for &account in &accounts {
        send(account, Message::Stop(teller));
    }
    Outcome::since(start, reports(size.actors).await)
}

/// Reports its balance, weighted so that no two accounts can be taken for each other.
async fn account(index: u64) {
    let mut balance = INITIAL_BALANCE;
    loop {
        match receive().await {
            Message::Credit {
                amount,
                recipient,
                teller,
            } => {
                balance -= amount;
                let (reply_to, reply) = reply_channel();
                send(recipient, Message::Debit(amount, reply_to));
                reply.await.expect("the recipient answers");
                send(teller, Completed);
            }
            Message::Debit(amount, reply) => {
                balance += amount;
                reply.send(());
            }
            Message::Stop(teller) => return send(teller, Report(balance * (index + 1))),
        }
    }
}
