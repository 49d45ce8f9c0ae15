//! Talking to a running static supervisor.

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, ReplyTo};

use super::error::{
    DeleteChildError, GetChildSpecError, RestartChildError, StartChildError, TerminateChildError,
    WhichChildError,
};
use crate::asking::ask;
use crate::call::wait_here;
use crate::child::Retry;
use crate::{CallError, Child, ChildInfo, ChildSpec, Counts, Name, ServerRef, StopError, Via};

/// What a static supervisor can be asked.
pub(crate) enum Request {
    StartChild(ChildSpec, ReplyTo<Result<Child, StartChildError>>),
    TerminateChild(Arc<str>, ReplyTo<Result<(), TerminateChildError>>),
    RestartChild(Arc<str>, ReplyTo<Result<Child, RestartChildError>>),
    DeleteChild(Arc<str>, ReplyTo<Result<(), DeleteChildError>>),
    GetChildSpec(Arc<str>, ReplyTo<Result<ChildSpec, GetChildSpecError>>),
    WhichChild(Arc<str>, ReplyTo<Result<ChildInfo, WhichChildError>>),
    WhichChildren(ReplyTo<Vec<ChildInfo>>),
    CountChildren(ReplyTo<Counts>),
    /// From the supervisor to itself: try again to restart the child with this key.
    Retry(Retry<u64>),
}

/// A reference to a running static supervisor, by pid or by name. Cheap to clone.
///
/// Requests wait without limit, since the supervisor may be busy starting or stopping a child,
/// unless the reference has a [`timeout`](SupervisorRef::timeout). Otherwise they fail with a
/// [`CallError`] only if it is gone, or ends meanwhile. A request to a *dynamic* supervisor, or to
/// any other process, is not understood there: [`CallError::NoReply`].
///
/// References are equal if they mean the same process, or the same name.
#[derive(Clone)]
pub struct SupervisorRef {
    server: ServerRef<Request>,
    timeout: Option<Duration>,
}

impl SupervisorRef {
    pub(crate) fn new(server: ServerRef<Request>) -> Self {
        SupervisorRef {
            server,
            timeout: None,
        }
    }

    /// The supervisor running as this process.
    pub fn from_pid(pid: Pid) -> Self {
        SupervisorRef::new(ServerRef::from_pid(pid))
    }

    /// The supervisor that has this name when it is asked.
    pub fn named(name: impl Into<String>) -> Self {
        SupervisorRef::new(Name::from_string(name.into()).into())
    }

    /// The supervisor that a registry knows by this name when it is asked.
    pub fn via(via: Arc<dyn Via>) -> Self {
        SupervisorRef::new(ServerRef::via(via))
    }

    /// Its process; for a reference by name, whoever has the name now.
    ///
    /// # Panics
    ///
    /// For a name, outside a process; so do all the requests.
    pub fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// The same supervisor, asked with a limit: requests that take longer fail with
    /// [`CallError::Busy`], which says what the supervisor is waiting for, or with
    /// [`CallError::Timeout`] where that cannot be told. They are not taken back, so it may still
    /// carry them out.
    ///
    /// A child must not ask its own supervisor anything in its `init`: the supervisor waits for
    /// that to be done. Without a limit both would wait for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
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
        wait_here(async move { Ok(self.start(spec).await?.0) })
    }

    /// As [`start_child`](SupervisorRef::start_child), and gives what the start function has to
    /// say besides the pid (OTP's `{ok, Pid, Info}`), if there is anything and it is an `I`.
    ///
    /// ```
    /// use regrow_runtime::{ExitReason, Runtime, sleep, spawn_link};
    /// use regrow_supervisor::{Child, ChildSpec, Strategy, Supervisor};
    /// use std::time::Duration;
    ///
    /// let runtime = Runtime::new().unwrap();
    /// runtime.block_on(async {
    ///     let listener = ChildSpec::new("listener", || async {
    ///         let pid = spawn_link(sleep(Duration::from_secs(3600)));
    ///         let port: u16 = 4_000; // what the system has chosen, say
    ///         Ok::<_, ExitReason>(Child::from(pid).with_info(port))
    ///     });
    ///     let supervisor = Supervisor::new(Strategy::OneForOne).start_link().await.unwrap();
    ///     let (_, port) = supervisor.start_child_with_info::<u16>(listener).await.unwrap();
    ///     assert_eq!(port, Some(4_000));
    /// });
    /// ```
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
            self.ask(request).await.map_err(TerminateChildError::Call)?
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
        wait_here(async move { Ok(self.restart(id).await?.0) })
    }

    /// As [`restart_child`](SupervisorRef::restart_child), and gives what the start function has to
    /// say besides the pid, if there is anything and it is an `I`.
    ///
    /// # Errors
    ///
    /// See [`RestartChildError`].
    #[track_caller]
    pub fn restart_child_with_info<I: Send + 'static>(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<(Pid, Option<I>), RestartChildError>> + Send {
        wait_here(async move {
            let (pid, child) = self.restart(id).await?;
            Ok((pid, child.into_info()))
        })
    }

    async fn restart(&self, id: &str) -> Result<(Pid, Child), RestartChildError> {
        let request = |reply| Request::RestartChild(id.into(), reply);
        let child = self.ask(request).await.map_err(RestartChildError::Call)??;
        let pid = child.pid().ok_or(RestartChildError::Ignored)?;
        Ok((pid, child))
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
            self.ask(request).await.map_err(DeleteChildError::Call)?
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
            self.ask(request).await.map_err(GetChildSpecError::Call)?
        })
    }

    /// One child, as [`which_children`](SupervisorRef::which_children) lists it.
    ///
    /// # Errors
    ///
    /// See [`WhichChildError`].
    #[track_caller]
    pub fn which_child(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<ChildInfo, WhichChildError>> + Send {
        wait_here(async move {
            let request = |reply| Request::WhichChild(id.into(), reply);
            self.ask(request).await.map_err(WhichChildError::Call)?
        })
    }

    /// All children, the youngest first (reverse start order, as in OTP).
    ///
    /// # Errors
    ///
    /// If the supervisor could not be asked.
    #[track_caller]
    pub fn which_children(&self) -> impl Future<Output = Result<Vec<ChildInfo>, CallError>> + Send {
        wait_here(self.ask(Request::WhichChildren))
    }

    /// How many children there are. A child that has unlinked itself and died is not active,
    /// though still listed as running.
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

impl PartialEq for SupervisorRef {
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server
    }
}

impl Eq for SupervisorRef {}

impl Hash for SupervisorRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.server.hash(state);
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
