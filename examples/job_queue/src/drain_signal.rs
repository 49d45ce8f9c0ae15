//! SIGUSR1: from then on no new jobs are taken, until the program ends.

use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;

use futures_lite::AsyncReadExt;
use regrow::net::UnixStream;
use regrow::{ExitReason, Pid, spawn_link};
use signal_hook::SigId;
use signal_hook::consts::SIGUSR1;
use signal_hook::low_level::{pipe, unregister};

use crate::scheduler::{SCHEDULER, SchedulerMessage};
use crate::shared::Shared;

/// Starts the process that waits for the signal.
pub(crate) async fn start(shared: Arc<Shared>) -> Result<Pid, ExitReason> {
    let (ours, handlers) = StdStream::pair()?;
    let ours = UnixStream::from_std(ours)?;
    // The handler writes a byte, which is all that a handler may do.
    let registered = Registered(pipe::register(SIGUSR1, handlers)?);
    Ok(spawn_link(wait(ours, registered, shared)))
}

/// The handler is there as long as somebody reads.
struct Registered(SigId);

impl Drop for Registered {
    fn drop(&mut self) {
        unregister(self.0);
    }
}

async fn wait(mut signals: UnixStream, _registered: Registered, shared: Arc<Shared>) {
    let mut bytes = [0; 16];
    while signals.read(&mut bytes).await.is_ok_and(|read| read > 0) {
        if !shared.is_draining() {
            tracing::info!(target: "job_queue", "drain mode: no new jobs are taken");
        }
        // A scheduler that is about to start looks at this.
        shared.drain();
        SCHEDULER.cast(SchedulerMessage::Drain);
    }
}
