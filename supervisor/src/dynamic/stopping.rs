//! The supervisor's own end: all children at once, each with the time its spec gives it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{
    Down, Exit, ExitReason, Message, MonitorRef, Pid, exit, monitor, receive_any, self_pid,
    send_after, yield_now,
};
use rustc_hash::FxHashMap;

use crate::report::{Reporter, ShutdownErrors, discard};
use crate::{ChildSpec, Shutdown};

/// How many are told in one turn. There may be millions, and a long turn would hold up others.
const AT_ONCE: usize = 100;
/// How many messages are taken between: as many as those may have sent, and some.
const TAKEN_AT_ONCE: usize = 4 * AT_ONCE;

/// Children that have been told to stop.
#[derive(Default)]
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
    spec: Arc<ChildSpec>,
}

/// From a timer: children with this much time to shut down have used it up.
struct Kill(Duration);

impl Stopping {
    /// Stops these children, and waits until the last has ended.
    pub(super) async fn stop(children: FxHashMap<Pid, Arc<ChildSpec>>, reporter: &Reporter) {
        let mut stopping = Stopping::default();
        let mut times = BTreeSet::new();
        let mut children = children.into_iter();
        while children.len() > 0 {
            for (pid, spec) in children.by_ref().take(AT_ONCE) {
                if let Shutdown::Timeout(time) = spec.shutdown {
                    times.insert(time);
                }
                stopping.tell(pid, spec);
            }
            yield_now().await;
            stopping.take_what_has_come(reporter).await;
        }
        // One timer for all children that have the same time.
        for time in times {
            send_after(time, self_pid(), Kill(time));
        }
        // Everything is taken, in order: picking the downs out of a long mailbox one by one
        // would look at the rest again and again.
        while !stopping.waiting.is_empty() {
            stopping.take(receive_any().await, reporter);
        }
        reporter.shutdown_errors(stopping.errors);
        stopping.exits.into_values().for_each(discard);
        stopping.unanswered.into_iter().for_each(discard);
    }

    fn tell(&mut self, pid: Pid, spec: Arc<ChildSpec>) {
        let reference = monitor(pid);
        match spec.shutdown {
            Shutdown::BrutalKill => exit(pid, ExitReason::Kill),
            Shutdown::Infinity | Shutdown::Timeout(_) => exit(pid, ExitReason::Shutdown),
        }
        self.waiting.insert(reference, Stopped { pid, spec });
    }

    async fn take_what_has_come(&mut self, reporter: &Reporter) {
        for _ in 0..TAKEN_AT_ONCE {
            match receive_any().timeout(Duration::ZERO).await {
                Ok(message) => self.take(message, reporter),
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, message: Message, reporter: &Reporter) {
        let message = match message.downcast::<Down>() {
            Ok(down) => return self.ended(down, reporter),
            Err(other) => other,
        };
        let message = match message.downcast::<Exit>() {
            Ok(exit) => return drop(self.exits.insert(exit.pid, exit.reason)),
            Err(other) => other,
        };
        match message.downcast::<Kill>() {
            Ok(Kill(time)) => self.kill(time),
            Err(other) => self.unanswered.push(other),
        }
    }

    fn ended(&mut self, down: Down, reporter: &Reporter) {
        if let Some(Stopped { pid, spec }) = self.waiting.remove(&down.reference) {
            let reason = self.exits.remove(&pid).unwrap_or(down.reason);
            self.errors.note(reporter, &spec, pid, reason);
        }
    }

    fn kill(&self, time: Duration) {
        let late = |stopped: &&Stopped| stopped.spec.shutdown == Shutdown::Timeout(time);
        for stopped in self.waiting.values().filter(late) {
            exit(stopped.pid, ExitReason::Kill);
        }
    }
}
