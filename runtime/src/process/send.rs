//! Sending: into any mailbox, and into one that may be full.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use regrow_mailbox::Envelope;

use super::budget::{Refused, poll_budget};
use super::limit::{self, Limit, Ticket, Verdict};
use super::table::{self, Slot};
use super::wait_site::waiting_at;
use super::{Undelivered, drop_refused, drop_undelivered, owner, push_to, signal};
use crate::local;
use crate::message::Message;
use crate::pid::Pid;

/// Sends a message to a process (OTP: `Pid ! Message`).
///
/// It never fails and never waits: a message to a process that is gone, or whose mailbox
/// [is full](crate::MailboxPolicy), is dropped, and calls that were waiting for an answer to it
/// are told. Messages, and all other signals, from one process to another arrive in the
/// order of sending. It can be called from any thread.
///
/// # Panics
///
/// In a [simulation](crate::simulation), if `to` is not of it.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{receive, self_pid, send, spawn};
///
/// let me = self_pid();
/// spawn(async move { send(me, "hello") });
/// assert_eq!(receive::<&str>().await, "hello");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn send<M: Send + 'static>(to: Pid, message: M) {
    local::try_with(|local| {
        local.check_receiver(to);
        local.spend(1);
    });
    post(to, Envelope::new(to.generation(), signal::MESSAGE, message));
}

/// Sends a message; a receiver that is dead or full drops it.
pub(crate) fn send_message(to: Pid, message: Message) {
    local::try_with(|local| local.check_receiver(to));
    let mut envelope = message.0;
    envelope.set_generation(to.generation());
    post(to, envelope);
}

/// The same for whoever may not drop it: a message that did not get there comes back.
pub(crate) fn offer_message(to: Pid, message: Message) -> Result<(), (Undelivered, Message)> {
    local::try_with(|local| local.check_receiver(to));
    let mut envelope = message.0;
    envelope.set_generation(to.generation());
    offer(to, envelope).map_err(|(why, envelope)| (why, Message(envelope)))
}

#[inline]
fn post(to: Pid, envelope: Envelope) {
    if let Err((why, envelope)) = offer(to, envelope) {
        drop_undelivered(why, envelope);
    }
}

#[inline]
fn offer(to: Pid, envelope: Envelope) -> Result<(), (Undelivered, Envelope)> {
    let Some(slot) = table::slot(to.index()) else {
        return Err((Undelivered::NoProc, envelope));
    };
    // On the cache line that the push needs anyway.
    if owner::is_limited(slot.inbox.owner().load(Ordering::Relaxed)) {
        return offer_limited(to, slot, envelope);
    }
    push_to(slot, to.index(), envelope).map_err(|dead| (Undelivered::NoProc, dead))
}

#[cold]
fn offer_limited(
    to: Pid,
    slot: &'static Slot,
    envelope: Envelope,
) -> Result<(), (Undelivered, Envelope)> {
    match limit::reserve(to, false) {
        Verdict::Full | Verdict::Wait | Verdict::Drop => Err((Undelivered::Full, envelope)),
        verdict => {
            push_placed(to, slot, verdict, envelope).map_err(|dead| (Undelivered::NoProc, dead))
        }
    }
}

/// Pushes a message that has a place; gives it back if the receiver is gone.
fn push_placed(
    to: Pid,
    slot: &'static Slot,
    verdict: Verdict,
    mut envelope: Envelope,
) -> Result<(), Envelope> {
    match verdict {
        Verdict::Place => {
            envelope.set_kind(match envelope.kind() {
                signal::TICK => signal::PLACED_TICK,
                _ => signal::PLACED,
            });
            // A place in a limit whose process is dead needs not be given back.
            push_to(slot, to.index(), envelope)
        }
        Verdict::Kill(max) => {
            limit::kill(to, max);
            Err(envelope)
        }
        _ => Err(envelope),
    }
}

/// Why a message was not sent. It gives the message back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrySendError<M> {
    /// The mailbox is full; see [`MailboxPolicy`](crate::MailboxPolicy).
    #[error("the mailbox of the process is full")]
    Full(M),
    /// The process is gone.
    #[error("there is no such process")]
    NoProc(M),
}

impl<M> TrySendError<M> {
    /// The message that was not sent.
    pub fn into_inner(self) -> M {
        match self {
            TrySendError::Full(message) | TrySendError::NoProc(message) => message,
        }
    }

    /// Whether the mailbox was full.
    pub fn is_full(&self) -> bool {
        matches!(self, TrySendError::Full(_))
    }
}

impl<M> fmt::Debug for TrySendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            TrySendError::Full(_) => "Full",
            TrySendError::NoProc(_) => "NoProc",
        };
        f.debug_tuple(name).finish_non_exhaustive()
    }
}

