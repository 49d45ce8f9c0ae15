//! Registered names: one name for a process, one process for a name.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::events::{Event, EventKinds, Told};
use crate::message::Message;
use crate::pid::Pid;
use crate::process::{self, owner, table};
use crate::scheduler::{self, Shared};

/// Why a name could not be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another process, or the same one, has the name already.
    #[error("the name `{name}` is taken by {pid}")]
    NameTaken {
        /// The name.
        name: Arc<str>,
        /// Who has it.
        pid: Pid,
    },
    /// The process has a name already; a process has at most one.
    #[error("{pid} is registered already, as `{name}`")]
    AlreadyNamed {
        /// The process.
        pid: Pid,
        /// The name that it has.
        name: Arc<str>,
    },
    /// The process is gone, or lives in another runtime.
    #[error("there is no process {0} in this runtime")]
    NoProc(Pid),
    /// A name must have at least one character.
    #[error("the name is empty; a name must have at least one character")]
    EmptyName,
}

/// There is no process of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no process is registered as `{0}`")]
pub struct UnregisterError(pub Arc<str>);

/// A message to a name that nobody has. It gives the message back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("no process is registered as `{name}`")]
pub struct SendError<M> {
    /// The name.
    pub name: Arc<str>,
    message: M,
}

impl<M> std::fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendError")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<M> SendError<M> {
    /// The message that was not sent.
    pub fn into_inner(self) -> M {
        self.message
    }
}

#[derive(Default)]
struct Maps {
    by_name: FxHashMap<Arc<str>, Pid>,
    by_pid: FxHashMap<Pid, Arc<str>>,
}

/// The names of one runtime.
pub(crate) struct Names {
    runtime: u32,
    maps: RwLock<Maps>,
}

impl Names {
    pub(crate) fn new(runtime: u32) -> Self {
        Names {
            runtime,
            maps: RwLock::default(),
        }
    }

    /// `tell` is called under the lock, so that events of one name have an order.
    fn register(
        &self,
        name: Arc<str>,
        pid: Pid,
        tell: impl FnOnce(&Arc<str>),
    ) -> Result<(), RegisterError> {
        if name.is_empty() {
            return Err(RegisterError::EmptyName);
        }
        let slot = table::slot(pid.index()).ok_or(RegisterError::NoProc(pid))?;
        let mut maps = self.maps.write();
        if let Some(&pid) = maps.by_name.get(&name) {
            return Err(RegisterError::NameTaken { name, pid });
        }
        if let Some(name) = maps.by_pid.get(&pid).cloned() {
            return Err(RegisterError::AlreadyNamed { pid, name });
        }
        // Only a live tenant may be marked: the next one must not inherit it.
        // And only one of ours: another runtime would not release the name.
        let owner = slot.inbox.owner().load(Ordering::SeqCst);
        if slot.inbox.generation() != pid.generation() || owner::runtime(owner) != self.runtime {
            return Err(RegisterError::NoProc(pid));
        }
        owner::mark_named(&slot.inbox);
        if slot.inbox.generation() != pid.generation() {
            // It died in between. Its end may have looked before we marked; a
            // tenant that came since only looks once in vain.
            return Err(RegisterError::NoProc(pid));
        }
        maps.by_name.insert(name.clone(), pid);
        tell(&name);
        maps.by_pid.insert(pid, name);
        Ok(())
    }

    fn unregister(&self, name: &str, tell: impl FnOnce(Arc<str>, Pid)) -> bool {
        let mut maps = self.maps.write();
        let Some((name, pid)) = maps.by_name.remove_entry(name) else {
            return false;
        };
        maps.by_pid.remove(&pid);
        tell(name, pid);
        true
    }

    fn release(&self, pid: Pid, tell: impl FnOnce(Arc<str>, Pid)) {
        let mut maps = self.maps.write();
        if let Some(name) = maps.by_pid.remove(&pid) {
            maps.by_name.remove(&name);
            tell(name, pid);
        }
    }

    pub(crate) fn whereis(&self, name: &str) -> Option<Pid> {
        self.maps.read().by_name.get(name).copied()
    }

    pub(crate) fn name_of(&self, pid: Pid) -> Option<Arc<str>> {
        self.maps.read().by_pid.get(&pid).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.maps.read().by_name.len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<str>> {
        self.maps.read().by_name.keys().cloned().collect()
    }

    pub(crate) fn send<M: Send + 'static>(
        &self,
        name: &str,
        message: M,
    ) -> Result<(), SendError<M>> {
        match self.whereis(name) {
            Some(pid) => {
                process::send_message(pid, Message::new(message));
                Ok(())
            }
            None => Err(SendError {
                name: name.into(),
                message,
            }),
        }
    }
}

