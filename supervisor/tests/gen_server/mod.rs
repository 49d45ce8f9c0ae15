//! One file per part of a server's life.

mod calls;
mod ending;
mod going_on;
mod hibernating;
mod init;
mod messages;
mod shown;
mod starting;
mod stop;

use std::sync::Arc;

use regrow_runtime::{
    Down, Exit, ExitReason, Pid, ReplyTo, exit, exit_with, is_alive, monitor, receive, self_pid,
    send, spawn, spawn_monitor, trap_exit, whereis, yield_now,
};
use regrow_supervisor::{
    CallError, Context, GenServer, Info, Next, ServerRef, StartError, StopError,
};

use crate::common::*;

/// A server that does what it is told and reports what happens to it.
struct Server {
    test: Pid,
    kept: Vec<ReplyTo<&'static str>>,
    terminate: Terminate,
}

#[derive(Clone, Copy, PartialEq)]
enum Terminate {
    Report,
    Panic,
    Hang,
}

enum Init {
    Fine,
    TrapExit,
    Fail(ExitReason),
    Panic,
    Hang,
    HangTrapping,
}

enum Command {
    Echo(&'static str, ReplyTo<&'static str>),
    Drop(ReplyTo<&'static str>),
    Keep(ReplyTo<&'static str>),
    ReplyToKept,
    /// Be busy until a [`Go`] comes.
    Wait,
    CallYourself(ReplyTo<Result<(), CallError>>),
    Stop(ExitReason),
    StopWith(ExitReason, ReplyTo<()>),
    Panic,
    Exit(ExitReason),
    Idle(u64),
    Terminate(Terminate),
}

/// What reached `terminate`.
struct InTerminate(ExitReason);

/// What reached `handle_info`, shortly.
struct Heard(String);

struct Go;

/// A message of a foreign type.
struct Foreign;

impl GenServer for Server {
    type Args = (Pid, Init);
    type Message = Command;

    async fn init((test, init): Self::Args, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        match init {
            Init::Fine => {}
            Init::TrapExit => {
                trap_exit(true);
            }
            Init::Fail(reason) => return Err(reason),
            Init::Panic => panic!("init panics"),
            Init::Hang | Init::HangTrapping => {
                trap_exit(matches!(init, Init::HangTrapping));
                send(test, cx.pid());
                receive::<()>().await;
            }
        }
        Ok(Server {
            test,
            kept: Vec::new(),
            terminate: Terminate::Report,
        })
    }

    async fn handle(&mut self, command: Command, cx: &mut Context<Self>) -> Next {
        match command {
            Command::Echo(text, reply) => reply.send(text),
            Command::Drop(reply) => drop(reply),
            Command::Keep(reply) => self.kept.push(reply),
            Command::Wait => {
                receive::<Go>().await;
            }
            Command::ReplyToKept => {
                for reply in self.kept.drain(..) {
                    reply.send("later");
                }
            }
            Command::CallYourself(reply) => {
                let me = cx.server_ref();
                let called = me.call(|reply| Command::Echo("me", reply)).await;
                reply.send(called.map(|_| ()));
            }
            Command::Stop(reason) => return Next::Stop(reason),
            Command::StopWith(reason, _unanswered) => return Next::Stop(reason),
            Command::Panic => panic!("handle panics"),
            Command::Exit(reason) => exit_with(reason),
            Command::Idle(time) => return Next::Timeout(millis(time)),
            Command::Terminate(terminate) => self.terminate = terminate,
        }
        Next::Continue
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        let text = match info {
            Info::Timeout => "timeout".to_owned(),
            Info::Message(message) if message.is::<Foreign>() => "foreign".to_owned(),
            other => panic!("handle_info got {other:?}"),
        };
        send(self.test, Heard(text));
        Next::Continue
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        send(self.test, InTerminate(reason.clone()));
        match self.terminate {
            Terminate::Report => {}
            Terminate::Panic => panic!("terminate panics"),
            Terminate::Hang => receive::<()>().await,
        }
    }
}

type Ref = ServerRef<Command>;

async fn start(init: Init) -> Ref {
    Server::start((self_pid(), init)).await.unwrap()
}

async fn start_link(init: Init) -> Ref {
    Server::start_link((self_pid(), init)).await.unwrap()
}

async fn echo(server: &Ref) -> Result<&'static str, CallError> {
    server.call(|reply| Command::Echo("hello", reply)).await
}

async fn reason_in_terminate() -> ExitReason {
    receive::<InTerminate>().await.0
}

async fn heard() -> String {
    receive::<Heard>().await.0
}
