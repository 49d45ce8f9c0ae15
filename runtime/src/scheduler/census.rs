//! How many: births, deaths, and what there is to do.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Shared;
use super::cores::{Core, Counters};
use crate::local::Local;
use crate::system_info::WorkerInfo;

impl Shared {
    fn counters(&self) -> impl Iterator<Item = &Counters> {
        self.cores.iter().map(|core| &core.counters)
    }

    /// How many processes live. Exact once nothing is born any more.
    pub(crate) fn live(&self) -> u64 {
        // Deaths first: each was counted as a birth before.
        let deaths: u64 = self.counters().map(|counters| counters.deaths.get()).sum();
        self.spawned().saturating_sub(deaths)
    }

    /// Processes born so far.
    pub(crate) fn spawned(&self) -> u64 {
        let births: u64 = self.counters().map(|counters| counters.births.get()).sum();
        births + self.foreign_births.load(Ordering::SeqCst)
    }

    /// Counts a birth before it happens, so that whoever waits for the last
    /// process cannot miss it. False if the runtime has stopped. Workers may
    /// always give birth: they run only as long as somebody waits for them.
    pub(crate) fn admit(&self, local: &Local) -> bool {
        if let Some(worker) = self.worker_in(local) {
            // Outside a turn nobody waits for us: a waker, or a drop, that spawns.
            if !local.current.is_some() && self.is_stopped() {
                return false;
            }
            worker.counters().births.add(1);
            return true;
        }
        self.foreign_births.fetch_add(1, Ordering::SeqCst);
        let admitted = !self.is_stopped();
        if !admitted {
            self.foreign_births.fetch_sub(1, Ordering::SeqCst);
        }
        admitted
    }

    /// Takes back a birth that did not happen.
    pub(crate) fn withdraw(&self, local: &Local) {
        match self.worker_in(local) {
            Some(worker) => worker.counters().births.take_back(),
            None => drop(self.foreign_births.fetch_sub(1, Ordering::SeqCst)),
        }
    }

    /// Timers that are armed.
    pub(crate) fn timers_armed(&self) -> usize {
        self.seats.iter().map(|seat| seat.timers.len()).sum()
    }

    /// Processes that are queued to run.
    pub(crate) fn queued(&self) -> usize {
        let of_cores = self.cores.iter().map(|core| queued_at(core));
        of_cores.sum::<usize>() + self.inlet.len()
    }

    /// Sockets and other sources of I/O.
    pub(crate) fn sources(&self) -> usize {
        self.reactor.sources()
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
            } = &core.counters;
            WorkerInfo {
                turns: turns.get(),
                thefts: thefts.get(),
                parks: parks.get(),
                births: births.get(),
                deaths: deaths.get(),
                queued: queued_at(core),
                sleeping: sleepers.contains(&index),
            }
        };
        self.cores.iter().enumerate().map(info).collect()
    }
}

fn queued_at(core: &Core) -> usize {
    core.thief.len() + usize::from(!core.next.is_empty())
}
