//! Panics of processes: caught at the process boundary, with their place.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::local;
use crate::reason::{ExitReason, PanicInfo};

/// How many drops that panic in a row are caught.
const DEPTH: usize = 16;

/// Where a panic started.
pub(crate) struct Place {
    /// The process that panicked: a panic that its code has caught itself must
    /// not lend its place to another.
    pid: u64,
    file: String,
    line: u32,
    backtrace: Option<Backtrace>,
}

/// The payload of an unwinding that ends the process with a reason, without a panic.
struct EndWith {
    reason: ExitReason,
    /// Whether [`catch_panic`] lets it pass.
    is_final: bool,
}

/// Makes panics of processes, and of blocking work, note their place instead of printing. Panics
/// elsewhere go to the hook that was there before.
pub(crate) fn install_hook() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let in_process = local::try_with(|local| {
                if !local.current.is_some() && !local.works.get() {
                    return false;
                }
                let place = info.location().map(|location| Place {
                    pid: local.pid.get(),
                    file: location.file().to_owned(),
                    line: location.line(),
                    backtrace: backtrace(),
                });
                let before = local.panic.replace(place);
                // A panic in a drop while the process unwinds already: Rust will
                // abort, and nobody will be left to report it. So print it, too.
                let mine = |place: Place| place.pid == local.pid.get();
                !local.unwinds.get() && !before.is_some_and(mine)
            });
            if in_process != Some(true) {
                before(info);
            }
        }));
    });
}

fn backtrace() -> Option<Backtrace> {
    let backtrace = Backtrace::capture();
    (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace)
}

/// Runs user code. A panic in it becomes the reason that it stands for.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, ExitReason> {
    catch_unwind(AssertUnwindSafe(work)).map_err(into_reason)
}

/// Runs user code whose panic has nobody to go to: it is reported and no more.
pub(crate) fn contain(what: &str, work: impl FnOnce()) {
    if let Err(reason) = catch(work) {
        // Even the subscriber is the user's code.
        let reported = catch(|| {
            tracing::error!(target: "regrow::crash", %reason, "{what} panicked");
        });
        drop_reason(reason);
        if let Err(reason) = reported {
            drop_reason(reason);
        }
    }
}

/// Drops a reason that nobody hears of. It may be anybody's, by
/// [`exit_with`](crate::exit_with), and so its drop may end in another one.
fn drop_reason(reason: ExitReason) {
    let mut left = reason;
    for _ in 0..DEPTH {
        match catch(|| drop(left)) {
            Ok(()) => return,
            Err(next) => left = next,
        }
    }
    // It would go on for ever.
    std::mem::forget(left);
}

/// The text of what shows something of the user's. To be used in a panic: should the user's
/// code panic while one is shown, the whole program would abort.
pub(crate) fn text_of(what: &impl fmt::Display) -> Cow<'static, str> {
    match catch(|| what.to_string()) {
        Ok(text) => Cow::Owned(text),
        Err(reason) => {
            drop_reason(reason);
            Cow::Borrowed("a reason that cannot be shown")
        }
    }
}

/// Wakes whoever a waker belongs to; a panic of a foreign one is contained.
pub(crate) fn wake_caught(waker: Waker) {
    contain("a waker", || waker.wake());
}

/// Drops a value of the user's, as no process: what its drop does is nobody's.
pub(crate) fn discard<T>(what: &str, value: T) {
    local::try_with(|local| {
        let _nobody = local.current.enter(None);
        contain(what, || drop(value));
    });
}

/// Ends the current process by unwinding to its boundary, or to a [`catch_panic`].
pub(crate) fn end_with(reason: ExitReason) -> ! {
    unwind(EndWith {
        reason,
        is_final: false,
    })
}

/// Ends the current process by unwinding to its boundary.
pub(crate) fn end_finally(reason: ExitReason) -> ! {
    unwind(EndWith {
        reason,
        is_final: true,
    })
}

fn unwind(end: EndWith) -> ! {
    local::with(|local| local.unwinds.set(true));
    resume_unwind(Box::new(end))
}

fn into_reason(payload: Box<dyn Any + Send>) -> ExitReason {
    let place = local::with(|local| {
        local.unwinds.set(false);
        let place = local.panic.take()?;
        (place.pid == local.pid.get()).then_some(place)
    });
    let payload = match payload.downcast::<EndWith>() {
        Ok(end) => return end.reason,
        Err(payload) => payload,
    };
    let message = if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a payload that is no text".to_owned()
    };
    drop_payload(payload);
    let (file, line, backtrace) = match place {
        Some(place) => (Some(place.file), Some(place.line), place.backtrace),
        None => (None, None, None),
    };
    ExitReason::Panic(Arc::new(PanicInfo {
        message,
        file,
        line,
        backtrace,
    }))
}

/// Drops what somebody has panicked with: even its drop may panic, with something
/// whose drop may panic.
fn drop_payload(payload: Box<dyn Any + Send>) {
    let mut payload = payload;
    for _ in 0..DEPTH {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    // It would go on for ever.
    std::mem::forget(payload);
}

pin_project! {
    /// The future of [`catch_panic`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct CatchPanic<F> {
        #[pin]
        future: F,
    }
}

/// Runs a future and gives the reason that a panic in it stands for, instead of
/// ending the process.
///
/// An [`exit_with`](crate::exit_with) in it is caught in the same way; an
/// [`exit`](crate::exit) to oneself is a signal and cannot be caught. This is what behaviours use to run `terminate` after a failed callback; a process
/// that catches its panics and goes on keeps a state that nobody vouches for.
/// Reply handles that the panic dropped are told when the process ends.
///
/// # Errors
///
/// [`ExitReason::Panic`] with message and place, or the reason given to `exit_with`.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::catch_panic;
///
/// let caught = catch_panic(async { panic!("oops") }).await;
/// assert!(caught.map(|()| ()).unwrap_err().to_string().ends_with("oops"));
/// assert_eq!(catch_panic(async { 5 }).await.unwrap(), 5);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn catch_panic<F: Future>(future: F) -> CatchPanic<F> {
    CatchPanic { future }
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, ExitReason>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(payload) => match payload.downcast_ref::<EndWith>() {
                Some(EndWith { is_final: true, .. }) => resume_unwind(payload),
                _ => Poll::Ready(Err(into_reason(payload))),
            },
        }
    }
}
