//! The supervisor's process: a gen_server that carries out what the pure modules decide.
//!
//! `restarts.rs` is what it does when a child ends by itself, `requests.rs` what it is asked for.

mod requests;
mod restarts;

use std::panic::Location;
use std::sync::Arc;

use regrow_runtime::{Exit, ExitReason, Pid, trap_exit, try_receive_matching};
use rustc_hash::FxHashMap;

use super::auto_shutdown::AutoShutdown;
use super::children::Children;
use super::error::FailedToStartChild;
use super::init::InitFunction;
use super::reference::Request;
use super::strategy::Strategy;
use super::{INTENSITY_DEFAULT, PERIOD_DEFAULT, Supervisor, SupervisorRef};
use crate::child::{Retries, stop_one};
use crate::gen_server::ServerName;
use crate::intensity::{Intensity, Unchosen};
use crate::report::{Reporter, Started, discard};
use crate::tree::Describe;
use crate::{
    Child, ChildSpec, ChildState, Context, GenServer, Info, Next, Restart, SpecError, StartError,
};

pub(crate) use requests::start_failed;

/// What a supervisor begins with.
pub(super) enum Begin {
    With(Supervisor),
    Later(InitFunction),
}

/// Starts a supervisor on behalf of a caller at this place.
pub(super) async fn start_link(
    name: Option<ServerName>,
    begin: Begin,
    place: &'static Location<'static>,
) -> Result<SupervisorRef, StartError> {
    let text = name.as_ref().map(ServerName::text);
    let start = Process::start_link((text, begin)).named(name).at(place);
    start.await.map(SupervisorRef::new)
}

/// The state of a running static supervisor.
pub(super) struct Process {
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    intensity: Intensity,
    unchosen: Unchosen,
    children: Children,
    /// By key.
    retries: Retries<u64>,
    /// Why children that are about to be stopped have died already.
    absorbed: FxHashMap<Pid, ExitReason>,
    reporter: Reporter,
}

impl GenServer for Process {
    type Args = (Option<Arc<str>>, Begin);
    type Message = Request;

    async fn init((name, begin): Self::Args, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true);
        let settings = match begin {
            Begin::With(settings) => settings,
            Begin::Later(init) => match init().await? {
                Some(made) if made.name.is_some() => return Err(SpecError::NameInInit.into()),
                Some(made) => made,
                None => return Err(cx.ignore()),
            },
        };
        settings.check()?;
        let (restarts, period) = settings
            .intensity
            .unwrap_or((INTENSITY_DEFAULT, PERIOD_DEFAULT));
        let mut process = Process {
            strategy: settings.strategy,
            auto_shutdown: settings.auto_shutdown,
            intensity: Intensity::new(restarts, period),
            unchosen: Unchosen::new(settings.intensity),
            children: Children::default(),
            retries: Retries::default(),
            absorbed: FxHashMap::default(),
            reporter: Reporter::new(name),
        };
        process.start_all(settings.children).await?;
        Ok(process)
    }

    async fn handle(&mut self, request: Request, _: &mut Context<Self>) -> Next {
        self.answer(request).await
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        match info {
            Info::Exit(exit) => {
                let reason = exit.reason.clone();
                let next = self.child_exited(exit).await;
                discard(reason);
                return next;
            }
            Info::Message(message) => match message.downcast::<Describe>() {
                Ok(Describe(reply)) => reply.send(self.describe()),
                Err(other) => {
                    self.reporter.unexpected(&other.type_name());
                    discard(other);
                }
            },
            other => {
                self.reporter.unexpected(&other);
                discard(other);
            }
        }
        Next::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        self.stop_all().await;
    }
}

/// Starting and stopping, one child or all.
impl Process {
    /// The supervisor's own start; a failure undoes it.
    async fn start_all(&mut self, specs: Vec<ChildSpec>) -> Result<(), ExitReason> {
        for spec in specs {
            let id = spec.id.clone();
            let key = self.children.insert(spec);
            if let Err(reason) = self.start(key, Started::WithSupervisor).await {
                self.report_start_error(key, &reason, None);
                self.stop_all().await;
                return Err(ExitReason::shutdown_with(FailedToStartChild { id, reason }));
            }
        }
        Ok(())
    }

    /// Runs a child's start function and notes what has come of it.
    async fn start(&mut self, key: u64, how: Started) -> Result<Child, ExitReason> {
        let Some(entry) = self.children.get(key) else {
            return Ok(Child::ignored());
        };
        let child = entry.spec.start().await?;
        let state = child.pid().map(ChildState::Running);
        self.children
            .set_state(key, state.unwrap_or(ChildState::Stopped));
        self.retries.cancel(key);
        let Some(entry) = self.children.get(key) else {
            return Ok(child);
        };
        if let Some(pid) = child.pid() {
            self.reporter.progress(&entry.spec, pid, how);
            self.retries.started(key, entry.spec.backoff_set());
            self.warn_of_many();
        } else if entry.spec.restart == Restart::Temporary {
            // Nothing will ever start it again.
            self.children.remove(key);
        }
        Ok(child)
    }

    fn warn_of_many(&mut self) {
        let restartable = || self.children.members().filter(|it| !it.temporary).count();
        if let Some(many) = self.unchosen.too_many(self.children.len(), restartable) {
            self.reporter.default_intensity(many, &self.intensity);
        }
    }

    async fn stop(&mut self, key: u64) {
        let Some(entry) = self.children.get(key) else {
            return;
        };
        if let ChildState::Running(pid) = entry.state() {
            let mut reason = stop_one(pid, entry.spec.shutdown).await;
            if let Some(absorbed) = self.absorbed.remove(&pid) {
                reason = absorbed;
            }
            self.reporter.stopped(&entry.spec, pid, &reason);
        }
        self.children.set_state(key, ChildState::Stopped);
        self.retries.cancel(key);
    }

    /// Stops these children, one after the other. What is stopped together is always a tail of
    /// the start order.
    async fn stop_each(&mut self, keys: Vec<u64>) {
        let Some(&oldest) = keys.last() else {
            return;
        };
        for key in keys {
            self.absorb(oldest);
            self.stop(key).await;
        }
        self.absorbed.clear();
    }

    /// Stops all children, the youngest first.
    async fn stop_all(&mut self) {
        let keys = self.children.keys().rev().collect();
        self.stop_each(keys).await;
    }

    /// Takes the exits of children from `oldest` on out of the mailbox: they are about to be
    /// stopped. If very many have died together, each stop would look through all of them.
    fn absorb(&mut self, oldest: u64) {
        let children = &self.children;
        let in_range = |exit: &Exit| {
            let key = children.key_of_pid(exit.pid);
            key.is_some_and(|key| key >= oldest)
        };
        while let Some(exit) = try_receive_matching::<Exit>(in_range) {
            self.absorbed.insert(exit.pid, exit.reason);
        }
    }

    fn report_start_error(&self, key: u64, reason: &ExitReason, left: Option<u32>) {
        if let Some(entry) = self.children.get(key) {
            self.reporter.start_error(&entry.spec, reason, left);
        }
    }
}
