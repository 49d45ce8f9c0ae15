//! The threads that wait for SQLite, so that no scheduler worker has to.

use std::sync::Arc;
use std::thread;

use crossbeam_channel::Receiver;
use regrow::{Handle, Pid, ReplyTo, ServerRef, send};
use rusqlite::Connection;

use crate::cache::{CACHE, CacheMessage};
use crate::db::schema::{self, Location};
use crate::db::{Recent, Record, StoreError, Ticket};

/// At most this many jobs share one transaction.
const GROUP: usize = 256;

/// Work for the one connection that writes.
pub(super) enum Write {
    Store {
        records: Vec<Record>,
        ticket: Ticket,
    },
    Flush(ReplyTo<()>),
}

/// Work for the connections that read.
pub(super) struct Read {
    pub(super) room: Arc<str>,
    pub(super) limit: usize,
    pub(super) reply: ReplyTo<Result<Recent, StoreError>>,
}

/// What the pool is told when a thread has ended, whatever the reason.
pub(super) struct WorkerEnded {
    pub(super) index: usize,
}

/// Tells the pool that its thread is gone, by a panic too.
struct Farewell {
    pool: Pid,
    index: usize,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        send(self.pool, WorkerEnded { index: self.index });
    }
}

/// What a new thread reports: that its connection is open, or why not.
pub(super) type Opened = Result<(), ExitText>;
type ExitText = schema::OpenError;

/// Starts the thread that writes. It ends when the channel is closed and empty.
pub(super) fn spawn_writer(
    pool: Pid,
    location: Location,
    jobs: Receiver<Write>,
    opened: ReplyTo<Opened>,
) -> std::io::Result<()> {
    // The cache is told of what was committed; it is looked up each time, since it restarts.
    let runtime = Handle::current();
    thread::Builder::new()
        .name("db-write".into())
        .spawn(move || {
            let _farewell = Farewell { pool, index: 0 };
            let Some(connection) = connect(schema::prepare(&location), opened) else {
                return;
            };
            write_all(connection, &jobs, &runtime);
        })?;
    Ok(())
}

/// Starts a thread that reads. It ends when the channel is closed and empty.
pub(super) fn spawn_reader(
    index: usize,
    pool: Pid,
    location: Location,
    jobs: Receiver<Read>,
    opened: ReplyTo<Opened>,
) -> std::io::Result<()> {
    thread::Builder::new()
        .name(format!("db-read-{index}"))
        .spawn(move || {
            let _farewell = Farewell { pool, index };
            let Some(connection) = connect(schema::open(&location), opened) else {
                return;
            };
            for Read { room, limit, reply } in jobs {
                if reply.is_wanted() {
                    let found = schema::recent(&connection, &room, limit);
                    reply.send(
                        found.map_err(|error| StoreError::Refused(schema::explain(&error).into())),
                    );
                }
            }
        })?;
    Ok(())
}

fn connect(
    opening: Result<Connection, schema::OpenError>,
    opened: ReplyTo<Opened>,
) -> Option<Connection> {
    match opening {
        Ok(connection) => {
            opened.send(Ok(()));
            Some(connection)
        }
        Err(error) => {
            opened.send(Err(error));
            None
        }
    }
}

/// Takes whatever waits, writes it in one transaction, then tells everybody concerned.
fn write_all(mut connection: Connection, jobs: &Receiver<Write>, runtime: &Handle) {
    let mut group = Vec::new();
    while let Ok(first) = jobs.recv() {
        group.push(first);
        group.extend(jobs.try_iter().take(GROUP - 1));
        let records = || {
            group.iter().flat_map(|job| match job {
                Write::Store { records, .. } => records.as_slice(),
                Write::Flush(_) => &[],
            })
        };
        let outcome = if records().next().is_some() {
            schema::store(&mut connection, records())
                .map_err(|error| StoreError::Refused(schema::explain(&error).into()))
        } else {
            Ok(())
        };
        // The cache before the rooms: who has heard that a post is stored finds it there.
        if outcome.is_ok()
            && let Some(cache) = runtime.whereis(CACHE.as_str())
        {
            let records: Vec<Record> = records().cloned().collect();
            ServerRef::from_pid(cache).cast(CacheMessage::Stored(records));
        }
        for job in group.drain(..) {
            match job {
                Write::Store { ticket, .. } => ticket.answer(outcome.clone()),
                Write::Flush(reply) => reply.send(()),
            }
        }
    }
}
