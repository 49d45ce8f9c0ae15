//! The starter's side: spawn, wait for `init`, and leave nothing behind if it fails.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{
    Down, ExitReason, Pid, ReplyError, SpawnError, SpawnOptions, exit, monitor, process_info,
    receive, reply_channel, self_pid, trap_exit,
};

use super::GenServer;
use super::process;
use crate::child::unlink_and_flush;
use crate::{Name, ServerRef};

/// A server about to be started, from [`GenServer::start`] or [`GenServer::start_link`]; awaiting
/// it starts it and gives a [`ServerRef`] once its `init` is done.
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
pub struct Start<S: GenServer> {
    args: S::Args,
    link: bool,
    name: Option<Arc<str>>,
    label: Option<Arc<str>>,
    timeout: Option<Duration>,
}

impl<S: GenServer> Start<S> {
    pub(super) fn new(args: S::Args, link: bool) -> Self {
        Start {
            args,
            link,
            name: None,
            label: None,
            timeout: None,
        }
    }

    /// Registers the server under this name before `init` runs. A [`Name`] must be one for
    /// this server's messages; a text becomes one.
    pub fn name(mut self, name: impl Into<Name<S::Message>>) -> Self {
        self.name = Some(name.into().into());
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

    async fn run(self) -> Result<ServerRef<S::Message>, StartError> {
        let mut options = SpawnOptions::new();
        let mut parent = None;
        if self.link {
            options = options.link();
            parent = Some(self_pid());
        }
        if let Some(name) = self.name {
            options = options.name(name);
        }
        if let Some(label) = self.label {
            options = options.label(label);
        }
        let (starter, started) = reply_channel();
        let pid = match options.spawn(process::run::<S>(self.args, parent, starter)) {
            Ok(spawned) => spawned.pid,
            Err(SpawnError::NameTaken { pid, .. }) => return Err(StartError::AlreadyStarted(pid)),
            Err(other) => return Err(StartError::Exit(ExitReason::error(other))),
        };
        let outcome = match self.timeout {
            None => started.await,
            Some(timeout) => started.timeout(timeout).await,
        };
        match outcome {
            Ok(Ok(())) => Ok(ServerRef::from_pid(pid)),
            Ok(Err(reason)) | Err(ReplyError::Exit(reason)) => {
                has_failed(pid, self.link, &reason).await;
                Err(StartError::Exit(reason))
            }
            Err(ReplyError::Timeout) => {
                unlink_and_flush(pid);
                exit(pid, ExitReason::Kill);
                has_ended(pid).await;
                Err(StartError::Timeout)
            }
            Err(_) => Err(StartError::Exit(has_ended(pid).await)),
        }
    }
}

/// Waits until a server whose `init` failed is gone, and clears its `Exit` away. Does not return
/// if its exit signal ends this process.
async fn has_failed(pid: Pid, linked: bool, reason: &ExitReason) {
    if linked && !is_trapping() && *reason != ExitReason::Normal {
        // The link's signal is on its way, unless the server has unlinked itself.
        let me = process_info(self_pid()).await;
        if me.is_some_and(|me| me.links.contains(&pid)) {
            receive::<Never>().await;
        }
    }
    has_ended(pid).await;
    unlink_and_flush(pid);
}

/// Waits for a process's end; its name is free afterwards. Returns the reason, or `NoProc` if it
/// was dead already.
async fn has_ended(pid: Pid) -> ExitReason {
    let reference = monitor(pid);
    let down = receive::<Down>().matching(move |down| down.reference == reference);
    down.await.reason
}

fn is_trapping() -> bool {
    let trapping = trap_exit(true);
    trap_exit(trapping);
    trapping
}

/// Nobody can make one, so a process that waits for it waits for ever.
enum Never {}

impl<S: GenServer> IntoFuture for Start<S> {
    type Output = Result<ServerRef<S::Message>, StartError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<S: GenServer> fmt::Debug for Start<S> {
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
