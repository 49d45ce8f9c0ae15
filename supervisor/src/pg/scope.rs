//! The handle of a scope.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::panic::Location;
use std::sync::Arc;

use regrow_runtime::{
    Handle, MonitorRef, Pid, ReplyTo, self_pid, try_receive_matching, try_self_pid,
};

use super::groups::Groups;
use super::process::{Everything, Process, Request};
use super::{Event, LeaveError};
use crate::call::{Call, wait_here};
use crate::name::{Name, Text};
use crate::{CallError, ChildSpec, GenServer, ServerRef, StartError, directory};

/// A scope: groups of processes, by keys of type `G`.
///
/// This is a handle, the name of a scope, cheap to clone and good for a `const`. Used in a process it
/// means the scope of that name in its runtime; others get one with [`on`](Scope::on).
///
/// Reading is cheap and waits for no process: `G::hash`, `G::eq` and `G::clone` run under a lock and
/// must not use the scope. A scope that does not run has no groups. When it ends, so do all groups
/// and all that was watched, and nobody is told: whoever wants to know monitors its process.
pub struct Scope<G> {
    name: Text,
    groups: Option<Arc<Groups<G, Pid>>>,
}

impl<G: Hash + Eq + Clone + Send + Sync + 'static> Scope<G> {
    /// The scope of that name.
    pub const fn new(name: &'static str) -> Self {
        Scope {
            name: Text::Static(name),
            groups: None,
        }
    }

    /// A scope with a name made at run time.
    pub fn from_string(name: String) -> Self {
        Scope {
            name: Text::Shared(name.into()),
            groups: None,
        }
    }

    /// Its name, which its process has.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The scope of this name in that runtime: this handle works anywhere, not in processes only. It may
    /// be made before the scope runs, and outlives it.
    pub fn on(&self, runtime: &Handle) -> Self {
        Scope {
            name: self.name.clone(),
            groups: Some(self.find_or_make(runtime)),
        }
    }

    /// Starts the scope, linked to the calling process (OTP: `pg:start_link/1`).
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyStarted`] if the name is taken.
    ///
    /// # Panics
    ///
    /// When awaited outside a process.
    #[track_caller]
    pub fn start_link(&self) -> impl Future<Output = Result<Pid, StartError>> + Send + use<G> {
        wait_here(self.begin(true, Location::caller()))
    }

    /// As [`start_link`](Scope::start_link), not linked to anybody (OTP: `pg:start/1`).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// When awaited outside a process.
    #[track_caller]
    pub fn start(&self) -> impl Future<Output = Result<Pid, StartError>> + Send + use<G> {
        wait_here(self.begin(false, Location::caller()))
    }

    fn begin(
        &self,
        link: bool,
        place: &'static Location<'static>,
    ) -> impl Future<Output = Result<Pid, StartError>> + Send + use<G> {
        let scope = self.clone();
        async move {
            let groups = scope.find_or_make(&Handle::current());
            let start = match link {
                true => Process::start_link(groups),
                false => Process::start(groups),
            };
            let name: Arc<str> = scope.name.into();
            let server = start.at(place).name(Name::from(name)).await?;
            match server.pid() {
                Some(pid) => Ok(pid),
                None => unreachable!("what has been started has a pid"),
            }
        }
    }

    /// A child that is this scope, with its name for an id.
    pub fn child_spec(&self) -> ChildSpec {
        let scope = self.clone();
        let id: Arc<str> = self.name.clone().into();
        ChildSpec::new(id, move || scope.start_link())
    }

    /// Puts processes into a group (OTP: `pg:join/3`), the first in front of those that are there. They
    /// may be any processes, and join as often as they like; one that has ended leaves at once. A single
    /// one is `[pid]`.
    ///
    /// # Errors
    ///
    /// If the scope is not running, or ends meanwhile.
    ///
    /// # Panics
    ///
    /// Outside a process, unless found with [`on`](Scope::on); so do all that follow.
    #[track_caller]
    pub fn join<I>(
        &self,
        group: G,
        pids: I,
    ) -> impl Future<Output = Result<(), CallError>> + Send + use<G, I>
    where
        I: IntoIterator<Item = Pid>,
    {
        let pids: Vec<Pid> = pids.into_iter().collect();
        wait_here(self.call(|reply| Request::Join(group, pids, reply)))
    }

    /// Takes processes out of a group (OTP: `pg:leave/3`), each once for each time that it is given, and
    /// the newest time first.
    ///
    /// # Errors
    ///
    /// If none of them was in the group, or the scope could not be asked.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// use regrow_runtime::self_pid;
    /// use regrow_supervisor::pg::{LeaveError, Scope};
    ///
    /// const TEAMS: Scope<u8> = Scope::new("teams");
    /// TEAMS.start_link().await.unwrap();
    /// let me = self_pid();
    /// TEAMS.join(1, [me, me]).await.unwrap();
    /// TEAMS.leave(1, [me]).await.unwrap();
    /// assert_eq!(TEAMS.get_members(&1), [me]);
    /// assert_eq!(TEAMS.leave(2, [me]).await, Err(LeaveError::NotJoined));
    /// # });
    /// ```
    #[track_caller]
    pub fn leave<I>(
        &self,
        group: G,
        pids: I,
    ) -> impl Future<Output = Result<(), LeaveError>> + Send + use<G, I>
    where
        I: IntoIterator<Item = Pid>,
    {
        let pids: Vec<Pid> = pids.into_iter().collect();
        let left = self.call(|reply| Request::Leave(group, pids, reply));
        wait_here(async move {
            match left.await {
                Ok(true) => Ok(()),
                Ok(false) => Err(LeaveError::NotJoined),
                Err(error) => Err(LeaveError::Call(error)),
            }
        })
    }

    /// The members of a group, the newest first, each once for each time that it has joined (OTP:
    /// `pg:get_members/2`). Some may have ended just before.
    #[track_caller]
    pub fn get_members(&self, group: &G) -> Vec<Pid> {
        let groups = self.find();
        groups.map(|it| it.members(group)).unwrap_or_default()
    }

    /// Those members that are on this node (OTP: `pg:get_local_members/2`): all of them.
    #[track_caller]
    pub fn get_local_members(&self, group: &G) -> Vec<Pid> {
        let mut members = self.get_members(group);
        members.retain(|pid| pid.node() == 0);
        members
    }

    /// The groups that have members, in no order (OTP: `pg:which_groups/1`).
    #[track_caller]
    pub fn which_groups(&self) -> Vec<G> {
        let groups = self.find();
        groups.map(|it| it.names()).unwrap_or_default()
    }

    /// Watches a group for the calling process, until that ends (OTP: `pg:monitor/2`): the reference
    /// of the watch, and who is in the group. From then on the process gets an [`Event`] for each
    /// change, and none is missing or told twice.
    ///
    /// # Errors
    ///
    /// If the scope is not running, or ends meanwhile.
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn monitor(
        &self,
        group: G,
    ) -> impl Future<Output = Result<(MonitorRef, Vec<Pid>), CallError>> + Send + use<G> {
        let me = self_pid();
        wait_here(self.call(|reply| Request::Monitor(group, me, reply)))
    }

    /// As [`monitor`](Scope::monitor), all groups (OTP: `pg:monitor_scope/1`); those that there are
    /// come in no order, with their members.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn monitor_scope(
        &self,
    ) -> impl Future<Output = Result<Everything<G>, CallError>> + Send + use<G> {
        let me = self_pid();
        wait_here(self.call(|reply| Request::MonitorScope(me, reply)))
    }

    /// Ends a watch, and takes what it has told the caller out of the mailbox (OTP:
    /// `pg:demonitor/2`). True if there was such a watch; it may be that of another process.
    ///
    /// # Errors
    ///
    /// If the scope is not running, or ends meanwhile.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// use regrow_runtime::{self_pid, try_receive};
    /// use regrow_supervisor::pg::{Event, Scope};
    ///
    /// const TEAMS: Scope<u8> = Scope::new("teams");
    /// TEAMS.start_link().await.unwrap();
    /// let (watch, _) = TEAMS.monitor(1).await.unwrap();
    /// TEAMS.join(1, [self_pid()]).await.unwrap();
    /// assert_eq!(TEAMS.demonitor(watch).await, Ok(true));
    /// assert_eq!(TEAMS.demonitor(watch).await, Ok(false));
    /// assert!(try_receive::<Event<u8>>().is_none());
    /// # });
    /// ```
    #[track_caller]
    pub fn demonitor(
        &self,
        watch: MonitorRef,
    ) -> impl Future<Output = Result<bool, CallError>> + Send + use<G> {
        let ended = self.call(|reply| Request::Demonitor(watch, reply));
        wait_here(async move {
            let known = ended.await?;
            // What was told before the answer is in the mailbox when that is there.
            if known && try_self_pid().is_some() {
                let of_it = |event: &Event<G>| event.monitor() == watch;
                while try_receive_matching(of_it).is_some() {}
            }
            Ok(known)
        })
    }

    fn find_or_make(&self, runtime: &Handle) -> Arc<Groups<G, Pid>> {
        directory::find_or_make(runtime, self.name.as_str(), Groups::default)
    }

    /// The groups meant, if anybody has them.
    #[track_caller]
    fn find(&self) -> Option<Arc<Groups<G, Pid>>> {
        if let Some(groups) = &self.groups {
            return Some(groups.clone());
        }
        let Some(runtime) = Handle::try_current() else {
            let name = self.name.as_str();
            panic!("the scope `{name}` can only be used in a process, or with `on`");
        };
        directory::find(&runtime, self.name.as_str())
    }

    /// Asks the process of the scope, without limit.
    #[track_caller]
    fn call<R: Send + 'static>(&self, request: impl FnOnce(ReplyTo<R>) -> Request<G>) -> Call<R> {
        match self.find().and_then(|groups| groups.server()) {
            Some(server) => ServerRef::from_pid(server).call(request).no_timeout(),
            None => Call::no_proc(),
        }
    }
}

impl<G> Clone for Scope<G> {
    fn clone(&self) -> Self {
        Scope {
            name: self.name.clone(),
            groups: self.groups.clone(),
        }
    }
}

impl<G> fmt::Debug for Scope<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("name", &self.name.as_str())
            .field("is_found", &self.groups.is_some())
            .finish_non_exhaustive()
    }
}
