//! What an order needs from others: goods, money, and somebody who tells the customer.
//!
//! ```text
//! services_sup (rest_for_one)
//! ├── inventory      puts goods aside, many orders in one transaction
//! ├── payment        asks the bank, many orders at a time
//! └── notification   tells customers how their orders ended
//! ```
//!
//! None of them keeps anything that is not in the repo or at the bank, so each may be killed at any
//! time: whoever waits for it is told, and asks its next incarnation.

pub(crate) mod inventory;
pub(crate) mod notification;
pub(crate) mod payment;

use std::sync::Arc;

use regrow::{ChildSpec, GenServer, StartError, Strategy, Supervisor, SupervisorRef};

use self::inventory::{INVENTORY, Inventory};
use self::notification::{NOTIFICATION, Notification};
use self::payment::{PAYMENT, Payment};
use crate::config::Config;

/// The name of the supervisor.
pub(crate) const SERVICES_SUP: &str = "services_sup";

/// Starts the services, linked to the calling process.
pub(crate) async fn start(config: Arc<Config>) -> Result<SupervisorRef, StartError> {
    let (times, period) = config.intensity();
    let bank = config.bank.clone();
    Supervisor::new(Strategy::RestForOne)
        .name(SERVICES_SUP)
        .intensity(times, period)
        .child(ChildSpec::new(INVENTORY.as_str(), || {
            Inventory::start_link(()).name(INVENTORY)
        }))
        .child(ChildSpec::new(PAYMENT.as_str(), move || {
            Payment::start_link(bank.clone()).name(PAYMENT)
        }))
        .child(ChildSpec::new(NOTIFICATION.as_str(), || {
            Notification::start_link(()).name(NOTIFICATION)
        }))
        .start_link()
        .await
}
