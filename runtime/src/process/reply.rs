//! Request and reply: one cell that both sides share.
//!
//! The cell and its states are in `regrow_mailbox::answer`; here it gets a timeout,
//! and a sender that cannot be forgotten: dropped unanswered, it fails the call.
//!
//! # An answer overtakes nothing
//!
//! It does not go through the caller's inbox, and so could pass what its sender sent by that
//! way just before: an exit signal, say. So an answer that is there is not taken in a turn
//! that has not taken the whole inbox, but in the next. Whoever sees the answer sees what was
//! pushed before it, so one look at the inbox word tells; and one more turn is enough,
//! whatever else comes meanwhile. (The model is `mailbox/tests/loom_answer.rs`.)

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use regrow_mailbox::{AnswerReceiver, AnswerSender, answer};

use super::budget::{Refused, poll_again, poll_budget};
use super::table;
use super::wait_site::waiting_at;
use super::waker::plain_pid;
use crate::local;
use crate::panic::{contain, wake_caught};
use crate::pid::Pid;
use crate::reason::ExitReason;
use crate::timer::Alarm;

/// Why no reply came.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The time was up. A later reply is dropped.
    #[error("no reply in time")]
    Timeout,
    /// The reply handle was dropped unanswered.
    #[error("the reply handle was dropped unanswered")]
    Dropped,
    /// The mailbox of the process that was to reply was full, and the request not accepted, or
    /// dropped later to make room; see [`MailboxPolicy`](crate::MailboxPolicy).
    #[error("the mailbox of the process that was to reply is full")]
    MailboxFull,
    /// The process that held the reply handle ended; [`ExitReason::NoProc`] if it
    /// was gone before the request came.
    #[error("the process that was to reply ended: {0}")]
    Exit(ExitReason),
}

/// Why a message never got to its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// That is dead.
    NoProc,
    /// Its mailbox is full.
    Full,
}

/// A call that can be told that it failed, without its type.
pub(crate) trait Fail: Send {
    fn fail(self: Box<Self>, error: ReplyError);
}

type Sender<R> = AnswerSender<Result<R, ReplyError>>;

impl<R: Send> Fail for Sender<R> {
    fn fail(self: Box<Self>, error: ReplyError) {
        complete(*self, Err(error));
    }
}

fn complete<R: Send>(sender: Sender<R>, result: Result<R, ReplyError>) {
    if let Some(waker) = sender.send(result) {
        wake_caught(waker);
    }
}

/// Makes a reply handle and the future that waits for what is sent through it.
///
/// This is the primitive under every call: it costs one allocation, the reply
/// reaches the waiting side directly and not through its mailbox, and works
/// between processes, threads, and tasks of other executors.
///
/// A reply overtakes nothing: what its sender sent to the waiting process before, exit signals
/// included, has been received when the reply is. The exception is a reply that is polled with
/// a waker that is not the process's own, as a `FuturesUnordered` does: it is ready as soon as
/// it is there, and what was sent before it may take effect up to a turn later.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{ReplyTo, receive, reply_channel, send, spawn};
///
/// struct Double(u32, ReplyTo<u32>);
///
/// let doubler = spawn(async {
///     let Double(n, reply_to) = receive().await;
///     reply_to.send(2 * n);
/// });
/// let (reply_to, reply) = reply_channel();
/// send(doubler, Double(21, reply_to));
/// assert_eq!(reply.await.unwrap(), 42);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn reply_channel<R: Send + 'static>() -> (ReplyTo<R>, Reply<R>) {
    waiting_at(Location::caller());
    let (sender, receiver) = answer();
    let reply_to = ReplyTo {
        sender: Some(sender),
    };
    let reply = Reply {
        receiver,
        alarm: None,
        refused: Refused::default(),
        put_off: None,
    };
    (reply_to, reply)
}

/// The right to answer one request, at any time, from any thread.
///
/// Dropping it unanswered fails the call at once: with
/// [`ReplyError::Exit`] if the process that holds it is ending, else with
/// [`ReplyError::Dropped`] at the end of the turn.
///
/// What counts is who holds it. If the process that was asked has passed it on and ends, the
/// call goes on waiting for whoever has it now; in OTP it would fail, because there a caller
/// monitors whom it asks. Here that would cost each call two more signals, so it is for those
/// who want it: [`Reply::or_down`].
#[must_use = "dropping a reply handle fails the call"]
pub struct ReplyTo<R: Send + 'static> {
    sender: Option<Sender<R>>,
}

