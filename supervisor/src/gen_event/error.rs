//! Why an operation on a handler has failed.

use regrow_runtime::ExitReason;

use crate::CallError;

/// Why a handler was not added.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddHandlerError {
    /// What was to make it has returned this, or panicked.
    #[error("the handler was not made: {0}")]
    Failed(ExitReason),
    /// The manager is gone, or ended meanwhile.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why [`delete_handler`](super::EventManagerRef::delete_handler) does not give the handler.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteHandlerError {
    /// No handler of this type has the id.
    #[error("no such handler")]
    NotFound,
    /// It panicked in `terminate`. It is gone.
    #[error("the handler is gone, but its `terminate` failed: {0}")]
    Failed(ExitReason),
    /// The manager is gone, or ended meanwhile.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why no other handler has taken the place of one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SwapHandlerError {
    /// What was to make the new one has returned this, or panicked. The old one is gone.
    #[error("the old handler is gone, but the new one was not made: {0}")]
    Failed(ExitReason),
    /// The manager is gone, or ended meanwhile.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why a handler has not answered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallHandlerError {
    /// No handler of this type has the id.
    #[error("no such handler")]
    NotFound,
    /// It panicked, and has been taken away.
    #[error("the handler failed: {0}")]
    Failed(ExitReason),
    /// The manager is gone or ended meanwhile, or there was no answer in time, or none at all.
    #[error(transparent)]
    Call(#[from] CallError),
}
