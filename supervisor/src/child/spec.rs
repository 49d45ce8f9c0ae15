//! How to start a child, and everything its supervisor has to know about it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use regrow_runtime::{ExitReason, Pid, catch_panic};

use crate::{Restart, ServerRef, Shutdown, StartError};

/// What a start function returns: the process it has started (and linked), or none.
///
/// Made from a [`Pid`], a [`ServerRef`], a [`SupervisorRef`](crate::SupervisorRef) or a
/// [`DynamicSupervisorRef`](crate::DynamicSupervisorRef), so a start function usually just ends
/// with `start_link(..)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child(Option<Pid>);

impl Child {
    /// OTP's `ignore`: nothing was started and that is fine. A static supervisor keeps the spec
    /// (unless it is temporary) without a process, a dynamic one forgets it.
    pub fn ignored() -> Self {
        Child(None)
    }

    /// The process, unless [ignored](Child::ignored).
    pub fn pid(self) -> Option<Pid> {
        self.0
    }
}

impl From<Pid> for Child {
    fn from(pid: Pid) -> Self {
        Child(Some(pid))
    }
}

impl<M: Send + 'static> From<ServerRef<M>> for Child {
    /// A reference by name is looked up here; if nothing has that name the child counts as
    /// [ignored](Child::ignored).
    fn from(server: ServerRef<M>) -> Self {
        Child(server.pid())
    }
}

/// Whether a child is itself a supervisor. Decides the default [`Shutdown`], where it is counted
/// and whether [`print_tree`](crate::print_tree) looks into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ChildType {
    /// Any process that does work.
    #[default]
    Worker,
    /// A supervisor.
    Supervisor,
}

impl fmt::Display for ChildType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChildType::Worker => "worker",
            ChildType::Supervisor => "supervisor",
        })
    }
}

type Starting = Pin<Box<dyn Future<Output = Result<Child, ExitReason>> + Send>>;

/// A start function with its types erased.
pub(crate) type StartFunction = Arc<dyn Fn() -> Starting + Send + Sync>;

/// A child: its id, how it is started, how it is stopped and when it is started again.
///
/// The start function runs *inside the supervisor's process* and must link the process it
/// starts to it, as `start_link` and `spawn_link` do. While it runs, the supervisor answers
/// nobody. A panic in it counts as a failed start; a server whose `init`
/// [ignores](crate::Context::ignore) its start, as [`Child::ignored`].
///
/// Defaults are OTP's: [`Restart::Permanent`], 5 seconds to shut down ([`Shutdown::Infinity`]
/// for a [supervisor](ChildSpec::supervisor)), not significant.
///
/// ```
/// use regrow_runtime::{ExitReason, spawn_link, sleep};
/// use regrow_supervisor::{ChildSpec, Restart, Shutdown};
/// use std::time::Duration;
///
/// let spec = ChildSpec::new("ticker", || async {
///     Ok::<_, ExitReason>(spawn_link(async {
///         loop {
///             sleep(Duration::from_secs(1)).await;
///         }
///     }))
/// })
/// .restart(Restart::Transient)
/// .shutdown(Shutdown::BrutalKill);
/// assert_eq!(&*spec.id, "ticker");
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ChildSpec {
    /// Names the child within its static supervisor; unique there.
    pub id: Arc<str>,
    /// When it is started again.
    pub restart: Restart,
    /// How it is stopped.
    pub shutdown: Shutdown,
    /// Worker or supervisor.
    pub child_type: ChildType,
    /// Whether its end counts for the supervisor's auto-shutdown.
    pub significant: bool,
    /// `None` once a temporary child runs: what the start function captured is not kept.
    start: Option<StartFunction>,
}