impl<R: Send + 'static> ReplyTo<R> {
    /// Answers. A caller that has given up does not notice.
    ///
    /// The handle is gone then, so nobody is answered twice:
    ///
    /// ```compile_fail,E0382
    /// let (reply_to, _reply) = regrow_runtime::reply_channel();
    /// reply_to.send(1);
    /// reply_to.send(2);
    /// ```
    #[doc(alias = "GenServer.reply")]
    #[doc(alias = "reply")]
    pub fn send(mut self, value: R) {
        if let Some(sender) = self.sender.take() {
            complete(sender, Ok(value));
        }
    }

    /// Answers when the current process has ended and its name is free; at once
    /// outside a process.
    pub(crate) fn send_at_end(mut self, value: R) {
        let Some(sender) = self.sender.take() else {
            return;
        };
        local::with(|local| {
            if local.current.is_some() {
                local.keep_dropped(Box::new(Postponed(sender, value)), true);
            } else {
                complete(sender, Ok(value));
            }
        });
    }

    /// Whether the caller still waits. It may give up right afterwards; this is
    /// for skipping work that is not wanted any more.
    pub fn is_wanted(&self) -> bool {
        self.sender.as_ref().is_some_and(AnswerSender::is_wanted)
    }

    /// Fails the call with a reason, as if this process had ended with it.
    pub fn fail(mut self, reason: ExitReason) {
        if let Some(sender) = self.sender.take() {
            complete(sender, Err(ReplyError::Exit(reason)));
        }
    }
}

/// An answer that is given at the end of the process, whatever that ends with.
struct Postponed<R>(Sender<R>, R);

impl<R: Send> Fail for Postponed<R> {
    fn fail(self: Box<Self>, _: ReplyError) {
        let Postponed(sender, value) = *self;
        // If nobody waits any more, this drops the value, which is the user's code.
        contain("the drop of an answer", || complete(sender, Ok(value)));
    }
}

impl<R: Send + 'static> Drop for ReplyTo<R> {
    fn drop(&mut self) {
        let Some(sender) = self.sender.take() else {
            return;
        };
        let mut sender = Some(sender);
        // A thread that is ending has no process any more: fail at once.
        let now = local::try_with(|local| {
            match local.undelivered.get() {
                Some(Undelivered::NoProc) => return Some(ReplyError::Exit(ExitReason::NoProc)),
                Some(Undelivered::Full) => return Some(ReplyError::MailboxFull),
                None => {}
            }
            if !local.current.is_some() {
                return Some(ReplyError::Dropped);
            }
            // The end of the turn shows whether the process ends, and why; a
            // caller must not hear of it before the name is free.
            let by_panic = std::thread::panicking();
            if let Some(sender) = sender.take() {
                local.keep_dropped(Box::new(sender), by_panic);
            }
            None
        });
        let error = now.unwrap_or(Some(ReplyError::Dropped));
        if let (Some(sender), Some(error)) = (sender, error) {
            complete(sender, Err(error));
        }
    }
}

impl<R: Send + 'static> fmt::Debug for ReplyTo<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyTo").finish_non_exhaustive()
    }
}

/// The other end of a [`ReplyTo`]: a future of the reply.
///
/// Dropping it gives the call up; a late reply is dropped.
#[must_use = "futures do nothing unless awaited"]
pub struct Reply<R: Send + 'static> {
    receiver: AnswerReceiver<Result<R, ReplyError>>,
    alarm: Option<Alarm>,
    refused: Refused,
    /// The answer was there in that turn of the process, and the inbox was not empty.
    put_off: Option<u8>,
}

