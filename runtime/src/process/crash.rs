//! Crash reports: which ends are told to people, and how.

use super::ancestry::Listed;
use super::cell::{Flag, Header};
use crate::panic::contain;
use crate::pid::Pid;
use crate::reason::ExitReason;
use crate::scheduler::Worker;

/// How the end of a process came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The body returned.
    Returned,
    /// The body was unwound, by a panic or by `exit` on itself.
    Unwound,
    /// An exit signal.
    Signal,
}

/// Whether an end is reported. Who dies by a signal has nothing to add to the
/// report of the one that sent it (OTP: `proc_lib` reports every end but the three
/// ordinary ones, a plain process its errors only, and not an `exit/1`).
fn is_reported(cause: Cause, reason: &ExitReason, proc_lib: bool) -> bool {
    match (cause, reason) {
        (Cause::Signal, _) | (Cause::Unwound, ExitReason::Killed) => false,
        (_, ExitReason::Panic(_)) | (Cause::Returned, ExitReason::Error(_)) => true,
        _ => proc_lib && !reason.is_normal_like(),
    }
}

/// Reports the end of a process, if it is one to be reported. Before anything of
/// the process is dropped.
pub(super) fn report(
    header: &Header,
    pid: Pid,
    reason: &ExitReason,
    cause: Cause,
    worker: &Worker,
) {
    if is_reported(cause, reason, header.is(Flag::ProcLib)) {
        write(header, pid, reason, worker);
    }
}

#[cold]
fn write(header: &Header, pid: Pid, reason: &ExitReason, worker: &Worker) {
    let name = worker.shared.names.name_of(pid);
    let label = worker.shared.label_of(header, pid);
    let links = header.with_relations(|it| it.links());
    let ancestors = header.ancestry().map(|it| Listed(it.iter()));
    let info = match reason {
        ExitReason::Panic(info) => Some(info),
        _ => None,
    };
    let panicked_at = info.and_then(|it| Some(format!("{}:{}", it.file()?, it.line()?)));
    let message_queue_len = header.with_queue(|queue| queue.len());
    // A subscriber is the user's code.
    contain("a crash report", || {
        tracing::error!(
            target: "regrow::crash",
            %pid,
            name = name.as_deref(),
            label = label.as_deref(),
            parent = header.parent().map(tracing::field::display),
            ancestors = ancestors.map(tracing::field::display),
            spawned_at = %header.spawned_at,
            %reason,
            panicked_at,
            message_queue_len,
            links = %Listed(links.iter()),
            backtrace = info.and_then(|it| it.backtrace()).map(tracing::field::display),
            "process crashed"
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reported_is_as_in_otp() {
        let error = ExitReason::error("oops");
        let panic = crate::panic::catch(|| panic!("oops")).unwrap_err();
        let said = ExitReason::shutdown_with("bye");
        for (reason, returned, unwound) in [
            // Of a plain process, and of one of `proc_lib`.
            (ExitReason::Normal, [false, false], [false, false]),
            (ExitReason::Shutdown, [false, false], [false, false]),
            (said, [false, false], [false, false]),
            (error, [true, true], [false, true]),
            (panic, [true, true], [true, true]),
            (ExitReason::NoProc, [false, true], [false, true]),
            (ExitReason::Killed, [false, true], [false, false]),
        ] {
            for (at, proc_lib) in [false, true].into_iter().enumerate() {
                let is = |cause| is_reported(cause, &reason, proc_lib);
                assert_eq!(is(Cause::Returned), returned[at], "{reason} {proc_lib}");
                assert_eq!(is(Cause::Unwound), unwound[at], "{reason} {proc_lib}");
                assert!(!is(Cause::Signal));
            }
        }
    }
}
