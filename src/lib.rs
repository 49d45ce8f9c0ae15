//! Supervision trees that grow back: an OTP-class actor runtime with its own work-stealing
//! scheduler.
//!
//! A program is a tree of small *processes*, futures with a mailbox and a [`Pid`], that share
//! nothing, send each other messages and watch each other. One that fails is ended, and its
//! supervisor starts it afresh while the rest goes on. The rules are those of Erlang/OTP; messages
//! are typed, errors are [`Result`]s. This crate is the whole of it: it re-exports what the crates
//! `regrow-runtime` and `regrow-supervisor` have. Failures are reported as `tracing` events (targets
//! `regrow::crash`, `regrow::supervisor`, `regrow::gen_server`); without a subscriber nothing is
//! printed.
//!
//! # Where things are
//!
//! - [`Application`]: the top of a program, or one part of it; [`Applications`]: those that run, and the end of
//!   the program. [`Runtime`], [`Handle`]: a runtime without one, and
//!   how to reach it from outside.
//! - [`GenServer`], [`Next`], [`Info`], [`ServerRef`], [`Name`]: a process that keeps a state and
//!   answers requests. [`RequestIds`], [`multi_call`]: many requests at once. [`sys`]: what a server is doing.
//! - [`gen_statem`]: state machines. [`gen_event`]: event managers and their handlers.
//! - [`Task`], [`TaskSupervisor`]: work whose result is awaited. [`Agent`]: a state, and closures on it.
//! - [`Registry`], [`Via`]: servers by key. [`pg`]: groups. [`PartitionSupervisor`]: a server for each part of
//!   the keys.
//! - [`Supervisor`], [`DynamicSupervisor`], [`ChildSpec`], [`Strategy`], [`Restart`], [`Shutdown`]:
//!   who starts what again, and how it is stopped. [`print_tree`]: the tree as it is now.
//! - [`spawn`](spawn()), [`spawn_link`], [`spawn_monitor`], [`SpawnOptions`]: processes.
//! - [`send`], [`receive`](receive()), [`receive!`], [`receive_any`], [`reply_channel`]: messages.
//! - [`link`], [`monitor`], [`exit`], [`trap_exit`], [`ExitReason`]: ends, and who hears of them.
//! - [`register`](register()), [`whereis`]: names. [`send_after`], [`sleep`]: time. [`net`]: sockets.
//! - [`processes`], [`process_info`], [`system_info`], [`subscribe`], [`Handle::events`]: looking inside.
//! - [`simulate`], [`simulation`]: the same on one thread, in virtual time, in an order from a seed.
//!
//! With the feature `tokio`, [`Builder`] has `tokio`, which lets futures of axum, reqwest and the like work in
//! processes.
//!
//! # Example
//!
//! A server that crashes, says why, and comes back:
//!
//! ```
//! use regrow::{ChildSpec, Context, ExitReason, GenServer, Name, Next, ReplyTo, Runtime, Strategy, Supervisor};
//!
//! struct Divider;
//! enum Request { Divide(u32, u32, ReplyTo<u32>) }
//!
//! impl GenServer for Divider {
//!     type Args = ();
//!     type Message = Request;
//!
//!     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Divider) }
//!
//!     async fn handle(&mut self, request: Request, _: &mut Context<Self>) -> Next {
//!         let Request::Divide(a, b, reply) = request;
//!         reply.send(a / b); // panics when b is 0
//!         Next::Continue
//!     }
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     Runtime::new()?.block_on(async {
//!         const DIVIDER: Name<Request> = Name::new("divider");
//!         let spec = ChildSpec::new("divider", || Divider::start_link(()).name(DIVIDER));
//!         Supervisor::new(Strategy::OneForOne).child(spec).start_link().await.unwrap();
//!         let divider = DIVIDER.server_ref();
//!
//!         let crash = divider.call(|reply| Request::Divide(6, 0, reply)).await;
//!         // the server ended without a reply: panic at src/main.rs:14: attempt to divide by zero
//!         println!("{}", crash.unwrap_err());
//!         while divider.pid().is_none() { regrow::yield_now().await } // it is being started again
//!         assert_eq!(divider.call(|reply| Request::Divide(6, 3, reply)).await, Ok(2));
//!     });
//!     Ok(())
//! }
//! ```
#![forbid(unsafe_code)]

pub use regrow_runtime::*;
pub use regrow_supervisor::*;

/// The README's code is compiled and run like any other example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
