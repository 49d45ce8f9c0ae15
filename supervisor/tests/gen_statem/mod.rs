//! One file per part of a state machine's life.

mod ending;
mod events;
mod looking;
mod otp;
mod starting;
mod states;
mod timeouts;

use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{
    Down, Exit, ExitReason, Pid, ReplyTo, exit, exit_with, monitor, receive, self_pid, send, sleep,
    spawn, trap_exit, whereis,
};
use regrow_supervisor::gen_statem::{Context, Event, StateMachine, Transition};
use regrow_supervisor::{CallError, Info, RequestIds, ServerRef, StartError, StopError};

use crate::common::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Idle,
    Busy,
    Done,
}

type Cx = Context<Machine>;

/// Something to do in the machine's `handle`.
type Action = Box<dyn FnOnce(&mut Cx) -> Transition<State> + Send>;

/// A machine that reports what it sees, does what it is told, and answers in one of its states.
struct Machine {
    test: Pid,
}

enum Message {
    /// Only to be seen.
    Note(&'static str),
    Do(Action),
    /// Answered in [`State::Busy`], and postponed in all others.
    Ask(ReplyTo<State>),
    /// Answered in any.
    Which(ReplyTo<State>),
    /// The answer, and then the end.
    StopAndReply(ExitReason, ReplyTo<&'static str>),
    Drop(ReplyTo<()>),
    /// Be busy until a [`Go`] comes.
    Wait,
}

enum Init {
    Fine,
    TrapExit,
    Fail(ExitReason),
    /// Without a noise.
    FailSilently(ExitReason),
    Ignore,
    Panic,
    Hang,
    /// Runs there.
    Do(Box<dyn FnOnce(&mut Cx) + Send>),
}

/// What the machine has seen: the event and the state, or `enter` with the old and the new one.
struct Seen(String);

/// From `hibernate`.
struct Hibernates(State);

/// What reached `terminate`.
struct InTerminate(ExitReason, State);

impl StateMachine for Machine {
    type Args = (Pid, Init);
    type State = State;
    type Message = Message;
    type Timer = &'static str;

    async fn init((test, init): Self::Args, cx: &mut Cx) -> Result<(State, Self), ExitReason> {
        match init {
            Init::Fine => {}
            Init::TrapExit => {
                trap_exit(true);
            }
            Init::Fail(reason) => return Err(reason),
            Init::FailSilently(reason) => return Err(cx.fail(reason)),
            Init::Ignore => return Err(cx.ignore()),
            Init::Panic => panic!("init panics"),
            Init::Hang => receive::<()>().await,
            Init::Do(action) => action(cx),
        }
        Ok((State::Idle, Machine { test }))
    }

    async fn enter(&mut self, old: &State, state: &State, cx: &mut Cx) -> Result<(), ExitReason> {
        send(self.test, Seen(format!("enter {old:?} {state:?}")));
        if *state == State::Done {
            cx.state_timeout(Duration::ZERO, Message::Note("done"));
        }
        Ok(())
    }

    async fn handle(
        &mut self,
        event: Event<Message, &'static str>,
        state: &State,
        cx: &mut Cx,
    ) -> Transition<State> {
        let (kind, message) = match event {
            Event::Message(message) => ("message".to_owned(), message),
            Event::Internal(message) => ("internal".to_owned(), message),
            Event::EventTimeout(message) => ("event timeout".to_owned(), message),
            Event::StateTimeout(message) => ("state timeout".to_owned(), message),
            Event::Timeout(name, message) => (format!("timeout {name}"), message),
            Event::Info(info) => {
                let text = match *info {
                    Info::Message(message) if message.is::<Postpone>() => {
                        if *state == State::Idle {
                            cx.postpone(Event::Info(Box::new(Info::Message(message))));
                            return Transition::KeepState;
                        }
                        "put off".to_owned()
                    }
                    Info::Exit(exit) => format!("exit {}", exit.reason),
                    Info::Down(down) => format!("down {}", down.reason),
                    Info::Message(message) if message.is::<Foreign>() => "foreign".to_owned(),
                    other => panic!("{other:?}"),
                };
                send(self.test, Seen(format!("info {text} {state:?}")));
                return Transition::KeepState;
            }
        };
        match message {
            Message::Note(note) => {
                send(self.test, Seen(format!("{kind} {note} {state:?}")));
            }
            Message::Do(action) => return action(cx),
            Message::Ask(reply) if *state == State::Busy => reply.send(*state),
            Message::Ask(_) => cx.postpone(Event::Message(message)),
            Message::Which(reply) => reply.send(*state),
            Message::StopAndReply(reason, reply) => {
                reply.send("so be it");
                return Transition::Stop(reason);
            }
            Message::Drop(reply) => drop(reply),
            Message::Wait => {
                receive::<Go>().await;
            }
        }
        Transition::KeepState
    }

    fn hibernate(&mut self, state: &State) {
        send(self.test, Hibernates(*state));
    }

    fn format_message(message: &Message) -> Option<String> {
        match message {
            Message::Note(note) => Some((*note).to_owned()),
            _ => None,
        }
    }

    async fn terminate(&mut self, reason: &ExitReason, state: &State, _: &mut Cx) {
        send(self.test, InTerminate(reason.clone(), *state));
    }
}

/// A message of a foreign type.
struct Foreign;

struct Go;

/// One that is postponed in [`State::Idle`].
struct Postpone;

type Ref = ServerRef<Message>;

async fn start(init: Init) -> Ref {
    let machine = Machine::start((self_pid(), init)).await.unwrap();
    assert_eq!(seen().await, "enter Idle Idle");
    machine
}

async fn start_link(init: Init) -> Ref {
    let machine = Machine::start_link((self_pid(), init)).await.unwrap();
    assert_eq!(seen().await, "enter Idle Idle");
    machine
}

/// Starts a machine that keeps what the test sends until its `init` is over: it comes after what
/// is said in `init`.
async fn start_with(init: impl FnOnce(&mut Cx) + Send + 'static) -> Ref {
    Machine::start((self_pid(), Init::Do(Box::new(init))))
        .await
        .unwrap()
}

fn tell(machine: &Ref, action: impl FnOnce(&mut Cx) -> Transition<State> + Send + 'static) {
    machine.cast(Message::Do(Box::new(action)));
}

fn go(machine: &Ref, state: State) {
    tell(machine, move |_| Transition::NextState(state));
}

async fn seen() -> String {
    receive::<Seen>().await.0
}

/// The next events, in their order.
async fn all_seen<const N: usize>() -> [String; N] {
    let mut all = [const { String::new() }; N];
    for one in &mut all {
        *one = seen().await;
    }
    all
}

async fn which(machine: &Ref) -> Result<State, CallError> {
    machine.call(Message::Which).await
}

/// The last call has been answered, and nothing else was seen.
async fn nothing_seen(machine: &Ref) {
    which(machine).await.unwrap();
    assert_none::<Seen>().await;
}

async fn in_terminate() -> (ExitReason, State) {
    let InTerminate(reason, state) = receive().await;
    (reason, state)
}
