//! Who works on orders: a process for each, and the dispatcher that starts them.
//!
//! The dispatcher knows by monitors which orders are worked on. The others that are not at their
//! end stand in its queue; all of them stand in the repo, where it looks when it starts. A process
//! that is killed is started again, as one of an order that has come to grief by itself; when
//! that has happened too often, the order is abandoned.

pub(crate) mod processor;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use regrow::{
    ChildSpec, Context, Down, DynamicSupervisor, DynamicSupervisorRef, ExitReason, GenServer, Info,
    Name, Next, Pid, Registry, Restart, Shutdown, StartChildError, StartError, monitor, receive,
    trap_exit,
};

use self::processor::Processor;
use crate::config::Config;
use crate::order::{Event, OrderId};
use crate::repo::Repo;

/// The process of an order that is worked on.
pub(crate) const ORDERS: Registry<OrderId> = Registry::unique("orders");
/// The supervisor of these.
pub(crate) const PROCESSOR_SUP: &str = "order_processor_sup";
/// The dispatcher, whichever process it is at the moment.
pub(crate) const DISPATCHER: Name<Dispatch> = Name::new("dispatcher");

/// The pause after something that was needed did not answer.
const PAUSE: Duration = Duration::from_millis(10);
/// How long the supervisor may take to start a process.
const START: Duration = Duration::from_secs(5);
/// An order whose process has failed by itself so often is abandoned.
const FAILURES_MAX: u32 = 5;

/// What the dispatcher can be told.
pub(crate) enum Dispatch {
    /// There is an order.
    Process(OrderId),
}

/// Starts the supervisor of the processes, linked to the calling process.
pub(crate) async fn start_processors(
    config: Arc<Config>,
) -> Result<DynamicSupervisorRef, StartError> {
    // Temporary children never count for the intensity.
    DynamicSupervisor::new()
        .name(PROCESSOR_SUP)
        .max_children(config.max_processing)
        .start_link()
        .await
}

pub(crate) struct Dispatcher {
    config: Arc<Config>,
    repo: Repo,
    /// Whether the repo has been asked what there is to do.
    has_looked: bool,
    queue: BTreeSet<OrderId>,
    running: HashMap<Pid, OrderId>,
    /// How often the process of an order has failed by itself.
    failures: HashMap<OrderId, u32>,
}

impl Dispatcher {
    /// How a supervisor starts it.
    pub(crate) fn spec(config: &Arc<Config>) -> ChildSpec {
        let drain = config.drain + Duration::from_secs(1);
        let config = Arc::clone(config);
        let start = move || Dispatcher::start_link(Arc::clone(&config)).name(DISPATCHER);
        ChildSpec::new(DISPATCHER.as_str(), start).shutdown(Shutdown::Timeout(drain))
    }
}

impl GenServer for Dispatcher {
    type Args = Arc<Config>;
    type Message = Dispatch;

    async fn init(config: Arc<Config>, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true); // to drain
        cx.after_init(Next::HandleContinue);
        Ok(Dispatcher {
            config,
            repo: Repo::here(),
            has_looked: false,
            queue: BTreeSet::new(),
            running: HashMap::new(),
            failures: HashMap::new(),
        })
    }

    async fn handle_continue(&mut self, _: &mut Context<Self>) -> Next {
        self.go_on().await
    }

    async fn handle(&mut self, Dispatch::Process(id): Dispatch, _: &mut Context<Self>) -> Next {
        self.queue.insert(id);
        self.go_on().await
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        match info {
            Info::Down(down) => self.ended(&down).await,
            Info::Exit(exit) => {
                tracing::debug!(target: "order::dispatcher", pid = %exit.pid, "not ours");
            }
            _ => {} // the pause is over
        }
        self.go_on().await
    }

    /// Waits for those who work, as the program is about to end. What they do not finish is gone on
    /// with at the next start.
    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        if !reason.is_normal_like() {
            return;
        }
        let deadline = Instant::now() + self.config.drain;
        while !self.running.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(down) = receive::<Down>().timeout(left).await else {
                break;
            };
            self.running.remove(&down.pid);
        }
        let left = self.queue.len() + self.running.len();
        if left > 0 {
            tracing::info!(target: "order::dispatcher", left, "orders are left for the next start");
        }
    }
}

impl Dispatcher {
    /// Starts as many as there may be.
    async fn go_on(&mut self) -> Next {
        if !self.has_looked {
            match self.repo.unfinished().await {
                Ok(ids) => {
                    tracing::info!(target: "order::dispatcher", orders = ids.len(), "to go on with");
                    self.queue.extend(ids);
                    self.has_looked = true;
                }
                Err(error) => {
                    tracing::debug!(target: "order::dispatcher", %error, "later");
                    return Next::Timeout(PAUSE);
                }
            }
        }
        while self.running.len() < self.config.max_processing
            && let Some(id) = self.queue.pop_first()
        {
            if !self.start(id).await {
                self.queue.insert(id);
                return Next::Timeout(PAUSE);
            }
        }
        Next::Continue
    }

    /// Starts the process of an order, unless it has one. False if that cannot be now.
    async fn start(&mut self, id: OrderId) -> bool {
        if self.running.values().any(|running| *running == id) {
            return true;
        }
        let patience = self.config.payment_patience;
        let start = move || Processor::start_link((id, patience)).via(ORDERS.via(id));
        let spec = ChildSpec::new("order", start).restart(Restart::Temporary);
        // It stops at once: where it was is written down.
        let spec = spec.shutdown(Shutdown::BrutalKill);
        let supervisor = DynamicSupervisorRef::named(PROCESSOR_SUP).timeout(START);
        match supervisor.start_child(spec).await {
            // A dispatcher before us may have started it.
            Ok(pid) | Err(StartChildError::AlreadyStarted(pid)) => {
                monitor(pid);
                self.running.insert(pid, id);
                true
            }
            Err(error) => {
                tracing::debug!(target: "order::dispatcher", id, %error, "later");
                false
            }
        }
    }

    /// A process has ended: its order has come to its end, or another process goes on with it.
    async fn ended(&mut self, down: &Down) {
        let Some(id) = self.running.remove(&down.pid) else {
            return;
        };
        match &down.reason {
            ExitReason::Normal => {
                self.failures.remove(&id);
                return;
            }
            // Others' doing.
            ExitReason::Killed | ExitReason::Shutdown | ExitReason::NoProc => {}
            reason => {
                let failures = self.failures.entry(id).or_default();
                *failures += 1;
                if *failures >= FAILURES_MAX {
                    let why = format!("its process has failed {failures} times: {reason}");
                    tracing::error!(target: "order::dispatcher", id, why, "abandoned");
                    // If this is lost, it is said again after the next failure.
                    let _ = self.repo.apply(id, Event::Abandoned(why)).await;
                }
            }
        }
        self.queue.insert(id);
    }
}
