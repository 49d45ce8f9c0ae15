//! The dynamic supervisor: any number of children started on demand, known by their pids.

mod process;
mod reference;
mod stopping;

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::call::wait_here;
use crate::gen_server::ServerName;
use crate::{GenServer, StartError, Via};

pub use reference::DynamicSupervisorRef;

/// Elixir's defaults: three restarts in five seconds.
const INTENSITY_DEFAULT: u32 = 3;
const PERIOD_DEFAULT: Duration = Duration::from_secs(5);

/// A supervisor for children that come and go, about to be started.
///
/// It starts with none; each [`start_child`](DynamicSupervisorRef::start_child) brings its own
/// spec. Children are known by pid, the ids need not differ. A child that ends is handled by its
/// [`Restart`](crate::Restart) type, always alone; one that is not started again is forgotten.
/// When the supervisor ends, all children are stopped at the same time.
///
/// The rules are those of Elixir's `DynamicSupervisor`: 3 restarts in 5 seconds unless set
/// otherwise.
///
/// ```
/// use regrow_runtime::{ExitReason, Runtime, sleep, spawn_link};
/// use regrow_supervisor::{ChildSpec, DynamicSupervisor, Restart};
/// use std::time::Duration;
///
/// let runtime = Runtime::new().unwrap();
/// runtime.block_on(async {
///     let rooms = DynamicSupervisor::new().name("rooms").start_link().await.unwrap();
///     let room = ChildSpec::new("room", || async {
///         Ok::<_, ExitReason>(spawn_link(sleep(Duration::from_secs(3600))))
///     })
///     .restart(Restart::Temporary);
///     let lobby = rooms.start_child(room.clone()).await.unwrap();
///     rooms.start_child(room).await.unwrap();
///     rooms.terminate_child(lobby).await.unwrap();
///     assert_eq!(rooms.count_children().await.unwrap().active, 1);
/// });
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is started before `start_link`"]
pub struct DynamicSupervisor {
    name: Option<ServerName>,
    intensity: Option<(u32, Duration)>,
    max_children: Option<usize>,
}

impl DynamicSupervisor {
    /// A dynamic supervisor with Elixir's defaults.
    pub fn new() -> Self {
        DynamicSupervisor::default()
    }

    /// Registers the supervisor under this name.
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

    /// Allows `restarts` restarts within `period`; see
    /// [`Supervisor::intensity`](crate::Supervisor::intensity).
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.intensity = Some((restarts, period));
        self
    }

    /// Allows at most this many children at a time, those being restarted included. Without
    /// limit by default; zero is legal.
    pub fn max_children(mut self, max: usize) -> Self {
        self.max_children = Some(max);
        self
    }

    /// Starts the supervisor, linked to the calling process.
    ///
    /// # Errors
    ///
    /// [`StartError::Exit`] with a [`SpecError`](crate::SpecError) if the period is zero,
    /// [`StartError::AlreadyStarted`] if the name is taken.
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn start_link(
        self,
    ) -> impl Future<Output = Result<DynamicSupervisorRef, StartError>> + Send {
        let place = Location::caller();
        let name = self.name.clone();
        wait_here(async move {
            let start = process::Process::start_link(self).named(name).at(place);
            start.await.map(DynamicSupervisorRef::new)
        })
    }
}
