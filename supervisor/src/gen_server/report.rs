//! The report of an abnormal end, and what a server shows of itself.

use std::any::type_name;

use regrow_runtime::{ExitReason, process_info, self_pid};
use tracing::Level;

use super::GenServer;
use crate::report::{caught, contained};
use crate::sys::{FormatStatus, format_caught, listed};

const TARGET: &str = "regrow::gen_server";

/// One error event.
pub(super) async fn abnormal<S: GenServer>(
    server: &mut S,
    (text, log): (Option<String>, Vec<String>),
    last: Option<&'static str>,
    reason: &ExitReason,
) {
    // A subscriber is the user's code.
    if !caught(|| tracing::enabled!(target: TARGET, Level::ERROR)).unwrap_or(true) {
        return;
    }
    let info = process_info(self_pid()).await;
    let (name, label) = info.map_or((None, None), |info| (info.name, info.label));
    contained(|| {
        let message = text.or_else(|| last.map(str::to_owned));
        let shown = formatted(server, message, Some(reason.to_string()), log);
        tracing::error!(
            target: TARGET,
            server = type_name::<S>(),
            pid = %self_pid(),
            name = name.as_deref(),
            label = label.as_deref(),
            last_message = shown.message.as_deref(),
            state = shown.state,
            reason = shown.reason.as_deref(),
            log = listed(&shown.log),
            "server terminating"
        );
    });
}

/// What the server shows of itself.
pub(super) fn formatted<S: GenServer>(
    server: &S,
    message: Option<String>,
    reason: Option<String>,
    log: Vec<String>,
) -> FormatStatus {
    let status = FormatStatus::of::<S>(message, reason, log);
    format_caught(status, |status| server.format_status(status))
}
