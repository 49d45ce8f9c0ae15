//! Counts the requests that are under way, over all incarnations of the endpoint.
//!
//! axum gives each connection to a task of tokio, which a kill of the endpoint does not end. So
//! it is not the endpoint but this that knows when the last request has been answered.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Open, and then closed for good.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    closed: AtomicBool,
    has_closed: Notify,
    inside: AtomicUsize,
    left: Notify,
}

/// A request that is under way.
pub(crate) struct Pass<'a>(&'a Gate);

impl Gate {
    /// Lets a request in, unless the gate is closed.
    pub(crate) fn enter(&self) -> Option<Pass<'_>> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        // Counted first: whoever closes sees us, or we see that it is closed.
        let pass = Pass(self);
        (!self.closed.load(Ordering::SeqCst)).then_some(pass)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.has_closed.notify_waiters();
    }

    /// Waits until it is closed.
    pub(crate) async fn closed(&self) {
        loop {
            let has_closed = self.has_closed.notified();
            if self.is_closed() {
                return;
            }
            has_closed.await;
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Waits until nobody is inside.
    pub(crate) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            if self.inside.load(Ordering::SeqCst) == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_gate_lets_nobody_in_and_is_empty_when_the_last_has_left() {
        let gate = Gate::default();
        let (one, two) = (gate.enter().unwrap(), gate.enter().unwrap());
        gate.close();
        assert!(gate.enter().is_none());
        let mut empty = Box::pin(gate.empty());
        drop(one);
        tokio::select! {
            biased;
            () = &mut empty => panic!("somebody is inside"),
            () = std::future::ready(()) => {}
        }
        drop(two);
        empty.await;
    }
}
