//! What is to be done about a command.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::protocol::{JobId, Response, TubeName};
use crate::queue::ClientId;

/// Why jobs failed.
pub(super) type Notes = FxHashMap<JobId, Arc<str>>;

/// What is to be done about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Answer the oldest request of this client that has no answer.
    Reply(ClientId, Response),
    /// The same, but only once all records of this call are on disk.
    ReplyWhenStored(ClientId, Response),
    /// To be written, in this order.
    Store(Record),
    /// A client has the job from now on, at most until then (by the queue's clock). Said again
    /// when its time begins anew.
    Leased {
        /// Which.
        job: JobId,
        /// Who.
        client: ClientId,
        /// How long.
        until: Duration,
    },
    /// Nobody has the job any more.
    LeaseEnded(JobId),
    /// Nobody can reserve from the tube until then (by the queue's clock); a time that is over
    /// means that everybody can. Nothing is said when a pause ends by itself.
    Paused(PausedTube),
}

/// A tube that is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedTube {
    /// Which.
    pub tube: TubeName,
    /// For how long it was paused.
    pub seconds: u32,
    /// Until when, by the queue's clock.
    pub until: Duration,
}

/// A change to what is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A new job.
    Put(Row),
    /// A job has changed.
    State(RowUpdate),
    /// A job is gone.
    Delete(JobId),
}

impl Record {
    /// The job that it is about.
    pub fn id(&self) -> JobId {
        match self {
            Record::Put(row) => row.id,
            Record::State(update) => update.id,
            Record::Delete(id) => *id,
        }
    }
}

/// A job as it is kept on disk. Times are milliseconds of the queue's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub id: JobId,
    /// Where it is.
    pub tube: TubeName,
    /// Smaller is more urgent.
    pub pri: u32,
    /// The delay that it was put or released with, in seconds.
    pub delay: u32,
    /// How long a client may keep it, in seconds.
    pub ttr: u32,
    /// When it was put.
    pub created: i64,
    /// Its state.
    pub state: RowState,
    /// What happened to it so far.
    pub tally: Tally,
    /// Why it failed, if it did.
    pub note: Option<Arc<str>>,
    /// What it is about.
    pub body: Arc<[u8]>,
}

/// What may have changed of a [`Row`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowUpdate {
    /// Which row.
    pub id: JobId,
    /// See [`Row::pri`].
    pub pri: u32,
    /// See [`Row::delay`].
    pub delay: u32,
    /// See [`Row::state`].
    pub state: RowState,
    /// See [`Row::tally`].
    pub tally: Tally,
    /// See [`Row::note`].
    pub note: Option<Arc<str>>,
}

/// The state of a job on disk. There is no reserved: such a job is ready again after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// Ready.
    Ready,
    /// Ready at this time, in milliseconds of the queue's clock.
    Delayed(i64),
    /// Buried; those with smaller numbers are kicked first.
    Buried(u64),
}

/// What happened to a job so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How often it was reserved.
    pub reserves: u32,
    /// How often its TTR ended.
    pub timeouts: u32,
    /// How often it was released.
    pub releases: u32,
    /// How often it was buried.
    pub buries: u32,
    /// How often it was kicked.
    pub kicks: u32,
    /// How often a worker failed at it since it was put or kicked.
    pub failures: u32,
}
