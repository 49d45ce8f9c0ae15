//! What arrives in a mailbox.

use std::fmt;
use std::sync::Arc;

use regrow_mailbox::Envelope;

use crate::pid::{MonitorRef, Pid};
use crate::reason::ExitReason;

/// An exit signal, as a process that [traps exits](crate::trap_exit) receives it
/// (OTP: `{'EXIT', Pid, Reason}`).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exit {
    /// Who ended, or who called [`exit`](crate::exit).
    pub pid: Pid,
    /// Why.
    pub reason: ExitReason,
    pub(crate) origin: Origin,
}

/// Where an exit signal comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A call of `exit`, by another process or from outside.
    Sent,
    /// A call of `exit` by the receiver.
    Itself,
    /// The receiver's mailbox has become longer than its limit allows. It cannot be trapped.
    Limit,
    /// A link: the sender's id of its link request, and of the receiver's as it knows it.
    Link { mine: u32, theirs: u32 },
}

/// The end of a monitored process (OTP: `{'DOWN', Ref, process, Pid, Reason}`).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Down {
    /// What [`monitor`](crate::monitor) returned.
    pub reference: MonitorRef,
    /// The process that was monitored. If it was monitored by a name that nobody
    /// had, this is a pid that no process ever has.
    pub pid: Pid,
    /// Why it ended; [`ExitReason::NoProc`] if it was gone already.
    pub reason: ExitReason,
    /// The name that it was monitored by, which its watcher knows.
    pub(crate) name: Option<Arc<str>>,
}

impl Down {
    pub(crate) fn new(reference: MonitorRef, pid: Pid, reason: ExitReason) -> Self {
        Down {
            reference,
            pid,
            reason,
            name: None,
        }
    }

    /// What was monitored: the process, or the name (OTP: the fourth element of
    /// `'DOWN'`).
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{Down, Monitored, monitor_named, receive, spawn_monitor};
    ///
    /// let (pid, _) = spawn_monitor(async {});
    /// assert_eq!(receive::<Down>().await.object(), Monitored::Process(pid));
    /// monitor_named("nobody");
    /// assert_eq!(receive::<Down>().await.object(), Monitored::Name("nobody".into()));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn object(&self) -> Monitored {
        match &self.name {
            Some(name) => Monitored::Name(name.clone()),
            None => Monitored::Process(self.pid),
        }
    }
}

/// The end of a process whose monitor was given a tag, by [`tag_monitor`](crate::tag_monitor)
/// (OTP: `{Tag, Ref, process, Pid, Reason}`).
#[derive(Debug)]
#[non_exhaustive]
pub struct TaggedDown {
    /// What the monitor was given.
    pub tag: Message,
    /// What would have come without it.
    pub down: Down,
}

/// What a monitor watches, as it was told to.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Monitored, self_pid};
///
/// assert_eq!(Monitored::from("clerk").to_string(), "clerk");
/// assert_eq!(Monitored::from(self_pid()), self_pid());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Monitored {
    /// A process, by its pid.
    Process(Pid),
    /// A process, by the name that it had when the monitor was made.
    Name(Arc<str>),
}

impl PartialEq<Pid> for Monitored {
    fn eq(&self, other: &Pid) -> bool {
        *self == Monitored::Process(*other)
    }
}

impl From<Pid> for Monitored {
    fn from(pid: Pid) -> Self {
        Monitored::Process(pid)
    }
}

impl From<&str> for Monitored {
    fn from(name: &str) -> Self {
        Monitored::Name(name.into())
    }
}

impl From<Arc<str>> for Monitored {
    fn from(name: Arc<str>) -> Self {
        Monitored::Name(name)
    }
}

impl From<String> for Monitored {
    fn from(name: String) -> Self {
        Monitored::Name(name.into())
    }
}

impl fmt::Display for Monitored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Monitored::Process(pid) => pid.fmt(f),
            Monitored::Name(name) => f.write_str(name),
        }
    }
}

/// A message of any type.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{receive_any, self_pid, send};
///
/// send(self_pid(), 5_u32);
/// let message = receive_any().await;
/// assert!(message.is::<u32>());
/// let message = message.downcast::<String>().unwrap_err(); // given back
/// assert_eq!(message.downcast::<u32>().unwrap(), 5);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[repr(transparent)]
pub struct Message(pub(crate) Envelope);

impl Message {
    /// An envelope as a message, both lent.
    pub(crate) fn of(envelope: &Envelope) -> &Message {
        // SAFETY: `Message` is a transparent wrapper of `Envelope`.
        unsafe { &*std::ptr::from_ref(envelope).cast() }
    }

    /// Wraps a value.
    pub fn new<T: Send + 'static>(value: T) -> Self {
        Message(Envelope::new(0, crate::process::signal::MESSAGE, value))
    }

    /// Whether the message is a `T`.
    pub fn is<T: 'static>(&self) -> bool {
        self.0.is::<T>()
    }

    /// The message, if it is a `T`.
    pub fn peek<T: 'static>(&self) -> Option<&T> {
        self.0.peek()
    }

    /// Takes the value out.
    ///
    /// # Errors
    ///
    /// Gives the message back if it is not a `T`.
    pub fn downcast<T: 'static>(self) -> Result<T, Message> {
        self.0.downcast().map_err(Message)
    }

    /// The name of its type, for people.
    pub fn type_name(&self) -> &'static str {
        self.0.type_name()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({})", self.type_name())
    }
}
