//! A reply, or the end of whoever was asked, though that has passed the request on.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::monitors::{demonitor_flush, monitor};
use super::receive_end::{ReceiveDown, receive_down};
use super::reply::{Reply, ReplyError};
use super::try_self_pid;
use crate::pid::{MonitorRef, Pid};

impl<R: Send + 'static> Reply<R> {
    /// Fails the call, with the reason, when `asked` ends, even if another process has the
    /// reply handle by then (OTP: a `gen_server:call/2` ends with the server that was called).
    ///
    /// It monitors that process until the reply comes or this is dropped, and leaves neither
    /// the monitor nor a `Down` behind. To know the reason for certain, do so before the request
    /// is sent. A [`timeout`](Reply::timeout) is set before.
    ///
    /// # Errors
    ///
    /// [`ReplyError::Exit`] as well when `asked` ends: [`ExitReason::NoProc`](crate::ExitReason)
    /// if it had ended before this was called.
    ///
    /// # Panics
    ///
    /// Outside a process, also when polled there.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{ExitReason, ReplyError, ReplyTo, receive, reply_channel, send, spawn};
    ///
    /// let worker = spawn(async {
    ///     let _kept = receive::<ReplyTo<u32>>().await;
    ///     std::future::pending::<()>().await;
    /// });
    /// let clerk = spawn(async move {
    ///     send(worker, receive::<ReplyTo<u32>>().await);
    ///     ExitReason::Shutdown
    /// });
    /// let (reply_to, reply) = reply_channel::<u32>();
    /// let reply = reply.or_down(clerk);
    /// send(clerk, reply_to);
    /// assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::Shutdown)));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn or_down(self, asked: Pid) -> ReplyOrDown<R> {
        let reference = monitor(asked);
        ReplyOrDown {
            reply: self,
            down: receive_down(reference),
            watch: Watch {
                watcher: try_self_pid(),
                reference,
            },
        }
    }
}

/// The future of [`Reply::or_down`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReplyOrDown<R: Send + 'static> {
    reply: Reply<R>,
    down: ReceiveDown,
    watch: Watch,
}

/// A monitor that goes without a trace.
struct Watch {
    /// None once it has gone.
    watcher: Option<Pid>,
    reference: MonitorRef,
}

impl Watch {
    fn end(&mut self) {
        let watcher = self.watcher.take();
        // Elsewhere it cannot be ended, and was of no use.
        if watcher.is_some() && watcher == try_self_pid() {
            demonitor_flush(self.reference);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

impl<R: Send + 'static> Future for ReplyOrDown<R> {
    type Output = Result<R, ReplyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(result) = Pin::new(&mut self.reply).poll(cx) {
            self.watch.end();
            return Poll::Ready(result);
        }
        // It has answered, whatever has become of it since.
        if self.reply.is_put_off() {
            return Poll::Pending;
        }
        let down = ready!(Pin::new(&mut self.down).poll(cx));
        self.watch.watcher = None;
        Poll::Ready(Err(ReplyError::Exit(down.reason)))
    }
}

impl<R: Send + 'static> fmt::Debug for ReplyOrDown<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyOrDown")
            .field("monitor", &self.watch.reference)
            .finish_non_exhaustive()
    }
}
