//! System messages: looking into a running behaviour and holding it up.

mod holding;
mod looking;
mod telling;

use regrow_runtime::{ExitReason, ReplyTo};
use regrow_supervisor::{Context, Next, ServerRef};

use crate::common::*;

/// A state that can be looked at, and whose clone may fail.
#[derive(Debug, PartialEq)]
struct Counter {
    value: u64,
    clones: bool,
}

impl Clone for Counter {
    fn clone(&self) -> Self {
        assert!(self.clones, "no clone");
        Counter { ..*self }
    }
}

enum Command {
    Add(u64),
    Get(ReplyTo<u64>),
    /// Stops answering for a while.
    Wait(ReplyTo<()>, std::time::Duration),
}

impl GenServer for Counter {
    type Args = u64;
    type Message = Command;

    async fn init(value: u64, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        let clones = true;
        Ok(Counter { value, clones })
    }

    async fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Next {
        match command {
            Command::Add(more) => self.value += more,
            Command::Get(reply) => reply.send(self.value),
            Command::Wait(reply, time) => {
                reply.send(());
                regrow_runtime::sleep(time).await;
            }
        }
        Next::Continue
    }
}

async fn counter(value: u64) -> ServerRef<Command> {
    Counter::start_link(value).await.unwrap()
}
