//! The process that owns the thread.

use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use regrow::{
    Context, ExitReason, GenServer, Info, Next, receive, reply_channel, self_pid, trap_exit,
};

use super::writer::{self, WriterEnded};
use super::{Location, StoreMessage, StoreRef, Work};

/// How long the thread has to finish when the program stops.
pub(crate) const DRAIN: Duration = Duration::from_secs(20);

/// The state of the store: this end of the channel.
pub(crate) struct Store {
    work: Option<Sender<Work>>,
}

impl GenServer for Store {
    type Args = Location;
    type Message = StoreMessage;

    async fn init(location: Location, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        // So that `terminate` can wait until everything is written.
        trap_exit(true);
        let (work, todo) = unbounded();
        let (opened, answer) = reply_channel();
        writer::spawn(self_pid(), location, todo, opened)?;
        answer.await.map_err(ExitReason::error)??;
        Ok(Store { work: Some(work) })
    }

    async fn handle(&mut self, message: StoreMessage, _: &mut Context<Self>) -> Next {
        match message {
            StoreMessage::Open(reply) => {
                if let Some(work) = &self.work {
                    reply.send(StoreRef(work.clone()));
                }
            }
            StoreMessage::Crash { by } => panic!("{by} asked the store to crash"),
        }
        Next::Continue
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        if let Info::Message(message) = info
            && message.is::<WriterEnded>()
        {
            return Next::Stop(ExitReason::error("the thread that writes has ended"));
        }
        Next::Continue
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        self.work = None;
        if !reason.is_normal_like() {
            // After a crash the thread finishes what it has by itself, and the next one waits for
            // the lock that it holds.
            return;
        }
        if receive::<WriterEnded>().timeout(DRAIN).await.is_err() {
            tracing::warn!(target: "job_queue::store", "the thread that writes is still busy");
        }
    }
}
