//! What supervisors report, as `tracing` events with stable field names.
//!
//! Target `regrow::supervisor`; the field `report` tells them apart. Fields: `supervisor` (name
//! or pid), `id`, `pid`, `reason`, `restart`, `shutdown`, `child_type`, `significant`, and with
//! everything that has to do with a restart `restarts_left`, what remains of the intensity.
//!
//! As in OTP, dynamic supervisors report no progress, and children that they stop together and
//! that end alike, but not as expected, are one report with their number, `nb_children`.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use regrow_runtime::{ExitReason, Pid, catch_panic, self_pid};
use rustc_hash::FxHashMap;

use crate::child::is_expected;
use crate::intensity::Intensity;
use crate::{ChildSpec, ChildType, Restart, Shutdown};

const TARGET: &str = "regrow::supervisor";

/// Who reports: a supervisor, in its own process.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    name: Option<Arc<str>>,
}

/// What brought a start about, which decides how loud its progress report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Started {
    /// The supervisor's own start.
    WithSupervisor,
    /// A restart, with what is left of the intensity.
    Again { left: u32 },
    /// Someone's `start_child` or `restart_child`.
    OnRequest,
}

/// Reports something. The subscriber is the user's code, and so is the text of a reason; a
/// panic in it must not end who reports, let alone with another reason.
pub(crate) fn contained(report: impl FnOnce()) {
    let Err(reason) = caught(report) else { return };
    // Reported by the same means, in vain perhaps. This reason can be shown.
    let _ = caught(|| tracing::error!(target: "regrow::crash", %reason, "a report panicked"));
}

/// Drops something of the user's. A panic in its drop must not end who only had it by the way; nor,
/// as the second of two while unwinding, the whole program.
pub(crate) fn discard<T>(value: T) {
    if !mem::needs_drop::<T>() {
        return;
    }
    let Err(reason) = caught(|| drop(value)) else {
        return;
    };
    let _ = caught(|| tracing::error!(target: "regrow::crash", %reason, "a drop panicked"));
}

/// Runs the user's code; a panic in it is the error.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, ExitReason> {
    let work = pin!(catch_panic(async { work() }));
    match work.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("there is nothing to wait for"),
    }
}

macro_rules! report {
    ($level:ident, $report:literal, $by:expr, $spec:expr, { $($fields:tt)* }, $text:literal) => {
        contained(|| tracing::$level!(
            target: TARGET,
            report = $report,
            supervisor = %$by,
            id = %$spec.id,
            restart = %$spec.restart,
            shutdown = %$spec.shutdown,
            child_type = %$spec.child_type,
            significant = $spec.significant,
            $($fields)*
            $text
        ))
    };
}

impl Reporter {
    pub(crate) fn new(name: Option<Arc<str>>) -> Self {
        Reporter { name }
    }

    /// A child has ended by itself; `left` if it is to be restarted.
    pub(crate) fn child_terminated(
        &self,
        spec: &ChildSpec,
        pid: Pid,
        reason: &ExitReason,
        left: Option<u32>,
    ) {
        report!(error, "child_terminated", self, spec,
            { pid = %pid, reason = %reason, restarts_left = left, }, "child terminated");
    }

    /// A start has failed; `left` if it was a restart.
    pub(crate) fn start_error(&self, spec: &ChildSpec, reason: &ExitReason, left: Option<u32>) {
        report!(error, "start_error", self, spec,
            { reason = %reason, restarts_left = left, }, "child did not start");
    }

    /// A child told to stop has ended, as it should have or otherwise.
    pub(crate) fn stopped(&self, spec: &ChildSpec, pid: Pid, reason: &ExitReason) {
        if is_expected(spec.restart, spec.shutdown, reason) {
            report!(debug, "stopped", self, spec,
                { pid = %pid, reason = %reason, }, "child stopped");
        } else {
            report!(error, "shutdown_error", self, spec,
                { pid = %pid, reason = %reason, }, "child did not shut down as expected");
        }
    }

    /// What went wrong when children were stopped together: one report for those that went wrong
    /// alike, in the name of the first of them.
    pub(crate) fn shutdown_errors(&self, errors: ShutdownErrors) {
        for Group {
            spec,
            pid,
            reason,
            nb_children,
        } in errors.groups
        {
            report!(error, "shutdown_error", self, spec,
                { pid = %pid, reason = %reason, nb_children, },
                "children did not shut down as expected");
            discard(reason);
        }
    }

    /// The intensity is spent: the supervisor ends.
    pub(crate) fn shutdown(&self, spec: &ChildSpec) {
        report!(error, "shutdown", self, spec,
            { reason = "reached maximum restart intensity", restarts_left = 0u32, },
            "supervisor gives up");
    }

    /// A child has started.
    pub(crate) fn progress(&self, spec: &ChildSpec, pid: Pid, started: Started) {
        match started {
            Started::WithSupervisor => {
                report!(info, "progress", self, spec, { pid = %pid, }, "child started");
            }
            Started::Again { left } => {
                report!(info, "progress", self, spec,
                    { pid = %pid, restarts_left = left, }, "child restarted");
            }
            Started::OnRequest => {
                report!(debug, "progress", self, spec, { pid = %pid, }, "child started");
            }
        }
    }

    /// So many children that may be restarted, and nobody has chosen an intensity.
    pub(crate) fn default_intensity(&self, nb_children: usize, intensity: &Intensity) {
        let (restarts, period) = intensity.limits();
        contained(|| {
            tracing::warn!(
                target: TARGET,
                report = "default_intensity",
                supervisor = %self,
                nb_children,
                intensity = restarts,
                period = ?period,
                "very many children for the default intensity: set one that their number allows for"
            );
        });
    }

    /// Something came that no supervisor expects.
    pub(crate) fn unexpected(&self, what: &dyn fmt::Debug) {
        contained(|| {
            tracing::warn!(
                target: TARGET,
                report = "unexpected_message",
                supervisor = %self,
                message = ?what,
            );
        });
    }
}

/// Ends of children stopped together that were not as they should have been.
#[derive(Default)]
pub(crate) struct ShutdownErrors {
    /// In the order of the first ends.
    groups: Vec<Group>,
    /// Which of them; by reason, and all of a spec that they are alike in.
    index: FxHashMap<(String, Restart, Shutdown, ChildType), usize>,
}

struct Group {
    spec: ChildSpec,
    pid: Pid,
    reason: ExitReason,
    nb_children: usize,
}

impl ShutdownErrors {
    /// Takes note of an end; reports it if it is as it should be.
    pub(crate) fn note(&mut self, by: &Reporter, spec: &ChildSpec, pid: Pid, reason: ExitReason) {
        if is_expected(spec.restart, spec.shutdown, &reason) {
            by.stopped(spec, pid, &reason);
            return;
        }
        let mut text = String::new();
        contained(|| text = reason.to_string());
        let alike = (text, spec.restart, spec.shutdown, spec.child_type);
        let at = *self.index.entry(alike).or_insert(self.groups.len());
        match self.groups.get_mut(at) {
            Some(group) => group.nb_children += 1,
            None => self.groups.push(Group {
                spec: spec.clone(),
                pid,
                reason,
                nb_children: 1,
            }),
        }
    }
}

impl fmt::Display for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => self_pid().fmt(f),
        }
    }
}
