//! The tables, and jobs as their rows. Times are milliseconds since 1970.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, Row as SqlRow, Transaction, params};
use rustc_hash::FxHashMap;

use crate::protocol::{JobId, TubeName};
use crate::queue::{Record, Row, RowState, Tally};

/// Jobs by id. `at` is when a delayed one is ready, and the place of a buried one in its row.
pub(super) const SCHEMA: &str = "
CREATE TABLE job (
    id       INTEGER PRIMARY KEY,
    tube     TEXT    NOT NULL,
    pri      INTEGER NOT NULL,
    delay    INTEGER NOT NULL,
    ttr      INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    state    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    reserves INTEGER NOT NULL,
    timeouts INTEGER NOT NULL,
    releases INTEGER NOT NULL,
    buries   INTEGER NOT NULL,
    kicks    INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    note     TEXT,
    body     BLOB    NOT NULL
) STRICT;
CREATE TABLE next (
    id       INTEGER NOT NULL
) STRICT;
INSERT INTO next (id) VALUES (1);
";

/// The statements that write, ready to be used again and again.
pub(super) struct Statements<'a> {
    put: CachedStatement<'a>,
    state: CachedStatement<'a>,
    delete: CachedStatement<'a>,
}

impl<'a> Statements<'a> {
    pub(super) fn of(transaction: &'a Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Statements {
            put: transaction.prepare_cached(
                "INSERT INTO job VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
            )?,
            state: transaction.prepare_cached(
                "UPDATE job SET pri = ?2, delay = ?3, state = ?4, at = ?5, reserves = ?6,
                 timeouts = ?7, releases = ?8, buries = ?9, kicks = ?10, failures = ?11,
                 note = ?12 WHERE id = ?1",
            )?,
            delete: transaction.prepare_cached("DELETE FROM job WHERE id = ?1")?,
        })
    }

    pub(super) fn write(&mut self, record: &Record) -> rusqlite::Result<()> {
        match record {
            Record::Put(row) => {
                let (state, at) = code(row.state);
                let tally = &row.tally;
                self.put.execute(params![
                    sql(row.id),
                    row.tube.as_str(),
                    row.pri,
                    row.delay,
                    row.ttr,
                    row.created,
                    state,
                    at,
                    tally.reserves,
                    tally.timeouts,
                    tally.releases,
                    tally.buries,
                    tally.kicks,
                    tally.failures,
                    row.note.as_deref(),
                    &*row.body,
                ])?
            }
            Record::State(update) => {
                let (state, at) = code(update.state);
                let tally = &update.tally;
                self.state.execute(params![
                    sql(update.id),
                    update.pri,
                    update.delay,
                    state,
                    at,
                    tally.reserves,
                    tally.timeouts,
                    tally.releases,
                    tally.buries,
                    tally.kicks,
                    tally.failures,
                    update.note.as_deref(),
                ])?
            }
            Record::Delete(id) => self.delete.execute([sql(*id)])?,
        };
        Ok(())
    }
}

/// The id that is certainly new.
pub(super) fn next_id(connection: &Connection) -> rusqlite::Result<JobId> {
    let next: i64 = connection.query_row("SELECT max(id) FROM next", [], |row| row.get(0))?;
    let last: Option<i64> =
        connection.query_row("SELECT max(id) FROM job", [], |row| row.get(0))?;
    let next = next.max(last.map_or(1, |last| last.saturating_add(1)));
    Ok(u64::try_from(next).unwrap_or(1).max(1))
}

pub(super) fn set_next_id(connection: &Connection, id: JobId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE next SET id = ?1")?
        .execute([sql(id)])
        .map(drop)
}

/// At most `limit` jobs with an id of `from` or more, in order.
pub(super) fn load(
    connection: &Connection,
    from: JobId,
    limit: usize,
) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, tube, pri, delay, ttr, created, state, at, reserves, timeouts, releases,
         buries, kicks, failures, note, body FROM job WHERE id >= ?1 ORDER BY id LIMIT ?2",
    )?;
    // A million jobs have a handful of tubes.
    let mut tubes = FxHashMap::default();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement
        .query_map([sql(from), limit], |row| read(row, &mut tubes))?
        .collect()
}

fn read(row: &SqlRow<'_>, tubes: &mut FxHashMap<String, TubeName>) -> rusqlite::Result<Row> {
    let at: i64 = row.get(7)?;
    Ok(Row {
        id: row.get(0)?,
        tube: tube(row, tubes)?,
        pri: row.get(2)?,
        delay: row.get(3)?,
        ttr: row.get(4)?,
        created: row.get(5)?,
        state: match row.get(6)? {
            READY => RowState::Ready,
            DELAYED => RowState::Delayed(at),
            BURIED => RowState::Buried(u64::try_from(at).unwrap_or(0)),
            other => return Err(rusqlite::Error::IntegralValueOutOfRange(6, other)),
        },
        tally: Tally {
            reserves: row.get(8)?,
            timeouts: row.get(9)?,
            releases: row.get(10)?,
            buries: row.get(11)?,
            kicks: row.get(12)?,
            failures: row.get(13)?,
        },
        note: row.get::<_, Option<String>>(14)?.map(Arc::from),
        body: Arc::from(row.get_ref(15)?.as_blob()?),
    })
}

fn tube(row: &SqlRow<'_>, tubes: &mut FxHashMap<String, TubeName>) -> rusqlite::Result<TubeName> {
    let text = row.get_ref(1)?.as_str()?;
    if let Some(known) = tubes.get(text) {
        return Ok(known.clone());
    }
    let name: TubeName = text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error))
    })?;
    tubes.insert(text.to_owned(), name.clone());
    Ok(name)
}

const READY: i64 = 0;
const DELAYED: i64 = 1;
const BURIED: i64 = 2;

/// A state as the columns `state` and `at`.
fn code(state: RowState) -> (i64, i64) {
    match state {
        RowState::Ready => (READY, 0),
        RowState::Delayed(until) => (DELAYED, until),
        RowState::Buried(ticket) => (BURIED, i64::try_from(ticket).unwrap_or(i64::MAX)),
    }
}

fn sql(id: JobId) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
