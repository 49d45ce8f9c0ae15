//! How to start a child, and everything its supervisor has to know about it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::sync::Arc;

use regrow_runtime::{ExitReason, Pid};

use super::started::{Start, StartFunction, Starting, Users, run_start};
use super::{Backoff, Child, Restart, Shutdown};

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
        let start = Users(Some(start));
        let start = move || -> Starting {
            let Users(Some(start)) = &start else {
                unreachable!("taken by its drop only")
            };
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
            start: Some(Arc::new(Start {
                backoff: None,
                function: start,
            })),
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

    /// Sets a delay before each restart; without, the child is started again at once.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.start = self.start.map(|start| -> StartFunction {
            Arc::new(Start {
                backoff: Some(Box::new(backoff)),
                function: move || (start.function)(),
            })
        });
        self
    }

    /// Whether the two are the same in everything, the very start function included.
    pub(crate) fn is_same(&self, other: &ChildSpec) -> bool {
        let is_same_start = match (&self.start, &other.start) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        is_same_start
            && self.id == other.id
            && self.restart == other.restart
            && self.shutdown == other.shutdown
            && self.child_type == other.child_type
            && self.significant == other.significant
    }

    pub(crate) fn backoff_set(&self) -> Option<&Backoff> {
        self.start.as_ref()?.backoff.as_deref()
    }

    /// Has each process that it starts, or `None` if it starts none, noted.
    pub(crate) fn noting(mut self, note: impl Fn(Option<Pid>) + Send + Sync + 'static) -> Self {
        let note = Arc::new(note);
        self.start = self.start.map(|start| -> StartFunction {
            Arc::new(Start {
                backoff: start.backoff.clone(),
                function: move || -> Starting {
                    let (starting, note) = ((start.function)(), note.clone());
                    Box::pin(async move {
                        let child = starting.await?;
                        note(child.pid());
                        Ok(child)
                    })
                },
            })
        });
        self
    }

    /// Runs the start function, without the spec.
    pub(crate) fn start(&self) -> impl Future<Output = Result<Child, ExitReason>> + Send + use<> {
        let start = self.start.clone();
        let missing = || SpecError::NoStartFunction {
            id: self.id.clone(),
        };
        let start = start.ok_or_else(missing);
        async move { run_start(start?).await }
    }

    /// What is wrong with it by itself, under any supervisor.
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        let id = || self.id.clone();
        if self.start.is_none() {
            return Err(SpecError::NoStartFunction { id: id() });
        }
        let fault = self.backoff_set().and_then(|backoff| match self.restart {
            Restart::Temporary => Some("a temporary child is never restarted"),
            Restart::Permanent | Restart::Transient => backoff.fault(),
        });
        match fault {
            Some(fault) => Err(SpecError::InvalidBackoff { id: id(), fault }),
            None => Ok(()),
        }
    }

    /// Lets go of what the start function captured, if it is not needed again. There may be
    /// millions of temporary children.
    pub(crate) fn forget_start_if_temporary(&mut self) {
        if self.restart == Restart::Temporary {
            self.start = None;
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
            .field("backoff", &self.backoff_set())
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
    /// A back-off that makes no sense.
    #[error("the back-off of child `{id}` is of no use: {fault}")]
    InvalidBackoff {
        /// The child's id.
        id: Arc<str>,
        /// What is wrong.
        fault: &'static str,
    },
    /// A start function that returned the pid of the supervisor that called it.
    #[error("the start function returned the supervisor's own pid")]
    StartsSupervisorItself,
    /// A name in settings that a function of [`Supervisor::init`](crate::Supervisor::init) has
    /// made, when the supervisor runs already.
    #[error("the name of a supervisor goes to `Supervisor::init(..)`, not into its settings")]
    NameInInit,
    /// A partition supervisor without a partition.
    #[error("there must be at least one partition")]
    NoPartitions,
    /// A restart period of zero.
    #[error("the period of the restart intensity is zero")]
    ZeroPeriod,
}
