//! db_pool: five SQLite connections, each on a thread of its own; one writes, four read.
//!
//! SQLite has one writer at a time, so a second writing connection would only wait for the
//! first. One writer sees the records in order and puts what waits into one transaction; in WAL
//! mode the readers do not wait for it.

use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use regrow::{
    Context, ExitReason, GenServer, Info, Next, receive, reply_channel, self_pid, trap_exit,
};

use crate::db::PoolMessage;
use crate::db::schema::Location;
use crate::db::worker::{self, Read, WorkerEnded, Write};

/// Connections that only read.
const READERS: usize = 4;
/// How long the threads have to finish when the server stops.
pub(crate) const DRAIN: Duration = Duration::from_secs(8);

/// The state of the pool: the ends of the two channels.
pub(crate) struct Pool {
    writes: Option<Sender<Write>>,
    reads: Option<Sender<Read>>,
}

impl GenServer for Pool {
    type Args = Location;
    type Message = PoolMessage;

    async fn init(location: Location, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        // So that `terminate` can wait until everything is written.
        trap_exit(true);
        let me = self_pid();
        let (writes, write_jobs) = unbounded();
        let (reads, read_jobs) = unbounded();
        // The writer first: it makes the tables.
        let (opened, answer) = reply_channel();
        worker::spawn_writer(me, location.clone(), write_jobs, opened)?;
        answer.await.map_err(ExitReason::error)??;
        for index in 1..=READERS {
            let (opened, answer) = reply_channel();
            worker::spawn_reader(index, me, location.clone(), read_jobs.clone(), opened)?;
            answer.await.map_err(ExitReason::error)??;
        }
        Ok(Pool {
            writes: Some(writes),
            reads: Some(reads),
        })
    }

    async fn handle(&mut self, message: PoolMessage, _: &mut Context<Self>) -> Next {
        // A job that cannot be handed on is dropped, which tells the one who waits for it.
        match message {
            PoolMessage::Store { records, ticket } => {
                let _ = self
                    .writes
                    .as_ref()
                    .map(|w| w.send(Write::Store { records, ticket }));
            }
            PoolMessage::Flush(reply) => {
                let _ = self.writes.as_ref().map(|w| w.send(Write::Flush(reply)));
            }
            PoolMessage::Recent { room, limit, reply } => {
                let _ = self
                    .reads
                    .as_ref()
                    .map(|r| r.send(Read { room, limit, reply }));
            }
            PoolMessage::Crash { by } => panic!("{by} asked the database pool to crash"),
        }
        Next::Continue
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        if let Info::Message(message) = info
            && let Ok(WorkerEnded { index }) = message.downcast::<WorkerEnded>()
        {
            let what = if index == 0 { "writing" } else { "reading" };
            return Next::Stop(ExitReason::error(format!(
                "a {what} database thread has ended"
            )));
        }
        Next::Continue
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        self.writes = None;
        self.reads = None;
        if !reason.is_normal_like() {
            // After a crash the threads finish what they have by themselves.
            return;
        }
        for _ in 0..=READERS {
            if receive::<WorkerEnded>().timeout(DRAIN).await.is_err() {
                tracing::warn!(target: "chat::db", "a database thread is still busy");
                return;
            }
        }
        tracing::info!(
            target: "chat::stop",
            id = "db_pool of chat_db_sup",
            pid = %self_pid(),
            reason = "everything is written",
        );
    }
}
