//! What happens when a child ends by itself.
//!
//! ```text
//! Running --ends--> what its restart type says:
//!     forget it, or keep it Stopped     perhaps the supervisor's auto-shutdown is due
//!     restart it                        an attempt: counted, and carried out by the strategy;
//!                                       beyond the intensity the supervisor ends
//! attempt --fails--> Restarting         whichever child of the strategy's did not start
//! Restarting --message to self--> the next attempt
//! ```
//!
//! A child with a back-off is `Restarting` at once, its siblings in the strategy's range are
//! stopped, and the message comes from a timer. Its attempts are counted before they wait, the
//! others when they are made.

use std::time::Duration;

use regrow_runtime::{Exit, ExitReason, monotonic_time};

use super::super::auto_shutdown;
use super::super::reference::Request;
use super::super::strategy::{self, Plan};
use super::Process;
use crate::child::{AfterExit, Attempt, Retry, after_exit};
use crate::intensity::Verdict;
use crate::report::Started;
use crate::{ChildState, Next};

impl Process {
    pub(super) async fn child_exited(&mut self, exit: Exit) -> Next {
        // Exits of strangers, and of children stopped since, mean nothing.
        let Some(key) = self.children.key_of_pid(exit.pid) else {
            return Next::Continue;
        };
        let Some(entry) = self.children.get(key) else {
            return Next::Continue;
        };
        match after_exit(entry.spec.restart, &exit.reason) {
            AfterExit::Restart => self.ended(key, exit).await,
            AfterExit::Keep => {
                let significant = entry.spec.significant;
                self.children.set_state(key, ChildState::Stopped);
                self.retries.forget(key);
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

    /// A child that is to be started again has ended.
    async fn ended(&mut self, key: u64, Exit { pid, reason, .. }: Exit) -> Next {
        let verdict = self.intensity.attempt(monotonic_time());
        if let Some(entry) = self.children.get(key) {
            let left = Some(verdict.left());
            self.reporter
                .child_terminated(&entry.spec, pid, &reason, left);
        }
        self.children.set_state(key, ChildState::Stopped);
        let Verdict::Restart { left } = verdict else {
            return self.give_up(key);
        };
        let plan = self.plan(key);
        match self.delay(key) {
            None => self.carry_out(plan, left).await,
            Some(delay) => {
                self.clear(plan.stop, plan.forget).await;
                self.retry_after(delay, key, left);
                Next::Continue
            }
        }
    }

    /// The message that a restart which failed, or has to wait, has sent to this process.
    pub(in super::super) async fn retry(&mut self, retry: Retry<u64>) -> Next {
        // Meanwhile it may have been terminated, or come back with a sibling.
        let Some(Attempt { key, counted }) = self.retries.take(retry) else {
            return Next::Continue;
        };
        let left = match counted {
            Some(left) => left,
            None => match self.intensity.attempt(monotonic_time()) {
                Verdict::Restart { left } => left,
                Verdict::GiveUp => {
                    self.children.set_state(key, ChildState::Stopped);
                    return self.give_up(key);
                }
            },
        };
        self.children.set_state(key, ChildState::Stopped);
        let plan = self.plan(key);
        self.carry_out(plan, left).await
    }

    fn plan(&self, failed: u64) -> Plan {
        strategy::plan(self.strategy, self.children.members(), failed)
    }

    async fn carry_out(&mut self, plan: Plan, left: u32) -> Next {
        self.clear(plan.stop, plan.forget).await;
        for key in plan.start {
            if let Err(reason) = self.start(key, Started::Again { left }).await {
                self.report_start_error(key, &reason, Some(left));
                return self.not_restarted(key);
            }
        }
        Next::Continue
    }

    /// Makes room for what is to be started.
    async fn clear(&mut self, stop: Vec<u64>, forget: Vec<u64>) {
        self.stop_each(stop).await;
        for key in forget {
            self.children.remove(key);
        }
    }

    /// The start of this child, in a restart of it or of others, has failed.
    fn not_restarted(&mut self, key: u64) -> Next {
        match self.delay(key) {
            None => {
                self.children.set_state(key, ChildState::Restarting);
                self.retries.now(key, Request::Retry);
            }
            Some(delay) => match self.intensity.attempt(monotonic_time()) {
                Verdict::Restart { left } => self.retry_after(delay, key, left),
                Verdict::GiveUp => return self.give_up(key),
            },
        }
        Next::Continue
    }

    fn delay(&mut self, key: u64) -> Option<Duration> {
        let backoff = self.children.get(key)?.spec.backoff_set();
        self.retries.delay(key, backoff)
    }

    fn retry_after(&mut self, delay: Duration, key: u64, left: u32) {
        self.children.set_state(key, ChildState::Restarting);
        self.retries.after(delay, key, left, Request::Retry);
    }

    /// The intensity is spent.
    fn give_up(&self, key: u64) -> Next {
        if let Some(entry) = self.children.get(key) {
            self.reporter.shutdown(&entry.spec);
        }
        Next::Stop(ExitReason::Shutdown)
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
