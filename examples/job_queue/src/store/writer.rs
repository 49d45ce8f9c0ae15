//! The thread that writes.
//!
//! It takes all batches that wait and commits them together. While it waits for the disk more
//! batches come, and they are the next group.
//!
//! If the disk refuses a group, each batch of it is tried alone. One that is refused still: its
//! new jobs are forgotten (their producers and the scheduler are told), and what it says of older
//! jobs is *owed*. The scheduler has done that already and does not take it back, so it is written
//! together with the next group that the disk takes.

use std::fs::File;
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use regrow::{Pid, ReplyTo, send};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use rustc_hash::FxHashSet;

use super::file::{self, OpenError};
use super::rows::{self, Statements};
use super::settle::settle;
use super::{Batch, Chunk, LoadError, Location, Refused, Sync, Work};
use crate::protocol::JobId;
use crate::queue::Record;

/// At most so many batches share a transaction.
const GROUP: usize = 1_024;
/// Ids below the stored one are never given again, and it is so far ahead: more than the jobs that
/// can have been given out and not yet stored.
const MARGIN: JobId = 100_000;

/// What the process is told when the thread has ended, whatever the reason.
pub(super) struct WriterEnded;

/// Tells it, in a panic too.
struct Farewell(Pid);

impl Drop for Farewell {
    fn drop(&mut self) {
        send(self.0, WriterEnded);
    }
}

/// Starts the thread. It ends when the channel is closed and empty.
pub(super) fn spawn(
    store: Pid,
    location: Location,
    work: Receiver<Work>,
    opened: ReplyTo<Result<(), OpenError>>,
) -> std::io::Result<()> {
    thread::Builder::new()
        .name("job-store".into())
        .spawn(move || {
            let _farewell = Farewell(store);
            match file::open(&location).and_then(|connection| Writer::new(connection, location)) {
                Ok(mut writer) => {
                    opened.send(Ok(()));
                    writer.run(&work);
                    writer.close();
                }
                Err(error) => opened.send(Err(error)),
            }
        })?;
    Ok(())
}

struct Writer {
    connection: Connection,
    location: Location,
    /// The log of SQLite, for `--sync every`.
    log: Option<File>,
    /// Since when something committed may not have reached the disk.
    unsynced: Option<Instant>,
    /// Where the next load goes on if everything before has been read.
    read_up_to: JobId,
    trusted: bool,
    /// The id that the next job will get, as far as is known.
    next_id: JobId,
    /// The id that is stored as certainly new.
    ceiling: JobId,
    owed: Vec<Record>,
    refusing: bool,
}

impl Writer {
    fn new(connection: Connection, location: Location) -> Result<Writer, OpenError> {
        let next_id =
            rows::next_id(&connection).map_err(|error| file::failed(&location, &error))?;
        Ok(Writer {
            connection,
            location,
            log: None,
            unsynced: None,
            read_up_to: 0,
            trusted: false,
            next_id,
            ceiling: next_id,
            owed: Vec::new(),
            refusing: false,
        })
    }

