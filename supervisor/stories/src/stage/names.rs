//! What things are called in traces.

use regrow_runtime::proc_lib::StopError;
use regrow_runtime::{ExitReason, Pid};
use regrow_supervisor::{
    CallError, DeleteChildError, FailedToStartChild, GetChildSpecError, RestartChildError,
    SpecError, StartChildError, StartError, TerminateChildError,
};

use crate::story::Reason;

/// A reason of a story as one of regrow.
pub(super) fn exit_reason(reason: Reason) -> ExitReason {
    match reason {
        Reason::Normal => ExitReason::Normal,
        Reason::Shutdown => ExitReason::Shutdown,
        Reason::ShutdownWith => ExitReason::shutdown_with("x"),
        Reason::Boom => ExitReason::error("boom"),
        // Only of processes that end by themselves, which panic instead.
        Reason::Panic => ExitReason::error("panic"),
        Reason::Kill => ExitReason::Kill,
    }
}

/// Panics without a report on standard error.
pub(crate) fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("panicked"))
}

pub(crate) fn reason(reason: &ExitReason) -> String {
    match reason {
        ExitReason::Normal => "normal".into(),
        ExitReason::Shutdown => "shutdown".into(),
        ExitReason::ShutdownWith(what) => match what.downcast_ref::<FailedToStartChild>() {
            Some(failed) => format!(
                "shutdown(failed({},{}))",
                failed.id,
                self::reason(&failed.reason)
            ),
            None => format!("shutdown({what})"),
        },
        ExitReason::Kill => "kill".into(),
        ExitReason::Killed => "killed".into(),
        ExitReason::NoProc => "noproc".into(),
        ExitReason::Panic(_) => "panic".into(),
        ExitReason::Error(error) => {
            if let Some(error) = error.downcast_ref::<SpecError>() {
                spec_error(error)
            } else if let Some(StartError::Exit(inner)) = error.downcast_ref() {
                self::reason(inner)
            } else if let Some(StartError::AlreadyStarted(_)) = error.downcast_ref() {
                "already_started".into()
            } else {
                error.to_string()
            }
        }
        other => other.to_string(),
    }
}

fn spec_error(error: &SpecError) -> String {
    match error {
        SpecError::DuplicateId { id } => format!("duplicate_id({id})"),
        SpecError::SignificantWithoutAutoShutdown { .. } => {
            "significant_without_auto_shutdown".into()
        }
        SpecError::SignificantPermanent { .. } => "significant_permanent".into(),
        other => other.to_string(),
    }
}

/// What a start has come to: a process, or a text that may name one.
pub(super) type Started = Result<Pid, (String, Option<Pid>)>;

fn error(why: impl AsRef<str>) -> Started {
    Err((format!("error {}", why.as_ref()), None))
}

fn call(error: &CallError) -> String {
    match error {
        CallError::NoProc => "exit noproc".into(),
        CallError::Exit(why) => format!("exit {}", reason(why)),
        other => format!("exit {other}"),
    }
}

pub(super) fn start_child(result: Result<Pid, StartChildError>) -> Started {
    result.map_err(|error| match error {
        StartChildError::AlreadyStarted(pid) => ("error already_started".into(), Some(pid)),
        StartChildError::AlreadyPresent => ("error already_present".into(), None),
        StartChildError::Ignored => ("ok ignored".into(), None),
        StartChildError::BadSpec(why) => (format!("error {}", spec_error(&why)), None),
        StartChildError::Failed(why) => (format!("error {}", reason(&why)), None),
        StartChildError::Call(error) => (call(&error), None),
        other => (other.to_string(), None),
    })
}

pub(super) fn restart_child(result: Result<Pid, RestartChildError>) -> Started {
    match result {
        Ok(pid) => Ok(pid),
        Err(RestartChildError::NotFound) => error("not_found"),
        Err(RestartChildError::Running) => error("running"),
        Err(RestartChildError::Restarting) => error("restarting"),
        Err(RestartChildError::Ignored) => Err(("ok ignored".into(), None)),
        Err(RestartChildError::Failed(why)) => error(reason(&why)),
        Err(RestartChildError::Call(error)) => Err((call(&error), None)),
        Err(other) => Err((other.to_string(), None)),
    }
}

pub(super) fn terminate_child(result: Result<(), TerminateChildError>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(TerminateChildError::NotFound) => "error not_found".into(),
        Err(TerminateChildError::Call(error)) => call(&error),
        Err(other) => other.to_string(),
    }
}

pub(super) fn delete_child(result: Result<(), DeleteChildError>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(DeleteChildError::NotFound) => "error not_found".into(),
        Err(DeleteChildError::Running) => "error running".into(),
        Err(DeleteChildError::Restarting) => "error restarting".into(),
        Err(DeleteChildError::Call(error)) => call(&error),
        Err(other) => other.to_string(),
    }
}

pub(super) fn get_childspec(error: &GetChildSpecError) -> String {
    match error {
        GetChildSpecError::NotFound => "error not_found".into(),
        GetChildSpecError::Call(error) => call(error),
        other => other.to_string(),
    }
}

pub(super) fn stop(result: Result<(), StopError>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(StopError::NoProc) => "exit noproc".into(),
        Err(StopError::Exit(why)) => format!("exit {}", reason(&why)),
        Err(other) => other.to_string(),
    }
}
