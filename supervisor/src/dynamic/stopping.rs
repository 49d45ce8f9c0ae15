//! The supervisor's own end: all children at once, each with the time its spec gives it.

use std::collections::BTreeSet;
use std::time::Duration;

use regrow_runtime::{
    Down, Exit, ExitReason, Message, MonitorRef, Pid, exit, monitor, receive_any, self_pid,
    send_after,
};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::report::{Reporter, ShutdownErrors};
use crate::{ChildSpec, Shutdown};

/// Children that have been told to stop.
pub(super) struct Stopping {
    waiting: FxHashMap<MonitorRef, Stopped>,
    /// Reasons that came over links: of children dead before they were monitored.
    exits: FxHashMap<Pid, ExitReason>,
    /// Requests that came too late. Kept, not dropped, so that their callers learn this
    /// process's exit reason.
    unanswered: Vec<Message>,
    /// Ends that were not as they should have been.
    errors: ShutdownErrors,
}

struct Stopped {
    pid: Pid,
    spec: ChildSpec,
}

/// From a timer: children with this much time to shut down have used it up.
struct Kill(Duration);

impl Stopping {
    /// Tells these children to stop.
    pub(super) fn new(children: impl ExactSizeIterator<Item = (Pid, ChildSpec)>) -> Self {
        let mut waiting = FxHashMap::with_capacity_and_hasher(children.len(), FxBuildHasher);
        let mut times = BTreeSet::new();
        for (pid, spec) in children {
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
            errors: ShutdownErrors::default(),
        }
    }

    /// Waits until the last has ended.
    pub(super) async fn finish(mut self, reporter: &Reporter) {
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
        reporter.shutdown_errors(self.errors);
    }

    fn ended(&mut self, down: Down, reporter: &Reporter) {
        if let Some(Stopped { pid, spec }) = self.waiting.remove(&down.reference) {
            let reason = self.exits.remove(&pid).unwrap_or(down.reason);
            self.errors.note(reporter, spec, pid, reason);
        }
    }

    fn kill(&self, time: Duration) {
        let late = |stopped: &&Stopped| stopped.spec.shutdown == Shutdown::Timeout(time);
        for stopped in self.waiting.values().filter(late) {
            exit(stopped.pid, ExitReason::Kill);
        }
    }
}
