//! What there is to do, and what each worker has done.

use std::panic::Location;
use std::sync::Arc;

use super::Shared;
use super::cores::{Core, Counters};
use crate::local;
use crate::pid::Pid;
use crate::system_info::WorkerInfo;

impl Shared {
    /// Timers that are armed. Other workers, while they are busy, may keep some that nobody waits
    /// for any more.
    pub(crate) fn timers_armed(&self) -> usize {
        local::try_with(|local| {
            if let Some(worker) = local.worker.get() {
                worker.dormant().disarm();
            }
        });
        self.seats.iter().map(|seat| seat.timers.len()).sum()
    }

    /// Processes that are queued to run.
    pub(crate) fn queued(&self) -> usize {
        let of_cores = self.cores.iter().map(|core| queued_at(core));
        of_cores.sum::<usize>() + self.inlet.len() + self.ranks.0.len() + self.hogs.len()
    }

    /// Sockets and other sources of I/O.
    pub(crate) fn sources(&self) -> usize {
        self.reactor.sources()
    }

    /// Turns that were found to be too long.
    pub(crate) fn long_turns(&self) -> u64 {
        self.reports.long_turns()
    }

    /// The processes whose turn it is, and where they were spawned.
    pub(crate) fn running(&self) -> Vec<(Pid, &'static Location<'static>)> {
        let cores = self.cores.iter();
        cores.filter_map(|core| core.running()).collect()
    }

    pub(crate) fn worker_infos(&self) -> Vec<WorkerInfo> {
        let sleepers = self.idle.sleepers();
        let info = |(index, core): (usize, &Arc<Core>)| {
            let Counters {
                births,
                deaths,
                turns,
                thefts,
                parks,
                ..
            } = &core.counters;
            WorkerInfo {
                turns: turns.get(),
                thefts: thefts.get(),
                parks: parks.get(),
                births: births.get(),
                deaths: deaths.get(),
                queued: queued_at(core),
                sleeping: sleepers.contains(&index),
                surplus: core.is_surplus(),
            }
        };
        self.cores.iter().enumerate().map(info).collect()
    }
}

fn queued_at(core: &Core) -> usize {
    core.thief.len() + core.pinned.queues.len() + usize::from(!core.next.is_empty())
}
