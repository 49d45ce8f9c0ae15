//! The one thread that has the database, so that no scheduler worker waits for it.

use std::sync::Arc;
use std::thread;

use crossbeam_channel::Receiver;
use regrow::{Pid, ReplyTo, send};
use rusqlite::{Connection, TransactionBehavior};

use super::Location;
use super::schema::{self, OpenError, explain};

/// At most this many pieces of work share one transaction, and so one wait for the disk.
const GROUP: usize = 256;

/// Why a piece of work was not done. Nothing of it is in the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database refuses: {0}")]
pub(crate) struct Refused(pub(crate) Arc<str>);

impl Refused {
    fn new(error: &rusqlite::Error) -> Self {
        Refused(explain(error).into())
    }
}

/// What is done when the fate of the transaction is known.
pub(crate) type Finish = Box<dyn FnOnce(Result<(), Refused>) + Send>;

/// A piece of work: done in a transaction of several, and finished after that.
pub(crate) trait Job: Send {
    fn run(self: Box<Self>, db: &Connection) -> Finish;
    fn refuse(self: Box<Self>, why: Refused);
}

/// Work and whom to tell: `then` gets the result when it is in the database, or why it is not.
pub(crate) struct Transaction<W, T> {
    pub(crate) work: W,
    pub(crate) then: T,
}

impl<R, W, T> Job for Transaction<W, T>
where
    R: Send + 'static,
    W: FnOnce(&Connection) -> rusqlite::Result<R> + Send,
    T: FnOnce(Result<R, Refused>) + Send + 'static,
{
    fn run(self: Box<Self>, db: &Connection) -> Finish {
        let Transaction { work, then } = *self;
        let result = alone(db, work).map_err(|error| Refused::new(&error));
        Box::new(move |committed| then(committed.and(result)))
    }

    fn refuse(self: Box<Self>, why: Refused) {
        (self.then)(Err(why));
    }
}

/// All of the work or nothing, within the transaction that others share.
fn alone<R>(
    db: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<R>,
) -> rusqlite::Result<R> {
    db.execute_batch("SAVEPOINT job")?;
    let result = work(db);
    match result {
        Ok(_) => db.execute_batch("RELEASE job")?,
        Err(_) => db.execute_batch("ROLLBACK TO job; RELEASE job")?,
    }
    result
}

/// What the repo is told when its thread has ended, whatever the reason.
pub(crate) struct ThreadEnded;

/// Tells the repo, by a panic too.
struct Farewell(Pid);

impl Drop for Farewell {
    fn drop(&mut self) {
        send(self.0, ThreadEnded);
    }
}

/// Starts the thread. It ends when the channel is closed and empty.
pub(super) fn spawn(
    repo: Pid,
    location: Location,
    jobs: Receiver<Box<dyn Job>>,
    opened: ReplyTo<Result<(), OpenError>>,
) -> std::io::Result<()> {
    thread::Builder::new().name("repo".into()).spawn(move || {
        let _farewell = Farewell(repo);
        match schema::open(&location.path, location.sync) {
            Ok(db) => {
                opened.send(Ok(()));
                work(db, &jobs);
            }
            Err(error) => opened.send(Err(error)),
        }
    })?;
    Ok(())
}

/// Takes whatever waits, does it in one transaction, then tells everybody concerned.
fn work(mut db: Connection, jobs: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = jobs.recv() {
        let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP - 1));
        let transaction = match db.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => transaction,
            Err(error) => {
                let why = Refused::new(&error);
                group.for_each(|job| job.refuse(why.clone()));
                continue;
            }
        };
        let finish: Vec<Finish> = group.map(|job| job.run(&transaction)).collect();
        let committed = transaction.commit().map_err(|error| Refused::new(&error));
        if let Err(why) = &committed {
            tracing::error!(target: "order::repo", %why, "nothing of a transaction was kept");
        }
        for finish in finish {
            finish(committed.clone());
        }
    }
}
