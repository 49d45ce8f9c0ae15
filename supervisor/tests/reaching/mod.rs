//! The ways to reach a server, and what each of them says of one that is not there.

mod casts;
mod collections;
mod errors;
mod multi_call;
mod races;
mod requests;
mod stopping;
mod via;

use regrow_runtime::{ExitReason, Pid, ReplyTo, receive, trap_exit};
use regrow_supervisor::{CallError, Context, Name, Next, ServerRef};

use crate::common::*;

/// A server that answers when it is told to.
#[derive(Default)]
struct Server {
    kept: Vec<Option<ReplyTo<u32>>>,
    terminate: Option<Terminate>,
}

enum Terminate {
    Panic,
    /// Until a [`Go`] comes.
    Wait,
}

enum Command {
    Echo(u32, ReplyTo<u32>),
    /// Is answered by an `Answer`; they are numbered from zero.
    Keep(ReplyTo<u32>),
    Answer(usize, u32),
    AnswerAll(u32),
    /// How many of those that are kept still want an answer.
    Wanted(ReplyTo<usize>),
    Drop(ReplyTo<u32>),
    StopWith(ExitReason, ReplyTo<u32>),
    Panic(ReplyTo<u32>),
    InTerminate(Terminate),
    /// Does nothing until a [`Go`] comes.
    Wait,
}

struct Go;

impl GenServer for Server {
    type Args = ();
    type Message = Command;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true);
        Ok(Server::default())
    }

    async fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Next {
        match command {
            Command::Echo(n, reply) => reply.send(n),
            Command::Keep(reply) => self.kept.push(Some(reply)),
            Command::Answer(which, n) => self.kept[which].take().unwrap().send(n),
            Command::AnswerAll(n) => {
                let kept = self.kept.drain(..).flatten();
                kept.for_each(|reply| reply.send(n));
            }
            Command::Wanted(reply) => {
                let kept = self.kept.iter().flatten();
                reply.send(kept.filter(|reply| reply.is_wanted()).count());
            }
            Command::Drop(reply) => drop(reply),
            Command::StopWith(reason, _unanswered) => return Next::Stop(reason),
            Command::Panic(_unanswered) => panic!("asked to panic"),
            Command::InTerminate(terminate) => self.terminate = Some(terminate),
            Command::Wait => {
                receive::<Go>().await;
            }
        }
        Next::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        match self.terminate {
            None => {}
            Some(Terminate::Panic) => panic!("terminate panics"),
            Some(Terminate::Wait) => {
                receive::<Go>().await;
            }
        }
    }
}

type Ref = ServerRef<Command>;

const NAME: Name<Command> = Name::new("server");
const NOBODY: Name<Command> = Name::new("nobody");

async fn start() -> Ref {
    Server::start(()).await.unwrap()
}

/// A server that has ended.
async fn dead() -> Ref {
    let server = start().await;
    server.stop(ExitReason::Normal, None).await.unwrap();
    server
}

/// Sees to it that the server has handled what was sent before.
async fn handled(server: &Ref) {
    assert_eq!(server.call(|reply| Command::Echo(0, reply)).await, Ok(0));
}

/// Has the server answer what it has kept, each with its own number, in this order.
async fn answer(server: &Ref, which: impl IntoIterator<Item = usize>) {
    for which in which {
        server.cast(Command::Answer(which, which as u32));
    }
    handled(server).await;
}

async fn wanted(server: &Ref) -> usize {
    server.call(Command::Wanted).await.unwrap()
}

/// A server that is known by all kinds of names, started anew for each.
async fn start_known() -> Vec<(Pid, Ref)> {
    let mut all = Vec::new();
    let by_pid = start().await;
    all.push((by_pid.pid().unwrap(), by_pid));
    let named = Server::start(()).name(NAME).await.unwrap();
    all.push((named.pid().unwrap(), NAME.server_ref()));
    let elsewhere = via::Registry::default().via("one");
    let via = Server::start(()).via(elsewhere.clone()).await.unwrap();
    all.push((via.pid().unwrap(), ServerRef::via(elsewhere)));
    all
}
