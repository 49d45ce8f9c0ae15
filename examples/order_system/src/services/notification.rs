//! Notification: tells customers how their orders ended, at least once.
//!
//! Here they are told by the log (target `order::notification`). Who has not been told stands in
//! the repo, so a crash forgets nobody; one who was told a moment before may be told again.

use std::time::Duration;

use regrow::{Context, ExitReason, GenServer, Info, Name, Next};

use crate::order::State;
use crate::repo::{Repo, RepoError};

/// Notification, whichever process it is at the moment.
pub(crate) const NOTIFICATION: Name<Ended> = Name::new("notification");
/// So many are told at a time.
const BATCH: u32 = 100;
/// The pause after the repo did not answer.
const PAUSE: Duration = Duration::from_millis(50);

/// An order has come to its end.
pub(crate) struct Ended;

pub(crate) struct Notification {
    repo: Repo,
}

impl GenServer for Notification {
    type Args = ();
    type Message = Ended;

    async fn init((): (), cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        // Those whom an incarnation before has left.
        cx.after_init(Next::HandleContinue);
        Ok(Notification { repo: Repo::here() })
    }

    async fn handle(&mut self, Ended: Ended, _: &mut Context<Self>) -> Next {
        self.go_on().await
    }

    async fn handle_continue(&mut self, _: &mut Context<Self>) -> Next {
        self.go_on().await
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        match info {
            Info::Timeout => self.go_on().await,
            _ => Next::Continue,
        }
    }
}

impl Notification {
    async fn go_on(&self) -> Next {
        match self.tell().await {
            Ok(0) => Next::Continue,
            Ok(_) => Next::HandleContinue,
            Err(error) => {
                tracing::debug!(target: "order::notification", %error, "later");
                Next::Timeout(PAUSE)
            }
        }
    }

    /// How many were told.
    async fn tell(&self) -> Result<usize, RepoError> {
        let orders = self.repo.unsent(BATCH).await?;
        for order in &orders {
            let (id, customer) = (order.id, &order.request.customer);
            if order.state == State::Completed {
                tracing::info!(target: "order::notification", id, customer, "completed");
            } else {
                let reason = order.reason.as_deref().unwrap_or_default();
                tracing::info!(target: "order::notification", id, customer, reason, "failed");
            }
        }
        if !orders.is_empty() {
            let ids = orders.iter().map(|order| order.id).collect();
            self.repo.sent(ids).await?;
        }
        Ok(orders.len())
    }
}
