//! Inventory: puts goods aside.
//!
//! A transaction waits for the disk, so orders that come meanwhile share the next one: there is
//! one transaction at a time, for all that wait.

use regrow::{Context, ExitReason, GenServer, Name, Next, ReplyTo, spawn_link};

use crate::order::{Order, OrderId};
use crate::repo::Repo;

/// Inventory, whichever process it is at the moment.
pub(crate) const INVENTORY: Name<Stock> = Name::new("inventory");

/// What inventory can be told.
pub(crate) enum Stock {
    /// Put aside what this order needs; the order as it is then.
    Reserve(OrderId, ReplyTo<Option<Order>>),
    /// From the one that was doing so: it is done.
    Done,
}

pub(crate) struct Inventory {
    waiting: Vec<(OrderId, ReplyTo<Option<Order>>)>,
    is_busy: bool,
}

impl GenServer for Inventory {
    type Args = ();
    type Message = Stock;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Inventory {
            waiting: Vec::new(),
            is_busy: false,
        })
    }

    async fn handle(&mut self, message: Stock, cx: &mut Context<Self>) -> Next {
        match message {
            Stock::Reserve(id, reply) => self.waiting.push((id, reply)),
            Stock::Done => self.is_busy = false,
        }
        if !self.is_busy && !self.waiting.is_empty() {
            self.is_busy = true;
            self.reserve(cx);
        }
        Next::Continue
    }
}

impl Inventory {
    /// In a process of its own, linked: if that is killed, we are, and who waits asks again.
    fn reserve(&mut self, cx: &mut Context<Self>) {
        let (ids, replies): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().unzip();
        let inventory = cx.server_ref();
        spawn_link(async move {
            // If the repo does not answer, the replies are dropped, which tells who waits.
            match Repo::here().reserve(ids).await {
                Ok(orders) => {
                    for (reply, order) in replies.into_iter().zip(orders) {
                        reply.send(order);
                    }
                }
                Err(error) => {
                    tracing::warn!(target: "order::inventory", %error, "nothing was reserved");
                }
            }
            inventory.cast(Stock::Done);
        });
    }
}
