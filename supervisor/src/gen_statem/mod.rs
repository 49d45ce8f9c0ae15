//! gen_statem: a process that is in one of several states, and does with an event what that
//! state says.
//!
//! A [`StateMachine`] is a [`GenServer`](crate::GenServer) with a state that the machinery knows
//! of. For that it can *postpone* what the present state has no use for, have *timeouts* that end
//! with the state, and do something whenever a state is *entered*. Where a server would ask `if
//! self.connected` in each of its messages, and keep a queue of what must wait, this is the form
//! to use.
//!
//! It is started and reached as a gen_server is: [`Start`] has the options, and a
//! [`ServerRef`] casts, calls and stops.
//!
//! ```
//! use regrow_runtime::{ExitReason, ReplyTo, Runtime};
//! use regrow_supervisor::gen_statem::{Context, Event, StateMachine, Transition};
//! use std::time::Duration;
//!
//! /// A door with a code lock. Open, it locks itself after a while.
//! struct Door { code: Vec<u8>, pressed: Vec<u8> }
//!
//! #[derive(Debug, PartialEq)]
//! enum State { Locked, Open }
//!
//! enum Request {
//!     Press(u8),
//!     /// Answered when the door is open.
//!     Enter(ReplyTo<()>),
//!     Lock,
//! }
//!
//! impl StateMachine for Door {
//!     type Args = Vec<u8>;
//!     type State = State;
//!     type Message = Request;
//!     type Timer = ();
//!
//!     async fn init(code: Vec<u8>, _: &mut Context<Self>) -> Result<(State, Self), ExitReason> {
//!         Ok((State::Locked, Door { code, pressed: Vec::new() }))
//!     }
//!
//!     async fn enter(&mut self, _old: &State, state: &State, cx: &mut Context<Self>) -> Result<(), ExitReason> {
//!         match state {
//!             State::Locked => self.pressed.clear(),
//!             State::Open => cx.state_timeout(Duration::from_millis(10), Request::Lock),
//!         }
//!         Ok(())
//!     }
//!
//!     async fn handle(&mut self, event: Event<Request>, state: &State, cx: &mut Context<Self>) -> Transition<State> {
//!         match (state, event) {
//!             (State::Locked, Event::Message(Request::Press(digit))) => {
//!                 self.pressed.push(digit);
//!                 if self.pressed.ends_with(&self.code) {
//!                     return Transition::NextState(State::Open);
//!                 }
//!             }
//!             (State::Locked, event @ Event::Message(Request::Enter(_))) => cx.postpone(event),
//!             (State::Open, Event::Message(Request::Enter(reply))) => reply.send(()),
//!             (State::Open, Event::StateTimeout(Request::Lock)) => {
//!                 return Transition::NextState(State::Locked);
//!             }
//!             _ => {}
//!         }
//!         Transition::KeepState
//!     }
//! }
//!
//! Runtime::new().unwrap().block_on(async {
//!     let door = Door::start_link(vec![4, 7]).await.unwrap();
//!     let visitor = door.call(Request::Enter); // postponed
//!     door.cast(Request::Press(4));
//!     door.cast(Request::Press(7));
//!     assert_eq!(visitor.await, Ok(()));
//! });
//! ```
//!
//! # What comes next
//!
//! After each event, and after `init`, in this order, which is OTP's:
//!
//! 1. If the state has changed, or on [`Transition::RepeatState`],
//!    [`enter`](StateMachine::enter) runs. What it asks of its context counts as if the handler
//!    had asked for it, after all else.
//! 2. The event timeout is cancelled. If the state has changed, so is the state timeout.
//! 3. If the state has changed, everything that was postponed comes next, the oldest first;
//!    before it what was inserted by [`Context::next_event`], in the order of the calls.
//! 4. Timeouts are set. One of no time comes after all that is known already, and before
//!    anything that is received.
//! 5. When nothing of this is left, the next message is received.
//!
//! Whether the state has changed, its [`PartialEq`] says. A `NextState` that is equal to the
//! present one is kept as its new value, and is no change.
//!
//! # How a machine ends
//!
//! As a [`GenServer`](crate::GenServer#how-a-server-ends) does, and [`sys`](crate::sys) looks into it as
//! into one; its state is a pair there, `(State, Self)`. An answer that was sent before
//! [`Transition::Stop`] is returned has gone out before `terminate` runs (OTP:
//! `stop_and_reply`). Callers whose requests are postponed are told the reason.

// `queue.rs` decides, `process.rs` acts.
mod context;
mod process;
mod queue;
mod report;
mod transition;

use std::future::Future;

use regrow_runtime::{ExitReason, MonitorRef};

