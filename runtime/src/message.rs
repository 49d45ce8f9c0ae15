//! What arrives in a mailbox.

use std::fmt;

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
    /// A link: the sender's id of its link request, and of the receiver's as it knows it.
    Link { mine: u32, theirs: u32 },
}

/// The end of a monitored process (OTP: `{'DOWN', Ref, process, Pid, Reason}`).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Down {
    /// What [`monitor`](crate::monitor) returned.
    pub reference: MonitorRef,
    /// The process that was monitored.
    pub pid: Pid,
    /// Why it ended; [`ExitReason::NoProc`] if it was gone already.
    pub reason: ExitReason,
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
