//! The alarm for a mailbox that grows long (OTP: `system_monitor`'s `long_message_queue`).
//!
//! One event when the length reaches the upper mark; armed again when it has fallen to
//! the lower one. The owner looks once a turn, before and after the new messages come
//! in, so it costs senders nothing.

use regrow_mailbox::SaveQueue;

use super::cell::{Flag, Header};
use crate::events::{Event, EventKinds};
use crate::panic::contain;
use crate::pid::Pid;
use crate::scheduler::Worker;

/// The marks of one runtime.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LongQueue {
    pub(crate) enable: usize,
    pub(crate) disable: usize,
}

impl Default for LongQueue {
    /// Long enough that no process that keeps up comes near it.
    fn default() -> Self {
        LongQueue {
            enable: 10_000,
            disable: 1_000,
        }
    }
}

/// The alarm was sounded; `queue` is what the turns since have left.
#[cold]
pub(super) fn look_at_rest(header: &Header, worker: &Worker, queue: &SaveQueue) {
    if queue.len() <= worker.shared.long_queue.disable {
        header.set(Flag::HasLongQueue, false);
    }
}

/// The mailbox has reached the upper mark.
#[cold]
pub(super) fn sound(header: &Header, worker: &Worker, pid: Pid, queue: &SaveQueue) {
    if header.replace(Flag::HasLongQueue, true) {
        return;
    }
    if worker.shared.events.want(EventKinds::LONG_QUEUE) {
        let len = queue.len();
        worker.shared.events.emit(&Event::LongQueue { pid, len });
    }
    let name = worker.shared.names.name_of(pid);
    let label = worker.shared.label_of(header, pid);
    // A subscriber is the user's code.
    contain("a report", || {
        tracing::warn!(
            target: "regrow::mailbox",
            %pid,
            name = name.as_deref(),
            label = label.as_deref(),
            len = queue.len(),
            spawned_at = %header.spawned_at,
            "long message queue"
        );
    });
}
