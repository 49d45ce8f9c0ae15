//! The report of an abnormal end, and what a machine shows of itself.

use std::any::type_name;

use regrow_runtime::{ExitReason, process_info, self_pid};
use tracing::Level;

use super::StateMachine;
use crate::report::{caught, contained};
use crate::sys::{FormatStatus, format_caught, listed};

const TARGET: &str = "regrow::gen_statem";

/// One error event.
pub(super) async fn abnormal<S: StateMachine>(
    whole: &mut (S::State, S), // not shared, and so `Send`
    waiting: (usize, usize),
    (message, log): (Option<String>, Vec<String>),
    reason: &ExitReason,
) {
    // A subscriber is the user's code.
    if !caught(|| tracing::enabled!(target: TARGET, Level::ERROR)).unwrap_or(true) {
        return;
    }
    let shown = caught(|| reason.to_string()).unwrap_or_else(|_| "?".to_owned());
    let shown = formatted(whole, waiting, message, Some(shown), log);
    let info = process_info(self_pid()).await;
    let (name, label) = info.map_or((None, None), |info| (info.name, info.label));
    contained(|| {
        tracing::error!(
            target: TARGET,
            machine = type_name::<S>(),
            pid = %self_pid(),
            name = name.as_deref(),
            label = label.as_deref(),
            last_message = shown.message.as_deref(),
            state = shown.state,
            reason = shown.reason.as_deref(),
            log = listed(&shown.log),
            "state machine terminating"
        );
    });
}

/// What the machine shows of itself, with so many events postponed and timeouts running.
pub(super) fn formatted<S: StateMachine>(
    (state, machine): &(S::State, S),
    (postponed, timeouts): (usize, usize),
    message: Option<String>,
    reason: Option<String>,
    log: Vec<String>,
) -> FormatStatus {
    let mut status = FormatStatus::of::<S>(message, reason, log);
    if let Ok(text) = caught(|| format!("{state:?}")) {
        status.state = text;
    }
    for (number, what) in [(postponed, "postponed"), (timeouts, "timeouts")] {
        if number > 0 {
            status.state = format!("{}, {what}: {number}", status.state);
        }
    }
    format_caught(status, |status| machine.format_status(state, status))
}
