//! The process that was just woken by the one running: next in line, and hot in
//! the cache.
//!
//! One word: 0, or the slot index of a process whose token goes with it.
//!
//! | who | does | ordering |
//! |---|---|---|
//! | owner puts one in, slot empty | store | release: the taker sees the process as it was queued |
//! | owner puts one in, slot full | swap | release as above; acquire: it takes the one displaced |
//! | owner or thief takes | compare-exchange with 0 | acquire, pairing with the two above |
//!
//! Only the owner puts one in, so what it has seen empty stays empty until its
//! store, which needs no read-modify-write. Thieves may take at any time, so
//! everybody takes by compare-exchange, and each process comes out once. (A swap
//! would do as well, but writes 0 over 0, which the model checker cannot place.)
//! The owner changes when a core gets another thread, which synchronizes by the
//! lock of the free cores. The models in `loom.rs` cover it.

use crate::primitive::{AtomicU32, Ordering};

/// The next-process slot of a core.
#[derive(Debug)]
pub(crate) struct NextProcess(AtomicU32);

impl NextProcess {
    pub(crate) fn new() -> Self {
        NextProcess(AtomicU32::new(0))
    }

    /// Puts a process in; returns the one that it displaced. For the owner.
    /// Release: the taker sees the process as it was queued.
    pub(crate) fn replace(&self, index: u32) -> Option<u32> {
        if self.is_empty() {
            self.0.store(index, Ordering::Release);
            return None;
        }
        let displaced = self.0.swap(index, Ordering::AcqRel);
        (displaced != 0).then_some(displaced)
    }

    pub(crate) fn take(&self) -> Option<u32> {
        let mut index = self.0.load(Ordering::Relaxed);
        while index != 0 {
            let taken = self
                .0
                .compare_exchange(index, 0, Ordering::Acquire, Ordering::Relaxed);
            match taken {
                Ok(_) => return Some(index),
                Err(now) => index = now,
            }
        }
        None
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}
