//! Why an operation on applications was refused, and why they ended: one type per operation.

use std::sync::Arc;

use regrow_runtime::ExitReason;

use crate::CallError;

/// Why an application was not started.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartApplicationError {
    /// It runs, or is being started or stopped.
    #[error("application `{name}` is already started")]
    AlreadyStarted {
        /// Its name.
        name: Arc<str>,
    },
    /// It needs an application that does not run. Start that before, or use
    /// [`ensure_all_started`](crate::Applications::ensure_all_started).
    #[error("application `{name}` needs `{dependency}`, which is not started")]
    NotStarted {
        /// The application that was to be started.
        name: Arc<str>,
        /// What it needs.
        dependency: Arc<str>,
    },
    /// It has no [root](crate::Application::root), or its start function started nothing.
    #[error("there is no root to run")]
    NoRoot,
    /// Its root did not start. The reason is the one that the start function gave or panicked
    /// with, unchanged.
    #[error("the root did not start: {0}")]
    Failed(ExitReason),
    /// Its [`started`](crate::Application::started) hook panicked; the tree has been stopped.
    #[error("a hook of the application failed: {0}")]
    Hook(ExitReason),
    /// All applications are being stopped.
    #[error("all applications are being stopped")]
    ShuttingDown,
    /// The controller could not be asked.
    #[error(transparent)]
    Call(CallError),
}

/// Why one of the applications that were to be started was not. Those that had been started for it
/// are stopped again.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("application `{name}` did not start: {error}")]
#[non_exhaustive]
pub struct EnsureAllStartedError {
    /// The application that did not start.
    pub name: Arc<str>,
    /// Why.
    #[source]
    pub error: StartApplicationError,
}

/// Why an application was not stopped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StopApplicationError {
    /// It does not run.
    #[error("application `{name}` is not started")]
    NotStarted {
        /// Its name.
        name: Arc<str>,
    },
    /// The controller could not be asked.
    #[error(transparent)]
    Call(CallError),
}

/// An application that ended otherwise than it should, and so ended the others. The reason that
/// their controller ends with ([`ExitReason::Error`]).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("application `{name}` ended: {reason}")]
#[non_exhaustive]
pub struct ApplicationEnded {
    /// Its name.
    pub name: Arc<str>,
    /// The reason of its root.
    pub reason: ExitReason,
}
