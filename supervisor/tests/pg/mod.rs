//! Process groups, as OTP's `pg` has them.

mod monitors;
mod races;
mod scopes;

use regrow_runtime::{ExitReason, Pid, exit, receive, self_pid, send, sleep, spawn};
use regrow_supervisor::CallError;
use regrow_supervisor::pg::{Event, LeaveError, Scope};

use crate::common::*;

const SCOPE: Scope<&'static str> = Scope::new("scope");

/// A process that waits for its end.
fn member() -> Pid {
    spawn(receive::<()>())
}

async fn kill(pid: Pid) {
    exit(pid, ExitReason::Kill);
    down(pid).await;
}

/// Waits until the scope has seen what has ended.
async fn members_become(group: &'static str, expected: &[Pid]) {
    while SCOPE.get_members(&group) != expected {
        sleep(millis(1)).await;
    }
}
