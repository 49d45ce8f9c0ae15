//! What the threads of a runtime enter before they run any code of the user's: another
//! runtime, whose futures then work in processes.
//!
//! Each thread enters once, as the first thing it does, and leaves as the last: a turn costs
//! nothing more. So it makes no difference whether the user's code is polled, dropped with a
//! process that was killed, or given up with the runtime.

#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    #[cfg(feature = "tokio")]
    tokio: Option<tokio::runtime::Handle>,
}

impl Beside {
    #[cfg(feature = "tokio")]
    pub(crate) fn tokio(handle: tokio::runtime::Handle) -> Self {
        Beside {
            tokio: Some(handle),
        }
    }

    /// Does the work of a thread, or a part of it, in there.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tokio")]
        if let Some(tokio) = self.tokio.as_ref().filter(|_| can_enter()) {
            let entered = tokio.enter();
            let result = work();
            // It panics if somebody has entered more than he has left, or in the wrong order. That
            // is a process that is long gone, and no reason for the program to end.
            crate::panic::contain("leaving the tokio runtime", || drop(entered));
            return result;
        }
        work()
    }
}

/// A thread that is ending may have dropped what it would note this in.
#[cfg(feature = "tokio")]
fn can_enter() -> bool {
    let current = tokio::runtime::Handle::try_current();
    !current.is_err_and(|error| error.is_thread_local_destroyed())
}
