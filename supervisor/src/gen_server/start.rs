//! The starter's side: `proc_lib::start`, with what a server can be started with.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::proc_lib::{self, InitAck};
use regrow_runtime::{
    ExitReason, MailboxPolicy, MonitorRef, Pid, Priority, SpawnError, SpawnOptions, self_pid,
    wait_at,
};

use super::not_started::NotStarted;
use super::{GenServer, process};
use crate::behaviour::{Behaviour, Birth, Server};
use crate::{Name, ServerRef, Via};

/// Where a server's name is kept.
#[derive(Clone, Debug)]
pub(crate) enum ServerName {
    Local(Arc<str>),
    Via(Arc<dyn Via>),
}

impl ServerName {
    /// For reports.
    pub(crate) fn text(&self) -> Arc<str> {
        match self {
            ServerName::Local(name) => name.clone(),
            ServerName::Via(via) => format!("{via:?}").into(),
        }
    }
}

/// A server about to be started, from [`GenServer::start`], [`GenServer::start_link`] or
/// [`GenServer::start_monitor`]; awaiting it starts it and gives a [`ServerRef`] once its `init`
/// is done, with the [`MonitorRef`] if one was asked for (`W` says so). State machines are started
/// in the same way; `B` says which of the two it is.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// # use regrow_runtime::{ExitReason, MailboxPolicy, Priority};
/// # use regrow_supervisor::{Context, GenServer, Next};
/// # use std::time::Duration;
/// # struct Printer;
/// # impl GenServer for Printer {
/// #   type Args = ();
/// #   type Message = ();
/// #   async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Printer) }
/// #   async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Next { Next::Continue }
/// # }
/// let printer = Printer::start_link(())
///     .name("printer")
///     .priority(Priority::Low)
///     .mailbox_limit(100, MailboxPolicy::Wait)
///     .hibernate_after(Duration::from_secs(60))
///     .timeout(Duration::from_secs(5))
///     .await
///     .unwrap();
/// # assert!(printer.pid().is_some());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// See [`StartError`]. Whatever the error, the process is gone and its name free by then, and
/// neither an `Exit` nor a `Down` of it is left in the mailbox. But as in OTP, a process that does
/// *not* trap exits dies with a server that it started with `start_link` and whose `init` failed.
///
/// # Panics
///
/// When awaited outside a process.
#[must_use = "nothing is started until this is awaited"]
pub struct Start<S, B: Behaviour<S> = Server, W = ()> {
    args: B::Args,
    options: SpawnOptions,
    link: bool,
    name: Option<ServerName>,
    timeout: Option<Duration>,
    hibernate_after: Option<Duration>,
    /// Where it was asked for.
    place: &'static Location<'static>,
    /// What the starter gets beside the reference.
    with: PhantomData<fn() -> W>,
}

impl<S: GenServer> Behaviour<S> for Server {
    type Args = S::Args;
    type Message = S::Message;

    fn run(
        args: S::Args,
        birth: Birth,
        starter: InitAck<()>,
    ) -> impl Future<Output = ExitReason> + Send + 'static {
        process::run::<S>(args, birth, starter)
    }
}

impl<S: 'static, B: Behaviour<S>> Start<S, B> {
    #[track_caller]
    pub(crate) fn new(args: B::Args, link: bool) -> Self {
        let options = SpawnOptions::new();
        Start {
            args,
            options: if link { options.link() } else { options },
            link,
            name: None,
            timeout: None,
            hibernate_after: None,
            place: Location::caller(),
            with: PhantomData,
        }
    }

    /// The starter gets a monitor as well.
    pub(crate) fn monitor(self) -> Start<S, B, MonitorRef> {
        Start {
            args: self.args,
            options: self.options.monitor(),
            link: self.link,
            name: self.name,
            timeout: self.timeout,
            hibernate_after: self.hibernate_after,
            place: self.place,
            with: PhantomData,
        }
    }
}

