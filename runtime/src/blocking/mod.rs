//! Work that blocks its thread: done elsewhere, and awaited.

pub(crate) mod pool;

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;

use self::pool::{Job, Pool};
use crate::local::{self, Local};
use crate::panic::{catch, contain, end_with};
use crate::process::budget;
use crate::process::reply::{Reply, ReplyTo, reply_channel};
use crate::process::wait_site::waiting_at;
use crate::reason::ExitReason;
use crate::scheduler;

/// Why blocking work gave no value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockingError {
    /// It panicked: [`ExitReason::Panic`], with message and place.
    #[error("blocking work failed: {0}")]
    Panicked(ExitReason),
    /// The runtime was dropped before the work had begun.
    #[error("the runtime has stopped, and the work was not begun")]
    Stopped,
    /// There is no thread in the pool, and the operating system gives none.
    #[error("no thread for blocking work could be started ({0}); end some threads first")]
    NoThread(io::ErrorKind),
    /// The thread that did the work has ended, and the work with it.
    #[error("the thread that did the blocking work has ended before the work")]
    ThreadEnded,
}

/// Runs a closure that blocks its thread (a file, a database, a computation of
/// some milliseconds) in a pool of threads for such work, and waits for its value.
///
/// Meanwhile the worker runs other processes, and the waiting process can be
/// killed at any time: it is gone at once. Work that has begun cannot be ended from
/// outside, so it runs on and its value is dropped; work that still waits for a
/// thread is dropped with the process.
///
/// The future does nothing until it is polled. The pool has at most
/// [`Builder::blocking_threads`](crate::Builder::blocking_threads) threads, which
/// start when they are needed and end after 10 seconds without work. Beyond that
/// work waits, first come first served, and its callers with it: the backlog
/// is never longer than the number of those who wait for it, and
/// [`SystemInfo::blocking`](crate::SystemInfo::blocking) shows it. Work that waits for
/// other blocking work may so wait for ever.
///
/// In the closure there is no process: `self_pid`, `receive`, `spawn` and the like
/// are not for it. It may [`send`](crate::send), and use a [`Handle`](crate::Handle),
/// whose [`blocking`](crate::Handle::blocking) is also the way here from other threads.
/// In a [simulation](crate::simulation) it is done on the only thread there is, at once.
///
/// # Panics
///
/// Outside a process. A panic of the closure goes on in the process that awaits
/// it, whose reason then has the message and the place in the closure. If the
/// operating system gives not a single thread, the await panics.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// let text = regrow_runtime::blocking(|| std::fs::read_to_string("Cargo.toml")).await;
/// assert!(text.unwrap().contains("regrow"));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn blocking<F, T>(work: F) -> impl Future<Output = T> + Send + 'static
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let blocking = scheduler::with_current("blocking", |shared| {
        Blocking::new(shared.pool.clone(), work)
    });
    waiting_at(Location::caller());
    async move {
        match blocking.await {
            Ok(value) => value,
            Err(BlockingError::Panicked(reason)) if in_process() => end_with(reason),
            Err(error) => panic!("{error}"),
        }
    }
}

fn in_process() -> bool {
    local::try_with(|local| local.current.is_some()) == Some(true)
}

/// The future of [`Handle::blocking`](crate::Handle::blocking).
///
/// Dropping it gives the work up: what has not begun is dropped, what has begun
/// runs on and its value is dropped.
#[must_use = "futures do nothing unless awaited"]
pub struct Blocking<T: Send + 'static> {
    pool: Arc<Pool>,
    work: Arc<Work<T>>,
    submitted: bool,
    /// Taken first when this is dropped: then nobody waits any more.
    reply: Option<Reply<Result<T, BlockingError>>>,
}

impl<T: Send + 'static> Blocking<T> {
    #[track_caller]
    pub(crate) fn new(pool: Arc<Pool>, work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (reply_to, reply) = reply_channel();
        let todo = Todo {
            closure: Box::new(work),
            reply_to,
        };
        Blocking {
            pool,
            work: Arc::new(Work(Mutex::new(Some(todo)))),
            submitted: false,
            reply: Some(reply),
        }
    }
}

impl<T: Send + 'static> Blocking<T> {
    /// In a simulation: does the work on its only thread, with the time standing still,
    /// and goes on in another turn.
    fn work_here(&self, cx: &mut Context<'_>) {
        local::with(|local| {
            let nobody = local.current.enter(None);
            self.work.run(&self.pool);
            drop(nobody);
            budget::poll_again(local, cx);
        });
    }
}

impl<T: Send + 'static> Future for Blocking<T> {
    type Output = Result<T, BlockingError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !std::mem::replace(&mut self.submitted, true) {
            local::try_with(|local| local.spend(budget::IO));
            if local::with(Local::is_simulated) {
                self.work_here(cx);
                return Poll::Pending;
            }
            self.pool.submit(self.work.clone());
        }
        let Some(reply) = &mut self.reply else {
            panic!("`Blocking` polled after completion");
        };
        let answer = ready!(Pin::new(reply).poll(cx));
        self.reply = None;
        Poll::Ready(answer.unwrap_or(Err(BlockingError::ThreadEnded)))
    }
}

impl<T: Send + 'static> Drop for Blocking<T> {
    fn drop(&mut self) {
        drop(self.reply.take());
        let Some(todo) = self.work.take() else { return };
        if self.submitted {
            self.pool.was_cancelled();
        }
        // Told here, so that the end of a turn does not look for it.
        todo.reply_to.fail(ExitReason::Normal);
        drop(todo.closure);
    }
}

impl<T: Send + 'static> fmt::Debug for Blocking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}

/// A piece of work, until somebody takes it: a thread to do it, or the waiting
/// side to drop it.
struct Work<T: Send + 'static>(Mutex<Option<Todo<T>>>);

struct Todo<T: Send + 'static> {
    closure: Box<dyn FnOnce() -> T + Send>,
    reply_to: ReplyTo<Result<T, BlockingError>>,
}

impl<T: Send + 'static> Work<T> {
    fn take(&self) -> Option<Todo<T>> {
        self.0.lock().take()
    }
}

impl<T: Send + 'static> Job for Work<T> {
    fn run(&self, pool: &Pool) -> bool {
        let Some(Todo { closure, reply_to }) = self.take() else {
            return false;
        };
        local::with(|local| local.works.set(true));
        let result = catch(closure);
        local::with(|local| local.works.set(false));
        pool.was_done();
        if let Err(reason) = &result
            && !reply_to.is_wanted()
        {
            contain("a report", || {
                tracing::error!(
                    target: "regrow::crash", %reason,
                    "blocking work failed, and nobody waits for it any more"
                );
            });
        }
        // If nobody waits any more, this drops the value, which is the user's code.
        contain("the drop of a blocking closure's value", || {
            reply_to.send(result.map_err(BlockingError::Panicked));
        });
        true
    }

    fn fail(&self, error: BlockingError) -> bool {
        let Some(Todo { closure, reply_to }) = self.take() else {
            return false;
        };
        contain("the drop of a blocking closure", || drop(closure));
        reply_to.send(Err(error));
        true
    }

    fn is_waiting(&self) -> bool {
        self.0.lock().is_some()
    }
}
