//! The starter's side: `proc_lib::start`, with what a server can be started with.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::proc_lib::{self, InitAck};
use regrow_runtime::{ExitReason, Pid, SpawnError, SpawnOptions, self_pid, wait_at};

use super::{GenServer, process};
use crate::behaviour::{Behaviour, Server};
use crate::{Name, ServerRef, Via};

/// Where a server's name is kept.
#[derive(Debug)]
enum ServerName {
    Local(Arc<str>),
    Via(Arc<dyn Via>),
}

/// A server about to be started, from [`GenServer::start`] or [`GenServer::start_link`]; awaiting
/// it starts it and gives a [`ServerRef`] once its `init` is done. State machines are started in
/// the same way; `B` says which of the two it is.
///
/// # Errors
///
/// See [`StartError`]. Whatever the error, the process is gone and its name free by then, and
/// no `Exit` of it is left in the mailbox. But as in OTP, a process that does *not* trap exits
/// dies with a server that it started with `start_link` and whose `init` failed.
///
/// # Panics
///
/// When awaited outside a process.
#[must_use = "nothing is started until this is awaited"]
pub struct Start<S, B: Behaviour<S> = Server> {
    args: B::Args,
    link: bool,
    name: Option<ServerName>,
    label: Option<Arc<str>>,
    timeout: Option<Duration>,
    /// Where it was asked for.
    place: &'static Location<'static>,
}

impl<S: GenServer> Behaviour<S> for Server {
    type Args = S::Args;
    type Message = S::Message;

    fn run(
        args: S::Args,
        parent: Option<Pid>,
        starter: InitAck<()>,
    ) -> impl Future<Output = ExitReason> + Send + 'static {
        process::run::<S>(args, parent, starter)
    }
}

impl<S: 'static, B: Behaviour<S>> Start<S, B> {
    #[track_caller]
    pub(crate) fn new(args: B::Args, link: bool) -> Self {
        Start {
            args,
            link,
            name: None,
            label: None,
            timeout: None,
            place: Location::caller(),
        }
    }

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
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Gives `init` this long; then the server is killed. By default it has no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// On behalf of a caller at this place.
    pub(crate) fn at(mut self, place: &'static Location<'static>) -> Self {
        self.place = place;
        self
    }

    async fn run(self) -> Result<ServerRef<B::Message>, StartError> {
        let Start { args, timeout, .. } = self;
        let mut options = SpawnOptions::new().spawned_at(self.place);
        let mut parent = None;
        if self.link {
            options = options.link();
            parent = Some(self_pid());
        }
        if let Some(label) = self.label {
            options = options.label(label);
        }
        let mut via = None;
        match self.name {
            Some(ServerName::Local(name)) => options = options.name(name),
            Some(ServerName::Via(registry)) => via = Some(registry),
            None => {}
        }
        let started = match via {
            None => {
                let body = |starter| B::run(args, parent, starter);
                proc_lib::start_with(options, timeout, body).await
            }
            Some(via) => {
                let body = |starter| register_and_run::<S, B>(via, args, parent, starter);
                proc_lib::start_with(options, timeout, body).await
            }
        };
        match started {
            Ok(started) => Ok(ServerRef::from_pid(started.pid)),
            Err(error) => Err(why_not(error)),
        }
    }
}

/// The body of a server that is known to another registry. A future of its own, so that servers
/// without one have no room for it.
async fn register_and_run<S: 'static, B: Behaviour<S>>(
    via: Arc<dyn Via>,
    args: B::Args,
    parent: Option<Pid>,
    starter: InitAck<()>,
) -> ExitReason {
    if let Err(pid) = via.register() {
        starter.fail(ExitReason::error(Taken(pid)));
        return ExitReason::Normal;
    }
    drop(via);
    B::run(args, parent, starter).await
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
            StartError::Exit(reason)
        }
        other => StartError::Exit(ExitReason::error(other)),
    }
}

impl<S: 'static, B: Behaviour<S>> IntoFuture for Start<S, B> {
    type Output = Result<ServerRef<B::Message>, StartError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(wait_at(self.place, self.run()))
    }
}

impl<S, B: Behaviour<S>> fmt::Debug for Start<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("server", &std::any::type_name::<S>())
            .field("link", &self.link)
            .field("name", &self.name)
            .field("label", &self.label)
            .field("timeout", &self.timeout)
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
}

impl StartError {
    /// The reason itself where `?` has wrapped it in a start error, so that it is carried
    /// outwards unchanged however many levels it passes.
    pub(crate) fn unwrap_reason(reason: ExitReason) -> ExitReason {
        let inner = match &reason {
            ExitReason::Error(error) => match error.downcast_ref::<StartError>() {
                Some(StartError::Exit(inner)) => Some(inner.clone()),
                _ => None,
            },
            _ => None,
        };
        inner.unwrap_or(reason)
    }
}
