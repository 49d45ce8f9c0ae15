//! The dynamic supervisor's process.

use std::collections::BTreeSet;
use std::time::Duration;

use regrow_runtime::{
    Down, Exit, ExitReason, Message, MonitorRef, Pid, exit, monitor, monotonic_time, receive_any,
    self_pid, send, send_after, trap_exit,
};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::reference::Request;
use super::{DynamicSupervisor, INTENSITY_DEFAULT, PERIOD_DEFAULT};
use crate::child::{AfterExit, after_exit, stop_one};
use crate::intensity::{Intensity, Verdict};
use crate::report::{Reporter, Started};
use crate::supervisor::start_failed;
use crate::tree::{Describe, Description};
use crate::{
    ChildInfo, ChildSpec, ChildState, Context, Counts, GenServer, Info, Next, Shutdown, SpecError,
    StartChildError, TerminateChildError,
};

/// The state of a running dynamic supervisor.
pub(super) struct Process {
    intensity: Intensity,
    max_children: Option<usize>,
    /// By pid; a child being restarted by the pid it had.
    children: FxHashMap<Pid, Entry>,
    reporter: Reporter,
}

struct Entry {
    spec: ChildSpec,
    restarting: bool,
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
            max_children: settings.max_children,
            children: FxHashMap::default(),
            reporter: Reporter::new(settings.name),
        })
    }

    async fn handle(&mut self, request: Request, _: &mut Context<Self>) -> Next {
        match request {
            Request::StartChild(spec, reply) => reply.send(self.start_child(spec).await),
            Request::TerminateChild(pid, reply) => reply.send(self.terminate_child(pid).await),
            Request::WhichChildren(reply) => reply.send(self.which_children()),
            Request::CountChildren(reply) => reply.send(self.count_children()),
            Request::Retry(pid) => return self.retry(pid).await,
        }
        Next::Continue
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        match info {
            Info::Exit(exit) => return self.child_exited(exit).await,
            Info::Message(message) => match message.downcast::<Describe>() {
                Ok(Describe(reply)) => reply.send(Description::Dynamic {
                    children: self.which_children(),
                }),
                Err(other) => self.reporter.unexpected(&other.type_name()),
            },
            other => self.reporter.unexpected(&other),
        }
        Next::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        let children = std::mem::take(&mut self.children);
        Stopping::new(children).finish(&self.reporter).await;
    }
}

/// What happens when a child ends by itself.
impl Process {
    async fn child_exited(&mut self, exit: Exit) -> Next {
        let Some(entry) = self.children.get(&exit.pid) else {
            return Next::Continue;
        };
        match after_exit(entry.spec.restart, &exit.reason) {
            AfterExit::Restart => return self.restart(exit.pid, Some(exit.reason)).await,
            AfterExit::Forget { report: true } => {
                let spec = &entry.spec;
                self.reporter
                    .child_terminated(spec, exit.pid, &exit.reason, None);
            }
            AfterExit::Keep | AfterExit::Forget { report: false } => {}
        }
        self.children.remove(&exit.pid);
        Next::Continue
    }

    /// The message a failed restart has sent to this process.
    async fn retry(&mut self, pid: Pid) -> Next {
        match self.children.get(&pid) {
            Some(entry) if entry.restarting => self.restart(pid, None).await,
            _ => Next::Continue,
        }
    }

    /// One attempt to restart the child that had this pid, if the intensity allows it.
    async fn restart(&mut self, pid: Pid, ended: Option<ExitReason>) -> Next {
        let Some(mut entry) = self.children.remove(&pid) else {
            return Next::Continue;
        };
        let verdict = self.intensity.attempt(monotonic_time());
        let left = match verdict {
            Verdict::Restart { left } => left,
            Verdict::GiveUp => 0,
        };
        if let Some(reason) = ended {
            self.reporter
                .child_terminated(&entry.spec, pid, &reason, Some(left));
        }
        if verdict == Verdict::GiveUp {
            self.reporter.shutdown(&entry.spec);
            return Next::Stop(ExitReason::Shutdown);
        }
        match start(&entry.spec).await {
            Ok(Some(new)) => {
                self.reporter
                    .progress(&entry.spec, Some(new), Started::Again { left });
                entry.restarting = false;
                self.children.insert(new, entry);
            }
            // Ignored: nothing to keep.
            Ok(None) => {}
            Err(reason) => {
                self.reporter.start_error(&entry.spec, &reason, Some(left));
                entry.restarting = true;
                self.children.insert(pid, entry);
                // Behind what is in the mailbox, so that requests and a shutdown get in between.
                send(self_pid(), Request::Retry(pid));
            }
        }
        Next::Continue
    }
}

