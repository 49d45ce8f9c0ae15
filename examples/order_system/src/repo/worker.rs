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
    /// Does it; also why it failed, if it did.
    fn run(self: Box<Self>, db: &Connection) -> (Finish, Option<Refused>);
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
    fn run(self: Box<Self>, db: &Connection) -> (Finish, Option<Refused>) {
        let Transaction { work, then } = *self;
        let result = alone(db, work).map_err(|error| Refused::new(&error));
        let failed = result.as_ref().err().cloned();
        (
            Box::new(move |committed| then(committed.and(result))),
            failed,
        )
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
        // The error may have been the end of the whole transaction already.
        Err(_) if db.is_autocommit() => {}
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
        let (mut finish, mut over) = (Vec::new(), None::<Refused>);
        for job in group {
            if let Some(why) = &over {
                job.refuse(why.clone());
                continue;
            }
            let (then, failed) = job.run(&transaction);
            finish.push(then);
            // A full disk is the end of the whole transaction. What came now would be one of its own.
            if transaction.is_autocommit() {
                over = Some(failed.unwrap_or_else(|| Refused("rolled back".into())));
            }
        }
        let committed = match over {
            Some(why) => Err(why),
            None => transaction.commit().map_err(|error| Refused::new(&error)),
        };
        if let Err(why) = &committed {
            tracing::error!(target: "order::repo", %why, "nothing of a transaction was kept");
        }
        for finish in finish {
            finish(committed.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::mpsc;

    use crossbeam_channel::unbounded;

    use super::*;

    type Results = mpsc::Receiver<Result<usize, Refused>>;

    /// Works on jobs that insert these, all in one transaction if they fit.
    fn insert(db: Connection, texts: impl Iterator<Item = String>) -> Results {
        let (jobs, waiting) = unbounded::<Box<dyn Job>>();
        let (told, telling) = mpsc::channel();
        for text in texts {
            let told = told.clone();
            let job = Transaction {
                work: move |db: &Connection| {
                    db.execute("INSERT INTO t VALUES (?1)", [format!("{text} twice")])?;
                    db.execute("INSERT INTO t VALUES (?1)", [text])
                },
                then: move |result| told.send(result).unwrap(),
            };
            jobs.send(Box::new(job)).unwrap();
        }
        drop(jobs);
        work(db, &waiting);
        telling
    }

    /// A file in a folder that is removed in the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("order-worker-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn open(&self) -> Connection {
            Connection::open(self.0.join("db")).unwrap()
        }

        fn rows(&self) -> Vec<String> {
            let db = self.open();
            let mut statement = db.prepare("SELECT x FROM t ORDER BY x").unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_job_that_fails_leaves_nothing_and_does_not_concern_those_beside_it() {
        let folder = Folder::new("fails");
        let db = folder.open();
        db.execute_batch("CREATE TABLE t (x TEXT UNIQUE); INSERT INTO t VALUES ('b')")
            .unwrap();
        let results = insert(db, ["a", "b", "c"].into_iter().map(str::to_owned));
        let results: Vec<bool> = results.iter().map(|result| result.is_ok()).collect();
        assert_eq!(results, [true, false, true]);
        assert_eq!(folder.rows(), ["a", "a twice", "b", "c", "c twice"]);
    }

    #[test]
    fn a_full_database_refuses_all_of_a_transaction_and_keeps_nothing_of_it() {
        let folder = Folder::new("full");
        let db = folder.open();
        db.execute_batch("CREATE TABLE t (x TEXT UNIQUE); PRAGMA max_page_count = 10")
            .unwrap();
        // The last ones would fit.
        let texts = (0..40).map(|n| {
            if n < 30 {
                format!("{n}").repeat(1_000)
            } else {
                format!("{n}")
            }
        });
        let results: Vec<_> = insert(db, texts).iter().collect();
        assert_eq!(results.len(), 40);
        for result in results {
            let why = result.unwrap_err();
            assert!(why.0.contains("full"), "{why}");
        }
        assert_eq!(folder.rows(), [""; 0]);
        let results = insert(folder.open(), std::iter::once("x".into()));
        assert!(results.iter().all(|result| result.is_ok()));
        assert_eq!(folder.rows(), ["x", "x twice"]);
    }
}