impl<R: Send + 'static> Reply<R> {
    /// Gives up after `after`, counted from the first poll, with
    /// [`ReplyError::Timeout`].
    pub fn timeout(mut self, after: Duration) -> Self {
        self.set_timeout(Some(after));
        self
    }

    /// The same for a reply that is kept somewhere; `None` takes the limit away. The time is
    /// counted from the next poll.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{ReplyError, reply_channel};
    /// use std::time::Duration;
    ///
    /// let (_reply_to, mut reply) = reply_channel::<()>();
    /// reply.set_timeout(None);
    /// reply.set_timeout(Some(Duration::ZERO));
    /// assert_eq!(reply.await, Err(ReplyError::Timeout));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_timeout(&mut self, after: Option<Duration>) {
        self.alarm = after.map(Alarm::new);
    }

    /// Has `waker` woken once the reply is there, at once if it is. Nothing is taken, and no
    /// time runs.
    ///
    /// This is for whoever waits for many replies and wants to know in which order they came: a
    /// poll may be pending although the reply is there, this is never woken before. It is for
    /// one waker, which the next one, or that of the next poll, replaces.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::reply_channel;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use std::task::{Wake, Waker};
    ///
    /// #[derive(Default)]
    /// struct Flag(AtomicBool);
    ///
    /// impl Wake for Flag {
    ///     fn wake(self: Arc<Self>) {
    ///         self.0.store(true, Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// let flag = Arc::new(Flag::default());
    /// let (reply_to, mut reply) = reply_channel();
    /// reply.set_waker(&Waker::from(flag.clone()));
    /// assert!(!flag.0.load(Ordering::Relaxed));
    /// reply_to.send(5);
    /// assert!(flag.0.load(Ordering::Relaxed));
    /// assert_eq!(reply.await, Ok(5));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_waker(&mut self, waker: &Waker) {
        let mut there = false;
        let polled = self.receiver.poll_if(&mut Context::from_waker(waker), |_| {
            there = true;
            false
        });
        // Ready: it was taken before.
        if there || polled.is_ready() {
            waker.wake_by_ref();
        }
    }

    /// Whether the answer is there, and is left for the next turn.
    pub(super) fn is_put_off(&self) -> bool {
        self.put_off.is_some()
    }
}

/// Whether an answer that is there must wait for the next turn.
#[inline]
fn is_early(put_off: &mut Option<u8>, cx: &mut Context<'_>) -> bool {
    local::with(|local| {
        let Some(header) = local.current.get() else {
            return false;
        };
        // Behind a waker of its own there may be somebody who keeps this turn until we are ready.
        if plain_pid(cx.waker()) != Some(local.pid.get()) {
            return false;
        }
        let turn = header.turns.get();
        match *put_off {
            None if !has_untaken(local.pid.get()) => return false,
            None => *put_off = Some(turn),
            Some(earlier) if earlier == turn => {}
            Some(_) => return false,
        }
        poll_again(local, cx);
        true
    })
}

/// Whether signals have come to the current process that this turn has not taken.
#[inline]
fn has_untaken(packed: u64) -> bool {
    let slot = Pid::unpack(packed).and_then(|pid| table::slot(pid.index()));
    slot.is_some_and(|slot| slot.inbox.has_signals())
}

impl<R: Send + 'static> Future for Reply<R> {
    type Output = Result<R, ReplyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // An answer that is there already must not let a loop of calls go on for ever.
        ready!(poll_budget(1, &self.refused, cx));
        let Self {
            receiver,
            alarm,
            put_off,
            ..
        } = &mut *self;
        let mut poll_answer =
            |cx: &mut Context<'_>| receiver.poll_if(cx, |cx| !is_early(put_off, cx));
        if let Poll::Ready(answer) = poll_answer(cx) {
            *alarm = None;
            return match answer {
                Some(result) => Poll::Ready(result),
                None => panic!("`Reply` polled after completion"),
            };
        }
        let in_time = match alarm {
            Some(alarm) => alarm.poll(cx).is_pending(),
            None => true,
        };
        if in_time {
            return Poll::Pending;
        }
        // An answer that came at the last moment counts.
        match poll_answer(cx) {
            Poll::Ready(Some(result)) => Poll::Ready(result),
            _ if put_off.is_some() => Poll::Pending,
            _ => Poll::Ready(Err(ReplyError::Timeout)),
        }
    }
}

impl<R: Send + 'static> fmt::Debug for Reply<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}
