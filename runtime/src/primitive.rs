//! Atomics and locks of the modelled protocols: from `std` and `parking_lot` or,
//! under `cfg(loom)`, from the model checker.

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence,
    };

    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock()
    }

    /// Waits for a notification, or until `timeout`; may return without either.
    pub(crate) fn wait<'a, T>(
        condvar: &Condvar,
        mut guard: MutexGuard<'a, T>,
        timeout: Option<std::time::Duration>,
    ) -> (MutexGuard<'a, T>, bool) {
        let timed_out = match timeout {
            Some(timeout) => condvar.wait_for(&mut guard, timeout).timed_out(),
            None => {
                condvar.wait(&mut guard);
                false
            }
        };
        (guard, timed_out)
    }
}

#[cfg(loom)]
mod real {
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence,
    };
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().expect("the model does not poison")
    }

    /// The model has no time: a timeout never comes.
    pub(crate) fn wait<'a, T>(
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        _timeout: Option<std::time::Duration>,
    ) -> (MutexGuard<'a, T>, bool) {
        let guard = condvar.wait(guard).expect("the model does not poison");
        (guard, false)
    }
}

pub(crate) use real::*;
