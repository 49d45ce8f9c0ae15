//! What the server has stored, read as anybody with SQLite reads it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// One stored message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    /// The room's name in lower case.
    pub(crate) room: String,
    pub(crate) nick: String,
    pub(crate) text: String,
}

/// All stored messages in the order of storing.
pub(crate) fn stored(database: &Path) -> Vec<Stored> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Connection::open_with_flags(database, flags).expect("the database opens");
    let mut statement = connection
        .prepare("SELECT room, prefix, text FROM post WHERE notice = 0 ORDER BY id")
        .expect("the table of posts");
    let rows = statement.query_map([], |row| {
        let prefix: String = row.get(1)?;
        let text: Vec<u8> = row.get(2)?;
        Ok(Stored {
            room: row.get(0)?,
            nick: prefix.split('!').next().unwrap_or_default().to_owned(),
            text: String::from_utf8_lossy(&text).into_owned(),
        })
    });
    rows.expect("rows")
        .collect::<rusqlite::Result<_>>()
        .expect("rows")
}