    fn run(&mut self, work: &Receiver<Work>) {
        let mut group = Vec::new();
        loop {
            let first = match (self.location.sync, self.unsynced) {
                (Sync::Every(period), Some(since)) => work.recv_deadline(since + period),
                _ => work.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut next = match first {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            while let Some(Work::Write(batch)) = next {
                group.push(batch);
                next = (group.len() < GROUP)
                    .then(|| work.try_recv().ok())
                    .flatten();
            }
            if !group.is_empty() {
                self.write(std::mem::take(&mut group));
            }
            if let Some(Work::Load { from, limit, reply }) = next {
                reply.send(self.load(from, limit));
            }
            self.sync_if_due();
        }
        if self.unsynced.is_some() {
            self.sync_now();
        }
    }

    fn write(&mut self, group: Vec<Batch>) {
        if let Some(last) = group.last() {
            self.next_id = last.next_id;
        }
        match self.commit(group.iter().flat_map(|batch| &batch.records)) {
            Ok(()) => {
                self.is_well();
                let waiting = group.into_iter().flat_map(|batch| batch.waiting);
                waiting.for_each(super::Waiting::tell);
            }
            Err(error) => {
                self.make_room(&error);
                group.into_iter().for_each(|batch| self.write_alone(batch));
            }
        }
    }

    fn write_alone(&mut self, batch: Batch) {
        match self.commit(batch.records.iter()) {
            Ok(()) => batch.waiting.into_iter().for_each(super::Waiting::tell),
            Err(error) => self.refuse(batch, &error),
        }
    }

    /// One transaction for these, and for what is owed.
    fn commit<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Record> + Clone,
    ) -> rusqlite::Result<()> {
        let owed = std::mem::take(&mut self.owed);
        let outcome = {
            // No longer than `owed`.
            let records = records.map(|record| -> &Record { record });
            self.write_records(&settle(owed.iter().chain(records)))
        };
        if outcome.is_err() {
            self.owed = owed;
        }
        outcome
    }

    fn write_records(&mut self, records: &[&Record]) -> rusqlite::Result<()> {
        if records.is_empty() {
            // What they were about is on disk, or never needs to be.
            return Ok(());
        }
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate)?;
        let mut statements = Statements::of(&transaction)?;
        for record in records {
            statements.write(record)?;
        }
        drop(statements);
        let raised = self.next_id + MARGIN > self.ceiling;
        if raised {
            rows::set_next_id(&transaction, self.next_id + 2 * MARGIN)?;
        }
        transaction.commit()?;
        if raised {
            self.ceiling = self.next_id + 2 * MARGIN;
        }
        if matches!(self.location.sync, Sync::Every(_)) {
            self.unsynced.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// What waits in SQLite's log may fit into the file, which makes room for more of the log.
    fn make_room(&self, error: &rusqlite::Error) {
        if is_full(error) {
            // Where this fails as well, nothing is lost.
            let _ = self
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }

    fn refuse(&mut self, batch: Batch, error: &rusqlite::Error) {
        if !std::mem::replace(&mut self.refusing, true) {
            let why = file::explain(error);
            tracing::error!(target: "job_queue::store", %why, "the disk refuses jobs");
        }
        let new = batch.records.iter().filter_map(|record| match record {
            Record::Put(row) => Some(row.id),
            _ => None,
        });
        let forgotten: FxHashSet<JobId> = new.collect();
        let owed = batch.records.into_iter();
        self.owed
            .extend(owed.filter(|record| !forgotten.contains(&record.id())));
        // One change says all of its job.
        let fewest: Vec<Record> = settle(self.owed.iter()).into_iter().cloned().collect();
        self.owed = fewest;
        if !forgotten.is_empty() {
            send(batch.scheduler, Refused(forgotten.into_iter().collect()));
        }
        let full = is_full(error);
        for waiting in batch.waiting {
            waiting.refuse(full);
        }
    }

    fn is_well(&mut self) {
        if std::mem::replace(&mut self.refusing, false) {
            tracing::info!(target: "job_queue::store", "the disk takes jobs again");
        }
    }

    fn load(&mut self, from: JobId, limit: usize) -> Result<Chunk, LoadError> {
        let unreadable = |error: rusqlite::Error| LoadError::Unreadable {
            path: self.location.path.display().to_string(),
            why: file::explain(&error),
        };
        let rows = rows::load(&self.connection, from, limit).map_err(unreadable)?;
        if from <= self.read_up_to {
            self.read_up_to = rows.last().map_or(from, |row| row.id + 1);
            if rows.len() < limit && !self.trusted {
                file::trust(&self.connection).map_err(unreadable)?;
                self.trusted = true;
                file::lengthen_log(&self.location);
            }
        }
        let next_id = self.next_id;
        Ok(Chunk { rows, next_id })
    }

    fn sync_if_due(&mut self) {
        if let (Sync::Every(period), Some(since)) = (self.location.sync, self.unsynced)
            && since.elapsed() >= period
        {
            self.sync_now();
        }
    }

    /// Forces SQLite's log to the disk. What it has moved from there it has forced itself.
    fn sync_now(&mut self) {
        let path = file::beside(&self.location.path, "-wal");
        let log = match self.log.take() {
            Some(log) => Ok(log),
            None => File::open(path),
        };
        let synced = log.and_then(|log| log.sync_data().map(|()| log));
        match synced {
            Ok(log) => {
                self.log = Some(log);
                self.unsynced = None;
            }
            Err(error) => {
                // Tried again after the next period.
                self.unsynced = Some(Instant::now());
                tracing::error!(target: "job_queue::store", %error, "cannot force jobs to the disk");
            }
        }
    }

    /// The end in order: nothing is left beside the file.
    fn close(mut self) {
        if !self.owed.is_empty() && self.commit(std::iter::empty()).is_err() {
            let owed = self.owed.len();
            tracing::error!(
                target: "job_queue::store",
                owed,
                "the disk did not take the last changes of these many jobs: they come back as they were"
            );
        }
        if !self.trusted {
            return;
        }
        let stored = rows::set_next_id(&self.connection, self.next_id).and_then(|()| {
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        });
        if let Err(error) = stored {
            let why = file::explain(&error);
            tracing::warn!(target: "job_queue::store", %why, "the file is not tidied up");
        }
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}
