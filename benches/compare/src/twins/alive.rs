//! How many actors are left, for crates that do not say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::yield_now;

/// Counts the guards that there are.
#[derive(Clone, Default)]
pub(super) struct Alive(Arc<AtomicU64>);

impl Alive {
    /// For the state of an actor: goes when that is dropped.
    pub(super) fn guard(&self) -> Guard {
        self.0.fetch_add(1, Ordering::Relaxed);
        Guard(self.clone())
    }

    /// Waits until all guards are gone.
    pub(super) async fn until_none(&self) {
        while self.0.load(Ordering::Acquire) > 0 {
            yield_now().await;
        }
    }
}

/// See [`Alive::guard`].
pub(super) struct Guard(Alive);

impl Drop for Guard {
    fn drop(&mut self) {
        let Alive(count) = &self.0;
        count.fetch_sub(1, Ordering::Release);
    }
}
