//! Talking to a running static supervisor.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, ReplyTo};

use super::error::{
    DeleteChildError, GetChildSpecError, RestartChildError, StartChildError, TerminateChildError,
};
use crate::call::wait_here;
use crate::{CallError, Child, ChildInfo, ChildSpec, Counts, Name, ServerRef, StopError};

/// What a static supervisor can be asked.
pub(crate) enum Request {
    StartChild(ChildSpec, ReplyTo<Result<Pid, StartChildError>>),
    TerminateChild(Arc<str>, ReplyTo<Result<(), TerminateChildError>>),
    RestartChild(Arc<str>, ReplyTo<Result<Pid, RestartChildError>>),
    DeleteChild(Arc<str>, ReplyTo<Result<(), DeleteChildError>>),
    GetChildSpec(Arc<str>, ReplyTo<Result<ChildSpec, GetChildSpecError>>),
    WhichChildren(ReplyTo<Vec<ChildInfo>>),
    CountChildren(ReplyTo<Counts>),
    /// From the supervisor to itself: try again to restart the child with this key.
    Retry(u64),
}

/// A reference to a running static supervisor, by pid or by name. Cheap to clone.
///
/// All requests wait without limit: the supervisor may be busy starting or stopping a child.
/// They fail with a [`CallError`] only if it is gone, or ends meanwhile. A request to a
/// *dynamic* supervisor, or to any other process, is not understood there:
/// [`CallError::NoReply`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SupervisorRef {
    server: ServerRef<Request>,
}

impl SupervisorRef {
    pub(crate) fn new(server: ServerRef<Request>) -> Self {
        SupervisorRef { server }
    }

    /// The supervisor running as this process.
    pub fn from_pid(pid: Pid) -> Self {
        SupervisorRef::new(ServerRef::from_pid(pid))
    }

    /// The supervisor that has this name when it is asked.
    pub fn named(name: impl Into<String>) -> Self {
        SupervisorRef::new(Name::from_string(name.into()).into())
    }

    /// Its process; for a reference by name, whoever has the name now.
    ///
    /// # Panics
    ///
    /// For a name, outside a process; so do all the requests.
    pub fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// Adds a child as the youngest and starts it.
    ///
    /// # Errors
    ///
    /// See [`StartChildError`].
    #[track_caller]
    pub fn start_child(
        &self,
        spec: ChildSpec,
    ) -> impl Future<Output = Result<Pid, StartChildError>> + Send {
        wait_here(async move {
            let request = |reply| Request::StartChild(spec, reply);
            let answer = self.server.call(request).no_timeout().await;
            answer.map_err(StartChildError::Call)?
        })
    }

    /// Stops a child, or ends the attempts to restart it. Its spec is kept, unless it is
    /// temporary. Done already is no error.
    ///
    /// # Errors
    ///
    /// See [`TerminateChildError`].
    #[track_caller]
    pub fn terminate_child(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<(), TerminateChildError>> + Send {
        wait_here(async move {
            let request = |reply| Request::TerminateChild(id.into(), reply);
            let answer = self.server.call(request).no_timeout().await;
            answer.map_err(TerminateChildError::Call)?
        })
    }

    /// Starts a child that has no process. Not counted as a restart.
    ///
    /// # Errors
    ///
    /// See [`RestartChildError`].
    #[track_caller]
    pub fn restart_child(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Pid, RestartChildError>> + Send {
        wait_here(async move {
            let request = |reply| Request::RestartChild(id.into(), reply);
            let answer = self.server.call(request).no_timeout().await;
            answer.map_err(RestartChildError::Call)?
        })
    }

    /// Drops the spec of a child that has no process.
    ///
    /// # Errors
    ///
    /// See [`DeleteChildError`].
    #[track_caller]
    pub fn delete_child(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<(), DeleteChildError>> + Send {
        wait_here(async move {
            let request = |reply| Request::DeleteChild(id.into(), reply);
            let answer = self.server.call(request).no_timeout().await;
            answer.map_err(DeleteChildError::Call)?
        })
    }

    /// The spec of a child. That of a running temporary child has no start function any more.
    ///
    /// # Errors
    ///
    /// See [`GetChildSpecError`].
    #[track_caller]
    pub fn get_childspec(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<ChildSpec, GetChildSpecError>> + Send {
        wait_here(async move {
            let request = |reply| Request::GetChildSpec(id.into(), reply);
            let answer = self.server.call(request).no_timeout().await;
            answer.map_err(GetChildSpecError::Call)?
        })
    }

    /// All children, the youngest first (reverse start order, as in OTP).
    ///
    /// # Errors
    ///
    /// If the supervisor could not be asked.
    #[track_caller]
    pub fn which_children(&self) -> impl Future<Output = Result<Vec<ChildInfo>, CallError>> + Send {
        wait_here(async move { self.server.call(Request::WhichChildren).no_timeout().await })
    }

    /// How many children there are. A child that has unlinked itself and died is not active,
    /// though still listed as running.
    ///
    /// # Errors
    ///
    /// If the supervisor could not be asked.
    #[track_caller]
    pub fn count_children(&self) -> impl Future<Output = Result<Counts, CallError>> + Send {
        wait_here(async move { self.server.call(Request::CountChildren).no_timeout().await })
    }

    /// Stops the children, then the supervisor with `reason`; see [`ServerRef::stop`].
    ///
    /// # Errors
    ///
    /// See [`StopError`].
    #[track_caller]
    pub fn stop(
        &self,
        reason: ExitReason,
        timeout: Option<Duration>,
    ) -> impl Future<Output = Result<(), StopError>> + Send {
        wait_here(async move { self.server.stop(reason, timeout).await })
    }
}

impl From<Pid> for SupervisorRef {
    fn from(pid: Pid) -> Self {
        SupervisorRef::from_pid(pid)
    }
}

impl From<SupervisorRef> for Child {
    fn from(supervisor: SupervisorRef) -> Self {
        supervisor.server.into()
    }
}

impl fmt::Debug for SupervisorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SupervisorRef({})", self.server)
    }
}
