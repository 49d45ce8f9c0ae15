//! Reductions: what a turn may do before others have theirs.

use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use super::waker::plain_pid;
use crate::local::{self, Local};

/// Reductions of one turn. At some tens of nanoseconds for each, this keeps a
/// turn of a busy process well below a millisecond.
pub(crate) const TURN: u32 = 2_000;

/// Reductions of an I/O operation: a system call takes as long as many messages.
pub(crate) const IO: u32 = 20;

/// Whether an operation was turned away for want of reductions. Each operation
/// has its own: turned away once, it is let in the next time whatever is left, so
/// that a neighbour in a `join` that spends every turn cannot starve it.
#[derive(Debug, Default)]
pub(crate) struct Refused(AtomicBool);

/// At the start of each operation that may wait: spends reductions, or is pending
/// because the turn has none left (and sees to another turn).
pub(crate) fn poll_budget(cost: u32, refused: &Refused, cx: &mut Context<'_>) -> Poll<()> {
    local::with(|local| {
        if local.budget.get() > 0 || !local.current.is_some() {
            local.spend(cost);
            return Poll::Ready(());
        }
        let again = refused.0.load(Ordering::Relaxed);
        refused.0.store(!again, Ordering::Relaxed);
        if again {
            return Poll::Ready(());
        }
        poll_again(local, cx);
        Poll::Pending
    })
}

/// Sees to it that whoever polls with `cx` is polled in another turn. A waker
/// that is not the process's own is woken at the start of that turn, and not
/// now: a nested executor would poll again at once, and never let go.
pub(crate) fn poll_again(local: &Local, cx: &mut Context<'_>) {
    let Some(header) = local.current.get() else {
        cx.waker().wake_by_ref();
        return;
    };
    local.again.set(true);
    if plain_pid(cx.waker()) != Some(local.pid.get()) {
        keep_foreign(header, cx);
    }
}

/// Keeps a waker of somebody else's for the next turn that brings anything.
pub(crate) fn keep_foreign(header: &super::cell::Header, cx: &mut Context<'_>) {
    if header.is(super::cell::Flag::Ending) {
        return;
    }
    let waker = cx.waker();
    let key = (waker.data().addr(), ptr::from_ref(waker.vtable()).addr());
    let known = header.with_relations(|it| it.more().foreign.contains(key));
    if !known {
        // Cloned outside: that may be anybody's code.
        let waker = waker.clone();
        let former = header.with_relations(|it| it.more().foreign.keep(key, waker));
        drop(former);
    }
    header.set(super::cell::Flag::HasForeign, true);
}

/// Spends reductions for work that the runtime does not see, such as a long
/// computation between two messages (OTP: `erlang:bump_reductions/1`). The turn
/// ends at the next await after they are spent.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// regrow_runtime::consume_reductions(1_000_000);
/// regrow_runtime::sleep(std::time::Duration::ZERO).await; // others run first
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn consume_reductions(reductions: u32) {
    local::try_with(|local| local.spend(reductions));
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow(bool);

/// Lets the other processes of this worker run first (OTP: `erlang:yield/0`).
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// regrow_runtime::yield_now().await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow(false)
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        local::with(|local| poll_again(local, cx));
        Poll::Pending
    }
}