use crate::gen_server::Start;
use crate::sys::FormatStatus;

#[doc(no_inline)]
pub use crate::ServerRef;
pub use context::Context;
pub use process::Machine;
pub use transition::{Event, Transition};

/// A state machine: its data, and what each event does in each state.
///
/// `Self` is the data, what OTP calls `Data`: what does not decide what an event does.
/// [`State`](StateMachine::State) is usually an enum. [The module](self) has an example.
pub trait StateMachine: Sized + Send + 'static {
    /// What [`init`](StateMachine::init) gets.
    type Args: Send + 'static;
    /// The states. What `PartialEq` calls equal is the same state, be it that it carries
    /// something that differs.
    type State: PartialEq + std::fmt::Debug + Send + 'static;
    /// What the machine can be told, and what its timeouts and its own events tell it.
    type Message: Send + 'static;
    /// The names of its [timeouts](Context::timeout) that are no state's: an enum, the ids of
    /// sessions, or `()` for a machine with one such timeout, or none.
    type Timer: Clone + PartialEq + Send + 'static;

    /// Makes the first state and the data, in the new process; the starter waits for it. The
    /// name is registered before. Timeouts may be set and events inserted already.
    ///
    /// # Errors
    ///
    /// As of [`GenServer::init`](crate::GenServer::init), [`Context::ignore`] and
    /// [`Context::fail`] included.
    fn init(
        args: Self::Args,
        cx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(Self::State, Self), ExitReason>> + Send;

    /// Runs whenever a state is entered: after `init`, when the starter has gone on already,
    /// with the first state for both; after a change; and after [`Transition::RepeatState`],
    /// again with the same for both (OTP: a state enter call). The default does nothing.
    ///
    /// It may set timeouts, but neither postpone an event nor insert one, nor go to another
    /// state; a timeout of no time, which comes before anything that is received, can do it.
    ///
    /// # Errors
    ///
    /// Ends the machine with this reason. [`terminate`](StateMachine::terminate) runs.
    fn enter(
        &mut self,
        _old: &Self::State,
        _state: &Self::State,
        _cx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        async { Ok(()) }
    }

    /// Handles one event in a state.
    fn handle(
        &mut self,
        event: Event<Self::Message, Self::Timer>,
        state: &Self::State,
        cx: &mut Context<Self>,
    ) -> impl Future<Output = Transition<Self::State>> + Send;

    /// Gives memory back before a long wait, as [`GenServer::hibernate`](crate::GenServer::hibernate):
    /// on [`Context::hibernate`] and [`Start::hibernate_after`]. The default does nothing.
    fn hibernate(&mut self, _state: &Self::State) {}

    /// Rewrites what is shown of the machine: by [`sys::get_status`](crate::sys::get_status), and
    /// in the report of an abnormal end. Before it the state's `Debug` text is shown, and how
    /// many events are postponed and timeouts run, if any are. See
    /// [`GenServer::format_status`](crate::GenServer::format_status).
    fn format_status(&self, _state: &Self::State, _status: &mut FormatStatus) {}

    /// The text of a message, for reports and [traces](crate::sys::trace). By default there is
    /// none, and its type is shown. See
    /// [`GenServer::format_message`](crate::GenServer::format_message).
    fn format_message(_message: &Self::Message) -> Option<String> {
        None
    }

    /// Cleans up before the process ends, in the state in which that was decided. The default
    /// does nothing. What is asked of the context has no effect any more.
    fn terminate(
        &mut self,
        _reason: &ExitReason,
        _state: &Self::State,
        _cx: &mut Context<Self>,
    ) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Starts the machine, not linked to anybody. The work begins when the result is awaited.
    #[track_caller]
    fn start(args: Self::Args) -> Start<Self, Machine> {
        Start::new(args, false)
    }

    /// Starts the machine, linked to the calling process, which is its parent.
    #[track_caller]
    fn start_link(args: Self::Args) -> Start<Self, Machine> {
        Start::new(args, true)
    }

    /// Starts the machine, monitored by the calling process, which gets the [`MonitorRef`] as
    /// well.
    #[track_caller]
    fn start_monitor(args: Self::Args) -> Start<Self, Machine, MonitorRef> {
        Start::new(args, false).monitor()
    }

    /// Makes the calling process a machine in this state: it goes on as one that `init` has
    /// just made, until something ends it, and gives the reason to end with. See
    /// [`GenServer::enter_loop`](crate::GenServer::enter_loop).
    fn enter_loop(self, state: Self::State) -> impl Future<Output = ExitReason> + Send {
        process::enter_loop((state, self))
    }
}
