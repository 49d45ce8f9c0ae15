//! Looking into a running behaviour, and holding it up, from outside (OTP: `sys`).
//!
//! What is asked here is a *system message*: it waits in the mailbox like any other, and the
//! behaviour answers it between two callbacks, by itself. So every gen_server can be asked, and
//! every supervisor, which is one; a server that is busy answers when it is done, and a process
//! that is no behaviour never does. No limit of the mailbox keeps a system message out.
//!
//! | function | |
//! |---|---|
//! | [`get_state`], [`get_state_with`], [`replace_state`] | the state, by its type |
//! | [`suspend`], [`resume`] | no message is handled in between; they wait |
//! | [`get_status`] | what it is, how it is, and what it shows of itself |
//! | [`statistics`], [`get_statistics`] | how much it has had to do |
//! | [`trace`], [`trace_to`] | each message and each answer, as an event or a message |
//! | [`log`], [`get_log`] | the last of them, kept until somebody asks, or the server fails |
//!
//! All of it is for people who look for an error, and for tests. A program that needs a server's
//! state for its work asks by a call.
//!
//! ```
//! # regrow_runtime::Runtime::new()?.block_on(async {
//! use regrow_runtime::ExitReason;
//! use regrow_supervisor::{Context, GenServer, Next, sys};
//!
//! #[derive(Clone, PartialEq, Debug)]
//! struct Counter { value: u64 }
//!
//! impl GenServer for Counter {
//!     type Args = u64;
//!     type Message = u64;
//!
//!     async fn init(value: u64, _: &mut Context<Self>) -> Result<Self, ExitReason> {
//!         Ok(Counter { value })
//!     }
//!
//!     async fn handle(&mut self, more: u64, _: &mut Context<Self>) -> Next {
//!         self.value += more;
//!         Next::Continue
//!     }
//! }
//!
//! let counter = Counter::start_link(1).await.unwrap();
//! sys::suspend(&counter).await?;
//! counter.cast(10); // waits
//! assert_eq!(sys::get_state::<Counter>(&counter).await?.value, 1);
//! sys::replace_state(&counter, |it: &Counter| Counter { value: it.value + 1 }).await?;
//! sys::resume(&counter).await?;
//! assert_eq!(sys::get_state::<Counter>(&counter).await?, Counter { value: 12 });
//! # Ok::<(), sys::SysError>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

mod ask;
mod log;
mod status;
mod system;
mod trace;

pub use ask::{
    SysCall, SysError, Target, get_log, get_state, get_state_with, get_statistics, get_status, log,
    replace_state, resume, statistics, suspend, trace, trace_to,
};
pub use status::{FormatStatus, Statistics, Status};
pub use trace::{TraceEvent, Traced};

pub(crate) use status::{format_caught, listed};
pub(crate) use system::{Subject, Sys, SystemMessage, handle};
