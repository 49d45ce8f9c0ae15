//! Request and reply: one cell that both sides share.
//!
//! The cell is `Empty` until it is answered, failed, or given up by the caller;
//! the first of these wins and the others find nothing to do.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use crate::local;
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
    /// The process that held the reply handle ended; [`ExitReason::NoProc`] if it
    /// was gone before the request came.
    #[error("the process that was to reply ended: {0}")]
    Exit(ExitReason),
}

enum State<R> {
    Empty(Option<Waker>),
    Done(Result<R, ReplyError>),
    /// The caller has its answer or wants none.
    Gone,
}

struct Cell<R>(Mutex<State<R>>);

impl<R> Cell<R> {
    fn complete(&self, result: Result<R, ReplyError>) {
        let mut state = self.0.lock();
        if let State::Empty(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Done(result);
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        // Otherwise the late value is dropped here, after the lock.
    }
}

/// A call that can be told that it failed, without its type.
pub(crate) trait Fail: Send + Sync {
    fn fail(&self, error: ReplyError);
}

impl<R: Send> Fail for Cell<R> {
    fn fail(&self, error: ReplyError) {
        self.complete(Err(error));
    }
}

/// Makes a reply handle and the future that waits for what is sent through it.
///
/// This is the primitive under every call: it costs one allocation, the reply
/// reaches the waiting side directly and not through its mailbox, and works
/// between processes, threads, and tasks of other executors.
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
pub fn reply_channel<R: Send + 'static>() -> (ReplyTo<R>, Reply<R>) {
    let cell = Arc::new(Cell(Mutex::new(State::Empty(None))));
    let reply_to = ReplyTo {
        cell: Some(cell.clone()),
    };
    (reply_to, Reply { cell, alarm: None })
}

/// The right to answer one request, at any time, from any thread.
///
/// Dropping it unanswered fails the call at once: with
/// [`ReplyError::Exit`] if the process that holds it is ending, else with
/// [`ReplyError::Dropped`] at the end of the turn.
#[must_use = "dropping a reply handle fails the call"]
pub struct ReplyTo<R: Send + 'static> {
    cell: Option<Arc<Cell<R>>>,
}

impl<R: Send + 'static> ReplyTo<R> {
    /// Answers. A caller that has given up does not notice.
    pub fn send(mut self, value: R) {
        if let Some(cell) = self.cell.take() {
            cell.complete(Ok(value));
        }
    }

    /// Whether the caller still waits. It may give up right afterwards; this is
    /// for skipping work that is not wanted any more.
    pub fn is_wanted(&self) -> bool {
        let cell = self.cell.as_ref();
        cell.is_some_and(|cell| matches!(*cell.0.lock(), State::Empty(_)))
    }

    /// Fails the call with a reason, as if this process had ended with it.
    pub fn fail(mut self, reason: ExitReason) {
        if let Some(cell) = self.cell.take() {
            cell.complete(Err(ReplyError::Exit(reason)));
        }
    }
}

impl<R: Send + 'static> Drop for ReplyTo<R> {
    fn drop(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        // A thread that is ending has no process any more: fail at once.
        let now = local::try_with(|local| {
            if local.dead_letters.get() {
                return Some(ReplyError::Exit(ExitReason::NoProc));
            }
            if !local.current.is_some() {
                return Some(ReplyError::Dropped);
            }
            // The end of the turn shows whether the process ends, and why; a
            // caller must not hear of it before the name is free.
            let cell: Arc<dyn Fail> = cell.clone();
            let by_panic = std::thread::panicking();
            local.dropped.borrow_mut().push((cell, by_panic));
            None
        });
        if let Some(error) = now.unwrap_or(Some(ReplyError::Dropped)) {
            cell.complete(Err(error));
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
    cell: Arc<Cell<R>>,
    alarm: Option<Alarm>,
}

impl<R: Send + 'static> Reply<R> {
    /// Gives up after `after`, counted from the first poll, with
    /// [`ReplyError::Timeout`].
    pub fn timeout(mut self, after: Duration) -> Self {
        self.alarm = Some(Alarm::new(after));
        self
    }
}

impl<R: Send + 'static> Future for Reply<R> {
    type Output = Result<R, ReplyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.cell.0.lock();
        let replaced = match &mut *state {
            State::Empty(Some(waker)) if waker.will_wake(cx.waker()) => None,
            State::Empty(waker) => waker.replace(cx.waker().clone()),
            _ => {
                let done = mem::replace(&mut *state, State::Gone);
                drop(state);
                self.alarm = None;
                return match done {
                    State::Done(result) => Poll::Ready(result),
                    _ => panic!("`Reply` polled after completion"),
                };
            }
        };
        drop(state);
        drop(replaced);
        let in_time = match &mut self.alarm {
            Some(alarm) => alarm.poll(cx).is_pending(),
            None => true,
        };
        if in_time {
            return Poll::Pending;
        }
        let state = mem::replace(&mut *self.cell.0.lock(), State::Gone);
        match state {
            State::Done(result) => Poll::Ready(result),
            _ => Poll::Ready(Err(ReplyError::Timeout)),
        }
    }
}

impl<R: Send + 'static> Drop for Reply<R> {
    fn drop(&mut self) {
        let state = mem::replace(&mut *self.cell.0.lock(), State::Gone);
        drop(state);
    }
}

impl<R: Send + 'static> fmt::Debug for Reply<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}
