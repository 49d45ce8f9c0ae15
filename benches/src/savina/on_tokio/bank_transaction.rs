//! A teller has money moved between accounts; each asks the other and waits before its next transaction.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::{Outcome, Size, receive, reports, send};
use crate::BURST;
use crate::savina::transactions::{INITIAL_BALANCE, transactions};

enum Message {
    Credit {
        amount: u64,
        recipient: UnboundedSender<Message>,
        teller: UnboundedSender<()>,
    },
    Debit(u64, oneshot::Sender<()>),
    Stop(UnboundedSender<u64>),
}

pub(super) async fn run(size: Size) -> Outcome {
    let start = Instant::now();
    let (root, mut reported) = mpsc::unbounded_channel();
    let (teller, mut completed) = mpsc::unbounded_channel();
    let mut accounts = Vec::new();
    for index in 0..size.actors {
        let (to_account, inbox) = mpsc::unbounded_channel();
        tokio::spawn(account(index, inbox));
        accounts.push(to_account);
    }
    for (number, it) in (1..).zip(transactions(size)) {
        let credit = Message::Credit {
            amount: it.amount,
            recipient: accounts[it.to].clone(),
            teller: teller.clone(),
        };
        send(&accounts[it.from], credit);
        if number % BURST == 0 {
            yield_now().await;
        }
    }
    for _ in 0..size.count {
        receive(&mut completed).await;
    }
    for account in &accounts {
        send(account, Message::Stop(root.clone()));
    }
    Outcome::since(start, reports(&mut reported, size.actors).await)
}

async fn account(index: u64, mut inbox: UnboundedReceiver<Message>) {
    let mut balance = INITIAL_BALANCE;
    loop {
        match receive(&mut inbox).await {
            Message::Credit {
                amount,
                recipient,
                teller,
            } => {
                balance -= amount;
                let (reply_to, reply) = oneshot::channel();
                send(&recipient, Message::Debit(amount, reply_to));
                reply.await.expect("the recipient answers");
                send(&teller, ());
            }
            Message::Debit(amount, reply) => {
                balance += amount;
                reply.send(()).expect("the other waits");
            }
            Message::Stop(root) => return send(&root, balance * (index + 1)),
        }
    }
}
