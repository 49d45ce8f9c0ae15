//! The local processes of one core: how many there are, and their queues.
//!
//! Only the core's thread takes from the queues; anybody may push, and then unparks
//! that very thread. (Its own pushes need no unpark: whatever it runs, it looks here
//! before it parks.) So the searching and sleeping of `idle.rs` does not come into it.
//!
//! A thread with local processes must not go, and its core must not get another:
//!
//! | `tenants` | meaning | who changes it |
//! |---|---|---|
//! | n | so many live, or are being born | births + 1, anybody; ends - 1, the thread |
//! | `CLOSED` | no births: the thread goes, or there is none | from 0 only, the thread; back to 0 by whoever starts the next thread |
//!
//! One word, so a birth either is counted before the thread looks or is refused and goes
//! to another core.

use std::sync::atomic::{AtomicU32, Ordering};

use super::ranks::Ranks;
use super::{Shared, Worker};
use crate::local::Local;
use crate::process::spawn::SpawnError;

const CLOSED: u32 = 1 << 31;

/// What a core has of local processes.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) queues: Ranks,
    tenants: AtomicU32,
}

impl Pinned {
    pub(super) fn new() -> Self {
        Pinned {
            queues: Ranks::new(),
            tenants: AtomicU32::new(0),
        }
    }

    /// A birth; refused if the thread goes.
    pub(super) fn admit(&self) -> bool {
        let count = |tenants| (tenants != CLOSED).then_some(tenants + 1);
        self.tenants
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, count)
            .is_ok()
    }

    /// An end, or a birth that did not happen.
    pub(super) fn leave(&self) {
        self.tenants.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether there are any.
    pub(super) fn has_tenants(&self) -> bool {
        !matches!(self.tenants.load(Ordering::Acquire), 0 | CLOSED)
    }

    /// The thread wants to go. False if it must not.
    pub(super) fn close(&self) -> bool {
        let closed = self
            .tenants
            .compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Acquire);
        matches!(closed, Ok(_) | Err(CLOSED))
    }

    /// The core gets another thread.
    pub(super) fn open(&self) {
        self.tenants.store(0, Ordering::Release);
    }
}

impl Shared {
    /// Finds a core for a local process, and counts that on it.
    ///
    /// # Errors
    ///
    /// If the runtime has stopped, or either is a simulation and the other outside.
    pub(crate) fn admit_local(&self, local: &Local) -> Result<LocalBirth<'_>, SpawnError> {
        // The seat of a simulation is nobody's: one would look for ever.
        if self.is_beyond(local) {
            return Err(SpawnError::Simulation);
        }
        if let Some(worker) = self.worker_in(local)
            && worker.driver().is_some()
        {
            // A simulation is all on one thread, which has no seat.
            return Ok(self.admit_local_here(local));
        }
        while !self.is_stopped() {
            let seat = self.next_seat.fetch_add(1, Ordering::Relaxed) % self.seats.len();
            let home = self.seats[seat].occupant();
            // One whose thread goes has no seat for long.
            if self.cores.get(home).is_some_and(|core| core.pinned.admit()) {
                return Ok(LocalBirth { shared: self, home });
            }
        }
        Err(SpawnError::Stopped)
    }

    /// As [`Shared::admit_local`], for the core of this worker.
    pub(crate) fn admit_local_here(&self, local: &Local) -> LocalBirth<'_> {
        match self.worker_in(local).and_then(Worker::admit_local) {
            Some(home) => LocalBirth { shared: self, home },
            None => unreachable!("a worker in a turn takes local processes"),
        }
    }
}

/// A local process that is counted and not born yet. Dropped, it never is: also by a
/// panic, as the drop of a body that was refused is the user's code.
pub(crate) struct LocalBirth<'a> {
    shared: &'a Shared,
    home: usize,
}

impl LocalBirth<'_> {
    /// The core that it is counted on.
    pub(crate) fn home(&self) -> usize {
        self.home
    }

    /// It is born: its end takes it off the count.
    pub(crate) fn happened(self) {
        std::mem::forget(self);
    }
}

impl Drop for LocalBirth<'_> {
    fn drop(&mut self) {
        if let Some(core) = self.shared.cores.get(self.home) {
            core.pinned.leave();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use super::super::cores::Core;
    use super::*;

    #[test]
    fn a_thread_with_local_processes_does_not_go_and_one_that_goes_gets_none() {
        let pinned = Pinned::new();
        assert!(pinned.admit() && pinned.admit());
        pinned.leave();
        assert!(!pinned.close());
        pinned.leave();
        assert!(pinned.close() && pinned.close());
        assert!(!pinned.admit());
        pinned.open();
        assert!(pinned.admit());
    }

    /// A body whose drop panics.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    #[test]
    fn whoever_ends_or_was_not_born_is_not_counted() {
        let runtime = crate::Runtime::builder().workers(2).build().unwrap();
        let handle = runtime.handle();
        let tenants = {
            let shared = handle.shared().clone();
            move || -> Vec<u32> {
                let of_core = |core: &Arc<Core>| core.pinned.tenants.load(Ordering::SeqCst);
                shared.cores.iter().map(of_core).collect()
            }
        };
        let options = || crate::SpawnOptions::new().name("one");
        let one = handle.spawn_local_with(options(), pending::<()>).unwrap();
        assert_eq!(tenants().iter().sum::<u32>(), 1);
        for _ in 0..4 {
            handle
                .spawn_local_with(options(), pending::<()>)
                .unwrap_err();
        }
        assert_eq!(tenants().iter().sum::<u32>(), 1);
        runtime.block_on(async move {
            let (_, refused) = crate::spawn_monitor(async move {
                let bomb = Bomb;
                let body = async move { drop(bomb) };
                drop(options().spawn_local(body));
            });
            let down = crate::receive_down(refused).await;
            assert!(matches!(down.reason, crate::ExitReason::Panic(_)));
        });
        assert_eq!(tenants().iter().sum::<u32>(), 1);
        runtime.block_on(async move {
            crate::spawn_local(async {});
            crate::exit(one.pid, crate::ExitReason::Kill);
        });
        drop(runtime);
        // The threads have gone, and nobody was in their way.
        assert_eq!(tenants(), [CLOSED; 2]);
    }
}