/// As [`send`], but gives a message back that cannot be delivered. It does not wait.
///
/// A message to a process without a [limit](crate::mailbox_limit) is only given back if that is
/// dead. That it was sent does not mean that it will be received: the process may end first.
///
/// # Errors
///
/// If the process is gone, or its mailbox is full and its
/// [policy](crate::MailboxPolicy) is not to drop messages.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{MailboxPolicy, SpawnOptions, TrySendError, try_send};
///
/// let options = SpawnOptions::new().mailbox_limit(1, MailboxPolicy::Refuse);
/// let busy = options.spawn(std::future::pending::<()>()).unwrap().pid;
/// assert_eq!(try_send(busy, 1), Ok(()));
/// assert_eq!(try_send(busy, 2), Err(TrySendError::Full(2)));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn try_send<M: Send + 'static>(to: Pid, message: M) -> Result<(), TrySendError<M>> {
    local::try_with(|local| {
        local.check_receiver(to);
        local.spend(1);
    });
    let Some(slot) = table::slot(to.index()) else {
        return Err(TrySendError::NoProc(message));
    };
    let verdict = match owner::is_limited(slot.inbox.owner().load(Ordering::Relaxed)) {
        true => Some(limit::reserve(to, true)),
        false => None,
    };
    act(to, slot, verdict, message)
}

/// Does with a message of type `M` what the limit says, if there is one.
fn act<M: Send + 'static>(
    to: Pid,
    slot: &'static Slot,
    verdict: Option<Verdict>,
    message: M,
) -> Result<(), TrySendError<M>> {
    if matches!(verdict, Some(Verdict::Full | Verdict::Wait)) {
        return Err(TrySendError::Full(message));
    }
    let envelope = Envelope::new(to.generation(), signal::MESSAGE, message);
    let pushed = match verdict {
        None => push_to(slot, to.index(), envelope),
        Some(Verdict::Drop) => {
            drop_refused(envelope);
            Ok(())
        }
        Some(verdict) => push_placed(to, slot, verdict, envelope),
    };
    pushed.map_err(|dead| match dead.downcast() {
        Ok(message) => TrySendError::NoProc(message),
        Err(_) => unreachable!("it was wrapped as this type"),
    })
}

/// Sends a message, and waits for room first if the mailbox is full and its
/// [policy](crate::MailboxPolicy) is to wait.
///
/// Nothing is sent before the first poll. Those that wait are served in the order in which they
/// came; nobody who does not wait gets in between. It is cancel safe: one that is dropped,
/// because its process ends for instance, has sent nothing and leaves the line. A process
/// that waits for room in its own mailbox must receive at the same time. It works in any
/// executor.
///
/// # Errors
///
/// As [`try_send`]: at once if the process is gone, or when it ends while this waits.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{MailboxPolicy, SpawnOptions, receive, send_wait};
///
/// let options = SpawnOptions::new().mailbox_limit(10, MailboxPolicy::Wait).monitor();
/// let slow = options.spawn(async {
///     for n in 0..1_000 {
///         assert_eq!(receive::<u32>().await, n);
///     }
/// });
/// let slow = slow.unwrap();
/// for n in 0..1_000_u32 {
///     send_wait(slow.pid, n).await.unwrap(); // never more than 10 ahead
/// }
/// # regrow_runtime::receive_down(slow.monitor.unwrap()).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn send_wait<M: Send + 'static>(to: Pid, message: M) -> SendWait<M> {
    waiting_at(Location::caller());
    local::try_with(|local| local.check_receiver(to));
    SendWait {
        to,
        message: Some(message),
        refused: Refused::default(),
        limit: None,
        ticket: None,
    }
}

/// The future of [`send_wait`].
#[must_use = "nothing is sent until this is awaited"]
pub struct SendWait<M> {
    to: Pid,
    message: Option<M>,
    refused: Refused,
    /// While it waits in the line of this limit.
    limit: Option<Arc<Limit>>,
    ticket: Option<Ticket>,
}

impl<M> SendWait<M> {
    fn verdict(&mut self, slot: &Slot, cx: &Context<'_>) -> Option<Verdict> {
        if self.limit.is_none() && owner::is_limited(slot.inbox.owner().load(Ordering::Relaxed)) {
            self.limit = limit::of(self.to);
        }
        let limit = self.limit.as_ref()?;
        Some(limit.poll_place(&mut self.ticket, cx.waker()))
    }
}

// Nothing in it is ever pinned.
impl<M> Unpin for SendWait<M> {}

impl<M: Send + 'static> Future for SendWait<M> {
    type Output = Result<(), TrySendError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(poll_budget(1, &self.refused, cx));
        let Some(slot) = table::slot(self.to.index()) else {
            return Poll::Ready(Err(TrySendError::NoProc(self.take_message())));
        };
        let verdict = self.verdict(slot, cx);
        if verdict == Some(Verdict::Wait) {
            return Poll::Pending;
        }
        let message = self.take_message();
        Poll::Ready(act(self.to, slot, verdict, message))
    }
}

impl<M> SendWait<M> {
    fn take_message(&mut self) -> M {
        match self.message.take() {
            Some(message) => message,
            None => panic!("`SendWait` polled after completion"),
        }
    }
}

impl<M> Drop for SendWait<M> {
    fn drop(&mut self) {
        if let (Some(limit), Some(ticket)) = (&self.limit, self.ticket.take()) {
            limit.give_up(ticket);
        }
    }
}

impl<M> fmt::Debug for SendWait<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendWait")
            .field("to", &self.to)
            .field("waits", &self.ticket.is_some())
            .finish_non_exhaustive()
    }
}
