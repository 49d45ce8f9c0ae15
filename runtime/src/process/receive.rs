//! Receiving: selective, by type and by value.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use regrow_mailbox::{Cursor, Envelope};

use super::budget::{Refused, keep_foreign, poll_again, poll_budget};
use super::cell::Header;
use super::limit;
use super::links::with_header;
use super::wait_site::waiting_at;
use super::waker::plain_pid;
use super::{self_pid, signal};
use crate::local;
use crate::message::Message;
use crate::timer::Alarm;

/// Nothing that was waited for came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timed out")]
pub struct Timeout;

/// Waits for the oldest message of type `M`, leaving all others in the mailbox
/// (OTP: selective `receive`).
///
/// [`matching`](Receive::matching) selects by value, [`timeout`](Receive::timeout)
/// gives up after a time. It is cancel safe: a future that is dropped has taken
/// nothing. Several may wait at once, in a `select` or `join`.
///
/// # Panics
///
/// When polled outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{receive, self_pid, send};
///
/// send(self_pid(), "first");
/// send(self_pid(), 2_u32);
/// send(self_pid(), 3_u32);
/// assert_eq!(receive::<u32>().matching(|n: &u32| *n > 2).await, 3);
/// assert_eq!(receive::<&str>().await, "first");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn receive<M: Send + 'static>() -> Receive<M> {
    waiting_at(Location::caller());
    Receive {
        place: Place::default(),
        message: PhantomData,
    }
}

/// Waits for the oldest message of whatever type, [`Exit`](crate::Exit) and
/// [`Down`](crate::Down) included.
///
/// # Panics
///
/// When polled outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{receive_any, self_pid, send};
/// send(self_pid(), 'x');
/// assert!(receive_any().await.is::<char>());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn receive_any() -> ReceiveAny {
    waiting_at(Location::caller());
    ReceiveAny {
        place: Place::default(),
    }
}

/// Takes the oldest message of type `M` that is in the mailbox, without waiting.
///
/// It sees what had arrived when this turn of the process began; a
/// [`receive`] with a zero timeout sees what has arrived by now.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{self_pid, send, try_receive, yield_now};
/// send(self_pid(), 1_u8);
/// yield_now().await;
/// assert_eq!(try_receive::<u8>(), Some(1));
/// assert_eq!(try_receive::<u8>(), None);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn try_receive<M: Send + 'static>() -> Option<M> {
    try_receive_matching(|_: &M| true)
}

/// As [`try_receive`], of the messages that `wanted` accepts.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{self_pid, send, try_receive_matching, yield_now};
/// send(self_pid(), 1_u8);
/// send(self_pid(), 2_u8);
/// yield_now().await;
/// assert_eq!(try_receive_matching(|n: &u8| n % 2 == 0), Some(2));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn try_receive_matching<M: Send + 'static>(mut wanted: impl FnMut(&M) -> bool) -> Option<M> {
    let envelope = try_take("try_receive", |it| it.peek().is_some_and(&mut wanted));
    envelope?.downcast().ok()
}

/// Takes the oldest message that is in the mailbox and wanted, whatever its type.
#[track_caller]
pub(super) fn try_take(what: &str, wanted: impl FnMut(&Envelope) -> bool) -> Option<Envelope> {
    with_header(what, |header| take(header, &mut Cursor::default(), wanted))
}

/// Where a waiting receive stands.
#[derive(Debug, Default)]
pub(super) struct Place {
    cursor: Cursor,
    /// The process whose mailbox that is, index and generation folded into what
    /// room there is; different for the tenants of one slot. 0 before the first poll.
    process: u32,
    refused: Refused,
}

impl Place {
    /// Behind everything that is in the mailbox of the process now.
    pub(super) fn behind_all(header: &Header, packed: u64) -> Self {
        Place {
            cursor: header.with_queue(|queue| queue.end()),
            process: fold(packed),
            refused: Refused::default(),
        }
    }
}

/// A packed pid in half its size.
fn fold(packed: u64) -> u32 {
    packed as u32 ^ ((packed >> 32) as u32).rotate_left(16)
}

/// Takes a message out of the mailbox of the current process.
#[inline]
fn take(
    header: &Header,
    cursor: &mut Cursor,
    wanted: impl FnMut(&Envelope) -> bool,
) -> Option<Envelope> {
    let mut envelope = header.with_queue(|queue| queue.take_first(cursor, wanted))?;
    if envelope.kind() == signal::PLACED {
        limit::left(self_pid(), &mut envelope);
    }
    Some(envelope)
}

