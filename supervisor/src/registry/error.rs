//! Why an operation on a registry was refused: one type per operation.

use std::fmt;
use std::sync::Arc;

use regrow_runtime::Pid;

/// Why nothing was registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterKeyError {
    /// A process that is alive has the key, perhaps the caller itself.
    #[error("already registered by {0}")]
    AlreadyRegistered(Pid),
    /// The registry is not running, or is being started again.
    #[error(transparent)]
    NotRunning(#[from] RegistryNotRunning),
}

/// The registry is not running, or is being started again: look whether it is a child of a
/// supervisor, and comes before those who use it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registry `{registry}` is not running")]
#[non_exhaustive]
pub struct RegistryNotRunning {
    /// Its name.
    pub registry: Arc<str>,
}

/// The calling process has no value to update: it has not registered that key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the calling process has not registered this key")]
#[non_exhaustive]
pub struct UpdateValueError;

/// A message to a key that nobody has. It gives the message back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("no process is registered under this key")]
pub struct SendToKeyError<M> {
    pub(super) message: M,
}

impl<M> SendToKeyError<M> {
    /// The message that was not sent.
    pub fn into_inner(self) -> M {
        self.message
    }
}

impl<M> fmt::Debug for SendToKeyError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendToKeyError").finish_non_exhaustive()
    }
}
