//! Aliases: addresses of a process that can be taken back.
//!
//! A message through an alias is an ordinary signal that carries the alias's number
//! and the message in its own envelope. Whether the alias is still active is for
//! the owner to say, when it handles the signal: so nothing needs a lock, and what
//! is under way when an alias ends is dropped, while what is in the mailbox stays.
//!
//! | event at the owner | `ExplicitUnalias` | `Reply` | `Demonitor` | `ReplyDemonitor` |
//! |---|---|---|---|---|
//! | `unalias` | ends | ends | ends | ends |
//! | a message through it | | ends | | ends, the monitor too |
//! | `demonitor` of its monitor | | | ends | ends |
//! | the `Down` of its monitor | | | ends | ends |

use std::fmt;

use regrow_mailbox::Envelope;
use rustc_hash::FxHashMap;

use super::links::with_header;
use super::relations::bytes_of;
use super::{drop_dead_letter, push_new, self_pid, signal};
use crate::local;
use crate::pid::{MonitorRef, Pid};

/// When an alias made by [`alias_with`] ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AliasMode {
    /// With [`unalias`] only (OTP: `explicit_unalias`).
    ExplicitUnalias,
    /// With the first message through it, too (OTP: `reply`).
    Reply,
}

/// When an alias that was made with a monitor ends, see
/// [`monitor_alias`](crate::monitor_alias).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MonitorAliasMode {
    /// With [`unalias`] only (OTP: `{alias, explicit_unalias}`).
    ExplicitUnalias,
    /// With the monitor, too: when that is removed, or its `Down` arrives (OTP:
    /// `{alias, demonitor}`).
    Demonitor,
    /// As [`Demonitor`](Self::Demonitor), and with the first message through it,
    /// which also removes the monitor: no `Down` follows a reply (OTP: `{alias,
    /// reply_demonitor}`).
    ReplyDemonitor,
}

/// What ends an alias besides `unalias`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Explicit,
    Reply,
    Demonitor,
    ReplyDemonitor,
}

impl From<AliasMode> for Life {
    fn from(mode: AliasMode) -> Self {
        match mode {
            AliasMode::ExplicitUnalias => Life::Explicit,
            AliasMode::Reply => Life::Reply,
        }
    }
}

impl From<MonitorAliasMode> for Life {
    fn from(mode: MonitorAliasMode) -> Self {
        match mode {
            MonitorAliasMode::ExplicitUnalias => Life::Explicit,
            MonitorAliasMode::Demonitor => Life::Demonitor,
            MonitorAliasMode::ReplyDemonitor => Life::ReplyDemonitor,
        }
    }
}

/// What becomes of a message that came through an alias.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// The alias is not active.
    Closed,
    Open,
    /// It passes, and the monitor of this number ends.
    OpenOnce(MonitorRef),
}

/// The active aliases of one process: pure bookkeeping.
#[derive(Debug, Default)]
pub(crate) struct Aliases(FxHashMap<u64, Life>);

impl Aliases {
    pub(crate) fn add(&mut self, id: u64, life: Life) {
        self.0.insert(id, life);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn memory(&self) -> usize {
        bytes_of(&self.0)
    }

    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// `unalias`: whether it was active.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        self.0.remove(&id).is_some()
    }

    /// The monitor has ended, by `demonitor` or by its `Down`.
    pub(crate) fn on_monitor_end(&mut self, reference: MonitorRef) {
        if let Some(Life::Demonitor | Life::ReplyDemonitor) = self.0.get(&reference.0) {
            self.0.remove(&reference.0);
        }
    }

    /// A message has come through an alias.
    pub(crate) fn on_message(&mut self, id: u64) -> Passage {
        match self.0.get(&id) {
            None => Passage::Closed,
            Some(Life::Explicit | Life::Demonitor) => Passage::Open,
            Some(Life::Reply) => {
                self.0.remove(&id);
                Passage::Open
            }
            Some(Life::ReplyDemonitor) => {
                self.0.remove(&id);
                Passage::OpenOnce(MonitorRef(id))
            }
        }
    }
}

