//! The supervisor's process: a gen_server that carries out what the pure modules decide.

use regrow_runtime::{
    Exit, ExitReason, Pid, is_alive, monotonic_time, self_pid, send, trap_exit,
    try_receive_matching,
};
use rustc_hash::FxHashMap;

use super::auto_shutdown::{self, AutoShutdown};
use super::children::Children;
use super::error::{
    DeleteChildError, FailedToStartChild, GetChildSpecError, RestartChildError, StartChildError,
    TerminateChildError,
};
use super::reference::Request;
use super::strategy::{self, Plan, Strategy};
use super::{INTENSITY_DEFAULT, PERIOD_DEFAULT, Supervisor, check_spec};
use crate::child::{AfterExit, after_exit, stop_one};
use crate::intensity::{Intensity, Verdict};
use crate::report::{Reporter, Started};
use crate::tree::{Describe, Description};
use crate::{
    ChildSpec, ChildState, Context, Counts, GenServer, Info, Next, Restart, SpecError, StartError,
};

/// The state of a running static supervisor.
pub(super) struct Process {
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    intensity: Intensity,
    children: Children,
    /// Why children that are about to be stopped have died already.
    absorbed: FxHashMap<Pid, ExitReason>,
    reporter: Reporter,
}

impl GenServer for Process {
    type Args = Supervisor;
    type Message = Request;

