//! The database side: what is kept, and how the rest of the server speaks of it.

pub(crate) mod pool;
pub(crate) mod schema;
mod worker;

use std::sync::Arc;

use regrow::{Name, Pid, ReplyTo, send};

use crate::room::protocol::RoomMessage;

/// The pool, whichever process it is at the moment.
pub(crate) const DB_POOL: Name<PoolMessage> = Name::new("db_pool");

/// What a client may say to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostKind {
    Privmsg,
    Notice,
}

/// One message to a room, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    /// The room's key (its folded name).
    pub(crate) room: Arc<str>,
    /// When the room accepted it, in microseconds; grows strictly from post to post of a room.
    pub(crate) at: i64,
    /// The connection that said it. Together with `seq` it names the post: storing it twice
    /// keeps it once.
    pub(crate) sender: i64,
    pub(crate) seq: i64,
    pub(crate) kind: PostKind,
    /// `nick!user@host` of the sender at that time.
    pub(crate) prefix: Arc<str>,
    pub(crate) text: Arc<[u8]>,
}

/// A room's topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) room: Arc<str>,
    pub(crate) at: i64,
    /// The nick that set it.
    pub(crate) setter: Arc<str>,
    /// Empty: no topic.
    pub(crate) text: Arc<[u8]>,
}

/// Something to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    Post(Arc<Post>),
    Topic(Arc<Topic>),
}

/// What is known of a room's past: its last posts, oldest first, and its topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recent {
    pub(crate) posts: Vec<Arc<Post>>,
    pub(crate) topic: Option<Arc<Topic>>,
}

/// Why records were not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// Whoever had the records ended before it could store them, or was not there at all.
    #[error("the database does not answer")]
    Lost,
    /// The database refused them.
    #[error("{0}")]
    Refused(Arc<str>),
}

/// What the pool can be told.
pub(crate) enum PoolMessage {
    /// Store these in this order; all or none.
    Store {
        records: Vec<Record>,
        ticket: Ticket,
    },
    /// Answered when everything that was to be stored before has been.
    Flush(ReplyTo<()>),
    /// The newest `limit` posts of a room.
    Recent {
        room: Arc<str>,
        limit: usize,
        reply: ReplyTo<Result<Recent, StoreError>>,
    },
    /// Panics, for the sake of the demonstration.
    Crash { by: Arc<str> },
}

/// The promise that a room hears what became of its records.
///
/// It is answered exactly once: by [`answer`](Ticket::answer), or, if it is dropped on the way
/// (in a mailbox of a process that died, in a channel that nobody reads), with
/// [`StoreError::Lost`].
#[derive(Debug)]
pub(crate) struct Ticket {
    room: Pid,
    batch: u64,
    answered: bool,
}

impl Ticket {
    /// A promise to the process `room`, which knows it as `batch`.
    pub(crate) fn new(room: Pid, batch: u64) -> Ticket {
        Ticket {
            room,
            batch,
            answered: false,
        }
    }

    /// Keeps the promise. Works from any thread.
    pub(crate) fn answer(mut self, result: Result<(), StoreError>) {
        self.tell(result);
    }

    fn tell(&mut self, result: Result<(), StoreError>) {
        if !std::mem::replace(&mut self.answered, true) {
            send(
                self.room,
                RoomMessage::Stored {
                    batch: self.batch,
                    result,
                },
            );
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tell(Err(StoreError::Lost));
    }
}