/// The requests.
impl Process {
    async fn start_child(&mut self, mut spec: ChildSpec) -> Result<Pid, StartChildError> {
        check_spec(&spec).map_err(StartChildError::BadSpec)?;
        if self
            .max_children
            .is_some_and(|max| self.children.len() >= max)
        {
            return Err(StartChildError::MaxChildren);
        }
        match start(&spec).await {
            Ok(Some(pid)) => {
                self.reporter.progress(&spec, Some(pid), Started::OnRequest);
                spec.forget_start_if_temporary();
                let restarting = false;
                self.children.insert(pid, Entry { spec, restarting });
                Ok(pid)
            }
            Ok(None) => Err(StartChildError::Ignored),
            Err(reason) => Err(start_failed(reason)),
        }
    }

    async fn terminate_child(&mut self, pid: Pid) -> Result<(), TerminateChildError> {
        let Entry { spec, restarting } = self
            .children
            .remove(&pid)
            .ok_or(TerminateChildError::NotFound)?;
        if !restarting {
            let reason = stop_one(pid, spec.shutdown).await;
            self.reporter.stopped(&spec, pid, &reason);
        }
        Ok(())
    }

    fn which_children(&self) -> Vec<ChildInfo> {
        let info = |(&pid, entry): (&Pid, &Entry)| ChildInfo {
            id: entry.spec.id.clone(),
            state: if entry.restarting {
                ChildState::Restarting
            } else {
                ChildState::Running(pid)
            },
            child_type: entry.spec.child_type,
            restart: entry.spec.restart,
            significant: false,
        };
        self.children.iter().map(info).collect()
    }

    fn count_children(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.children.values() {
            counts.add(entry.spec.child_type, !entry.restarting);
        }
        counts
    }
}

fn check_spec(spec: &ChildSpec) -> Result<(), SpecError> {
    let id = || spec.id.clone();
    if !spec.has_start() {
        return Err(SpecError::NoStartFunction { id: id() });
    }
    if spec.significant {
        return Err(SpecError::SignificantInDynamicSupervisor { id: id() });
    }
    Ok(())
}

async fn start(spec: &ChildSpec) -> Result<Option<Pid>, ExitReason> {
    match spec.start_function() {
        Some(start) => Ok(ChildSpec::run_start(start).await?.pid()),
        None => {
            let id = spec.id.clone();
            Err(SpecError::NoStartFunction { id }.into())
        }
    }
}

/// The supervisor's own end: all children at once, each with the time its spec gives it.
struct Stopping {
    waiting: FxHashMap<MonitorRef, Stopped>,
    /// Reasons that came over links: of children dead before they were monitored.
    exits: FxHashMap<Pid, ExitReason>,
    /// Requests that came too late. Kept, not dropped, so that their callers learn this
    /// process's exit reason.
    unanswered: Vec<Message>,
}

struct Stopped {
    pid: Pid,
    spec: ChildSpec,
}

/// From a timer: children with this much time to shut down have used it up.
struct Kill(Duration);

impl Stopping {
    fn new(children: FxHashMap<Pid, Entry>) -> Self {
        let mut waiting = FxHashMap::with_capacity_and_hasher(children.len(), FxBuildHasher);
        let mut times = BTreeSet::new();
        for (pid, Entry { spec, restarting }) in children {
            if restarting {
                continue;
            }
            let reference = monitor(pid);
            match spec.shutdown {
                Shutdown::BrutalKill => exit(pid, ExitReason::Kill),
                Shutdown::Infinity => exit(pid, ExitReason::Shutdown),
                Shutdown::Timeout(time) => {
                    exit(pid, ExitReason::Shutdown);
                    times.insert(time);
                }
            }
            waiting.insert(reference, Stopped { pid, spec });
        }
        // One timer for all children that have the same time.
        for time in times {
            send_after(time, self_pid(), Kill(time));
        }
        Stopping {
            waiting,
            exits: FxHashMap::default(),
            unanswered: Vec::new(),
        }
    }

    async fn finish(mut self, reporter: &Reporter) {
        // Everything is taken, in order: picking the downs out of a long mailbox one by one
        // would look at the rest again and again.
        while !self.waiting.is_empty() {
            let message = receive_any().await;
            let message = match message.downcast::<Down>() {
                Ok(down) => {
                    self.ended(down, reporter);
                    continue;
                }
                Err(other) => other,
            };
            let message = match message.downcast::<Exit>() {
                Ok(exit) => {
                    self.exits.insert(exit.pid, exit.reason);
                    continue;
                }
                Err(other) => other,
            };
            match message.downcast::<Kill>() {
                Ok(Kill(time)) => self.kill(time),
                Err(other) => self.unanswered.push(other),
            }
        }
    }

    fn ended(&mut self, down: Down, reporter: &Reporter) {
        if let Some(Stopped { pid, spec }) = self.waiting.remove(&down.reference) {
            let reason = self.exits.remove(&pid).unwrap_or(down.reason);
            reporter.stopped(&spec, pid, &reason);
        }
    }

    fn kill(&self, time: Duration) {
        let late = |stopped: &&Stopped| stopped.spec.shutdown == Shutdown::Timeout(time);
        for stopped in self.waiting.values().filter(late) {
            exit(stopped.pid, ExitReason::Kill);
        }
    }
}
