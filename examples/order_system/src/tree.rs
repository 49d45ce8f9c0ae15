//! The supervision tree.
//!
//! ```text
//! order_system_sup (one_for_one)
//! ├── repo                   orders on disk: SQLite on one thread
//! ├── services_sup (rest_for_one)
//! │   ├── inventory
//! │   ├── payment
//! │   └── notification
//! ├── orders                 registry: the process of an order, by its number
//! ├── order_processor_sup    dynamic: a temporary process for each order that is worked on
//! ├── dispatcher             sees to it that each order has one until it is at its end
//! ├── endpoint               HTTP
//! └── chaos                  with --chaos-rate
//! ```
//!
//! It stops in reverse order: nobody new comes in, what is under way is finished, and the database is
//! last. One for one, because nothing of importance is in memory: who needs something that is being
//! started again asks again.

use std::collections::HashSet;
use std::sync::Arc;

use regrow::{ChildSpec, Pid, StartError, Strategy, Supervisor, SupervisorRef};

use crate::config::Config;
use crate::http::ENDPOINT;
use crate::processing::{self, Dispatcher, ORDERS, PROCESSOR_SUP};
use crate::repo::{self, RepoServer};
use crate::services::{self, SERVICES_SUP};
use crate::{chaos, http};

/// The name of the root.
pub(crate) const ROOT: &str = "order_system_sup";

/// The processes that must be there; all of them can be killed by name.
pub(crate) const PARTS: [&str; 9] = [
    repo::NAME,
    SERVICES_SUP,
    "inventory",
    "payment",
    "notification",
    "orders",
    PROCESSOR_SUP,
    "dispatcher",
    ENDPOINT,
];

/// Starts everything, linked to the calling process. Chaos spares those `before`.
pub(crate) async fn start(
    config: Arc<Config>,
    before: HashSet<Pid>,
) -> Result<SupervisorRef, StartError> {
    let (times, period) = config.intensity();
    let [for_services, for_processors, for_endpoint] = std::array::from_fn(|_| Arc::clone(&config));
    let mut root = Supervisor::new(Strategy::OneForOne)
        .name(ROOT)
        .intensity(times, period)
        .child(RepoServer::spec(config.database.clone()))
        .child(ChildSpec::supervisor(SERVICES_SUP, move || {
            services::start(Arc::clone(&for_services))
        }))
        .child(ORDERS.child_spec())
        .child(ChildSpec::supervisor(PROCESSOR_SUP, move || {
            processing::start_processors(Arc::clone(&for_processors))
        }))
        .child(Dispatcher::spec(&config))
        .child(http::spec(for_endpoint));
    if config.chaos_rate > 0.0 {
        root = root.child(chaos::spec(config, before));
    }
    root.start_link().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processing::DISPATCHER;
    use crate::services::{inventory::INVENTORY, notification::NOTIFICATION, payment::PAYMENT};

    #[test]
    fn the_parts_go_by_the_names_that_they_have() {
        let names = [
            INVENTORY.as_str().to_owned(),
            PAYMENT.as_str().to_owned(),
            NOTIFICATION.as_str().to_owned(),
            ORDERS.name().to_owned(),
            DISPATCHER.as_str().to_owned(),
        ];
        for name in names {
            assert!(PARTS.contains(&&*name), "{name}");
        }
    }
}
