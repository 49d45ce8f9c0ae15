//! Why an operation on a supervisor was refused: one enum per operation.

use std::sync::Arc;

use regrow_runtime::{ExitReason, Pid};

use crate::{CallError, SpecError};

/// A child that could not be started ended its supervisor's start. Held by the
/// [`ShutdownWith`](ExitReason::ShutdownWith) reason of that.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("failed to start child `{id}`: {reason}")]
#[non_exhaustive]
pub struct FailedToStartChild {
    /// The child's id.
    pub id: Arc<str>,
    /// Why, unchanged: what the start function returned or panicked with.
    pub reason: ExitReason,
}

/// Why `start_child` has no pid to return.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartChildError {
    /// A child with this id is running, or the start function itself has said
    /// [`StartError::AlreadyStarted`](crate::StartError::AlreadyStarted).
    #[error("already started as {0}")]
    AlreadyStarted(Pid),
    /// A child with this id is known but has no process, or is being restarted.
    #[error("a child with this id is already present")]
    AlreadyPresent,
    /// The dynamic supervisor has as many children as it may have.
    #[error("the supervisor has as many children as it may have")]
    MaxChildren,
    /// The start function answered [`Child::ignored`](crate::Child::ignored). A static supervisor
    /// has kept the spec, unless it is temporary; a dynamic one has not.
    #[error("the start function started nothing")]
    Ignored,
    /// The spec does not fit the supervisor.
    #[error(transparent)]
    BadSpec(SpecError),
    /// The start failed with this reason; the spec is not kept.
    #[error("the child did not start: {0}")]
    Failed(ExitReason),
    /// The supervisor could not be asked.
    #[error(transparent)]
    Call(CallError),
}

/// Why `terminate_child` did nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TerminateChildError {
    /// The supervisor has no such child.
    #[error("no such child")]
    NotFound,
    /// The supervisor could not be asked.
    #[error(transparent)]
    Call(CallError),
}

/// Why `restart_child` has no pid to return.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RestartChildError {
    /// The supervisor has no such child.
    #[error("no such child")]
    NotFound,
    /// It is running.
    #[error("the child is running")]
    Running,
    /// It is being restarted already.
    #[error("the child is being restarted")]
    Restarting,
    /// The start function answered [`Child::ignored`](crate::Child::ignored); the spec is kept.
    #[error("the start function started nothing")]
    Ignored,
    /// The start failed with this reason; the spec is kept.
    #[error("the child did not start: {0}")]
    Failed(ExitReason),
    /// The supervisor could not be asked.
    #[error(transparent)]
    Call(CallError),
}

/// Why `delete_child` did nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteChildError {
    /// The supervisor has no such child.
    #[error("no such child")]
    NotFound,
    /// It is running; terminate it first.
    #[error("the child is running")]
    Running,
    /// It is being restarted; terminate it first.
    #[error("the child is being restarted")]
    Restarting,
    /// The supervisor could not be asked.
    #[error(transparent)]
    Call(CallError),
}

/// Why `get_childspec` has nothing to return.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GetChildSpecError {
    /// The supervisor has no such child.
    #[error("no such child")]
    NotFound,
    /// The supervisor could not be asked.
    #[error(transparent)]
    Call(CallError),
}

/// Why `which_child` has nothing to return.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WhichChildError {
    /// The supervisor has no such child.
    #[error("no such child")]
    NotFound,
    /// The supervisor could not be asked.
    #[error(transparent)]
    Call(CallError),
}
