//! What things are called in traces.

use regrow_runtime::ExitReason;
use regrow_runtime::proc_lib::StopError;
use regrow_supervisor::CallError;
use regrow_supervisor::sys::SysError;

use super::super::story::{Client, Friend, Server, Who, Why};
use crate::stage::names as common;

pub(super) fn server(server: Server) -> &'static str {
    match server {
        Server::A => "a",
        Server::B => "b",
        Server::C => "c",
    }
}

pub(super) fn client(client: Client) -> &'static str {
    match client {
        Client::One => "c1",
        Client::Two => "c2",
        Client::Three => "c3",
    }
}

pub(super) fn friend(friend: Friend) -> &'static str {
    match friend {
        Friend::One => "f1",
        Friend::Two => "f2",
    }
}

pub(super) fn who(who: Who) -> &'static str {
    match who {
        Who::Server(it) => server(it),
        Who::Client(it) => client(it),
        Who::Friend(it) => friend(it),
    }
}

/// A reason of a story as one of regrow.
pub(super) fn exit_reason(why: Why) -> ExitReason {
    match why {
        Why::Normal => ExitReason::Normal,
        Why::Shutdown => ExitReason::Shutdown,
        Why::ShutdownWith => ExitReason::shutdown_with("x"),
        Why::Boom => ExitReason::error("boom"),
        Why::Kill => ExitReason::Kill,
    }
}

pub(super) fn reason(reason: &ExitReason) -> String {
    if let ExitReason::Error(error) = reason
        && let Some(error) = error.downcast_ref::<CallError>()
    {
        return format!("call({})", call(error));
    }
    common::reason(reason)
}

/// The reason of the exit that a failed call is in Erlang.
pub(super) fn call(error: &CallError) -> String {
    match error {
        CallError::Timeout(_) => "timeout".into(),
        CallError::NoProc => "noproc".into(),
        CallError::CallingSelf => "calling_self".into(),
        CallError::Exit(why) => reason(why),
        other => other.to_string(),
    }
}

pub(super) fn sys(error: &SysError) -> String {
    match error {
        SysError::Call(error) => call(error),
        SysError::CallbackFailed(_) => "callback_failed".into(),
        other => other.to_string(),
    }
}

pub(super) fn stop(error: &StopError) -> String {
    match error {
        StopError::NoProc => "noproc".into(),
        StopError::Timeout => "timeout".into(),
        StopError::Exit(why) => reason(why),
        other => other.to_string(),
    }
}
