//! Lightweight processes with mailboxes, links, monitors and exit signals, on a
//! work-stealing scheduler.
//!
//! A *process* is a future with a mailbox and an identity, a [`Pid`]. Processes
//! share nothing: they [`send`] each other messages of any type, and [`receive`](receive())
//! them in any order. When one ends, normally, by an error, or by a panic, those
//! that [`link`]ed to it or [`monitor`] it are told why. Everything that one
//! process does to another is an asynchronous *signal*, and signals from one to
//! another keep their order. These are Erlang's rules, and they are kept to the
//! letter; the behaviours in `regrow-supervisor` stand on them alone.
//!
//! ```
//! use regrow_runtime::{Exit, Pid, Runtime, receive, self_pid, send, spawn_link, trap_exit};
//!
//! struct Ping(Pid);
//! struct Pong;
//!
//! let runtime = Runtime::new()?;
//! runtime.block_on(async {
//!     trap_exit(true);
//!     let ponger = spawn_link(async {
//!         let Ping(from) = receive().await;
//!         send(from, Pong);
//!         panic!("once is enough");
//!     });
//!     send(ponger, Ping(self_pid()));
//!     receive::<Pong>().await;
//!
//!     let exit = receive::<Exit>().await;
//!     assert_eq!(exit.pid, ponger);
//!     assert!(exit.reason.to_string().ends_with("once is enough"));
//! });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Where things are
//!
//! - [`Runtime`], [`Handle`]: starting a runtime, and reaching it from outside; [`Handle::extension`]: what it
//!   keeps for a library.
//! - [`spawn`](spawn()), [`spawn_link`], [`spawn_monitor`], [`SpawnOptions`]: births.
//! - [`proc_lib`]: births and ends that somebody waits for.
//! - [`send`], [`receive`](receive()), [`receive!`], [`receive_any`], [`try_receive`], [`receive_down`], [`reply_channel`]: messages.
//! - [`mailbox_limit`], [`try_send`], [`send_wait`]: mailboxes that may be full.
//! - [`link`], [`monitor`], [`exit`], [`trap_exit`], [`ExitReason`]: ends.
//! - [`alias()`], [`monitor_alias`]: addresses that can be taken back.
//! - [`register`](register()), [`whereis`]: names. [`send_after`], [`sleep`], [`timeout`]: time. [`net`]: sockets.
//! - [`blocking`](blocking()): work that would hold a worker up.
//! - [`processes`], [`process_info`], [`system_info`](system_info()), [`subscribe`],
//!   [`Handle::events`]: looking inside.
//! - [`simulate`], [`simulation`]: the same on one thread, in virtual time, from a seed.
//!
//! Futures of runtime-agnostic crates can be awaited in a process; its waker is
//! its pid, so it costs nothing to clone and may outlive the process. With the feature
//! `tokio`, those of tokio can be, too: [`Builder`] has `tokio`, which takes a handle.

#![warn(clippy::undocumented_unsafe_blocks)]

#[cfg(not(target_os = "linux"))]
compile_error!("regrow runs on Linux only: its sockets and idle workers wait in epoll");

mod beside;
mod blocking;
mod clock;
mod events;
mod extensions;
mod handle;
mod labels;
mod local;
mod message;
mod names;
pub mod net;
mod panic;
mod pid;
mod primitive;
pub mod proc_lib;
mod process;
mod reactor;
mod reason;
mod runtime;
mod scheduler;
pub mod simulation;
mod system_info;
mod timer;

pub use blocking::pool::BlockingStats;
pub use blocking::{Blocking, BlockingError, blocking};
pub use clock::monotonic_time;
pub use events::{Event, EventIter, EventKinds, EventStream, NextEvent, subscribe};
pub use handle::Handle;
pub use message::{Down, Exit, Message, Monitored, TaggedDown};
pub use names::{
    RegisterError, SendError, UnregisterError, register, registered, send_named, unregister,
    whereis,
};
pub use panic::{CatchPanic, catch_panic};
pub use pid::{MonitorRef, Pid};
pub use process::alias::{Alias, AliasMode, MonitorAliasMode, alias, alias_with, unalias};
pub use process::ancestry::Ancestor;
pub use process::budget::{YieldNow, consume_reductions, yield_now};
pub use process::garbage::garbage_collect;
pub use process::info::{
    ProcessInfo, Status, is_alive, process_info, processes, seems_alive, set_label,
};
pub use process::limit::{MailboxLimit, MailboxOverflow, MailboxPolicy, mailbox_limit};
pub use process::links::{exit, exit_with, link, trap_exit, unlink};
pub use process::monitors::{
    demonitor, demonitor_flush, monitor, monitor_alias, monitor_named, tag_monitor,
};
pub use process::priority::{Priority, set_priority};
pub use process::receive::{
    Receive, ReceiveAny, ReceiveMatching, ReceiveTimeout, Timeout, receive, receive_any,
    try_receive, try_receive_matching,
};
pub use process::receive_end::{ReceiveDown, ReceiveExit, receive_down, receive_exit};
pub use process::reply::{Reply, ReplyError, ReplyTo, reply_channel};
pub use process::reply_or_down::ReplyOrDown;
pub use process::send::{SendWait, TrySendError, send, send_wait, try_send};
pub use process::spawn::{
    SpawnError, SpawnOptions, Spawned, spawn, spawn_link, spawn_local, spawn_monitor,
};
pub use process::wait_site::{WaitAt, wait_at};
pub use process::{self_pid, try_self_pid};
pub use reason::{ExitReason, IntoExitReason, PanicInfo};
pub use runtime::{Builder, Runtime};
pub use simulation::{Simulation, simulate, simulate_seeds};
pub use system_info::{SystemInfo, WorkerInfo, system_info};

/// What [`receive!`] expands to; not to be used otherwise.
#[doc(hidden)]
pub mod __receive {
    pub use crate::process::receive_macro::{Arm, Select, arm, peek, select, take};
}

pub use timer::{
    Destination, Sleep, TimeLimit, TimedOut, TimerRef, cancel_timer, read_timer, send_after,
    send_interval, sleep, start_timer, timeout,
};
