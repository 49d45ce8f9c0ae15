//! Reasons, and how to wait for one.

use regrow_runtime::{Down, ExitReason, MonitorRef, receive};

pub(crate) async fn down(reference: MonitorRef) -> ExitReason {
    let mine = move |down: &Down| down.reference == reference;
    receive::<Down>().matching(mine).await.reason
}

pub(crate) fn boom() -> ExitReason {
    ExitReason::error("boom")
}

/// All reasons but those that have rules of their own.
pub(crate) fn others() -> [ExitReason; 6] {
    [
        ExitReason::Shutdown,
        ExitReason::shutdown_with("tired"),
        ExitReason::Killed,
        ExitReason::NoProc,
        ExitReason::NoConnection,
        boom(),
    ]
}
