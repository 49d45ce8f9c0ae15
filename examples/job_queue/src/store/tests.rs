//! The store on real files: what is acknowledged is there, what is not ours is left alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use regrow::{GenServer, ReplyTo, Runtime, receive, reply_channel, self_pid};

use super::{
    Batch, Chunk, LoadError, Location, Refused, STORE, Store, StoreMessage, StoreRef, Sync,
};
use crate::answer::{Asker, Waiting};
use crate::protocol::{JobId, Response};
use crate::queue::{Record, Row, RowState, RowUpdate, Tally};

/// A ready job.
pub(super) fn row(id: JobId, pri: u32, body: &[u8]) -> Row {
    Row {
        id,
        tube: "default".parse().expect("a name"),
        pri,
        delay: 0,
        ttr: 60,
        created: 1_000,
        state: RowState::Ready,
        tally: Tally::default(),
        note: None,
        body: Arc::from(body),
    }
}

/// The same with another priority.
pub(super) fn update(id: JobId, pri: u32) -> RowUpdate {
    RowUpdate {
        id,
        pri,
        delay: 0,
        state: RowState::Ready,
        tally: Tally::default(),
        note: None,
    }
}

/// A directory that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("job-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a directory");
        Folder(path)
    }

    fn location(&self) -> Location {
        self.file("jobs.db")
    }

    fn file(&self, name: &str) -> Location {
        Location {
            path: self.0.join(name),
            sync: Sync::Never,
            limit: None,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A store that runs, and the way to it.
async fn start(location: Location) -> StoreRef {
    Store::start(location).name(STORE).await.expect("a store");
    STORE.call(StoreMessage::Open).await.expect("a reference")
}

/// Ends the store in order.
async fn stop(store: StoreRef) {
    drop(store);
    let reason = regrow::ExitReason::Shutdown;
    STORE
        .server_ref()
        .stop(reason, None)
        .await
        .expect("stopped");
}

async fn all(store: &StoreRef) -> Chunk {
    store.load(0, 100_000).await.expect("rows")
}

/// Writes a batch and gives the answer that a worker would get for it.
async fn write(
    store: &StoreRef,
    records: Vec<Record>,
    response: Response,
    next_id: JobId,
) -> Response {
    let (reply, answer): (ReplyTo<Response>, _) = reply_channel();
    let asker = Asker::Worker(reply);
    store.write(Batch {
        records,
        waiting: vec![Waiting { asker, response }],
        next_id,
        scheduler: self_pid(),
    });
    answer.await.expect("an answer")
}

async fn put(store: &StoreRef, row: Row) -> Response {
    let id = row.id;
    write(
        store,
        vec![Record::Put(row)],
        Response::Inserted(id),
        id + 1,
    )
    .await
}

fn run(test: impl Future<Output = ()> + Send + 'static) {
    Runtime::new().expect("a runtime").block_on(test);
}

/// Copies what is on disk now, as if the program were killed now.
fn kill(location: &Location, to: &Location) {
    for suffix in ["", "-wal"] {
        let (from, to) = [location, to]
            .map(|it| super::file::beside(&it.path, suffix))
            .into();
        std::fs::copy(from, to).expect("a copy");
    }
}

#[test]
fn every_field_of_an_acknowledged_job_is_there_after_a_kill() {
    let folder = Folder::new();
    let (location, copy) = (folder.location(), folder.file("copy.db"));
    run(async move {
        let store = start(location.clone()).await;
        let mut job = row(7, 3, b"a\0b\xff");
        job.tube = "x.y".parse().expect("a name");
        job.state = RowState::Delayed(123_456);
        job.note = Some("why".into());
        job.tally = Tally {
            reserves: 1,
            timeouts: 2,
            releases: 3,
            buries: 4,
            kicks: 5,
            failures: 6,
        };
        assert_eq!(put(&store, job.clone()).await, Response::Inserted(7));
        put(&store, row(8, 0, b"")).await;
        let mut buried = update(8, 9);
        buried.state = RowState::Buried(44);
        write(&store, vec![Record::State(buried)], Response::Buried, 9).await;
        put(&store, row(9, 0, b"gone")).await;
        write(&store, vec![Record::Delete(9)], Response::Deleted, 10).await;
        kill(&location, &copy);
        stop(store).await;

        let store = start(copy).await;
        let mut second = row(8, 9, b"");
        second.state = RowState::Buried(44);
        assert_eq!(all(&store).await.rows, [job, second]);
        stop(store).await;
    });
}

#[test]
fn ids_are_never_given_again_not_even_those_that_were_not_stored_before_a_kill() {
    let folder = Folder::new();
    let (location, copy) = (folder.location(), folder.file("copy.db"));
    run(async move {
        let store = start(location.clone()).await;
        assert_eq!(all(&store).await.next_id, 1);
        put(&store, row(1, 0, b"")).await;
        write(&store, vec![Record::Delete(1)], Response::Deleted, 2).await;
        kill(&location, &copy);
        stop(store).await;
        // In order, there is no gap.
        let store = start(location).await;
        assert_eq!(all(&store).await.next_id, 2);
        stop(store).await;
        // Job 2 may have been given out and lost.
        let store = start(copy).await;
        assert!(all(&store).await.next_id > 1_000);
        stop(store).await;
    });
}

#[test]
fn a_crash_of_the_process_loses_nothing_that_was_handed_over() {
    let folder = Folder::new();
    let location = folder.location();
    run(async move {
        let store = start(location.clone()).await;
        STORE.cast(StoreMessage::Crash {
            by: "a test".into(),
        });
        while STORE.whereis().is_some() {
            regrow::yield_now().await;
        }
        // The thread lives as long as somebody can reach it.
        for id in 1..=500 {
            store.write(Batch {
                records: vec![Record::Put(row(id, 0, b"x"))],
                waiting: Vec::new(),
                next_id: id + 1,
                scheduler: self_pid(),
            });
        }
        drop(store);
        let store = start(location).await;
        assert_eq!(all(&store).await.rows.len(), 500);
        stop(store).await;
    });
}

#[test]
fn a_full_disk_refuses_new_jobs_and_keeps_what_it_has_and_what_is_done_to_it() {
    let folder = Folder::new();
    let location = Location {
        limit: Some(1),
        ..folder.location()
    };
    run(async move {
        let store = start(location.clone()).await;
        let body = vec![b'x'; 60_000];
        let mut stored = Vec::new();
        let refused = loop {
            let id = stored.len() as JobId + 1;
            match put(&store, row(id, 0, &body)).await {
                Response::Inserted(id) => stored.push(id),
                Response::OutOfMemory => break id,
                other => panic!("{other:?}"),
            }
            assert!(stored.len() < 100, "the limit has no effect");
        };
        let told: Refused = receive().await;
        assert_eq!(told, Refused(vec![refused]));
        // A batch with one that is too much: what it does to older jobs is done nevertheless.
        let records = vec![
            Record::Put(row(refused + 1, 0, &body)),
            Record::State(update(2, 77)),
            Record::Delete(refused + 1),
            Record::Delete(1),
            Record::Put(row(refused + 2, 0, &vec![b'x'; 120_000])),
        ];
        let answer = write(&store, records, Response::Deleted, refused + 3).await;
        assert_eq!(answer, Response::InternalError);
        let told: Refused = receive().await;
        assert_eq!(told.0.len(), 2);
        // What was owed makes room.
        let records = vec![Record::State(update(3, 5))];
        let answer = write(&store, records, Response::Released, refused + 3).await;
        assert_eq!(answer, Response::Released);
        assert_eq!(
            put(&store, row(refused + 3, 0, b"fits")).await,
            Response::Inserted(refused + 3)
        );
        let rows = all(&store).await.rows;
        let ids: Vec<JobId> = rows.iter().map(|row| row.id).collect();
        let expected: Vec<JobId> = stored[1..].iter().copied().chain([refused + 3]).collect();
        assert_eq!(ids, expected);
        assert_eq!(rows[0].pri, 77);
        stop(store).await;
    });
}

/// Asserts that the file is refused for such a reason, and stays byte for byte as it is.
fn refuses(location: &Location, reason: &str) {
    let before = std::fs::read(&location.path).expect("the file");
    let error = super::check(location).expect_err("refused").to_string();
    assert!(error.contains(reason), "{error}");
    assert_eq!(std::fs::read(&location.path).expect("the file"), before);
    let alone = std::fs::read_dir(location.path.parent().expect("a folder")).expect("a list");
    assert_eq!(alone.count(), 1, "something was left beside it");
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let with = |fill: &dyn Fn(&Path), reason| {
        let folder = Folder::new();
        fill(&folder.location().path);
        refuses(&folder.location(), reason);
    };
    let text = "no database, but long enough to have a header. ".repeat(50);
    with(
        &|path| std::fs::write(path, &text).expect("a file"),
        "not a database",
    );
    with(
        &|path| std::fs::write(path, "SQLite format 3\0").expect("a file"),
        "not a database",
    );
    let other = |pragma: &'static str| {
        move |path: &Path| {
            let connection = rusqlite::Connection::open(path).expect("a database");
            let sql = format!("{pragma}; CREATE TABLE t (x)");
            connection.execute_batch(&sql).expect("a table");
        }
    };
    with(&other("PRAGMA journal_mode = WAL"), "another program");
    with(
        &other("PRAGMA application_id = 0x72676a71; PRAGMA user_version = 2"),
        "another version",
    );
}

#[test]
fn what_cannot_be_a_file_is_refused_in_clear_words() {
    let folder = Folder::new();
    let error = |name: &str| {
        super::check(&folder.file(name))
            .expect_err("refused")
            .to_string()
    };
    std::fs::create_dir(folder.0.join("folder")).expect("a directory");
    assert!(error("folder").contains("is a directory"));
    assert!(error("no/such/jobs.db").contains("its directory"));
    std::fs::write(folder.0.join("lost.db-wal"), "x").expect("a file");
    assert!(error("lost.db").contains("lost.db-wal"));
}

#[test]
fn a_damaged_file_is_refused_when_it_is_read_and_left_as_it_is() {
    let folder = Folder::new();
    let (before, location) = (folder.location(), folder.file("copy.db"));
    run(async move {
        let store = start(before.clone()).await;
        for id in 1..=200 {
            put(&store, row(id, 0, &[b'x'; 500])).await;
        }
        // What was never read is not moved from the log into the file.
        assert_eq!(all(&store).await.rows.len(), 200);
        stop(store).await;
        // With something in the log that is not to be moved into a damaged file either.
        let store = start(before.clone()).await;
        put(&store, row(201, 0, b"x")).await;
        kill(&before, &location);
        stop(store).await;
        let mut bytes = std::fs::read(&location.path).expect("the file");
        let middle = bytes.len() / 8192 * 4096;
        bytes[middle..middle + 4096].fill(0xa5);
        std::fs::write(&location.path, &bytes).expect("the damage");

        let store = start(location.clone()).await;
        let error = store.load(0, 100_000).await.expect_err("damaged");
        assert!(
            matches!(&error, LoadError::Unreadable { why, .. } if why.contains("damaged")),
            "{error}"
        );
        stop(store).await;
        assert_eq!(std::fs::read(&location.path).expect("the file"), bytes);
    });
}

#[test]
fn a_half_made_file_of_a_start_that_was_killed_is_no_obstacle() {
    let folder = Folder::new();
    let location = folder.location();
    let new = super::file::beside(&location.path, ".new");
    std::fs::write(&new, "half").expect("a file");
    super::check(&location).expect("a database");
    assert!(!new.exists());
}

#[test]
fn a_log_that_was_lengthened_before_is_read_up_to_what_was_committed() {
    let folder = Folder::new();
    let (mut location, mut copy) = (folder.location(), folder.file("copy.db"));
    (location.sync, copy.sync) = (Sync::Always, Sync::Always);
    run(async move {
        let store = start(location.clone()).await;
        // Not before all was read: until then the file may be damaged.
        assert!(all(&store).await.rows.is_empty());
        let log = super::file::beside(&location.path, "-wal");
        let length = std::fs::metadata(&log).expect("a log").len();
        assert!(length > 8_000_000);
        for id in 1..=50 {
            put(&store, row(id, 0, b"x")).await;
        }
        assert_eq!(std::fs::metadata(&log).expect("a log").len(), length);
        kill(&location, &copy);
        stop(store).await;
        let store = start(copy).await;
        assert_eq!(all(&store).await.rows.len(), 50);
        stop(store).await;
    });
}

#[test]
fn jobs_are_forced_to_the_disk_after_the_period_although_nothing_more_comes() {
    let folder = Folder::new();
    let location = Location {
        sync: Sync::Every(Duration::from_millis(1)),
        ..folder.location()
    };
    run(async move {
        let store = start(location).await;
        put(&store, row(1, 0, b"x")).await;
        // The thread is not stuck in waiting for the period, nor in forcing.
        for id in 2..50 {
            put(&store, row(id, 0, b"x")).await;
        }
        assert_eq!(all(&store).await.rows.len(), 49);
        stop(store).await;
    });
}
