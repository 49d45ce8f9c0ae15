//! Priorities: who runs before whom.

use super::links::with_header_or;
use super::{owner, table};
use crate::local;
use crate::pid::Pid;

/// Whose turn comes first (OTP: `process_flag(priority, Level)`, and the spawn option).
///
/// [`Max`](Self::Max) runs before [`High`](Self::High), and both before everything else,
/// strictly: as long as one of them has something to do and waits for its turn, no worker
/// that looks for work takes a process of a lower level. [`Normal`](Self::Normal) and
/// [`Low`](Self::Low) share: a low process has each eighth turn of a worker that has normal
/// ones to run.
///
/// So a process of a high level that is busy all the time starves the normal ones on
/// its worker, and as many of them as there are workers starve all. As in OTP, that
/// is yours to avoid: high is for those that do little and must do it soon. Timers and sockets
/// are looked after whatever runs, and a turn under way is not cut short by anybody.
///
/// A process is born with normal priority, whatever its parent has. Priority does not
/// travel: a process of high priority that waits for one of low priority waits long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Priority {
    /// The ordinary one.
    #[default]
    Normal = 0,
    /// For work that may wait.
    Low = 1,
    /// For what must be done soon and takes little time.
    High = 2,
    /// Before all others. OTP keeps it for itself; so should you.
    Max = 3,
}

impl Priority {
    /// In the order of their numbers.
    pub(crate) const ALL: [Priority; 4] = [
        Priority::Normal,
        Priority::Low,
        Priority::High,
        Priority::Max,
    ];
}

/// Gives the current process another priority and returns the one that it had (OTP:
/// `process_flag(priority, Level)`). It counts from the next time that the process
/// waits for its turn.
///
/// # Panics
///
/// Outside a process; [`SpawnOptions::priority`](crate::SpawnOptions::priority) gives it to
/// another at its birth.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Priority, process_info, self_pid, set_priority};
///
/// assert_eq!(set_priority(Priority::High), Priority::Normal);
/// let info = process_info(self_pid()).await.unwrap();
/// assert_eq!(info.priority, Priority::High);
/// assert_eq!(set_priority(Priority::Normal), Priority::High);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn set_priority(priority: Priority) -> Priority {
    let elsewhere = "; `SpawnOptions::priority` gives one a priority at its birth";
    with_header_or("set_priority", elsewhere, |_| ());
    let me = local::with(|local| local.self_pid());
    let slot = me.and_then(|me| table::slot(me.index()));
    // There is a process, so it has a slot.
    slot.map_or(Priority::Normal, |slot| {
        owner::set_priority(&slot.inbox, priority)
    })
}

/// The priority of a process whose token the caller holds.
pub(super) fn of(pid: Pid) -> Priority {
    let owner = table::slot(pid.index()).map(|slot| {
        slot.inbox
            .owner()
            .load(std::sync::atomic::Ordering::Relaxed)
    });
    owner.map_or(Priority::Normal, owner::priority)
}
