//! Atomics and cells, from `std` or, under `cfg(loom)`, from the model checker.

#[cfg(loom)]
mod real {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
    pub(crate) use loom::thread::yield_now as spin;
}

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

    /// Lets another thread go on that is within a few instructions of it.
    pub(crate) fn spin() {
        // On one core spinning would only keep the other from running.
        std::thread::yield_now();
    }

    /// The interface of loom's cell, which watches every access.
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        pub(crate) fn with_mut<R>(&self, work: impl FnOnce(*mut T) -> R) -> R {
            work(self.0.get())
        }
    }
}

pub(crate) use real::*;
