//! The database file: opening it, its tables, its statements.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, TransactionBehavior, params};

use crate::clock;
use crate::db::{Post, PostKind, Recent, Record, Topic};

/// Marks our files, so that no other SQLite database is written to by mistake ("rgch").
const APPLICATION_ID: i32 = 0x7267_6368;
const SCHEMA_VERSION: i32 = 1;

const SCHEMA: &str = "
CREATE TABLE post (
    id     INTEGER PRIMARY KEY,
    room   TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    notice INTEGER NOT NULL,
    prefix TEXT    NOT NULL,
    text   BLOB    NOT NULL,
    UNIQUE (sender, seq)
);
CREATE INDEX post_of_room ON post (room, id);
CREATE TABLE topic (
    room   TEXT    PRIMARY KEY,
    at     INTEGER NOT NULL,
    setter TEXT    NOT NULL,
    text   BLOB    NOT NULL
);
CREATE TABLE start (
    at     INTEGER NOT NULL
);
";

/// Where the database is and how large it may become.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    pub(crate) path: PathBuf,
    /// In MiB; beyond it nothing more is kept. `None`: as large as the disk allows.
    pub(crate) limit: Option<u32>,
}

/// Why the database cannot be used, in words for the one who started the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use database `{path}`: {why}")]
pub(crate) struct OpenError {
    path: String,
    why: String,
}

/// Opens the database, makes the tables if it is new, and proves that it can be written to.
pub(crate) fn prepare(location: &Location) -> Result<Connection, OpenError> {
    let failed = |why: String| OpenError {
        path: location.path.display().to_string(),
        why,
    };
    look_at(&location.path).map_err(failed)?;
    let connection = open(location)?;
    create(connection).map_err(|error| failed(explain(&error)))
}

/// Opens one more connection to a database that was [prepared](prepare).
pub(crate) fn open(location: &Location) -> Result<Connection, OpenError> {
    connect(location).map_err(|error| OpenError {
        path: location.path.display().to_string(),
        why: explain(&error),
    })
}

/// What the file system says, in clearer words than SQLite would find.
fn look_at(path: &Path) -> Result<(), String> {
    if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
        return Err("it must be a file, since several connections share it".into());
    }
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err("it is a directory, not a file".into()),
        Ok(meta) if !meta.is_file() => Err("it is not a regular file".into()),
        Ok(meta) if meta.permissions().readonly() => Err("it is read-only".into()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
            match folder.map(std::fs::metadata) {
                None => Ok(()),
                Some(Ok(meta)) if meta.is_dir() => Ok(()),
                Some(Ok(_)) => Err("what should be its directory is a file".into()),
                Some(Err(error)) => Err(format!("its directory: {error}")),
            }
        }
        Err(error) => Err(error.to_string()),
    }
}

fn connect(location: &Location) -> rusqlite::Result<Connection> {
    let connection = Connection::open(&location.path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // In WAL mode this never loses a committed transaction when the process is killed, only,
    // possibly, when the machine loses power.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    if let Some(mib) = location.limit {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::from(mib) * 1024 * 1024 / page.max(1);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(connection)
}

fn create(mut connection: Connection) -> rusqlite::Result<Connection> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let refuse = |why: &str| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
        Err(rusqlite::Error::SqliteFailure(code, Some(why.to_owned())))
    };
    if tables > 0 && id != APPLICATION_ID {
        return refuse("it is the database of another program");
    }
    if tables > 0 && version != SCHEMA_VERSION {
        return refuse("it was made by another version of this server");
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if tables == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.execute("INSERT INTO start (at) VALUES (?1)", [clock::now_micros()])?;
    transaction.commit()?;
    Ok(connection)
}

/// SQLite's error in words.
pub(crate) fn explain(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::ReadOnly) => "it is read-only".into(),
        Some(ErrorCode::DiskFull) => "the database or the disk is full".into(),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("it cannot be opened ({error})")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program keeps it locked".into()
        }
        _ => error.to_string(),
    }
}

/// Writes all records in one transaction.
pub(crate) fn store<'a>(
    connection: &mut Connection,
    records: impl Iterator<Item = &'a Record>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut post = transaction.prepare_cached(
            "INSERT INTO post (room, at, sender, seq, notice, prefix, text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (sender, seq) DO NOTHING",
        )?;
        let mut topic = transaction.prepare_cached(
            "INSERT INTO topic (room, at, setter, text) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (room) DO UPDATE SET at = excluded.at, setter = excluded.setter,
             text = excluded.text WHERE excluded.at >= at",
        )?;
        for record in records {
            match record {
                Record::Post(p) => post.execute(params![
                    &*p.room,
                    p.at,
                    p.sender,
                    p.seq,
                    p.kind == PostKind::Notice,
                    &*p.prefix,
                    &*p.text
                ])?,
                Record::Topic(t) => topic.execute(params![&*t.room, t.at, &*t.setter, &*t.text])?,
            };
        }
    }
    transaction.commit()
}

