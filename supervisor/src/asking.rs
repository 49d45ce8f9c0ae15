//! Requests to supervisors, which may have their hands full.

use std::time::Duration;

use regrow_runtime::{Pid, ReplyTo, process_info, timeout};

use crate::{CallError, ServerRef};

/// How long one that did not answer in time may take to say what it is doing.
const REASON_MAX: Duration = Duration::from_millis(100);

/// A request, with no limit unless one is given.
pub(crate) async fn ask<M: Send + 'static, R: Send + 'static>(
    supervisor: &ServerRef<M>,
    limit: Option<Duration>,
    request: impl FnOnce(ReplyTo<R>) -> M,
) -> Result<R, CallError> {
    let call = supervisor.call(request);
    let Some(limit) = limit else {
        return call.no_timeout().await;
    };
    match call.timeout(limit).await {
        // Boxed, since it is rare and larger than the call.
        Err(late @ CallError::Timeout(_)) => {
            let process = supervisor.pid();
            Err(Box::pin(lateness(process, late)).await)
        }
        answer => answer,
    }
}

/// Why a supervisor has not answered: a supervisor answers at once, unless it waits for a child.
async fn lateness(supervisor: Option<Pid>, late: CallError) -> CallError {
    let Some(supervisor) = supervisor else {
        return late;
    };
    let info = timeout(REASON_MAX, process_info(supervisor)).await;
    match info.ok().flatten().and_then(|info| info.waiting_at) {
        Some(waits_at) => CallError::Busy { waits_at },
        None => late,
    }
}
