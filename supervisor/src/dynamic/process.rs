//! The dynamic supervisor's process.

use std::sync::{Arc, Weak};

use regrow_runtime::{Exit, ExitReason, Pid, monotonic_time, trap_exit};
use rustc_hash::FxHashMap;

use super::reference::Request;
use super::stopping::Stopping;
use super::{DynamicSupervisor, INTENSITY_DEFAULT, PERIOD_DEFAULT};
use crate::child::{AfterExit, Attempt, Retries, Retry, after_exit, stop_one};
use crate::gen_server::ServerName;
use crate::intensity::{Intensity, Unchosen, Verdict};
use crate::report::{Reporter, discard};
use crate::supervisor::start_failed;
use crate::tree::{Describe, Description};
use crate::{
    Child, ChildInfo, ChildSpec, ChildState, Context, Counts, GenServer, GetChildSpecError, Info,
    Next, Restart, SpecError, StartChildError, TerminateChildError, WhichChildError,
};

/// The state of a running dynamic supervisor.
pub(super) struct Process {
    intensity: Intensity,
    unchosen: Unchosen,
    max_children: Option<usize>,
    /// By pid; a child being restarted by the pid it had. Nothing but the specs, since there may
    /// be millions.
    children: FxHashMap<Pid, Arc<ChildSpec>>,
    /// The last that was kept: the next one is often the same.
    latest: Weak<ChildSpec>,
    /// Which of them are being restarted.
    retries: Retries<Pid>,
    reporter: Reporter,
}

impl GenServer for Process {
    type Args = DynamicSupervisor;
    type Message = Request;

    async fn init(settings: DynamicSupervisor, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true);
        let (restarts, period) = settings
            .intensity
            .unwrap_or((INTENSITY_DEFAULT, PERIOD_DEFAULT));
        if period.is_zero() {
            return Err(SpecError::ZeroPeriod.into());
        }
        Ok(Process {
            intensity: Intensity::new(restarts, period),
            unchosen: Unchosen::new(settings.intensity),
            max_children: settings.max_children,
            children: FxHashMap::default(),
            latest: Weak::new(),
            retries: Retries::default(),
            reporter: Reporter::new(settings.name.as_ref().map(ServerName::text)),
        })
    }

    async fn handle(&mut self, request: Request, _: &mut Context<Self>) -> Next {
        match request {
            Request::StartChild(spec, reply) => reply.send(self.start_child(spec).await),
            Request::TerminateChild(pid, reply) => reply.send(self.terminate_child(pid).await),
            Request::GetChildSpec(pid, reply) => reply.send(self.get_childspec(pid)),
            Request::WhichChild(pid, reply) => reply.send(self.which_child(pid)),
            Request::WhichChildren(reply) => reply.send(self.which_children()),
            Request::CountChildren(reply) => reply.send(self.count_children()),
            Request::Retry(retry) => return self.retry(retry).await,
        }
        Next::Continue
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
                Ok(Describe(reply)) => reply.send(Description::Dynamic {
                    children: self.which_children(),
                }),
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
        let mut children = std::mem::take(&mut self.children);
        children.retain(|&pid, _| !self.retries.is_due(pid));
        Stopping::stop(children, &self.reporter).await;
    }
}

/// What happens when a child ends by itself: as in a static supervisor, but always to it alone.
impl Process {
    async fn child_exited(&mut self, exit: Exit) -> Next {
        let Some(spec) = self.children.get(&exit.pid) else {
            return Next::Continue;
        };
        match after_exit(spec.restart, &exit.reason) {
            AfterExit::Restart => return self.ended(exit).await,
            AfterExit::Forget { report: true } => {
                self.reporter
                    .child_terminated(spec, exit.pid, &exit.reason, None);
            }
            AfterExit::Keep | AfterExit::Forget { report: false } => {}
        }
        self.forget(exit.pid);
        Next::Continue
    }

    /// A child that is to be started again has ended.
    async fn ended(&mut self, Exit { pid, reason, .. }: Exit) -> Next {
        let Some(spec) = self.children.get(&pid) else {
            return Next::Continue;
        };
        let verdict = self.intensity.attempt(monotonic_time());
        let left = verdict.left();
        self.reporter
            .child_terminated(spec, pid, &reason, Some(left));
        if verdict == Verdict::GiveUp {
            return self.give_up(pid);
        }
        match self.retries.delay(pid, spec.backoff_set()) {
            None => self.restart(pid, left).await,
            Some(delay) => {
                self.retries.after(delay, pid, left, Request::Retry);
                Next::Continue
            }
        }
    }

    /// The message that a restart which failed, or has to wait, has sent to this process.
    async fn retry(&mut self, retry: Retry<Pid>) -> Next {
        let Some(Attempt { key: pid, counted }) = self.retries.take(retry) else {
            return Next::Continue;
        };
        let left = match counted {
            Some(left) => left,
            None => match self.intensity.attempt(monotonic_time()) {
                Verdict::Restart { left } => left,
                Verdict::GiveUp => return self.give_up(pid),
            },
        };
        self.restart(pid, left).await
    }

