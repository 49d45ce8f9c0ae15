//! The database file: whose it is, how one is made, how it is opened.
//!
//! A file is looked at byte by byte before SQLite may touch it, so one that is not ours stays as
//! it is. A new one is made under another name and moved into place when it is whole: there is
//! never a file of ours without our mark, whenever the program is killed.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::rows::SCHEMA;
use super::{Location, Sync};

/// Marks our files ("rgjq").
const APPLICATION_ID: u32 = 0x7267_6a71;
const SCHEMA_VERSION: u32 = 1;
/// The beginning of a database file, and where it has its marks (big-endian).
const HEADER: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
const USER_VERSION_AT: usize = 60;
const APPLICATION_ID_AT: usize = 68;
/// Pages that may wait in the log before they are moved into the file. Many: what is put and soon
/// deleted is then moved rarely.
const CHECKPOINT_PAGES: i64 = 8_000;
/// The same where the log is forced to the disk. Then it is written to its full length before,
/// for forcing a file that does not grow is cheaper, and this is how much.
const SYNCED_CHECKPOINT_PAGES: i64 = 2_000;
/// Of a page and its header in the log.
const LOG_PAGE: usize = 4_096 + 24;
/// How long the store that was here before may take to close the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the database cannot be used, in words for the one who started the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use database `{path}`: {why}")]
pub(crate) struct OpenError {
    path: String,
    why: String,
}

/// Finds out whether the file can be used, and makes it if there is none.
pub(crate) fn check(location: &Location) -> Result<(), OpenError> {
    open(location).map(drop)
}

/// Opens the file, for this program alone.
pub(super) fn open(location: &Location) -> Result<Connection, OpenError> {
    let cannot = |why: String| OpenError {
        path: location.path.display().to_string(),
        why,
    };
    if !is_there(&location.path).map_err(cannot)? {
        make(&location.path).map_err(cannot)?;
    }
    connect(location).map_err(|error| failed(location, &error))
}

pub(super) fn failed(location: &Location, error: &rusqlite::Error) -> OpenError {
    OpenError {
        path: location.path.display().to_string(),
        why: explain(error),
    }
}

/// Whether there is a file, and it is ours.
fn is_there(path: &Path) -> Result<bool, String> {
    if path.as_os_str().is_empty() {
        return Err("it needs a name".into());
    }
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => return Err("it is a directory, not a file".into()),
        Ok(meta) if !meta.is_file() => return Err("it is not a regular file".into()),
        Ok(meta) if meta.permissions().readonly() => return Err("it is read-only".into()),
        Ok(meta) if meta.len() == 0 => return Ok(false),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.to_string()),
    }
    let mut header = Vec::with_capacity(HEADER);
    File::open(path)
        .and_then(|file| file.take(HEADER as u64).read_to_end(&mut header))
        .map_err(|error| error.to_string())?;
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        return Err("it is not a database; it is left as it is".into());
    }
    let number = |at: usize| {
        header[at..at + 4]
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte))
    };
    if number(APPLICATION_ID_AT) != APPLICATION_ID {
        return Err("it is the database of another program; it is left as it is".into());
    }
    match number(USER_VERSION_AT) {
        SCHEMA_VERSION => Ok(true),
        other => Err(format!(
            "it was made by another version of this program (its format is {other}, ours \
             {SCHEMA_VERSION}); it is left as it is"
        )),
    }
}

fn make(path: &Path) -> Result<(), String> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match fs::metadata(folder) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err("what should be its directory is a file".into()),
        Err(error) => return Err(format!("its directory `{}`: {error}", folder.display())),
    }
    // The log of another database that had this name would be taken for ours.
    for suffix in ["-wal", "-journal"] {
        if beside(path, suffix).exists() {
            return Err(format!(
                "it is not there, but `{}` is: move that away, or bring the database back",
                beside(path, suffix).display()
            ));
        }
    }
    let new = beside(path, ".new");
    let cannot = |error: std::io::Error| format!("it cannot be made: {error}");
    for left in [new.clone(), beside(&new, "-journal")] {
        match fs::remove_file(&left) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(cannot(error)),
            _ => {}
        }
    }
    let fill = || {
        let connection = Connection::open(&new)?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        connection.execute_batch(SCHEMA)?;
        connection.close().map_err(|(_, error)| error)
    };
    fill().map_err(|error| explain(&error))?;
    fs::rename(&new, path).map_err(cannot)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(cannot)
}

fn connect(location: &Location) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&location.path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    // Until all rows have been read once the file may be damaged, and must stay as it is.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Nobody else has business in the file, and without others SQLite needs no shared memory.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match location.sync {
        Sync::Always => "FULL",
        Sync::Every(_) => "NORMAL",
        Sync::Never => "OFF",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    let pages = match location.sync {
        Sync::Never => CHECKPOINT_PAGES,
        Sync::Always | Sync::Every(_) => SYNCED_CHECKPOINT_PAGES,
    };
    connection.pragma_update(None, "wal_autocheckpoint", pages)?;
    connection.pragma_update(None, "cache_size", -32_768)?;
    if let Some(mib) = location.limit {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::from(mib) * 1024 * 1024 / page.max(1);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    // In this mode the lock is taken by the first use, and kept.
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
    Ok(connection)
}

/// All has been read, so the file is sound: from now on its log may be moved into it at the end.
pub(super) fn trust(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map(drop)
}

/// Writes SQLite's log to its full length, if it is to be forced to the disk again and again. What
/// comes after its last page means nothing to SQLite, so zeros are as good as anything. Where
/// there is no room for it, the log grows as it is used.
pub(super) fn lengthen_log(location: &Location) {
    if location.sync == Sync::Never {
        return;
    }
    let path = beside(&location.path, "-wal");
    let lengthen = |log: &mut File| {
        let now = usize::try_from(log.metadata()?.len()).unwrap_or(usize::MAX);
        let wanted = (SYNCED_CHECKPOINT_PAGES as usize + 100) * LOG_PAGE;
        let written = log
            .write_all(&vec![0; wanted.saturating_sub(now)])
            .and_then(|()| log.sync_all());
        if written.is_err() {
            log.set_len(now as u64)?;
        }
        Ok::<_, std::io::Error>(())
    };
    let log = File::options().append(true).open(path);
    if let Err(error) = log.and_then(|mut log| lengthen(&mut log)) {
        tracing::debug!(target: "job_queue::store", %error, "the log grows as it is used");
    }
}

/// The file that SQLite keeps beside this one.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// SQLite's error in words.
pub(super) fn explain(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::ReadOnly) => "it is read-only".into(),
        Some(ErrorCode::DiskFull) => {
            "the disk is full, or the database as large as it may be".into()
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("it cannot be opened ({error})")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program uses it (another job-queue, perhaps)".into()
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            format!("it is damaged ({error}); it is left as it is")
        }
        _ => error.to_string(),
    }
}
