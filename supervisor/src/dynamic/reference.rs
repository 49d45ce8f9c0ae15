//! Talking to a running dynamic supervisor.

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, ReplyTo};

use crate::asking::ask;
use crate::call::wait_here;
use crate::child::Retry;
use crate::{
    CallError, Child, ChildInfo, ChildSpec, Counts, GetChildSpecError, Name, ServerRef,
    StartChildError, StopError, TerminateChildError, Via, WhichChildError,
};

/// What a dynamic supervisor can be asked.
pub(crate) enum Request {
    StartChild(ChildSpec, ReplyTo<Result<Child, StartChildError>>),
    TerminateChild(Pid, ReplyTo<Result<(), TerminateChildError>>),
    GetChildSpec(Pid, ReplyTo<Result<ChildSpec, GetChildSpecError>>),
    WhichChild(Pid, ReplyTo<Result<ChildInfo, WhichChildError>>),
    WhichChildren(ReplyTo<Vec<ChildInfo>>),
    CountChildren(ReplyTo<Counts>),
    /// From the supervisor to itself: try again to restart the child that had this pid.
    Retry(Retry<Pid>),
}

/// A reference to a running dynamic supervisor, by pid or by name. Cheap to clone.
///
/// Requests wait without limit, unless the reference has a
/// [`timeout`](DynamicSupervisorRef::timeout). Otherwise they fail with a [`CallError`] only if the
/// supervisor is gone, or ends meanwhile. A request to a *static* supervisor, or to any other
/// process, is not understood there: [`CallError::NoReply`].
///
/// References are equal if they mean the same process, or the same name.
#[derive(Clone)]
pub struct DynamicSupervisorRef {
    server: ServerRef<Request>,
    timeout: Option<Duration>,
}

impl DynamicSupervisorRef {
    pub(crate) fn new(server: ServerRef<Request>) -> Self {
        DynamicSupervisorRef {
            server,
            timeout: None,
        }
    }

    /// The supervisor running as this process.
    pub fn from_pid(pid: Pid) -> Self {
        DynamicSupervisorRef::new(ServerRef::from_pid(pid))
    }

    /// The supervisor that has this name when it is asked.
    pub fn named(name: impl Into<String>) -> Self {
        DynamicSupervisorRef::new(Name::from_string(name.into()).into())
    }

    /// The supervisor that a registry knows by this name when it is asked.
    pub fn via(via: Arc<dyn Via>) -> Self {
        DynamicSupervisorRef::new(ServerRef::via(via))
    }

    /// Its process; for a reference by name, whoever has the name now.
    ///
    /// # Panics
    ///
    /// For a name, outside a process; so do all the requests.
    pub fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// The same supervisor, asked with a limit; see
    /// [`SupervisorRef::timeout`](crate::SupervisorRef::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
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
        wait_here(async move { Ok(self.start(spec).await?.0) })
    }

    /// As [`start_child`](DynamicSupervisorRef::start_child), and gives what the start function
    /// has to say besides the pid, if there is anything and it is an `I`; see
    /// [`SupervisorRef::start_child_with_info`](crate::SupervisorRef::start_child_with_info).
    ///
    /// # Errors
    ///
    /// See [`StartChildError`].
    #[track_caller]
    pub fn start_child_with_info<I: Send + 'static>(
        &self,
        spec: ChildSpec,
    ) -> impl Future<Output = Result<(Pid, Option<I>), StartChildError>> + Send {
        wait_here(async move {
            let (pid, child) = self.start(spec).await?;
            Ok((pid, child.into_info()))
        })
    }

    async fn start(&self, spec: ChildSpec) -> Result<(Pid, Child), StartChildError> {
        let request = |reply| Request::StartChild(spec, reply);
        let child = self.ask(request).await.map_err(StartChildError::Call)??;
        let pid = child.pid().ok_or(StartChildError::Ignored)?;
        Ok((pid, child))
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
            self.ask(request).await.map_err(TerminateChildError::Call)?
        })
    }

    /// The spec of a child. That of a temporary child has no start function any more.
    ///
    /// # Errors
    ///
    /// See [`GetChildSpecError`].
    #[track_caller]
    pub fn get_childspec(
        &self,
        pid: Pid,
    ) -> impl Future<Output = Result<ChildSpec, GetChildSpecError>> + Send {
        wait_here(async move {
            let request = |reply| Request::GetChildSpec(pid, reply);
            self.ask(request).await.map_err(GetChildSpecError::Call)?
        })
    }

    /// One child, as [`which_children`](DynamicSupervisorRef::which_children) lists it; one that
    /// is being restarted by the pid it had.
    ///
    /// # Errors
    ///
    /// See [`WhichChildError`].
    #[track_caller]
    pub fn which_child(
        &self,
        pid: Pid,
    ) -> impl Future<Output = Result<ChildInfo, WhichChildError>> + Send {
        wait_here(async move {
            let request = |reply| Request::WhichChild(pid, reply);
            self.ask(request).await.map_err(WhichChildError::Call)?
        })
    }

    /// All children, in no order.
    ///
    /// # Errors
    ///
    /// If the supervisor could not be asked.
    #[track_caller]
    pub fn which_children(&self) -> impl Future<Output = Result<Vec<ChildInfo>, CallError>> + Send {
        wait_here(self.ask(Request::WhichChildren))
    }

    /// How many children there are; those being restarted are not active.
    ///
    /// # Errors
    ///
    /// If the supervisor could not be asked.
    #[track_caller]
    pub fn count_children(&self) -> impl Future<Output = Result<Counts, CallError>> + Send {
        wait_here(self.ask(Request::CountChildren))
    }

    fn ask<R: Send + 'static>(
        &self,
        request: impl FnOnce(ReplyTo<R>) -> Request + Send,
    ) -> impl Future<Output = Result<R, CallError>> + Send {
        ask(&self.server, self.timeout, request)
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

impl PartialEq for DynamicSupervisorRef {
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server
    }
}

impl Eq for DynamicSupervisorRef {}

impl Hash for DynamicSupervisorRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.server.hash(state);
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