    /// Starts the child that had this pid once more.
    async fn restart(&mut self, pid: Pid, left: u32) -> Next {
        let Some(spec) = self.children.get(&pid) else {
            return Next::Continue;
        };
        match spec.start().await.map(|child| child.pid()) {
            Ok(Some(new)) => {
                self.retries.rename(pid, new);
                self.retries.started(new, spec.backoff_set());
                if let Some(spec) = self.children.remove(&pid) {
                    self.children.insert(new, spec);
                }
            }
            // Ignored: nothing to keep.
            Ok(None) => drop(self.forget(pid)),
            Err(reason) => {
                self.reporter.start_error(spec, &reason, Some(left));
                return self.not_restarted(pid);
            }
        }
        Next::Continue
    }

    fn not_restarted(&mut self, pid: Pid) -> Next {
        let backoff = self.children.get(&pid).and_then(|spec| spec.backoff_set());
        match self.retries.delay(pid, backoff) {
            None => self.retries.now(pid, Request::Retry),
            Some(delay) => match self.intensity.attempt(monotonic_time()) {
                Verdict::Restart { left } => {
                    self.retries.after(delay, pid, left, Request::Retry);
                }
                Verdict::GiveUp => return self.give_up(pid),
            },
        }
        Next::Continue
    }

    /// The intensity is spent; the child that has spent it is gone.
    fn give_up(&mut self, pid: Pid) -> Next {
        if let Some(spec) = self.children.remove(&pid) {
            self.reporter.shutdown(&spec);
        }
        Next::Stop(ExitReason::Shutdown)
    }

    fn forget(&mut self, pid: Pid) -> Option<Arc<ChildSpec>> {
        self.retries.forget(pid);
        self.children.remove(&pid)
    }
}

/// The requests.
impl Process {
    async fn start_child(&mut self, mut spec: ChildSpec) -> Result<Child, StartChildError> {
        check_spec(&spec).map_err(StartChildError::BadSpec)?;
        if self
            .max_children
            .is_some_and(|max| self.children.len() >= max)
        {
            return Err(StartChildError::MaxChildren);
        }
        let child = spec.start().await.map_err(start_failed)?;
        let pid = child.pid().ok_or(StartChildError::Ignored)?;
        self.retries.started(pid, spec.backoff_set());
        spec.forget_start_if_temporary();
        let spec = self.share(spec);
        self.children.insert(pid, spec);
        let restartable = || restartable(self.children.values());
        if let Some(many) = (self.unchosen).too_many(self.children.len(), restartable) {
            self.reporter.default_intensity(many, &self.intensity);
        }
        Ok(child)
    }

    /// Children of one kind have one spec: that of a temporary child has let go of its start
    /// function, others are clones of a template.
    fn share(&mut self, spec: ChildSpec) -> Arc<ChildSpec> {
        let latest = self.latest.upgrade();
        latest.filter(|it| it.is_same(&spec)).unwrap_or_else(|| {
            let spec = Arc::new(spec);
            self.latest = Arc::downgrade(&spec);
            spec
        })
    }

    async fn terminate_child(&mut self, pid: Pid) -> Result<(), TerminateChildError> {
        let restarting = self.retries.is_due(pid);
        let spec = self.forget(pid).ok_or(TerminateChildError::NotFound)?;
        if !restarting {
            let reason = stop_one(pid, spec.shutdown).await;
            self.reporter.stopped(&spec, pid, &reason);
        }
        Ok(())
    }

    fn get_childspec(&self, pid: Pid) -> Result<ChildSpec, GetChildSpecError> {
        let spec = self.children.get(&pid);
        spec.map(|spec| (**spec).clone())
            .ok_or(GetChildSpecError::NotFound)
    }

    fn which_child(&self, pid: Pid) -> Result<ChildInfo, WhichChildError> {
        let spec = self.children.get(&pid);
        let info = spec.map(|spec| self.info(pid, spec));
        info.ok_or(WhichChildError::NotFound)
    }

    fn which_children(&self) -> Vec<ChildInfo> {
        let children = self.children.iter();
        children.map(|(&pid, spec)| self.info(pid, spec)).collect()
    }

    fn info(&self, pid: Pid, spec: &ChildSpec) -> ChildInfo {
        ChildInfo {
            id: spec.id.clone(),
            state: if self.retries.is_due(pid) {
                ChildState::Restarting
            } else {
                ChildState::Running(pid)
            },
            child_type: spec.child_type,
            restart: spec.restart,
            significant: false,
        }
    }

    fn count_children(&self) -> Counts {
        let mut counts = Counts::default();
        for (&pid, spec) in &self.children {
            counts.add(spec.child_type, !self.retries.is_due(pid));
        }
        counts
    }
}

fn restartable<'a>(specs: impl Iterator<Item = &'a Arc<ChildSpec>>) -> usize {
    specs.filter(|it| it.restart != Restart::Temporary).count()
}

fn check_spec(spec: &ChildSpec) -> Result<(), SpecError> {
    spec.check()?;
    if spec.significant {
        let id = spec.id.clone();
        return Err(SpecError::SignificantInDynamicSupervisor { id });
    }
    Ok(())
}
