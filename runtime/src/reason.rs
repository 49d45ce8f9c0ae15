//! Why a process ended.

use std::backtrace::Backtrace;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a process ended (OTP: exit reason).
///
/// A process has exactly one exit reason: the first that ends it. Links and
/// monitors carry it to others. For *links*, only [`Normal`](Self::Normal) is
/// harmless; for *behaviours*, [`Normal`](Self::Normal), [`Shutdown`](Self::Shutdown)
/// and [`ShutdownWith`](Self::ShutdownWith) are all ordinary ways to end
/// ([`is_normal_like`](Self::is_normal_like)).
///
/// Any error converts into a reason, so `?` ends a process with it:
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Down, ExitReason, receive, spawn_monitor};
///
/// let (_, _) = spawn_monitor(async {
///     let port: u16 = "no number".parse()?;
///     println!("{port}");
///     Ok::<(), ExitReason>(())
/// });
/// let down = receive::<Down>().await;
/// assert_eq!(down.reason.to_string(), "invalid digit found in string");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Two reasons are equal when they are of the same variant and, for those that
/// carry an error or a panic, when these read the same.
#[derive(Clone)]
#[non_exhaustive]
pub enum ExitReason {
    /// The process did what it had to do.
    Normal,
    /// It was asked to stop, in an orderly way.
    Shutdown,
    /// As [`Shutdown`](Self::Shutdown), with something to say.
    ShutdownWith(Arc<dyn Error + Send + Sync>),
    /// As an argument of [`exit`](crate::exit): ends any process, trapping or not.
    Kill,
    /// The process was ended by [`Kill`](Self::Kill).
    Killed,
    /// There was no such process (any more).
    NoProc,
    /// The node of the process cannot be reached.
    NoConnection,
    /// The process panicked.
    Panic(Arc<PanicInfo>),
    /// The process ended with an error.
    Error(Arc<dyn Error + Send + Sync>),
}

impl ExitReason {
    /// A reason that carries `error`, which may be a text.
    ///
    /// ```
    /// use regrow_runtime::ExitReason;
    /// assert_eq!(ExitReason::error("disk on fire").to_string(), "disk on fire");
    /// ```
    pub fn error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        ExitReason::Error(Arc::from(error.into()))
    }

    /// An orderly shutdown that says something (OTP: `{shutdown, Term}`).
    pub fn shutdown_with(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        ExitReason::ShutdownWith(Arc::from(error.into()))
    }

    /// Whether behaviours count this as an ordinary end: a transient child is not
    /// restarted, and nothing is reported (semantics of OTP's `proc_lib`).
    pub fn is_normal_like(&self) -> bool {
        matches!(
            self,
            ExitReason::Normal | ExitReason::Shutdown | ExitReason::ShutdownWith(_)
        )
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::Normal => f.write_str("normal"),
            ExitReason::Shutdown => f.write_str("shutdown"),
            ExitReason::ShutdownWith(what) => write!(f, "shutdown: {what}"),
            ExitReason::Kill => f.write_str("kill"),
            ExitReason::Killed => f.write_str("killed"),
            ExitReason::NoProc => f.write_str("no such process"),
            ExitReason::NoConnection => f.write_str("no connection"),
            ExitReason::Panic(info) => write!(f, "{info}"),
            ExitReason::Error(error) => write!(f, "{error}"),
        }
    }
}

impl fmt::Debug for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::ShutdownWith(what) => f.debug_tuple("ShutdownWith").field(what).finish(),
            ExitReason::Panic(info) => f.debug_tuple("Panic").field(info).finish(),
            ExitReason::Error(error) => f.debug_tuple("Error").field(error).finish(),
            ExitReason::Normal => f.write_str("Normal"),
            ExitReason::Shutdown => f.write_str("Shutdown"),
            ExitReason::Kill => f.write_str("Kill"),
            ExitReason::Killed => f.write_str("Killed"),
            ExitReason::NoProc => f.write_str("NoProc"),
            ExitReason::NoConnection => f.write_str("NoConnection"),
        }
    }
}

impl PartialEq for ExitReason {
    fn eq(&self, other: &Self) -> bool {
        use ExitReason::*;
        match (self, other) {
            (ShutdownWith(a), ShutdownWith(b)) | (Error(a), Error(b)) => {
                Arc::ptr_eq(a, b) || a.to_string() == b.to_string()
            }
            (Panic(a), Panic(b)) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for ExitReason {
    fn from(error: E) -> Self {
        ExitReason::Error(Arc::new(error))
    }
}

/// What a panic said, and where.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Down, ExitReason, receive, spawn_monitor};
///
/// spawn_monitor(async { panic!("out of {}", "cheese") });
/// let ExitReason::Panic(info) = receive::<Down>().await.reason else { panic!() };
/// assert_eq!(info.message(), "out of cheese");
/// assert!(info.file().is_some() && info.line().is_some());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Two are equal when message and place are.
pub struct PanicInfo {
    pub(crate) message: String,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) backtrace: Option<Backtrace>,
}

impl PartialEq for PanicInfo {
    fn eq(&self, other: &Self) -> bool {
        (&self.message, &self.file, self.line) == (&other.message, &other.file, other.line)
    }
}

impl Eq for PanicInfo {}

impl fmt::Debug for PanicInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanicInfo")
            .field("message", &self.message)
            .field("file", &self.file)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

impl PanicInfo {
    /// What the panic said; if its payload was no text, a remark that says so.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The source file of the panic, if the panic went through the panic hook.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The line in that file.
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// The backtrace, if `RUST_BACKTRACE` asked for one. Its symbols are looked up
    /// when it is first printed.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        self.backtrace.as_ref()
    }
}

impl fmt::Display for PanicInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "panic at {file}:{line}: {}", self.message),
            _ => write!(f, "panic: {}", self.message),
        }
    }
}

/// What the body of a process may end with.
///
/// `()` and `Ok(())` are [`ExitReason::Normal`]; an `Err` is its error.
pub trait IntoExitReason {
    /// The reason that this value stands for.
    fn into_exit_reason(self) -> ExitReason;
}

impl IntoExitReason for () {
    fn into_exit_reason(self) -> ExitReason {
        ExitReason::Normal
    }
}

impl IntoExitReason for ExitReason {
    fn into_exit_reason(self) -> ExitReason {
        self
    }
}

/// The type `!`, which has no name on stable Rust except as what some function
/// returns: the output of a body that loops for ever, or always panics.
type Never = <fn() -> ! as Returns>::Value;

trait Returns {
    type Value;
}

impl<T> Returns for fn() -> T {
    type Value = T;
}

#[allow(private_interfaces)] // the trait only spells the type
impl IntoExitReason for Never {
    fn into_exit_reason(self) -> ExitReason {
        self
    }
}

impl IntoExitReason for Infallible {
    fn into_exit_reason(self) -> ExitReason {
        match self {}
    }
}

impl<T: IntoExitReason, E: Into<ExitReason>> IntoExitReason for Result<T, E> {
    fn into_exit_reason(self) -> ExitReason {
        match self {
            Ok(value) => value.into_exit_reason(),
            Err(error) => error.into(),
        }
    }
}
