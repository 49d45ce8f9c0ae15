//! job_store: the jobs on disk.
//!
//! One thread has the one SQLite connection; this process owns the thread. The scheduler gets a
//! [`StoreRef`] from it and hands its batches to the thread itself, without a stop here. Whatever
//! waits is written in one transaction, and whoever waits for it is told when that is on disk, so
//! many producers share one fsync, and one alone waits for nobody.
//!
//! | file | what it is |
//! |---|---|
//! | `file.rs` | which files are ours, and how one is made |
//! | `rows.rs` | the tables as SQL |
//! | `settle.rs` | what of a group of records needs to be written |
//! | `writer.rs` | the thread |

mod file;
mod process;
mod rows;
mod settle;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use regrow::{Name, Pid, ReplyTo, reply_channel};

use crate::answer::Waiting;
use crate::protocol::JobId;
use crate::queue::{Record, Row};

pub(crate) use file::check;
pub(crate) use process::{DRAIN, Store};

#[cfg(test)]
mod tests;

/// The store, whichever process it is at the moment.
pub(crate) const STORE: Name<StoreMessage> = Name::new("job_store");

/// When what is committed is also forced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    /// With each commit: nothing acknowledged is lost when the machine loses power.
    Always,
    /// So often: a machine that loses power loses no more than that.
    Every(Duration),
    /// When the system thinks fit.
    Never,
}

/// Where the jobs are kept, and how.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    pub(crate) path: PathBuf,
    pub(crate) sync: Sync,
    /// In MiB; beyond it no job is taken. `None`: as much as the disk has.
    pub(crate) limit: Option<u32>,
}

/// What the process can be told.
pub(crate) enum StoreMessage {
    /// Asks for the way to the thread.
    Open(ReplyTo<StoreRef>),
    /// Panics, for the sake of the demonstration.
    Crash { by: Arc<str> },
}

/// Why rows could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LoadError {
    /// The thread is gone.
    #[error("the store has ended")]
    Gone,
    /// The file is damaged, or cannot be read.
    #[error("cannot read the jobs of `{path}`: {why}")]
    Unreadable { path: String, why: String },
}

/// Some of the jobs on disk, in the order of their ids.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) rows: Vec<Row>,
    /// Smaller ids may have been given to jobs that are gone.
    pub(crate) next_id: JobId,
}

/// What is to be written, and who waits for it.
#[derive(Debug)]
pub(crate) struct Batch {
    /// All of them or none, in this order.
    pub(crate) records: Vec<Record>,
    /// Told when the records are on disk.
    pub(crate) waiting: Vec<Waiting>,
    /// The id that the next job will get.
    pub(crate) next_id: JobId,
    /// Told if the disk refuses jobs.
    pub(crate) scheduler: Pid,
}

/// What the scheduler is told when the disk has refused new jobs: their producers know already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) Vec<JobId>);

/// Work for the thread.
pub(crate) enum Work {
    Write(Batch),
    /// At most `limit` jobs with an id of `from` or more.
    Load {
        from: JobId,
        limit: usize,
        reply: ReplyTo<Result<Chunk, LoadError>>,
    },
}

/// The way to the thread.
#[derive(Debug, Clone)]
pub(crate) struct StoreRef(Sender<Work>);

impl StoreRef {
    /// Hands a batch over. If the thread is gone, those who wait for it are told nothing: the
    /// scheduler ends with the store, and they ask the next one.
    pub(crate) fn write(&self, batch: Batch) {
        let _ = self.0.send(Work::Write(batch));
    }

    /// Reads jobs; whatever was handed over before is written by then, and told.
    pub(crate) async fn load(&self, from: JobId, limit: usize) -> Result<Chunk, LoadError> {
        let (reply, chunk) = reply_channel();
        let work = Work::Load { from, limit, reply };
        self.0.send(work).map_err(|_| LoadError::Gone)?;
        chunk.await.map_err(|_| LoadError::Gone)?
    }
}
