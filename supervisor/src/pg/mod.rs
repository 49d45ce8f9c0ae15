//! Process groups (OTP: `pg`).
//!
//! A group is a list of processes with a key, which come and go; whoever has something for all of them
//! asks who they are. Groups live in a *scope*, a process that takes joins and leaves in turn
//! and belongs in a supervision tree. Who is in a group is read without asking it.
//!
//! ```
//! use regrow_runtime::{Runtime, receive, self_pid, send, spawn};
//! use regrow_supervisor::pg::{Event, Scope};
//!
//! const WORKERS: Scope<&str> = Scope::new("workers");
//!
//! Runtime::new().unwrap().block_on(async {
//!     WORKERS.start_link().await.unwrap();
//!     let (_, members) = WORKERS.monitor("resize").await.unwrap();
//!     assert_eq!(members, []); // nobody yet
//!
//!     let worker = spawn(async { receive::<()>().await });
//!     WORKERS.join("resize", [worker]).await.unwrap();
//!     assert_eq!(WORKERS.get_members(&"resize"), [worker]);
//!     let Event::Join { pids, .. } = receive::<Event<&str>>().await else { panic!() };
//!     assert_eq!(*pids, [worker]);
//!
//!     send(worker, ()); // it ends, and so leaves
//!     let Event::Leave { pids, .. } = receive::<Event<&str>>().await else { panic!() };
//!     assert_eq!(*pids, [worker]);
//!     assert_eq!(WORKERS.which_groups(), [""; 0]);
//! });
//! ```
//!
//! A [`Registry`](crate::Registry) with duplicate keys is for processes that say themselves where
//! they belong, with a value, and need not hear of each other. Groups are joined for others as
//! well, and can be watched.

mod groups;
mod process;
mod scope;

use std::sync::Arc;

use regrow_runtime::{MonitorRef, Pid};

use crate::CallError;

pub use scope::Scope;

/// A message to whoever watches a group or a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<G> {
    /// Processes have joined a group, by one [`Scope::join`].
    #[non_exhaustive]
    Join {
        /// The watch that this is told for.
        monitor: MonitorRef,
        /// The group.
        group: G,
        /// Who has joined.
        pids: Arc<[Pid]>,
    },
    /// Processes have left a group, by one [`Scope::leave`], or one that has ended, once for each time
    /// that it had joined.
    #[non_exhaustive]
    Leave {
        /// The watch that this is told for.
        monitor: MonitorRef,
        /// The group.
        group: G,
        /// Who has left.
        pids: Arc<[Pid]>,
    },
}

impl<G> Event<G> {
    /// The watch that this is told for.
    pub fn monitor(&self) -> MonitorRef {
        match self {
            Event::Join { monitor, .. } | Event::Leave { monitor, .. } => *monitor,
        }
    }
}

/// Why nobody has left.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// None of these processes was in the group.
    #[error("none of these processes has joined the group")]
    NotJoined,
    /// The scope could not be asked.
    #[error(transparent)]
    Call(CallError),
}
