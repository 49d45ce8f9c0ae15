//! One order, from where it is to its end, a step at a time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use regrow::{CallError, Context, ExitReason, GenServer, Next, set_label};

use crate::bank::client::{BankError, Charge, Outcome};
use crate::order::{Action, Event, Order, OrderId};
use crate::repo::{Repo, RepoError};
use crate::services::inventory::{INVENTORY, Stock};
use crate::services::payment::{PAYMENT, Pay};

/// The first pause after something did not answer; each next one is twice as long.
const PAUSE: Duration = Duration::from_millis(2);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long a service may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a step was not made. It is made again, by this process or the next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Repo(#[from] RepoError),
    #[error("a service does not answer: {0}")]
    Service(#[from] CallError),
    #[error(transparent)]
    Bank(#[from] BankError),
}

pub(crate) struct Processor {
    id: OrderId,
    payment_patience: Duration,
    repo: Repo,
    /// As it was when somebody last said so.
    order: Option<Order>,
    /// Steps in a row that were not made.
    failed: u32,
}

/// It is time to try again.
pub(crate) struct Proceed;

impl GenServer for Processor {
    type Args = (OrderId, Duration);
    type Message = Proceed;

    async fn init(
        (id, payment_patience): (OrderId, Duration),
        cx: &mut Context<Self>,
    ) -> Result<Self, ExitReason> {
        set_label(format!("order {id}"));
        cx.after_init(Next::HandleContinue);
        Ok(Processor {
            id,
            payment_patience,
            repo: Repo::here(),
            order: None,
            failed: 0,
        })
    }

    async fn handle_continue(&mut self, cx: &mut Context<Self>) -> Next {
        self.proceed(cx).await
    }

    async fn handle(&mut self, Proceed: Proceed, cx: &mut Context<Self>) -> Next {
        self.proceed(cx).await
    }
}

impl Processor {
    async fn proceed(&mut self, cx: &mut Context<Self>) -> Next {
        match self.step().await {
            Ok(true) => Next::Stop(ExitReason::Normal),
            Ok(false) => {
                self.failed = 0;
                Next::HandleContinue
            }
            Err(trouble) => {
                let pause = PAUSE * 2_u32.saturating_pow(self.failed).min(1_000);
                self.failed += 1;
                // What was asked may have been done nevertheless.
                self.order = None;
                tracing::debug!(target: "order::processor", id = self.id, %trouble, "later");
                cx.timeout(pause.min(PAUSE_MAX), Proceed)
            }
        }
    }

    /// Makes one step; true at the end.
    async fn step(&mut self) -> Result<bool, Trouble> {
        let order = match self.order.take() {
            Some(order) => order,
            None => match self.repo.get(self.id).await? {
                Some(order) => order,
                // Somebody has taken it out of the database.
                None => return Ok(true),
            },
        };
        let Some(action) = order.state.action() else {
            return Ok(true);
        };
        let id = self.id;
        self.order = match action {
            Action::Reserve => INVENTORY.call(|reply| Stock::Reserve(id, reply)).await?,
            Action::BeginCharge => self.repo.apply(id, Event::ChargeBegins).await?,
            Action::Charge => {
                let event = self.charge(&order).await?;
                self.repo.apply(id, event).await?
            }
            Action::Void => {
                let charge = Charge::of(&order);
                let request = PAYMENT.call(|reply| Pay::Void(charge, reply));
                request.timeout(PATIENCE).await??;
                self.repo.apply(id, Event::Voided).await?
            }
            Action::Release => self.repo.apply(id, Event::Released).await?,
            Action::Finish => self.repo.apply(id, Event::Finished).await?,
        };
        Ok(false)
    }

    /// Asks for the money; a bank that cannot be reached for too long is given up.
    async fn charge(&self, order: &Order) -> Result<Event, Trouble> {
        let charge = Charge::of(order);
        let request = PAYMENT.call(|reply| Pay::Charge(charge, reply));
        let outcome = async { Ok(request.timeout(PATIENCE).await??) };
        match outcome.await {
            Ok(Outcome::Charged) => Ok(Event::Charged),
            Ok(Outcome::Declined(why)) => Ok(Event::Declined(why)),
            Err(trouble) if since(order.updated_at) >= self.payment_patience => {
                let time = self.payment_patience;
                Ok(Event::Abandoned(format!(
                    "payment was not possible for {time:?}: {trouble}"
                )))
            }
            Err(trouble) => Err(trouble),
        }
    }
}

/// The time since a moment that is given in milliseconds since 1970.
fn since(at: i64) -> Duration {
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(at).unwrap_or(0));
    SystemTime::now().duration_since(at).unwrap_or_default()
}
