//! The server's side: init, the loop, terminate.
//!
//! A server that waits is as large as the largest of what it may be doing. So what is rare and
//! large is in boxes; what may be moved across an await is moved by a function of its own, which
//! leaves no room behind; and what is in every server is an async block, which uses its arguments
//! where they are, and not an async function, which moves them first.

#![allow(clippy::manual_async_fn, reason = "see above")]

use std::any::{Any, type_name, type_name_of_val};
use std::future::Future;

use regrow_runtime::proc_lib::{InitAck, Terminate, about_to_end};
use regrow_runtime::{
    Down, Exit, ExitReason, Message, Pid, catch_panic, garbage_collect, monotonic_time,
    receive_any, yield_now,
};

use super::not_started;
use super::report;
use super::wait::{Expired, Wait, Wanted};
use super::{Context, GenServer, Info, Next};
use crate::behaviour::Birth;
use crate::report::{caught, discard};
use crate::sys::{self, Subject, Sys, SystemMessage};

/// The text of a message whose text panicked.
const NO_TEXT: &str = "format_message panicked";

/// The body of a server's process.
pub(super) fn run<S: GenServer>(
    args: S::Args,
    birth: Birth,
    starter: InitAck<()>,
) -> impl Future<Output = ExitReason> + Send {
    let mut cx = Context::new(birth.parent, birth.hibernate_after);
    async move {
        let mut server = match catch_panic(S::init(args, &mut cx)).await {
            Ok(Ok(server)) => server,
            Ok(Err(reason)) | Err(reason) => {
                let (told, reason) = not_started::outcome(reason);
                starter.fail(told);
                return reason;
            }
        };
        starter.ack(());
        live(&mut server, &mut cx).await
    }
}

/// From here on there is a state. Returns what the process is to end with.
pub(super) fn live<S: GenServer>(
    server: &mut S,
    cx: &mut Context<S>,
) -> impl Future<Output = ExitReason> + Send {
    async move {
        let end = serve(server, cx).await;
        about_to_end();
        let terminated = catch_panic(server.terminate(&end.reason, cx)).await;
        let last = end.last;
        let reason = terminated.err().unwrap_or(end.reason);
        if !reason.is_normal_like() {
            let shown = (cx.message_text(), cx.log());
            Box::pin(report::abnormal(server, shown, last, &reason)).await;
        }
        cx.send_late_replies();
        reason
    }
}

/// Why a server is to end, and what it had before it then.
pub(crate) struct End {
    pub(crate) reason: ExitReason,
    /// The type of the last message; none if there was no message to blame.
    pub(crate) last: Option<&'static str>,
}

/// Handles messages until something ends the server.
fn serve<S: GenServer>(
    server: &mut S,
    cx: &mut Context<S>,
) -> impl Future<Output = Box<End>> + Send {
    async move {
        let mut wait = None;
        if !cx.is_plain() {
            let first = Ok(cx.first());
            match Box::pin(go_on(server, cx, first, "init")).await {
                Ok(first) => wait = first,
                Err(end) => return end,
            }
        }
        loop {
            let event = if wait.is_none() {
                Event::of(receive_any().await, cx.parent())
            } else {
                Box::pin(wait_for(wait.take(), server, cx)).await
            };
            let (outcome, last) = match event {
                Event::Message(message) => {
                    let message = noted(cx, message);
                    let outcome = catch_panic(server.handle(message, cx)).await;
                    (outcome, type_name::<S::Message>())
                }
                Event::Info(info) => Box::pin(handle_info(server, cx, info)).await,
                Event::System(request) => {
                    match Box::pin(system(request, server, cx, false)).await {
                        None => continue,
                        Some(reason) => return Box::new(End { reason, last: None }),
                    }
                }
                Event::End(end) => return end,
            };
            match outcome {
                // What nearly all callbacks answer, without a detour.
                Ok(Next::Continue) if cx.is_plain() => {}
                outcome => match Box::pin(go_on(server, cx, outcome, last)).await {
                    Ok(next) => wait = next,
                    Err(end) => return end,
                },
            }
        }
    }
}

/// A message is about to be handled.
fn noted<S: GenServer>(cx: &mut Context<S>, message: S::Message) -> S::Message {
    let text = caught(|| S::format_message(&message));
    let text = text.unwrap_or_else(|_| Some(NO_TEXT.to_owned()));
    cx.received(type_name::<S::Message>(), text);
    message
}

/// Does what a callback has answered, up to the wait for the next message.
async fn go_on<S: GenServer>(
    server: &mut S,
    cx: &mut Context<S>,
    outcome: Result<Next, ExitReason>,
    mut last: &'static str,
) -> Result<Option<Box<Wait<Message>>>, Box<End>> {
    let mut outcome = outcome;
    loop {
        if let Ok(next) = &outcome {
            cx.answered(next);
        }
        let wanted = match outcome {
            Ok(Next::Continue) => Wanted::Continue,
            Ok(Next::Timeout(time)) => Wanted::Timeout(time),
            Ok(Next::Hibernate) => Wanted::Hibernate,
            Ok(Next::HandleContinue) => {
                last = "handle_continue";
                cx.received(last, None);
                outcome = catch_panic(server.handle_continue(cx)).await;
                if let Ok(Next::HandleContinue) = outcome {
                    // A chain without an end must neither hold the worker nor be deaf to a kill.
                    yield_now().await;
                }
                continue;
            }
            Ok(Next::Stop(reason)) | Err(reason) => {
                let last = Some(last);
                return Err(Box::new(End { reason, last }));
            }
        };
        return Ok(cx.wait(wanted));
    }
}

