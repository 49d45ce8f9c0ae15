//! The server's side: init, the loop, terminate.

use std::time::Duration;

use regrow_runtime::proc_lib::{InitAck, Terminate};
use regrow_runtime::{Down, Exit, ExitReason, Message, Pid, catch_panic, receive_any, self_pid};

use super::{Context, GenServer, Info, Next};
use crate::report::contained;

/// The body of a server's process.
pub(super) async fn run<S: GenServer>(
    args: S::Args,
    parent: Option<Pid>,
    starter: InitAck<()>,
) -> ExitReason {
    let mut cx = Context::new(parent);
    let mut server = match catch_panic(S::init(args, &mut cx)).await {
        Ok(Ok(server)) => server,
        Ok(Err(reason)) | Err(reason) => {
            starter.fail(reason.clone());
            return reason;
        }
    };
    starter.ack(());
    let reason = serve(&mut server, &mut cx).await;
    let terminated = catch_panic(server.terminate(&reason, &mut cx)).await;
    let reason = terminated.err().unwrap_or(reason);
    if !reason.is_normal_like() {
        contained(|| {
            tracing::error!(
                target: "regrow::gen_server",
                server = std::any::type_name::<S>(),
                pid = %self_pid(),
                reason = %reason,
                "server terminating"
            );
        });
    }
    reason
}

/// Handles messages until something ends the server; returns what.
async fn serve<S: GenServer>(server: &mut S, cx: &mut Context<S>) -> ExitReason {
    let mut idle: Option<Duration> = None;
    loop {
        let message = match idle.take() {
            None => Some(receive_any().await),
            Some(time) => Box::pin(receive_any().timeout(time)).await.ok(),
        };
        let outcome = match Event::of(message, cx.parent) {
            Event::Message(message) => catch_panic(server.handle(message, cx)).await,
            Event::Info(info) => Box::pin(catch_panic(server.handle_info(*info, cx))).await,
            Event::End(reason) => return reason,
        };
        match outcome {
            Ok(Next::Continue) => {}
            Ok(Next::Timeout(time)) => idle = Some(time),
            Ok(Next::Stop(reason)) | Err(reason) => return reason,
        }
    }
}

/// What a message, or the lack of one, is to a server that takes `M`.
///
/// In boxes, here and above, is what is rare and large: a server that waits is as
/// large as the largest of what it may be doing.
enum Event<M> {
    Message(M),
    Info(Box<Info>),
    End(ExitReason),
}

impl<M: Send + 'static> Event<M> {
    fn of(message: Option<Message>, parent: Option<Pid>) -> Self {
        let Some(message) = message else {
            return Event::Info(Box::new(Info::Timeout));
        };
        // Before the server's own type, which could be `Exit`.
        if let Some(exit) = message.peek::<Exit>()
            && Some(exit.pid) == parent
        {
            return Event::End(exit.reason.clone());
        }
        let message = match message.downcast::<M>() {
            Ok(own) => return Event::Message(own),
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
            Ok(Terminate { reason, .. }) => Event::End(reason),
            Err(other) => Event::Info(Box::new(Info::Message(other))),
        }
    }
}
