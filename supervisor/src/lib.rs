//! OTP's behaviours on regrow processes.
//!
//! A [`GenServer`] is a process that keeps a state and handles one typed message after the
//! other. A [`Supervisor`] starts such processes, its *children*, from [`ChildSpec`]s, sees them
//! end, and starts them again by rules that are data: a [`Strategy`], a [`Restart`] type per
//! child, an intensity beyond which it gives up and lets *its* supervisor start over. A
//! [`DynamicSupervisor`] does this for any number of children that come and go, and an
//! [`Application`] is the top of the tree: it runs a whole program and ends it in order.
//!
//! So a program need not foresee every failure: what breaks is started afresh from a state that
//! is known to be good, by someone who watches it.
//!
//! ```
//! use regrow_runtime::{ExitReason, ReplyTo, Runtime, sleep};
//! use regrow_supervisor::{ChildSpec, Context, GenServer, Name, Next, Strategy, Supervisor};
//! use std::time::Duration;
//!
//! struct Divider { done: u32 }
//!
//! enum Request {
//!     Divide(u32, u32, ReplyTo<u32>),
//!     Done(ReplyTo<u32>),
//! }
//!
//! impl GenServer for Divider {
//!     type Args = ();
//!     type Message = Request;
//!
//!     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
//!         Ok(Divider { done: 0 })
//!     }
//!
//!     async fn handle(&mut self, request: Request, _: &mut Context<Self>) -> Next {
//!         match request {
//!             Request::Divide(a, b, reply) => {
//!                 reply.send(a / b); // panics if `b` is zero
//!                 self.done += 1;
//!             }
//!             Request::Done(reply) => reply.send(self.done),
//!         }
//!         Next::Continue
//!     }
//! }
//!
//! const DIVIDER: Name<Request> = Name::new("divider");
//!
//! let runtime = Runtime::new().unwrap();
//! runtime.block_on(async {
//!     let supervisor = Supervisor::new(Strategy::OneForOne)
//!         .child(ChildSpec::new("divider", || Divider::start_link(()).name(DIVIDER)))
//!         .start_link()
//!         .await
//!         .unwrap();
//!     let divider = DIVIDER.server_ref(); // by name: it survives a restart
//!
//!     assert_eq!(divider.call(|reply| Request::Divide(6, 2, reply)).await, Ok(3));
//!     assert_eq!(divider.call(Request::Done).await, Ok(1));
//!
//!     // The server crashes; its caller is told why.
//!     let crash = divider.call(|reply| Request::Divide(6, 0, reply)).await;
//!     assert!(crash.unwrap_err().to_string().contains("divide by zero"));
//!
//!     // For a moment nobody has the name; then it is back, with a fresh state.
//!     let done = loop {
//!         match divider.call(Request::Done).await {
//!             Ok(done) => break done,
//!             Err(_) => sleep(Duration::from_millis(1)).await,
//!         }
//!     };
//!     assert_eq!(done, 0);
//!     assert_eq!(supervisor.count_children().await.unwrap().active, 1);
//! });
//! ```
//!
//! Everything here is built from the public primitives of
//! [`regrow_runtime`]: a user could have written it.
//!
//! # Reports
//!
//! Supervisors report as `tracing` events with target `regrow::supervisor` and a field `report`:
//! `child_terminated`, `start_error`, `shutdown_error`, `shutdown` (errors), of static supervisors
//! `progress` (info; debug for a start on request), `stopped` (debug) for a child that has shut
//! down as it was told to, and once `default_intensity` (warning) for a thousand children that may
//! be restarted, if nobody has set an intensity. Their fields: `supervisor` (name or pid), `id`,
//! `pid`, `reason`, `restart`, `shutdown`, `child_type`, `significant`, `restarts_left` with
//! everything that counts for the intensity, and `nb_children` where a dynamic supervisor has
//! stopped so many at once that ended alike, but not as expected: `id` and `pid` are those of the
//! first. A server that ends abnormally is one error event with target `regrow::gen_server` and
//! the fields `server` (its type), `pid`, `name`, `label`, `last_message`, `state`, `reason` and, if
//! one is kept, [`log`](sys::log); what the last four say is the server's to choose
//! ([`GenServer::format_status`]). State machines
//! report in the same way with target `regrow::gen_statem`, event managers with `regrow::gen_event` when a
//! handler fails, applications with `regrow::application` when they start and end. What
//! [`sys::trace`] tells has target `regrow::sys`.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod agent;
mod application;
mod asking;
mod behaviour;
mod call;
mod child;
mod directory;
mod dynamic;
pub mod gen_event;
mod gen_server;
pub mod gen_statem;
mod hash;
mod intensity;
mod name;
mod owned;
mod partition;
pub mod pg;
mod registry;
mod report;
mod server_ref;
mod supervisor;
pub mod sys;
mod target;
mod task;
mod tree;
mod via;

pub use agent::{Agent, StartAgent};
pub use application::{
    Application, ApplicationEnded, ApplicationInfo, Applications, Dependency,
    EnsureAllStartedError, StartApplicationError, StartType, StopApplicationError,
};
pub use call::{
    Call, CallError, Callee, RequestId, RequestIds, Response, ResponseTimeout, abcast, multi_call,
};
pub use child::{
    Backoff, Child, ChildInfo, ChildSpec, ChildState, ChildType, Counts, Restart, Shutdown,
    SpecError,
};
pub use dynamic::{DynamicSupervisor, DynamicSupervisorRef};
pub use gen_server::{Context, GenServer, Info, Next, Start, StartError};
pub use name::Name;
pub use partition::{PartitionSupervisor, Partitions};
pub use registry::{
    Duplicate, KeyLock, Keys, RegisterKeyError, Registry, RegistryEvent, RegistryNotRunning,
    SendToKeyError, StartRegistry, Unique, UpdateValueError,
};
pub use regrow_runtime::proc_lib::StopError;
pub use server_ref::ServerRef;
pub use supervisor::{
    AutoShutdown, DeleteChildError, FailedToStartChild, GetChildSpecError, RestartChildError,
    StartChildError, Strategy, Supervisor, SupervisorInit, SupervisorRef, TerminateChildError,
    WhichChildError, check_childspecs,
};
pub use task::{
    AsyncStream, AwaitMany, CallerEnded, OnTimeout, OnYieldTimeout, StartAsync, StartTask, Task,
    TaskError, TaskSupervisor, TaskSupervisorRef, YieldMany,
};
pub use tree::{NodeKind, Tree, print_tree};
pub use via::{Via, ViaName};