/// The newest `limit` posts of a room, oldest first, and its topic.
pub(crate) fn recent(
    connection: &Connection,
    room: &Arc<str>,
    limit: usize,
) -> rusqlite::Result<Recent> {
    let to_post = |row: &Row<'_>| -> rusqlite::Result<Arc<Post>> {
        Ok(Arc::new(Post {
            room: Arc::clone(room),
            at: row.get(0)?,
            sender: row.get(1)?,
            seq: row.get(2)?,
            kind: if row.get(3)? {
                PostKind::Notice
            } else {
                PostKind::Privmsg
            },
            prefix: row.get::<_, String>(4)?.into(),
            text: row.get::<_, Vec<u8>>(5)?.into(),
        }))
    };
    let mut statement = connection.prepare_cached(
        "SELECT at, sender, seq, notice, prefix, text FROM post
         WHERE room = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![&**room, limit], to_post)?;
    let mut posts = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    posts.reverse();
    let mut statement =
        connection.prepare_cached("SELECT at, setter, text FROM topic WHERE room = ?1")?;
    let topic = statement
        .query_row([&**room], |row| {
            Ok(Arc::new(Topic {
                room: Arc::clone(room),
                at: row.get(0)?,
                setter: row.get::<_, String>(1)?.into(),
                text: row.get::<_, Vec<u8>>(2)?.into(),
            }))
        })
        .optional()?;
    Ok(Recent { posts, topic })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is removed when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path =
                std::env::temp_dir().join(format!("chat-schema-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).expect("a folder");
            Folder(path)
        }

        fn file(&self, limit: Option<u32>) -> Location {
            Location {
                path: self.0.join("chat.db"),
                limit,
            }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn post(n: i64) -> Record {
        Record::Post(Arc::new(Post {
            room: "#a".into(),
            at: 1_000 + n,
            sender: 7,
            seq: n,
            kind: PostKind::Privmsg,
            prefix: "a!b@c".into(),
            text: format!("text {n} \u{e4}").into_bytes().into(),
        }))
    }

    #[test]
    fn what_was_stored_is_found_again_and_twice_stored_is_kept_once() {
        let folder = Folder::new("store");
        let mut db = prepare(&folder.file(None)).expect("a database");
        let records: Vec<_> = (0..60).map(post).collect();
        store(&mut db, records.iter()).expect("stored");
        store(&mut db, records.iter().chain([&post(60)])).expect("stored again");
        drop(db);
        let db = prepare(&folder.file(None)).expect("the same database");
        let found = recent(&db, &"#a".into(), 50).expect("found");
        let seqs: Vec<i64> = found.posts.iter().map(|p| p.seq).collect();
        assert_eq!(seqs, (11..=60).collect::<Vec<_>>());
        assert_eq!(&*found.posts[49].text, "text 60 \u{e4}".as_bytes());
        assert_eq!(
            recent(&db, &"#b".into(), 50).expect("nothing"),
            Recent::default()
        );
    }

    #[test]
    fn the_newest_topic_wins() {
        let folder = Folder::new("topic");
        let mut db = prepare(&folder.file(None)).expect("a database");
        let topic = |at, text: &str| {
            Record::Topic(Arc::new(Topic {
                room: "#a".into(),
                at,
                setter: "x".into(),
                text: text.as_bytes().into(),
            }))
        };
        store(
            &mut db,
            [topic(1, "one"), topic(3, "three"), topic(2, "two")].iter(),
        )
        .expect("stored");
        let found = recent(&db, &"#a".into(), 1)
            .expect("found")
            .topic
            .expect("a topic");
        assert_eq!(&*found.text, b"three");
    }

    #[test]
    fn files_that_cannot_be_a_database_are_refused_in_clear_words() {
        let folder = Folder::new("refuse");
        let error = |path: PathBuf| {
            prepare(&Location { path, limit: None })
                .map(|_| ())
                .expect_err("refused")
                .to_string()
        };
        assert!(error(folder.0.clone()).contains("is a directory"));
        assert!(error("".into()).contains("must be a file"));
        assert!(error(folder.0.join("no/such/chat.db")).contains("its directory"));
        let text = folder.0.join("text");
        std::fs::write(
            &text,
            "not a database, but long enough to have a header. ".repeat(50),
        )
        .unwrap();
        assert!(error(text).contains("not a database"));
        let foreign = folder.0.join("foreign.db");
        Connection::open(&foreign)
            .unwrap()
            .execute_batch("CREATE TABLE t (x)")
            .unwrap();
        assert!(error(foreign.clone()).contains("another program"));
        let mut mode = std::fs::metadata(&foreign).unwrap().permissions();
        mode.set_readonly(true);
        std::fs::set_permissions(&foreign, mode).unwrap();
        assert!(error(foreign).contains("read-only"));
    }

    #[test]
    fn a_full_database_says_so_and_keeps_what_it_has() {
        let folder = Folder::new("full");
        let mut db = prepare(&folder.file(Some(1))).expect("a database");
        let mut stored = 0;
        let error = loop {
            match store(
                &mut db,
                (stored..stored + 100).map(post).collect::<Vec<_>>().iter(),
            ) {
                Ok(()) => stored += 100,
                Err(error) => break error,
            }
            assert!(stored < 100_000, "the limit has no effect");
        };
        assert!(explain(&error).contains("full"), "{error}");
        assert!(stored > 1_000);
        assert_eq!(
            recent(&db, &"#a".into(), 1).expect("found").posts[0].seq,
            stored - 1
        );
    }
}