/// The payload of a signal of kind [`signal::ALIAS`].
pub(crate) struct Aliased {
    pub(crate) id: u64,
    pub(crate) message: Envelope,
}

/// An address of a process that only takes messages, and only as long as its owner
/// wants (OTP: process alias).
///
/// It is for replies that may come late: once the owner has given the alias up,
/// messages through it are dropped, those that are under way included; those that
/// are in the mailbox already stay there. An alias cannot be linked to, monitored or
/// looked up. Messages that a process sends to another by its pid, its name and its
/// aliases arrive in the order of sending.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{alias, receive, spawn, unalias};
///
/// let address = alias();
/// spawn(async move { address.send("hello") });
/// assert_eq!(receive::<&str>().await, "hello");
/// assert!(unalias(address));
/// assert!(!unalias(address)); // it is not active any more
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias {
    owner: Pid,
    id: u64,
}

impl Alias {
    pub(crate) fn new(owner: Pid, id: u64) -> Self {
        Alias { owner, id }
    }

    /// Sends a message to whoever made the alias, from any thread, as
    /// [`send`](crate::send) does. It is dropped if the alias is not active when it
    /// arrives, and calls in it are told.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{AliasMode, alias_with, receive};
    /// use std::time::Duration;
    ///
    /// let address = alias_with(AliasMode::Reply);
    /// let answers = std::thread::spawn(move || {
    ///     address.send(1_u8);
    ///     address.send(2_u8); // one too many
    /// });
    /// assert_eq!(receive::<u8>().await, 1);
    /// answers.join().unwrap();
    /// assert!(receive::<u8>().timeout(Duration::ZERO).await.is_err());
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send<M: Send + 'static>(self, message: M) {
        local::try_with(|local| {
            local.check_receiver(self.owner);
            local.spend(1);
        });
        let aliased = Aliased {
            id: self.id,
            // Its generation is never asked for: that of the envelope around it is.
            message: Envelope::new(0, signal::MESSAGE, message),
        };
        if let Err(dead) = push_new(self.owner, signal::ALIAS, aliased) {
            drop_dead_letter(dead);
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#Alias<{}>", self.id)
    }
}

impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes an alias of the current process that is active until [`unalias`] (OTP:
/// `alias/0`).
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{alias, receive};
///
/// alias().send('x');
/// assert_eq!(receive::<char>().await, 'x');
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn alias() -> Alias {
    alias_with(AliasMode::ExplicitUnalias)
}

/// Makes an alias of the current process (OTP: `alias/1`).
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{AliasMode, alias_with, receive, unalias};
///
/// let address = alias_with(AliasMode::Reply);
/// address.send(42);
/// assert_eq!(receive::<i32>().await, 42);
/// assert!(!unalias(address)); // the reply has ended it
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn alias_with(mode: AliasMode) -> Alias {
    let owner = self_pid();
    let id = local::with(|local| local.fresh_reference());
    with_header("alias", |header| {
        header.with_relations(|it| it.aliases().add(id, mode.into()));
    });
    Alias { owner, id }
}

/// Ends an alias of the current process (OTP: `unalias/1`). True if it was active;
/// an alias of another process is left alone. Once it returns, no message through
/// the alias arrives any more; those that are in the mailbox already stay there.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{alias, receive, unalias};
/// use std::time::Duration;
///
/// let address = alias();
/// address.send("too late"); // not handled before the next turn
/// assert!(unalias(address));
/// assert!(receive::<&str>().timeout(Duration::ZERO).await.is_err());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn unalias(alias: Alias) -> bool {
    // Its number is given once in this OS process: who has it here is its owner.
    with_header("unalias", |header| {
        header.with_relations(|it| it.remove_alias(alias.id))
    })
}
