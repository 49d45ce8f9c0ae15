//! Why there is no result.

use regrow_runtime::ExitReason;

use crate::StartChildError;

/// Why a task has no result to give.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// No result in time. A task that was awaited goes on, and its result will be dropped; one of
    /// a [stream](crate::AsyncStream) has been killed.
    #[error("the task gave no result in time")]
    Timeout,
    /// The task ended without a result, be it with reason normal.
    #[error("the task ended without a result: {0}")]
    Exit(ExitReason),
    /// The task of a [stream](crate::AsyncStream) was not started.
    #[error("the task did not start: {0}")]
    NotStarted(StartChildError),
    /// The result was taken before, by [`Task::yield_for`](crate::Task::yield_for) or
    /// [`Task::yield_many`](crate::Task::yield_many).
    #[error("the task's result was taken before")]
    Taken,
}

/// Whoever asked for a task ended before it had handed over the work. Held by the
/// [`ShutdownWith`](ExitReason::ShutdownWith) reason of the task that was waiting for it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the caller ended before it had handed over the work: {reason}")]
#[non_exhaustive]
pub struct CallerEnded {
    /// Why the caller ended; `Normal` if it has only given up the start.
    pub reason: ExitReason,
}
