//! The static supervisor: children in a fixed order, with a strategy.
//!
//! Deciding is pure and lives in `strategy.rs`, `auto_shutdown.rs` and, shared with dynamic
//! supervisors, `intensity.rs` and `child/restart.rs`; `process.rs` carries decisions out.

mod auto_shutdown;
mod check;
mod children;
mod error;
mod init;
mod process;
mod reference;
mod strategy;

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::call::wait_here;
use crate::gen_server::ServerName;
use crate::{ChildSpec, StartError, Via};

pub use auto_shutdown::AutoShutdown;
pub use check::check_childspecs;
pub use error::{
    DeleteChildError, FailedToStartChild, GetChildSpecError, RestartChildError, StartChildError,
    TerminateChildError, WhichChildError,
};
pub use init::SupervisorInit;
pub(crate) use process::start_failed;
pub use reference::SupervisorRef;
pub use strategy::Strategy;

use check::check_spec;
use process::Begin;

/// OTP's defaults: one restart in five seconds.
const INTENSITY_DEFAULT: u32 = 1;
const PERIOD_DEFAULT: Duration = Duration::from_secs(5);

/// A static supervisor about to be started: data, built step by step.
///
/// Its children are started one after the other in the order given and stopped in reverse. When
/// one ends, its [`Restart`](crate::Restart) type says whether it is started again and the [`Strategy`] which
/// others are restarted with it. Too many restarts in too short a time
/// ([`intensity`](Supervisor::intensity)) end the supervisor itself, so that *its* supervisor
/// can try a larger part of the tree afresh.
///
/// A supervisor traps exits, is linked to the process that started it, and ends when that ends.
///
/// ```
/// use regrow_runtime::{ExitReason, Runtime, spawn_link, sleep};
/// use regrow_supervisor::{ChildSpec, Strategy, Supervisor};
/// use std::time::Duration;
///
/// async fn worker() -> Result<regrow_runtime::Pid, ExitReason> {
///     Ok(spawn_link(sleep(Duration::from_secs(3600))))
/// }
///
/// let runtime = Runtime::new().unwrap();
/// runtime.block_on(async {
///     let supervisor = Supervisor::new(Strategy::RestForOne)
///         .intensity(5, Duration::from_secs(30))
///         .child(ChildSpec::new("store", worker))
///         .child(ChildSpec::new("index", worker))
///         .start_link()
///         .await
///         .unwrap();
///     assert_eq!(supervisor.count_children().await.unwrap().active, 2);
/// });
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is started before `start_link`"]
pub struct Supervisor {
    strategy: Strategy,
    name: Option<ServerName>,
    intensity: Option<(u32, Duration)>,
    auto_shutdown: AutoShutdown,
    children: Vec<ChildSpec>,
}

impl Supervisor {
    /// A supervisor without children, with OTP's defaults: intensity 1 in 5 seconds, no
    /// auto-shutdown.
    pub fn new(strategy: Strategy) -> Self {
        Supervisor {
            strategy,
            ..Supervisor::default()
        }
    }

    /// Registers the supervisor under this name before it starts its children.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(ServerName::Local(name.into()));
        self
    }

    /// Registers the supervisor in another registry than the runtime's own, before it starts its
    /// children; see [`Via`](crate::Via). It has one name: the last that is given.
    pub fn via(mut self, via: Arc<dyn Via>) -> Self {
        self.name = Some(ServerName::Via(via));
        self
    }

    /// Allows `restarts` restarts within `period`; one more and the supervisor stops its children
    /// and exits with [`Shutdown`](regrow_runtime::ExitReason::Shutdown).
    ///
    /// One count for all children. Every attempt counts, also those that fail. With 0 the first
    /// crash ends the supervisor. A restart is forgotten when it is more than one period old.
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.intensity = Some((restarts, period));
        self
    }

    /// Sets whether the supervisor ends when its significant children have.
    pub fn auto_shutdown(mut self, mode: AutoShutdown) -> Self {
        self.auto_shutdown = mode;
        self
    }

    /// Adds a child after those added so far.
    pub fn child(mut self, spec: ChildSpec) -> Self {
        self.children.push(spec);
        self
    }

    /// Adds several children after those added so far, in their order.
    pub fn children(mut self, specs: impl IntoIterator<Item = ChildSpec>) -> Self {
        self.children.extend(specs);
        self
    }

    /// Starts the supervisor, linked to the calling process, and its children.
    ///
    /// # Errors
    ///
    /// [`StartError::Exit`] with an [`Error`](regrow_runtime::ExitReason::Error) that holds a
    /// [`SpecError`](crate::SpecError) if the settings do not fit together, and with a
    /// [`ShutdownWith`](regrow_runtime::ExitReason::ShutdownWith) that holds a
    /// [`FailedToStartChild`] if a child did not start: those before it have been stopped again,
    /// in reverse order, and nothing is tried twice.
    /// [`StartError::AlreadyStarted`] if the name is taken.
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn start_link(self) -> impl Future<Output = Result<SupervisorRef, StartError>> + Send {
        wait_here(self.start_link_at(Location::caller()))
    }

    /// On behalf of a caller at this place.
    pub(crate) fn start_link_at(
        self,
        place: &'static Location<'static>,
    ) -> impl Future<Output = Result<SupervisorRef, StartError>> + Send {
        let name = self.name.clone();
        process::start_link(name, Begin::With(self), place)
    }
}