/// Names as they are given and taken, with the events that tell of it.
impl Shared {
    pub(crate) fn register(&self, name: Arc<str>, pid: Pid) -> Result<(), RegisterError> {
        let mut told = None;
        self.names.register(name, pid, |name| {
            told = self.put_registered(name, pid);
        })?;
        told.into_iter().for_each(Told::wake);
        Ok(())
    }

    /// At a birth; `put_spawned` puts the event of that before the one of the name.
    pub(crate) fn register_newborn(
        &self,
        name: Arc<str>,
        pid: Pid,
        put_spawned: impl FnOnce() -> Option<Told>,
    ) -> Result<(), RegisterError> {
        let mut told = [None, None];
        self.names.register(name, pid, |name| {
            told = [put_spawned(), self.put_registered(name, pid)];
        })?;
        told.into_iter().flatten().for_each(Told::wake);
        Ok(())
    }

    pub(crate) fn unregister(&self, name: &str) -> Result<(), UnregisterError> {
        let mut told = None;
        let found = self.names.unregister(name, |name, pid| {
            told = self.put_unregistered(name, pid);
        });
        told.into_iter().for_each(Told::wake);
        found
            .then_some(())
            .ok_or_else(|| UnregisterError(name.into()))
    }

    /// The end of a process takes its name along.
    pub(crate) fn release_name(&self, pid: Pid) {
        let mut told = None;
        self.names.release(pid, |name, pid| {
            told = self.put_unregistered(name, pid);
        });
        told.into_iter().for_each(Told::wake);
    }

    fn put_registered(&self, name: &Arc<str>, pid: Pid) -> Option<Told> {
        let wanted = self.events.want(EventKinds::REGISTERED);
        wanted.then(|| {
            let name = name.clone();
            self.events.put(&Event::Registered { name, pid })
        })
    }

    fn put_unregistered(&self, name: Arc<str>, pid: Pid) -> Option<Told> {
        let wanted = self.events.want(EventKinds::UNREGISTERED);
        wanted.then(|| self.events.put(&Event::Unregistered { name, pid }))
    }
}

/// Gives a process a name, until it ends or [`unregister`] (OTP: `register/2`).
///
/// # Errors
///
/// If the name is taken or empty, or the process is gone or has a name already.
///
/// # Panics
///
/// Outside a process; [`Handle::register`](crate::Handle::register) works anywhere.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{RegisterError, receive, register, self_pid, send_named, whereis};
///
/// register("printer", self_pid()).unwrap();
/// assert_eq!(whereis("printer"), Some(self_pid()));
/// send_named("printer", 1_u8).unwrap();
/// assert_eq!(receive::<u8>().await, 1);
/// let again = register("plotter", self_pid());
/// assert!(matches!(again, Err(RegisterError::AlreadyNamed { .. })));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn register(name: impl Into<Arc<str>>, pid: Pid) -> Result<(), RegisterError> {
    scheduler::with_current("register", |shared| shared.register(name.into(), pid))
}

/// Takes a name away from its process (OTP: `unregister/1`).
///
/// # Errors
///
/// If no process has the name.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{register, self_pid, unregister, whereis};
/// register("temporary", self_pid()).unwrap();
/// unregister("temporary").unwrap();
/// assert_eq!(whereis("temporary"), None);
/// assert!(unregister("temporary").is_err());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn unregister(name: &str) -> Result<(), UnregisterError> {
    scheduler::with_current("unregister", |shared| shared.unregister(name))
}

/// Who has a name (OTP: `whereis/1`).
///
/// # Panics
///
/// Outside a process; [`Handle::whereis`](crate::Handle::whereis) works anywhere.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// assert_eq!(regrow_runtime::whereis("nobody"), None);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn whereis(name: &str) -> Option<Pid> {
    scheduler::with_current("whereis", |shared| shared.names.whereis(name))
}

/// All names, in no order (OTP: `registered/0`).
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{register, registered, self_pid};
/// register("only", self_pid()).unwrap();
/// assert_eq!(&*registered()[0], "only");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn registered() -> Vec<Arc<str>> {
    scheduler::with_current("registered", |shared| shared.names.all())
}

/// Sends to whoever has a name now.
///
/// # Errors
///
/// Gives the message back if nobody has it (OTP: `badarg`).
///
/// # Panics
///
/// Outside a process; [`Handle::send_named`](crate::Handle::send_named) works anywhere.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// let error = regrow_runtime::send_named("nobody", "hello").unwrap_err();
/// assert_eq!(error.into_inner(), "hello");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn send_named<M: Send + 'static>(name: &str, message: M) -> Result<(), SendError<M>> {
    scheduler::with_current("send_named", |shared| shared.names.send(name, message))
}