impl<S: 'static, B: Behaviour<S>, W> Start<S, B, W> {
    /// Registers the server under this name before `init` runs. A [`Name`] must be one for
    /// this server's messages; a text becomes one. A server has one name: the last that is given,
    /// here or with [`via`](Start::via).
    pub fn name(mut self, name: impl Into<Name<B::Message>>) -> Self {
        self.name = Some(ServerName::Local(name.into().into()));
        self
    }

    /// Registers the server in another registry than the runtime's own; see [`Via`]. The new
    /// process does it, before `init` runs. If the name is taken, nothing else runs.
    pub fn via(mut self, via: Arc<dyn Via>) -> Self {
        self.name = Some(ServerName::Via(via));
        self
    }

    /// Labels the process, for reports and introspection.
    pub fn label(self, label: impl Into<Arc<str>>) -> Self {
        self.with(|options| options.label(label))
    }

    /// Gives `init` this long; then the server is killed. By default it has no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets the server hibernate ([`Next::Hibernate`](crate::Next::Hibernate)) whenever nothing
    /// has come for so long, unless it waits with a timeout (OTP: `{hibernate_after, Time}`).
    /// Each wait then costs a timer.
    pub fn hibernate_after(mut self, idle: Duration) -> Self {
        self.hibernate_after = Some(idle);
        self
    }

    /// The priority of the process (OTP: `{spawn_opt, [{priority, Level}]}`).
    pub fn priority(self, priority: Priority) -> Self {
        self.with(|options| options.priority(priority))
    }

    /// Limits the mailbox to `max` messages from the first moment on; see
    /// [`mailbox_limit`](regrow_runtime::mailbox_limit).
    ///
    /// # Panics
    ///
    /// If `max` is zero.
    #[track_caller]
    pub fn mailbox_limit(mut self, max: usize, policy: MailboxPolicy) -> Self {
        self.options = self.options.mailbox_limit(max, policy);
        self
    }

    /// Whether the server traps exits from its first moment on, and not only once its `init`
    /// says so.
    pub fn trap_exit(self, on: bool) -> Self {
        self.with(|options| options.trap_exit(on))
    }

    fn with(mut self, option: impl FnOnce(SpawnOptions) -> SpawnOptions) -> Self {
        self.options = option(self.options);
        self
    }

    /// Under this name, if any.
    pub(crate) fn named(mut self, name: Option<ServerName>) -> Self {
        self.name = name;
        self
    }

    /// On behalf of a caller at this place.
    pub(crate) fn at(mut self, place: &'static Location<'static>) -> Self {
        self.place = place;
        self
    }

    async fn run(self) -> Result<(ServerRef<B::Message>, Option<MonitorRef>), StartError> {
        let Start { args, timeout, .. } = self;
        let mut options = self.options.spawned_at(self.place);
        let birth = Birth {
            parent: self.link.then(self_pid),
            hibernate_after: self.hibernate_after,
        };
        let mut via = None;
        match self.name {
            Some(ServerName::Local(name)) => options = options.name(name),
            Some(ServerName::Via(registry)) => via = Some(registry),
            None => {}
        }
        let started = match via {
            None => {
                let body = |starter| B::run(args, birth, starter);
                proc_lib::start_with(options, timeout, body).await
            }
            Some(via) => {
                let body = |starter| register_and_run::<S, B>(via, args, birth, starter);
                proc_lib::start_with(options, timeout, body).await
            }
        };
        match started {
            Ok(started) => Ok((ServerRef::from_pid(started.pid), started.monitor)),
            Err(error) => Err(why_not(error)),
        }
    }
}

/// The body of a server that is known to another registry. A future of its own, so that servers
/// without one have no room for it.
async fn register_and_run<S: 'static, B: Behaviour<S>>(
    via: Arc<dyn Via>,
    args: B::Args,
    birth: Birth,
    starter: InitAck<()>,
) -> ExitReason {
    if let Err(pid) = via.register() {
        starter.fail(ExitReason::error(Taken(pid)));
        return ExitReason::Normal;
    }
    drop(via);
    B::run(args, birth, starter).await
}

/// What a server says whose name is taken. Private, so that no `init` can say it.
#[derive(Debug, thiserror::Error)]
#[error("the name is taken by {0}")]
struct Taken(Pid);

fn why_not(error: proc_lib::StartError) -> StartError {
    match error {
        proc_lib::StartError::Spawn(SpawnError::NameTaken { pid, .. }) => {
            StartError::AlreadyStarted(pid)
        }
        proc_lib::StartError::Timeout => StartError::Timeout,
        proc_lib::StartError::Exit(reason) => {
            if let ExitReason::Error(error) = &reason
                && let Some(&Taken(pid)) = error.downcast_ref()
            {
                return StartError::AlreadyStarted(pid);
            }
            match NotStarted::of(&reason) {
                Some(NotStarted::Ignored) => StartError::Ignored,
                _ => StartError::Exit(reason),
            }
        }
        other => StartError::Exit(ExitReason::error(other)),
    }
}

impl<S: 'static, B: Behaviour<S>> IntoFuture for Start<S, B> {
    type Output = Result<ServerRef<B::Message>, StartError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let place = self.place;
        let started = async move { Ok(self.run().await?.0) };
        Box::pin(wait_at(place, started))
    }
}

impl<S: 'static, B: Behaviour<S>> IntoFuture for Start<S, B, MonitorRef> {
    type Output = Result<(ServerRef<B::Message>, MonitorRef), StartError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let place = self.place;
        let started = async move {
            match self.run().await? {
                (server, Some(monitor)) => Ok((server, monitor)),
                (_, None) => unreachable!("a monitor was among the options"),
            }
        };
        Box::pin(wait_at(place, started))
    }
}

impl<S, B: Behaviour<S>, W> fmt::Debug for Start<S, B, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("server", &std::any::type_name::<S>())
            .field("options", &self.options)
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .field("hibernate_after", &self.hibernate_after)
            .finish_non_exhaustive()
    }
}

/// Why a server was not started.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The name belongs to this process already.
    #[error("already started as {0}")]
    AlreadyStarted(Pid),
    /// `init` did not finish in time; the server has been killed.
    #[error("init did not finish in time")]
    Timeout,
    /// The server ended before its `init` was done.
    #[error("ended in init: {0}")]
    Exit(ExitReason),
    /// `init` has [chosen](crate::Context::ignore) not to start the server, which is no failure
    /// (OTP: `ignore`). As the error of a start function this is
    /// [`Child::ignored`](crate::Child::ignored).
    #[error("init has chosen not to start the server")]
    Ignored,
}

impl StartError {
    fn within(reason: &ExitReason) -> Option<&StartError> {
        match reason {
            ExitReason::Error(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// The reason itself where `?` has wrapped it in a start error, so that it is carried
    /// outwards unchanged however many levels it passes.
    pub(crate) fn unwrap_reason(reason: ExitReason) -> ExitReason {
        match StartError::within(&reason) {
            Some(StartError::Exit(inner)) => inner.clone(),
            _ => reason,
        }
    }

    /// Whether the reason stands for a start that was ignored.
    pub(crate) fn is_ignored(reason: &ExitReason) -> bool {
        matches!(StartError::within(reason), Some(StartError::Ignored))
    }
}
