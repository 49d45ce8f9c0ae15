//! With `--verbose`: a line each second.

use std::sync::Arc;
use std::time::Duration;

use regrow::{ExitReason, Pid, sleep, spawn_link};

use crate::queue::Summary;
use crate::scheduler::{SCHEDULER, SchedulerMessage};
use crate::shared::Shared;

const PERIOD: Duration = Duration::from_secs(1);

/// Starts the process that tells.
pub(crate) async fn start(shared: Arc<Shared>) -> Result<Pid, ExitReason> {
    Ok(spawn_link(async move {
        let mut last: Option<Summary> = None;
        let mut next = shared.now();
        loop {
            next += PERIOD;
            sleep(next.saturating_sub(shared.now())).await;
            // While there is no scheduler there is nothing to be told.
            if let Ok(now) = SCHEDULER.call(SchedulerMessage::Summary).await {
                tell(&now, last.as_ref());
                last = Some(now);
            }
        }
    }))
}

fn tell(now: &Summary, last: Option<&Summary>) {
    // A new scheduler counts from the beginning.
    let since = |count: fn(&Summary) -> u64| count(now).saturating_sub(last.map_or(0, count));
    tracing::info!(
        target: "job_queue::progress",
        "{} put and {} deleted in this second, {} timeouts; {} ready, {} reserved, {} delayed, \
         {} buried; {} connections, {} wait",
        since(|it| it.put),
        since(|it| it.deletes),
        since(|it| it.timeouts),
        now.ready,
        now.reserved,
        now.delayed,
        now.buried,
        now.connections,
        now.waiting,
    );
}
