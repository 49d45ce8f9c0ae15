//! One file per part of what happens to handlers.

mod handlers;
mod managers;
mod supervised;

use regrow_runtime::{
    Down, Exit, ExitReason, Pid, ReplyTo, exit, monitor, receive, self_pid, send, spawn, trap_exit,
    whereis,
};
use regrow_supervisor::gen_event::{
    AddHandlerError, CallHandlerError, DeleteHandlerError, EventManager, EventManagerRef, Handler,
    HandlerExit, HandlerId, Next, Removal, SwapHandlerError,
};
use regrow_supervisor::{CallError, Callee, Info, ServerRef, StartError, StopError};

use crate::common::*;

#[derive(Clone, Debug, PartialEq)]
enum Happened {
    Word(&'static str),
    /// The handler with this id goes.
    Remove(&'static str),
    /// The handler with this id panics.
    Panic(&'static str),
}

/// Reports what it sees, under its id.
#[derive(Debug)]
struct Reporter {
    id: &'static str,
    test: Pid,
    events: u32,
    terminate_panics: bool,
}

/// Another type, made of a [`Reporter`].
struct Heir {
    reporter: Option<Reporter>,
    test: Pid,
}

enum Query {
    Events(ReplyTo<u32>),
    Drop(ReplyTo<u32>),
    Remove(ReplyTo<u32>),
    Panic(ReplyTo<u32>),
}

/// What a handler has seen, with its id.
#[derive(Debug, PartialEq)]
struct Seen(&'static str, String);

/// What reached `terminate`, with the handler's id.
#[derive(Debug, PartialEq)]
struct Ended(&'static str, Removal);

impl Handler<Happened> for Reporter {
    type Request = Query;

    async fn handle_event(&mut self, event: Happened) -> Next {
        self.events += 1;
        match event {
            Happened::Word(word) => send(self.test, Seen(self.id, word.to_owned())),
            Happened::Remove(id) if id == self.id => return Next::Remove,
            Happened::Panic(id) if id == self.id => panic!("handle_event panics"),
            _ => {}
        }
        Next::Continue
    }

    async fn handle_call(&mut self, query: Query) -> Next {
        match query {
            Query::Events(reply) => reply.send(self.events),
            Query::Drop(reply) => drop(reply),
            Query::Remove(reply) => {
                reply.send(self.events);
                return Next::Remove;
            }
            Query::Panic(_reply) => panic!("handle_call panics"),
        }
        Next::Continue
    }

    fn handle_info(&mut self, info: &Info) -> Next {
        let text = match info {
            Info::Message(message) if message.peek::<Foreign>().is_some() => "foreign".to_owned(),
            Info::Exit(exit) => format!("exit {}", exit.reason),
            Info::Message(_) => panic!("handle_info panics"),
            other => panic!("{other:?}"),
        };
        send(self.test, Seen(self.id, text));
        Next::Continue
    }

    async fn terminate(&mut self, why: &Removal) {
        send(self.test, Ended(self.id, why.clone()));
        assert!(!self.terminate_panics, "terminate panics");
    }
}

impl Handler<Happened> for Heir {
    type Request = ReplyTo<Option<&'static str>>;

    async fn handle_event(&mut self, event: Happened) -> Next {
        if let Happened::Word(word) = event {
            send(self.test, Seen("heir", word.to_owned()));
        }
        Next::Continue
    }

    async fn handle_call(&mut self, reply: Self::Request) -> Next {
        reply.send(self.reporter.as_ref().map(|reporter| reporter.id));
        Next::Continue
    }

    async fn terminate(&mut self, why: &Removal) {
        send(self.test, Ended("heir", why.clone()));
    }
}

/// A message of a foreign type.
struct Foreign;

const A: HandlerId<Reporter> = HandlerId::new("a");
const B: HandlerId<Reporter> = HandlerId::new("b");
const C: HandlerId<Reporter> = HandlerId::new("c");
const HEIR: HandlerId<Heir> = HandlerId::new("heir");

type Ref = EventManagerRef<Happened>;

fn reporter(id: &'static str) -> Reporter {
    Reporter {
        id,
        test: self_pid(),
        events: 0,
        terminate_panics: false,
    }
}

async fn start_link() -> Ref {
    EventManager::new().start_link().await.unwrap()
}

/// A manager with these handlers, the first of them the oldest.
async fn with(ids: &[&'static str]) -> Ref {
    let manager = start_link().await;
    for &id in ids {
        add(&manager, id).await;
    }
    manager
}

async fn add(manager: &Ref, id: &'static str) {
    let made = reporter(id);
    manager
        .add_handler(id, || async { Ok(made) })
        .await
        .unwrap();
}

async fn add_sup(manager: &Ref, id: &'static str) {
    let made = reporter(id);
    manager
        .add_sup_handler(id, || async { Ok(made) })
        .await
        .unwrap();
}

/// The ids, the youngest first.
async fn ids(manager: &Ref) -> Vec<String> {
    let handlers = manager.which_handlers().await.unwrap();
    handlers.iter().map(|it| it.id.to_string()).collect()
}

async fn sync(manager: &Ref, event: Happened) {
    manager.sync_notify(event).await.unwrap();
}

/// Whoever sees the next things, in their order.
async fn seen_by<const N: usize>(what: &str) -> [&'static str; N] {
    let mut ids = [""; N];
    for id in &mut ids {
        let Seen(by, text) = receive().await;
        assert_eq!(text, what);
        *id = by;
    }
    ids
}

async fn ended() -> Ended {
    receive().await
}