    async fn init(settings: Supervisor, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true);
        settings.check()?;
        let (restarts, period) = settings
            .intensity
            .unwrap_or((INTENSITY_DEFAULT, PERIOD_DEFAULT));
        let mut process = Process {
            strategy: settings.strategy,
            auto_shutdown: settings.auto_shutdown,
            intensity: Intensity::new(restarts, period),
            children: Children::default(),
            absorbed: FxHashMap::default(),
            reporter: Reporter::new(settings.name),
        };
        process.start_all(settings.children).await?;
        Ok(process)
    }

    async fn handle(&mut self, request: Request, _: &mut Context<Self>) -> Next {
        match request {
            Request::StartChild(spec, reply) => reply.send(self.start_child(spec).await),
            Request::TerminateChild(id, reply) => reply.send(self.terminate_child(&id).await),
            Request::RestartChild(id, reply) => reply.send(self.restart_child(&id).await),
            Request::DeleteChild(id, reply) => reply.send(self.delete_child(&id)),
            Request::GetChildSpec(id, reply) => reply.send(self.get_childspec(&id)),
            Request::WhichChildren(reply) => {
                reply.send(self.children.iter().rev().map(|(_, e)| e.info()).collect());
            }
            Request::CountChildren(reply) => reply.send(self.count_children().await),
            Request::Retry(key) => return self.retry(key).await,
        }
        Next::Continue
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        match info {
            Info::Exit(exit) => return self.child_exited(exit).await,
            Info::Message(message) => match message.downcast::<Describe>() {
                Ok(Describe(reply)) => reply.send(self.describe()),
                Err(other) => self.reporter.unexpected(&other.type_name()),
            },
            other => self.reporter.unexpected(&other),
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
    async fn start(&mut self, key: u64, how: Started) -> Result<Option<Pid>, ExitReason> {
        let Some(entry) = self.children.get(key) else {
            return Ok(None);
        };
        let Some(start) = entry.spec.start_function() else {
            let id = entry.spec.id.clone();
            return Err(SpecError::NoStartFunction { id }.into());
        };
        let pid = ChildSpec::run_start(start).await?.pid();
        match pid {
            Some(pid) => self.children.set_state(key, ChildState::Running(pid)),
            None => self.children.set_state(key, ChildState::Stopped),
        }
        if let Some(entry) = self.children.get(key) {
            self.reporter.progress(&entry.spec, pid, how);
            // Nothing will ever start a temporary child again.
            if pid.is_none() && entry.spec.restart == Restart::Temporary {
                self.children.remove(key);
            }
        }
        Ok(pid)
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

/// What happens when a child ends by itself.
impl Process {
    async fn child_exited(&mut self, exit: Exit) -> Next {
        // Exits of strangers, and of children stopped since, mean nothing.
        let Some(key) = self.children.key_of_pid(exit.pid) else {
            return Next::Continue;
        };
        let Some(entry) = self.children.get(key) else {
            return Next::Continue;
        };
        match after_exit(entry.spec.restart, &exit.reason) {
            AfterExit::Restart => self.restart(key, Some(exit)).await,
            AfterExit::Keep => {
                let significant = entry.spec.significant;
                self.children.set_state(key, ChildState::Stopped);
                self.shut_down_if_due(significant)
            }
            AfterExit::Forget { report } => {
                let significant = entry.spec.significant;
                if report {
                    let spec = &entry.spec;
                    self.reporter
                        .child_terminated(spec, exit.pid, &exit.reason, None);
                }
                self.children.remove(key);
                self.shut_down_if_due(significant)
            }
        }
    }

    /// The message a failed restart has sent to this process.
    async fn retry(&mut self, key: u64) -> Next {
        // Meanwhile it may have been terminated, or come back with a sibling.
        match self.children.get(key).map(|entry| entry.state()) {
            Some(ChildState::Restarting) => self.restart(key, None).await,
            _ => Next::Continue,
        }
    }

    /// One attempt to restart a child, if the intensity allows it.
    async fn restart(&mut self, key: u64, ended: Option<Exit>) -> Next {
        let verdict = self.intensity.attempt(monotonic_time());
        let left = match verdict {
            Verdict::Restart { left } => left,
            Verdict::GiveUp => 0,
        };
        if let Some(entry) = self.children.get(key) {
            if let Some(exit) = ended {
                self.reporter
                    .child_terminated(&entry.spec, exit.pid, &exit.reason, Some(left));
            }
            if verdict == Verdict::GiveUp {
                self.reporter.shutdown(&entry.spec);
            }
        }
        self.children.set_state(key, ChildState::Stopped);
        match verdict {
            Verdict::GiveUp => Next::Stop(ExitReason::Shutdown),
            Verdict::Restart { left } => {
                let plan = strategy::plan(self.strategy, self.children.members(), key);
                self.carry_out(plan, left).await;
                Next::Continue
            }
        }
    }

    async fn carry_out(&mut self, plan: Plan, left: u32) {
        self.stop_each(plan.stop).await;
        for key in plan.forget {
            self.children.remove(key);
        }
        for key in plan.start {
            if let Err(reason) = self.start(key, Started::Again { left }).await {
                self.report_start_error(key, &reason, Some(left));
                self.children.set_state(key, ChildState::Restarting);
                // Behind what is in the mailbox, so that requests and a shutdown get in between.
                send(self_pid(), Request::Retry(key));
                return;
            }
        }
    }

    fn shut_down_if_due(&self, significant: bool) -> Next {
        let others_active = || {
            self.children
                .iter()
                .any(|(_, entry)| entry.spec.significant && entry.state() != ChildState::Stopped)
        };
        if auto_shutdown::is_due(self.auto_shutdown, significant, others_active) {
            Next::Stop(ExitReason::Shutdown)
        } else {
            Next::Continue
        }
    }
}

/// The requests.
impl Process {
    async fn start_child(&mut self, spec: ChildSpec) -> Result<Pid, StartChildError> {
        if let Some(known) = self.find(&spec.id) {
            return Err(match known {
                (_, ChildState::Running(pid)) => StartChildError::AlreadyStarted(pid),
                _ => StartChildError::AlreadyPresent,
            });
        }
        check_spec(&spec, self.auto_shutdown).map_err(StartChildError::BadSpec)?;
        let key = self.children.insert(spec);
        match self.start(key, Started::OnRequest).await {
            Ok(Some(pid)) => Ok(pid),
            Ok(None) => Err(StartChildError::Ignored),
            Err(reason) => {
                self.children.remove(key);
                Err(start_failed(reason))
            }
        }
    }

    async fn terminate_child(&mut self, id: &str) -> Result<(), TerminateChildError> {
        let (key, _) = self.find(id).ok_or(TerminateChildError::NotFound)?;
        self.stop(key).await;
        if self
            .children
            .get(key)
            .is_some_and(|entry| entry.spec.restart == Restart::Temporary)
        {
            self.children.remove(key);
        }
        Ok(())
    }

    async fn restart_child(&mut self, id: &str) -> Result<Pid, RestartChildError> {
        match self.find(id) {
            None => Err(RestartChildError::NotFound),
            Some((_, ChildState::Running(_))) => Err(RestartChildError::Running),
            Some((_, ChildState::Restarting)) => Err(RestartChildError::Restarting),
            Some((key, ChildState::Stopped)) => match self.start(key, Started::OnRequest).await {
                Ok(Some(pid)) => Ok(pid),
                Ok(None) => Err(RestartChildError::Ignored),
                Err(reason) => Err(RestartChildError::Failed(reason)),
            },
        }
    }

    fn delete_child(&mut self, id: &str) -> Result<(), DeleteChildError> {
        match self.find(id) {
            None => Err(DeleteChildError::NotFound),
            Some((_, ChildState::Running(_))) => Err(DeleteChildError::Running),
            Some((_, ChildState::Restarting)) => Err(DeleteChildError::Restarting),
            Some((key, ChildState::Stopped)) => {
                self.children.remove(key);
                Ok(())
            }
        }
    }

    fn get_childspec(&self, id: &str) -> Result<ChildSpec, GetChildSpecError> {
        let key = self.children.key_of_id(id);
        let entry = key.and_then(|key| self.children.get(key));
        entry
            .map(|entry| entry.spec.clone())
            .ok_or(GetChildSpecError::NotFound)
    }

    async fn count_children(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, entry) in self.children.iter() {
            // Asked, since a child that has unlinked itself ends unseen.
            let active = match entry.state() {
                ChildState::Running(pid) => is_alive(pid).await,
                _ => false,
            };
            counts.add(entry.spec.child_type, active);
        }
        counts
    }

    fn describe(&self) -> Description {
        Description::Static {
            strategy: self.strategy,
            children: self
                .children
                .iter()
                .map(|(_, entry)| entry.info())
                .collect(),
        }
    }

    fn find(&self, id: &str) -> Option<(u64, ChildState)> {
        let key = self.children.key_of_id(id)?;
        Some((key, self.children.get(key)?.state()))
    }
}

/// What a failed start is to the caller of `start_child`.
pub(crate) fn start_failed(reason: ExitReason) -> StartChildError {
    if let ExitReason::Error(error) = &reason
        && let Some(StartError::AlreadyStarted(pid)) = error.downcast_ref::<StartError>()
    {
        return StartChildError::AlreadyStarted(*pid);
    }
    StartChildError::Failed(reason)
}
