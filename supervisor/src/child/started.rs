//! What a start function is and what comes of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use regrow_runtime::{ExitReason, Message, Pid, catch_panic, self_pid};

use super::{Backoff, SpecError};
use crate::report::discard;
use crate::{ServerRef, StartError};

/// What a start function returns: the process it has started (and linked), or none.
///
/// Made from a [`Pid`], a [`ServerRef`], a [`SupervisorRef`](crate::SupervisorRef) or a
/// [`DynamicSupervisorRef`](crate::DynamicSupervisorRef), so a start function usually just ends
/// with `start_link(..)`.
#[derive(Debug)]
pub struct Child {
    pid: Option<Pid>,
    info: Option<Message>,
}

impl Child {
    /// OTP's `ignore`: nothing was started and that is fine. A static supervisor keeps the spec
    /// (unless it is temporary) without a process, a dynamic one forgets it.
    pub fn ignored() -> Self {
        Child {
            pid: None,
            info: None,
        }
    }

    /// OTP's `{ok, Pid, Info}`: something for whoever asked for this start, who gets it from
    /// [`start_child_with_info`](crate::SupervisorRef::start_child_with_info) or
    /// [`restart_child_with_info`](crate::SupervisorRef::restart_child_with_info). If nobody has
    /// asked, because the supervisor itself starts the child, it is dropped.
    pub fn with_info<I: Send + 'static>(mut self, info: I) -> Self {
        self.info = Some(Message::new(info));
        self
    }

    /// The process, unless [ignored](Child::ignored).
    pub fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// The info, if there is any and it is of this type.
    pub(crate) fn into_info<I: 'static>(mut self) -> Option<I> {
        self.info.take()?.downcast().ok()
    }
}

impl Drop for Child {
    /// Often in the supervisor's process, which must not end because of somebody's info.
    fn drop(&mut self) {
        if let Some(info) = self.info.take() {
            discard(info);
        }
    }
}

impl From<Option<Pid>> for Child {
    /// `None` is a child that is [ignored](Child::ignored).
    fn from(pid: Option<Pid>) -> Self {
        Child { pid, info: None }
    }
}

impl From<Pid> for Child {
    fn from(pid: Pid) -> Self {
        Some(pid).into()
    }
}

impl<M: Send + 'static> From<ServerRef<M>> for Child {
    /// A reference by name is looked up here; if nothing has that name the child counts as
    /// [ignored](Child::ignored).
    fn from(server: ServerRef<M>) -> Self {
        server.pid().into()
    }
}

/// A start function of the user's. What it has captured is dropped in the supervisor's process more
/// often than not, which must not end because of that.
pub(super) struct Users<F>(pub(super) Option<F>);

impl<F> Drop for Users<F> {
    fn drop(&mut self) {
        discard(self.0.take());
    }
}

pub(super) type Starting = Pin<Box<dyn Future<Output = Result<Child, ExitReason>> + Send>>;

/// A start function, and what else is of use only as long as there is one. Behind one pointer:
/// there may be millions of specs, most of them without any of it.
pub(super) struct Start<F: ?Sized> {
    pub(super) backoff: Option<Box<Backoff>>,
    pub(super) function: F,
}

/// A start function with its types erased.
pub(super) type StartFunction = Arc<Start<dyn Fn() -> Starting + Send + Sync>>;

/// Runs a start function; a panic in it is a failed start.
pub(super) async fn run_start(start: StartFunction) -> Result<Child, ExitReason> {
    // The call itself is inside, since a start function may panic before its first await.
    let outcome = catch_panic(async move { (start.function)().await }).await;
    let child = match outcome.and_then(|started| started) {
        Ok(child) => child,
        Err(reason) if StartError::is_ignored(&reason) => Child::ignored(),
        Err(reason) => return Err(StartError::unwrap_reason(reason)),
    };
    // It runs in the supervisor's process, so this is an easy mistake. Such a child could
    // neither be monitored nor stopped.
    if child.pid == Some(self_pid()) {
        return Err(SpecError::StartsSupervisorItself.into());
    }
    Ok(child)
}
