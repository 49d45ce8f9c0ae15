//! Talking to a running dynamic supervisor.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, ReplyTo};

use crate::call::wait_here;
use crate::{
    CallError, Child, ChildInfo, ChildSpec, Counts, Name, ServerRef, StartChildError, StopError,
    TerminateChildError,
};

/// What a dynamic supervisor can be asked.
pub(crate) enum Request {
    StartChild(ChildSpec, ReplyTo<Result<Pid, StartChildError>>),
    TerminateChild(Pid, ReplyTo<Result<(), TerminateChildError>>),
    WhichChildren(ReplyTo<Vec<ChildInfo>>),
    CountChildren(ReplyTo<Counts>),
    /// From the supervisor to itself: try again to restart the child that had this pid.
    Retry(Pid),
}

/// A reference to a running dynamic supervisor, by pid or by name. Cheap to clone.
///
/// All requests wait without limit and fail with a [`CallError`] only if the supervisor is gone,
/// or ends meanwhile. A request to a *static* supervisor, or to any other process, is not
/// understood there: [`CallError::NoReply`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DynamicSupervisorRef {
    server: ServerRef<Request>,
}

impl DynamicSupervisorRef {
    pub(crate) fn new(server: ServerRef<Request>) -> Self {
        DynamicSupervisorRef { server }
    }

    /// The supervisor running as this process.
    pub fn from_pid(pid: Pid) -> Self {
        DynamicSupervisorRef::new(ServerRef::from_pid(pid))
    }

    /// The supervisor that has this name when it is asked.
    pub fn named(name: impl Into<String>) -> Self {
        DynamicSupervisorRef::new(Name::from_string(name.into()).into())
    }

    /// Its process; for a reference by name, whoever has the name now.
    ///
    /// # Panics
    ///
    /// For a name, outside a process; so do all the requests.
    pub fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// Starts a child. The limit on children is checked before its start function runs.
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

    /// Stops a child and forgets it, even a permanent one. A child that is being restarted goes
    /// by the pid it had.
    ///
    /// # Errors
    ///
    /// See [`TerminateChildError`].
    #[track_caller]
    pub fn terminate_child(
        &self,
        pid: Pid,
    ) -> impl Future<Output = Result<(), TerminateChildError>> + Send {
        wait_here(async move {
            let request = |reply| Request::TerminateChild(pid, reply);
            let answer = self.server.call(request).no_timeout().await;
            answer.map_err(TerminateChildError::Call)?
        })
    }

    /// All children, in no order.
    ///
    /// # Errors
    ///
    /// If the supervisor could not be asked.
    #[track_caller]
    pub fn which_children(&self) -> impl Future<Output = Result<Vec<ChildInfo>, CallError>> + Send {
        wait_here(async move { self.server.call(Request::WhichChildren).no_timeout().await })
    }

    /// How many children there are; those being restarted are not active.
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

impl From<Pid> for DynamicSupervisorRef {
    fn from(pid: Pid) -> Self {
        DynamicSupervisorRef::from_pid(pid)
    }
}

impl From<DynamicSupervisorRef> for Child {
    fn from(supervisor: DynamicSupervisorRef) -> Self {
        supervisor.server.into()
    }
}

impl fmt::Debug for DynamicSupervisorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DynamicSupervisorRef({})", self.server)
    }
}