impl ChildSpec {
    /// A worker.
    pub fn new<F, S, C, E>(id: impl Into<Arc<str>>, start: F) -> Self
    where
        F: Fn() -> S + Send + Sync + 'static,
        S: IntoFuture<Output = Result<C, E>>,
        S::IntoFuture: Send + 'static,
        C: Into<Child>,
        E: Into<ExitReason>,
    {
        let start = move || -> Starting {
            let starting = start().into_future();
            Box::pin(async move {
                match starting.await {
                    Ok(child) => Ok(child.into()),
                    Err(error) => Err(error.into()),
                }
            })
        };
        ChildSpec {
            id: id.into(),
            restart: Restart::default(),
            shutdown: Shutdown::default(),
            child_type: ChildType::Worker,
            significant: false,
            start: Some(Arc::new(start)),
        }
    }

    /// A supervisor: its type is [`ChildType::Supervisor`] and it has all the time it needs to
    /// stop its own children ([`Shutdown::Infinity`]).
    pub fn supervisor<F, S, C, E>(id: impl Into<Arc<str>>, start: F) -> Self
    where
        F: Fn() -> S + Send + Sync + 'static,
        S: IntoFuture<Output = Result<C, E>>,
        S::IntoFuture: Send + 'static,
        C: Into<Child>,
        E: Into<ExitReason>,
    {
        let mut spec = ChildSpec::new(id, start);
        spec.child_type = ChildType::Supervisor;
        spec.shutdown = Shutdown::Infinity;
        spec
    }

    /// Sets when the child is started again.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Sets how the child is stopped.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Sets whether the child's end counts for the supervisor's
    /// [auto-shutdown](crate::AutoShutdown).
    pub fn significant(mut self, significant: bool) -> Self {
        self.significant = significant;
        self
    }

    pub(crate) fn start_function(&self) -> Option<StartFunction> {
        self.start.clone()
    }

    /// Lets go of what the start function captured, if it is not needed again. There may be
    /// millions of temporary children.
    pub(crate) fn forget_start_if_temporary(&mut self) {
        if self.restart == Restart::Temporary {
            self.start = None;
        }
    }

    pub(crate) fn has_start(&self) -> bool {
        self.start.is_some()
    }

    /// Runs the start function; a panic in it is a failed start.
    pub(crate) async fn run_start(start: StartFunction) -> Result<Child, ExitReason> {
        // The call itself is inside, since a start function may panic before its first await.
        let outcome = catch_panic(async move { start().await }).await;
        match outcome.and_then(|started| started) {
            Ok(child) => Ok(child),
            Err(reason) if StartError::is_ignored(&reason) => Ok(Child::ignored()),
            Err(reason) => Err(StartError::unwrap_reason(reason)),
        }
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("id", &self.id)
            .field("restart", &self.restart)
            .field("shutdown", &self.shutdown)
            .field("child_type", &self.child_type)
            .field("significant", &self.significant)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a child spec or a supervisor's settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Two children of a static supervisor have the same id.
    #[error("duplicate child id `{id}`")]
    DuplicateId {
        /// The id.
        id: Arc<str>,
    },
    /// A significant child, and a supervisor that never shuts itself down.
    #[error("child `{id}` is significant, but the supervisor's auto-shutdown is never")]
    SignificantWithoutAutoShutdown {
        /// The child's id.
        id: Arc<str>,
    },
    /// A significant child that is always started again, so that its end can never count.
    #[error("child `{id}` is significant and permanent, which exclude each other")]
    SignificantPermanent {
        /// The child's id.
        id: Arc<str>,
    },
    /// A significant child under a dynamic supervisor, which has no auto-shutdown.
    #[error("child `{id}` is significant, but a dynamic supervisor has no auto-shutdown")]
    SignificantInDynamicSupervisor {
        /// The child's id.
        id: Arc<str>,
    },
    /// The spec of a running temporary child, which has let go of its start function.
    #[error("the spec of temporary child `{id}` has no start function any more")]
    NoStartFunction {
        /// The child's id.
        id: Arc<str>,
    },
    /// A restart period of zero.
    #[error("the period of the restart intensity is zero")]
    ZeroPeriod,
}