/// Looks for a message; if there is none, sees to it that its coming is noticed.
pub(super) fn poll_queue(
    place: &mut Place,
    cx: &mut Context<'_>,
    wanted: impl FnMut(&Envelope) -> bool,
) -> Poll<Envelope> {
    ready!(poll_budget(1, &place.refused, cx));
    local::with(|local| {
        let Some(header) = local.current.get() else {
            panic!("`receive` must be awaited inside a regrow process");
        };
        let process = fold(local.pid.get());
        if place.process != process {
            // Moved to another process: its mailbox is new to us.
            place.cursor = Cursor::default();
            place.process = process;
        }
        let cursor = &mut place.cursor;
        if let Some(envelope) = take(header, cursor, wanted) {
            return Poll::Ready(envelope);
        }
        // The process's own turns need no waker: whatever comes makes one.
        if plain_pid(cx.waker()) != Some(local.pid.get()) {
            keep_foreign(header, cx);
        }
        Poll::Pending
    })
}

/// The future of [`receive`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Receive<M> {
    place: Place,
    message: PhantomData<fn() -> M>,
}

impl<M: Send + 'static> Receive<M> {
    /// Only messages that `wanted` accepts. It may be asked about a message more
    /// than once by different receives, but not again by the same one.
    pub fn matching<F: FnMut(&M) -> bool>(self, wanted: F) -> ReceiveMatching<M, F> {
        ReceiveMatching {
            place: self.place,
            wanted,
            message: PhantomData,
        }
    }

    /// Gives up after a time, rounded up to milliseconds and counted from the
    /// first poll (OTP: `after`). Other messages that arrive meanwhile do not
    /// extend it. Zero looks at everything that has arrived, and does not wait.
    pub fn timeout(self, after: Duration) -> ReceiveTimeout<Self> {
        ReceiveTimeout::new(self, after)
    }
}

impl<M: Send + 'static> Future for Receive<M> {
    type Output = M;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<M> {
        let envelope = ready!(poll_queue(&mut self.place, cx, |it| it.is::<M>()));
        match envelope.downcast() {
            Ok(message) => Poll::Ready(message),
            Err(_) => unreachable!("selected by this type"),
        }
    }
}

/// The future of [`Receive::matching`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReceiveMatching<M, F> {
    place: Place,
    wanted: F,
    message: PhantomData<fn() -> M>,
}

impl<M: Send + 'static, F: FnMut(&M) -> bool> ReceiveMatching<M, F> {
    /// As [`Receive::timeout`].
    pub fn timeout(self, after: Duration) -> ReceiveTimeout<Self> {
        ReceiveTimeout::new(self, after)
    }
}

// Nothing in it is ever pinned.
impl<M, F> Unpin for ReceiveMatching<M, F> {}

impl<M: Send + 'static, F: FnMut(&M) -> bool> Future for ReceiveMatching<M, F> {
    type Output = M;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<M> {
        let Self { place, wanted, .. } = &mut *self;
        let select = |it: &Envelope| it.peek().is_some_and(&mut *wanted);
        let envelope = ready!(poll_queue(place, cx, select));
        match envelope.downcast() {
            Ok(message) => Poll::Ready(message),
            Err(_) => unreachable!("selected by this type"),
        }
    }
}

/// The future of [`receive_any`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReceiveAny {
    place: Place,
}

impl ReceiveAny {
    /// As [`Receive::timeout`].
    pub fn timeout(self, after: Duration) -> ReceiveTimeout<Self> {
        ReceiveTimeout::new(self, after)
    }
}

impl Future for ReceiveAny {
    type Output = Message;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Message> {
        poll_queue(&mut self.place, cx, |_| true).map(Message)
    }
}

/// The future of [`Receive::timeout`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReceiveTimeout<R> {
    receive: R,
    refused: Refused,
    limit: Limit,
}

#[derive(Debug)]
enum Limit {
    /// Not polled yet; the time is zero.
    Now,
    /// Zero: polled in that turn of the process, whose inbox may have got more since.
    After(u8),
    Alarm(Alarm),
}

impl<R> ReceiveTimeout<R> {
    pub(super) fn new(receive: R, after: Duration) -> Self {
        let limit = if after.is_zero() {
            Limit::Now
        } else {
            Limit::Alarm(Alarm::new(after))
        };
        ReceiveTimeout {
            receive,
            refused: Refused::default(),
            limit,
        }
    }
}

impl<R: Future + Unpin> Future for ReceiveTimeout<R> {
    type Output = Result<R::Output, Timeout>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Turned away here or let in: a receive that did not look for want of
        // reductions would be silent for no reason.
        ready!(poll_budget(0, &self.refused, cx));
        local::with(|local| local.budget.set(local.budget.get().max(1)));
        if let Poll::Ready(message) = Pin::new(&mut self.receive).poll(cx) {
            return Poll::Ready(Ok(message));
        }
        let turn = with_header("receive", |header| header.turns.get());
        match &mut self.limit {
            Limit::Alarm(alarm) => alarm.poll(cx).map(|()| Err(Timeout)),
            Limit::After(earlier) if *earlier != turn => Poll::Ready(Err(Timeout)),
            limit => {
                *limit = Limit::After(turn);
                local::with(|local| poll_again(local, cx));
                Poll::Pending
            }
        }
    }
}
