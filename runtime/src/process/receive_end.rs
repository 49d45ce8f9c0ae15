//! Waiting for one certain end, without a look at what is in the mailbox already.
//!
//! A monitor leaves the table of its owner when its `Down` enters the mailbox, and a
//! link when its `Exit` does. So as long as the table has it, what is waited for is
//! not among the messages that are here, and the wait begins behind them (OTP does
//! the same with a marker in the queue). If it has arrived already, the mailbox is
//! looked through like for any receive.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use regrow_mailbox::Envelope;

use super::cell::Header;
use super::receive::{Place, ReceiveTimeout, poll_queue};
use super::wait_site::waiting_at;
use crate::local;
use crate::message::{Down, Exit, Origin};
use crate::pid::{MonitorRef, Pid};

/// Behind what is in the mailbox now if `is_to_come`, else at its start.
fn place(is_to_come: impl FnOnce(&Header) -> bool) -> Place {
    let place = local::try_with(|local| {
        let header = local.current.get().filter(|header| is_to_come(header))?;
        Some(Place::behind_all(header, local.pid.get()))
    });
    place.flatten().unwrap_or_default()
}

/// Waits for the [`Down`] of one monitor of this process.
///
/// Made before that has arrived, which is so right after [`monitor`](crate::monitor) or
/// [`spawn_monitor`](crate::spawn_monitor), it does not look at the messages that wait
/// already, however many these are. Otherwise it is
/// `receive::<Down>().matching(|down| down.reference == reference)`. If the `Down` was
/// taken before, or the monitor was ended, it waits for ever.
///
/// # Panics
///
/// When polled outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{ExitReason, exit, monitor, receive_down, spawn};
///
/// let other = spawn(std::future::pending::<()>());
/// let reference = monitor(other);
/// exit(other, ExitReason::Shutdown);
/// assert_eq!(receive_down(reference).await.reason, ExitReason::Shutdown);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn receive_down(reference: MonitorRef) -> ReceiveDown {
    waiting_at(Location::caller());
    ReceiveDown {
        place: place(|header| header.with_relations(|it| it.has_monitor(reference))),
        reference,
    }
}

/// Waits for the [`Exit`] of the link to a process, which this process must
/// [trap](crate::trap_exit). An `Exit` that was sent by [`exit`](crate::exit()) does not count.
///
/// As [`receive_down`], it does not look at the messages that wait already if it was
/// made while the link existed. Without a link it waits for ever.
///
/// # Panics
///
/// When polled outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{ExitReason, receive_exit, spawn_link, trap_exit};
///
/// trap_exit(true);
/// let child = spawn_link(async {});
/// assert_eq!(receive_exit(child).await.reason, ExitReason::Normal);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn receive_exit(pid: Pid) -> ReceiveExit {
    waiting_at(Location::caller());
    ReceiveExit {
        place: place(|header| header.with_relations(|it| it.is_linked(pid))),
        pid,
    }
}

/// The future of [`receive_down`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReceiveDown {
    place: Place,
    reference: MonitorRef,
}

impl ReceiveDown {
    /// As [`Receive::timeout`](crate::Receive::timeout).
    pub fn timeout(self, after: Duration) -> ReceiveTimeout<Self> {
        ReceiveTimeout::new(self, after)
    }
}

impl Future for ReceiveDown {
    type Output = Down;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Down> {
        let reference = self.reference;
        let wanted = |it: &Envelope| {
            let down = it.peek::<Down>();
            down.is_some_and(|down| down.reference == reference)
        };
        let envelope = ready!(poll_queue(&mut self.place, cx, wanted));
        match envelope.downcast() {
            Ok(down) => Poll::Ready(down),
            Err(_) => unreachable!("selected by this type"),
        }
    }
}

/// The future of [`receive_exit`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReceiveExit {
    place: Place,
    pid: Pid,
}

impl ReceiveExit {
    /// As [`Receive::timeout`](crate::Receive::timeout).
    pub fn timeout(self, after: Duration) -> ReceiveTimeout<Self> {
        ReceiveTimeout::new(self, after)
    }
}

impl Future for ReceiveExit {
    type Output = Exit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Exit> {
        let pid = self.pid;
        let wanted = |it: &Envelope| {
            let exit = it.peek::<Exit>();
            exit.is_some_and(|exit| exit.pid == pid && matches!(exit.origin, Origin::Link { .. }))
        };
        let envelope = ready!(poll_queue(&mut self.place, cx, wanted));
        match envelope.downcast() {
            Ok(exit) => Poll::Ready(exit),
            Err(_) => unreachable!("selected by this type"),
        }
    }
}