async fn handle_info<S: GenServer>(
    server: &mut S,
    cx: &mut Context<S>,
    info: Box<Info>,
) -> (Result<Next, ExitReason>, &'static str) {
    let last = info.type_name();
    cx.received(last, None);
    (catch_panic(server.handle_info(*info, cx)).await, last)
}

/// A wait that is not the plain one.
async fn wait_for<S: GenServer>(
    wait: Option<Box<Wait<Message>>>,
    server: &mut S,
    cx: &mut Context<S>,
) -> Event<S::Message> {
    let Some(wait) = wait else {
        return Event::of(receive_any().await, cx.parent());
    };
    let mut wait = match wait.due() {
        Ok(message) => {
            // As for the chain above.
            yield_now().await;
            return Event::of(message, None);
        }
        Err(wait) => wait,
    };
    loop {
        if wait.is_hibernating() {
            if let Err(reason) = caught(|| server.hibernate()) {
                return Event::End(Box::new(End { reason, last: None }));
            }
            garbage_collect();
        }
        let message = match wait.left(monotonic_time()) {
            None => Ok(receive_any().await),
            Some(left) => receive_any().timeout(left).await,
        };
        let event = match message {
            Ok(message) => Event::of(message, cx.parent()),
            Err(_) => match wait.expire() {
                Expired::Timeout => return Event::Info(Box::new(Info::Timeout)),
                Expired::Event(message) => return Event::of(message, None),
                Expired::Hibernate(hibernating) => {
                    wait = hibernating;
                    continue;
                }
            },
        };
        let Event::System(request) = event else {
            discard(wait); // with the message of an event timeout, which is the user's
            return event;
        };
        if let Some(reason) = system(request, server, cx, wait.is_hibernating()).await {
            return Event::End(Box::new(End { reason, last: None }));
        }
    }
}

/// Carries out a system message; returns what the server is to end with, if it is.
async fn system<S: GenServer>(
    request: Box<SystemMessage>,
    server: &mut S,
    cx: &mut Context<S>,
    hibernating: bool,
) -> Option<ExitReason> {
    let mut seen = Seen {
        server,
        cx,
        hibernating,
    };
    sys::handle(*request, &mut seen).await
}

/// A server as system messages see it.
struct Seen<'a, S> {
    server: &'a mut S,
    cx: &'a mut Context<S>,
    hibernating: bool,
}

impl<S: GenServer> Subject for Seen<'_, S> {
    fn state(&mut self) -> &mut dyn Any {
        self.server
    }

    fn state_type(&self) -> &'static str {
        type_name_of_val(&*self.server)
    }

    fn parent(&self) -> Option<Pid> {
        self.cx.parent()
    }

    fn sys(&mut self) -> &mut Sys {
        self.cx.sys()
    }

    fn show(&self) -> String {
        report::formatted(self.server, None, None, Vec::new()).state
    }

    fn behaviour(&self) -> &'static str {
        "gen_server"
    }

    fn module(&self) -> &'static str {
        type_name::<S>()
    }

    fn is_hibernating(&self) -> bool {
        self.hibernating
    }
}

/// What a message is to a server that takes `M`.
pub(crate) enum Event<M> {
    Message(M),
    Info(Box<Info>),
    System(Box<SystemMessage>),
    End(Box<End>),
}

impl<M: Send + 'static> Event<M> {
    #[inline]
    pub(crate) fn of(message: Message, parent: Option<Pid>) -> Self {
        // Before the server's own type, which could be `Exit`.
        if let Some(exit) = message.peek::<Exit>()
            && Some(exit.pid) == parent
        {
            let reason = exit.reason.clone();
            let last = Some("Exit");
            return Event::End(Box::new(End { reason, last }));
        }
        let message = match message.downcast::<M>() {
            Ok(own) => return Event::Message(own),
            Err(other) => other,
        };
        Event::foreign(message)
    }

    fn foreign(message: Message) -> Self {
        let message = match message.downcast::<SystemMessage>() {
            Ok(request) => return Event::System(Box::new(request)),
            Err(other) => other,
        };
        let message = match message.downcast::<Exit>() {
            Ok(exit) => return Event::Info(Box::new(Info::Exit(exit))),
            Err(other) => other,
        };
        let message = match message.downcast::<Down>() {
            Ok(down) => return Event::Info(Box::new(Info::Down(down))),
            Err(other) => other,
        };
        match message.downcast::<Terminate>() {
            Ok(Terminate { reason, .. }) => Event::End(Box::new(End { reason, last: None })),
            Err(other) => Event::Info(Box::new(Info::Message(other))),
        }
    }
}
