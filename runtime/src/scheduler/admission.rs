//! Admission: no more processes than a runtime may have.
//!
//! A birth is counted by the thread that it happens on, so nobody knows at any
//! moment how many processes there are. What a thread may give birth to without
//! asking is its *grant*, a share of the room that there was when it last asked;
//! whoever adds up counts a grant as if it were spent.
//!
//! | who | does | ordering |
//! |---|---|---|
//! | birth with a grant | births + 1, then grant - 1 | store Release each: who sees the grant gone sees the birth |
//! | birth without | under the lock: adds up, takes a new grant or is refused | loads Acquire: grants, then deaths, then births |
//! | worker that goes to sleep, or ends | grant = 0 | store Release |
//! | the point of death | deaths + 1 | store Release |
//!
//! Each count has one writer, its thread. A birth may be seen twice for a moment, as
//! such and in the grant, but never not at all, and a death is seen late at worst;
//! new grants are given under the lock. So the limit is never exceeded. It may be felt
//! too early, by what other workers have been granted and not spent: that is a small
//! part of the room there was, and nothing when room is scarce.
//!
//! Births outside of the workers are all counted under the lock.

use std::sync::atomic::Ordering;

use super::Shared;
use super::cores::Counters;
use crate::local::Local;
use crate::process::spawn::SpawnError;

/// No grant is larger: enough for asking to cost nothing.
const GRANT_MAX: u64 = 1024;
/// All grants together take up at most such a part of the room.
const PART: u64 = 16;

impl Shared {
    fn counters(&self) -> impl Iterator<Item = &Counters> {
        self.cores.iter().map(|core| &core.counters)
    }

    /// How many processes are not quite gone. Exact once nothing is born any more.
    pub(crate) fn unfinished(&self) -> u64 {
        // These first: each was counted as a birth before.
        let finished: u64 = self.counters().map(|it| it.finished.get()).sum();
        self.spawned().saturating_sub(finished)
    }

    /// How many processes live.
    pub(crate) fn alive(&self) -> u64 {
        let deaths: u64 = self.counters().map(|it| it.deaths.get()).sum();
        self.spawned().saturating_sub(deaths)
    }

    /// Processes born so far.
    pub(crate) fn spawned(&self) -> u64 {
        let births: u64 = self.counters().map(|it| it.births.get()).sum();
        births + self.foreign_births.load(Ordering::SeqCst)
    }

    /// Counts a birth before it happens, so that whoever waits for the last
    /// process cannot miss it.
    ///
    /// # Errors
    ///
    /// If there is no room, or the runtime has stopped. Workers may give birth after
    /// that: they run only as long as somebody waits for them.
    pub(crate) fn admit(&self, local: &Local) -> Result<(), SpawnError> {
        let Some(worker) = self.worker_in(local) else {
            if self.is_beyond(local) {
                return Err(SpawnError::Simulation);
            }
            return self.admit_from_outside();
        };
        // Outside a turn nobody waits for us: a waker, or a drop, that spawns.
        if !local.current.is_some() && self.is_stopped() {
            return Err(SpawnError::Stopped);
        }
        let counters = worker.counters();
        let grant = match counters.grant.get() {
            0 => self.ask(counters)?,
            grant => grant,
        };
        counters.births.add(1);
        counters.grant.set(grant - 1);
        Ok(())
    }

    fn admit_from_outside(&self) -> Result<(), SpawnError> {
        let _asking = self.asking.lock();
        if self.room() == 0 {
            return Err(SpawnError::SystemLimit);
        }
        self.foreign_births.fetch_add(1, Ordering::SeqCst);
        if self.is_stopped() {
            self.foreign_births.fetch_sub(1, Ordering::SeqCst);
            return Err(SpawnError::Stopped);
        }
        Ok(())
    }

    /// A new grant for a worker.
    #[cold]
    fn ask(&self, counters: &Counters) -> Result<u64, SpawnError> {
        let _asking = self.asking.lock();
        let room = self.room();
        if room == 0 {
            return Err(SpawnError::SystemLimit);
        }
        let grant = (room / (PART * self.cores.iter().count() as u64)).clamp(1, GRANT_MAX);
        counters.grant.set(grant);
        Ok(grant)
    }

    /// How many more processes there may be. Under the lock, or what is said is
    /// history already.
    fn room(&self) -> u64 {
        let granted: u64 = self.counters().map(|it| it.grant.get()).sum();
        self.max_processes.saturating_sub(granted + self.alive())
    }

    /// Takes back a birth that did not happen.
    pub(crate) fn withdraw(&self, local: &Local) {
        match self.worker_in(local) {
            Some(worker) => worker.counters().births.take_back(),
            None => drop(self.foreign_births.fetch_sub(1, Ordering::SeqCst)),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::future::pending;
    use std::thread;

    use super::*;
    use crate::{
        Down, ExitReason, Runtime, SpawnOptions, exit, receive, send, spawn_monitor, yield_now,
    };

    struct Go;

    /// Gives birth until there is no room, again and again.
    async fn press() {
        let Go = receive().await;
        let mut refused = 0;
        while refused < 50 {
            match SpawnOptions::new().spawn(pending::<()>()) {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error, SpawnError::SystemLimit);
                    refused += 1;
                    yield_now().await;
                }
            }
        }
    }

    #[test]
    fn the_limit_is_never_exceeded_and_hardly_undercut_however_many_press() {
        const MAX: u64 = 1_000;
        let builder = Runtime::builder().workers(4);
        let runtime = builder.max_processes(MAX as usize).build().unwrap();
        let handle = runtime.handle();
        let shared = handle.shared();
        for _ in 0..30 {
            let outside = handle.clone();
            let outside = runtime.block_on(async {
                let pressers: Vec<_> = (0..6).map(|_| spawn_monitor(press())).collect();
                pressers.iter().for_each(|(pid, _)| send(*pid, Go));
                let outside = thread::spawn(move || {
                    let spawn = || outside.spawn_with(SpawnOptions::new(), pending::<()>());
                    while spawn().is_ok() {}
                });
                for _ in pressers {
                    assert_eq!(receive::<Down>().await.reason, ExitReason::Normal);
                }
                outside
            });
            outside.join().unwrap();
            let alive = shared.alive();
            assert!(alive <= MAX, "{alive}");
            // The pressers, and who waited for them, are gone.
            assert!(alive >= MAX - MAX / PART - 7, "{alive}");
            for pid in handle.processes() {
                exit(pid, ExitReason::Kill);
            }
            while shared.unfinished() > 0 {
                thread::yield_now();
            }
        }
    }
}
