//! The database file: opening it, and its tables.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

/// Marks our files, so that no other SQLite database is written to by mistake ("rgor").
const APPLICATION_ID: i32 = 0x7267_6f72;
const SCHEMA_VERSION: i32 = 1;

const SCHEMA: &str = "
CREATE TABLE product (
    sku     TEXT    PRIMARY KEY,
    price   INTEGER NOT NULL CHECK (price >= 0),
    initial INTEGER NOT NULL,
    stock   INTEGER NOT NULL CHECK (stock >= 0)
) WITHOUT ROWID;
CREATE TABLE orders (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    key         TEXT    NOT NULL UNIQUE,
    request     TEXT    NOT NULL,
    amount      INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    reason      TEXT,
    notified    INTEGER NOT NULL DEFAULT 0,
    accepted_at INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
);
CREATE INDEX orders_unfinished ON orders (id) WHERE state NOT IN ('completed', 'failed');
CREATE INDEX orders_unsent ON orders (id) WHERE state IN ('completed', 'failed') AND notified = 0;
";

/// What the shop sells, in a new database: product, price in cents, stock.
const CATALOGUE: &[(&str, i64, i64)] = &[
    ("spade", 2_499, 1_000_000),
    ("rake", 1_999, 1_000_000),
    ("watering-can", 1_250, 1_000_000),
    ("tulip-bulb", 95, 10_000_000),
    ("orchid", 3_900, 100),
];

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Sync {
    /// It does: what was accepted survives a power cut.
    Full,
    /// It does not: what was accepted survives a kill of the program.
    Normal,
}

/// Why the database cannot be used, in words for the one who started the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use database `{path}`: {why}")]
pub(crate) struct OpenError {
    path: String,
    why: String,
}

/// Opens the database and makes the tables if it is new.
pub(crate) fn open(path: &Path, sync: Sync) -> Result<Connection, OpenError> {
    open_and(path, sync, |_| Ok(()))
}

/// Opens it as well, and proves that it can be written to.
pub(crate) fn prove(path: &Path, sync: Sync) -> Result<(), OpenError> {
    let touch = |db: &Connection| db.pragma_update(None, "user_version", SCHEMA_VERSION);
    open_and(path, sync, touch).map(drop)
}

fn open_and(
    path: &Path,
    sync: Sync,
    then: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<Connection, OpenError> {
    let failed = |why: String| OpenError {
        path: path.display().to_string(),
        why,
    };
    look_at(path).map_err(failed)?;
    let connection = connect(path, sync).and_then(prepare);
    let connection = connection.and_then(|db| then(&db).map(|()| db));
    connection.map_err(|error| failed(explain(&error)))
}

/// What the file system says, in clearer words than SQLite would find.
fn look_at(path: &Path) -> Result<(), String> {
    if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
        return Err("it must be a file: orders are to survive".into());
    }
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err("it is a directory, not a file".into()),
        Ok(meta) if !meta.is_file() => Err("it is not a regular file".into()),
        Ok(meta) if meta.permissions().readonly() => Err("it is read-only".into()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
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

fn connect(path: &Path, sync: Sync) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    // The thread of an incarnation before may still be at its last transaction.
    connection.busy_timeout(Duration::from_secs(5))?;
    // Looked at before anything is written: a foreign file stays as it is.
    is_ours(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let level = match sync {
        Sync::Full => "FULL",
        Sync::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", level)?;
    Ok(connection)
}

/// Whether it has our tables; an empty file has none yet.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (id, version) = (pragma("application_id")?, pragma("user_version")?);
    let count = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(count, [], |row| row.get(0))?;
    let refuse = |why: &str| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
        Err(rusqlite::Error::SqliteFailure(code, Some(why.to_owned())))
    };
    match tables {
        0 => Ok(false),
        _ if id != APPLICATION_ID => refuse("it is the database of another program"),
        _ if version != SCHEMA_VERSION => refuse("it was made by another version of this program"),
        _ => Ok(true),
    }
}

fn prepare(mut connection: Connection) -> rusqlite::Result<Connection> {
    // Nobody is to wait for the disk, or for the thread of an incarnation before, without need.
    if is_ours(&connection)? {
        return Ok(connection);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Under the lock: two programs may have come at the same time.
    if !is_ours(&transaction)? {
        transaction.execute_batch(SCHEMA)?;
        let insert = "INSERT INTO product (sku, price, initial, stock) VALUES (?1, ?2, ?3, ?3)";
        for product in CATALOGUE {
            transaction.execute(insert, *product)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_database_of_ours_is_refused_and_stays_as_it_is() {
        let folder = std::env::temp_dir().join(format!("order-schema-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let refused = |name: &str, why: &str| {
            let path = folder.join(name);
            let before = std::fs::read(&path).unwrap();
            let error = open(&path, Sync::Full).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), before, "{name} has changed");
        };
        std::fs::write(
            folder.join("text"),
            "no database, but long enough. ".repeat(99),
        )
        .unwrap();
        refused("text", "not a database");
        let foreign = Connection::open(folder.join("foreign")).unwrap();
        foreign.execute_batch("CREATE TABLE t (x)").unwrap();
        drop(foreign);
        refused("foreign", "another program");
        drop(open(&folder.join("later"), Sync::Full).unwrap());
        let later = Connection::open(folder.join("later")).unwrap();
        later.pragma_update(None, "user_version", 99).unwrap();
        later.pragma_update(None, "journal_mode", "DELETE").unwrap();
        drop(later);
        refused("later", "another version");
        let error = |path: &Path| open(path, Sync::Full).unwrap_err().to_string();
        assert!(error(&folder).contains("is a directory"));
        assert!(error(Path::new("")).contains("must be a file"));
        assert!(error(&folder.join("no/such.db")).contains("its directory"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
