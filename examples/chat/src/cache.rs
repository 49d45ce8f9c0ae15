//! cache: the recent history of the rooms, so that a room that comes back need not wait for
//! the disk.
//!
//! It is filled from the database on demand and kept up to date by the pool, in the order in
//! which posts were committed. It restarts empty; rest_for_one restarts it with the pool.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use regrow::{Context, ExitReason, GenServer, Name, Next, ReplyTo, ServerRef, spawn_link};

use crate::db::{DB_POOL, PoolMessage, Post, Recent, Record, Topic};

/// The cache, whichever process it is at the moment.
pub(crate) const CACHE: Name<CacheMessage> = Name::new("cache");

/// How many posts of a room are kept: more than a room replays, because a room that comes back
/// after a crash also hands out what was stored and not yet delivered.
pub(crate) const DEPTH: usize = 256;
/// How many rooms are kept; beyond it one that was not asked for lately is dropped.
const MAX_ROOMS: usize = 1_000;

/// What the cache can be told.
pub(crate) enum CacheMessage {
    /// These were committed, in this order.
    Stored(Vec<Record>),
    /// What is known of a room? Not answered if the database does not answer.
    Recent {
        room: Arc<str>,
        reply: ReplyTo<Recent>,
    },
    /// From the helper that asked the database.
    Loaded {
        room: Arc<str>,
        recent: Option<Recent>,
    },
    /// Panics, for the sake of the demonstration.
    Crash { by: Arc<str> },
}

/// The posts and the topic of one room.
#[derive(Debug, Default)]
struct Shelf {
    posts: VecDeque<Arc<Post>>,
    topic: Option<Arc<Topic>>,
    /// When it was last asked for, as a count of all questions.
    used: u64,
}

impl Shelf {
    fn from_recent(recent: Recent) -> Shelf {
        Shelf {
            posts: recent.posts.into(),
            topic: recent.topic,
            used: 0,
        }
    }

    fn add(&mut self, record: Record) {
        match record {
            Record::Post(post) => {
                let same = |p: &Arc<Post>| p.sender == post.sender && p.seq == post.seq;
                // A post that was stored twice is kept once, as in the database.
                if self.posts.iter().rev().any(same) {
                    return;
                }
                self.posts.push_back(post);
                if self.posts.len() > DEPTH {
                    self.posts.pop_front();
                }
            }
            Record::Topic(topic) => {
                if self.topic.as_ref().is_none_or(|old| old.at <= topic.at) {
                    self.topic = Some(topic);
                }
            }
        }
    }

    fn recent(&self) -> Recent {
        Recent {
            posts: self.posts.iter().cloned().collect(),
            topic: self.topic.clone(),
        }
    }
}

/// A room that the database is being asked for.
#[derive(Default)]
struct Loading {
    waiting: Vec<ReplyTo<Recent>>,
    /// What was committed meanwhile; the answer may have it or not.
    meanwhile: Vec<Record>,
}

/// The state of the cache.
pub(crate) struct Cache {
    shelves: HashMap<Arc<str>, Shelf>,
    loading: HashMap<Arc<str>, Loading>,
    questions: u64,
}

impl GenServer for Cache {
    type Args = ();
    type Message = CacheMessage;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Cache {
            shelves: HashMap::new(),
            loading: HashMap::new(),
            questions: 0,
        })
    }

    async fn handle(&mut self, message: CacheMessage, cx: &mut Context<Self>) -> Next {
        match message {
            CacheMessage::Stored(records) => self.stored(records),
            CacheMessage::Recent { room, reply } => self.recent(room, reply, cx.server_ref()),
            CacheMessage::Loaded { room, recent } => self.loaded(room, recent),
            CacheMessage::Crash { by } => panic!("{by} asked the cache to crash"),
        }
        Next::Continue
    }
}

impl Cache {
    fn stored(&mut self, records: Vec<Record>) {
        for record in records {
            let room = match &record {
                Record::Post(post) => &post.room,
                Record::Topic(topic) => &topic.room,
            };
            if let Some(shelf) = self.shelves.get_mut(room) {
                shelf.add(record);
            } else if let Some(loading) = self.loading.get_mut(room) {
                loading.meanwhile.push(record);
            }
        }
    }

    fn recent(&mut self, room: Arc<str>, reply: ReplyTo<Recent>, me: ServerRef<CacheMessage>) {
        self.questions += 1;
        if let Some(shelf) = self.shelves.get_mut(&room) {
            shelf.used = self.questions;
            reply.send(shelf.recent());
            return;
        }
        let first = !self.loading.contains_key(&room);
        self.loading
            .entry(Arc::clone(&room))
            .or_default()
            .waiting
            .push(reply);
        if first {
            // A helper waits for the database; the cache goes on answering.
            spawn_link(async move {
                let name = Arc::clone(&room);
                let ask = |reply| PoolMessage::Recent {
                    room: name,
                    limit: DEPTH,
                    reply,
                };
                let recent = DB_POOL.server_ref().call(ask).await;
                let recent = recent.ok().and_then(Result::ok);
                me.cast(CacheMessage::Loaded { room, recent });
            });
        }
    }

    fn loaded(&mut self, room: Arc<str>, recent: Option<Recent>) {
        let Some(loading) = self.loading.remove(&room) else {
            return;
        };
        // Without an answer those who wait are told by the drop of their reply handles.
        let Some(recent) = recent else { return };
        let mut shelf = Shelf::from_recent(recent);
        loading
            .meanwhile
            .into_iter()
            .for_each(|record| shelf.add(record));
        shelf.used = self.questions;
        for reply in loading.waiting {
            reply.send(shelf.recent());
        }
        self.shelves.insert(room, shelf);
        self.evict();
    }

    /// Drops the rooms that were not asked for longest, a tenth at a time.
    fn evict(&mut self) {
        if self.shelves.len() <= MAX_ROOMS {
            return;
        }
        let mut uses: Vec<u64> = self.shelves.values().map(|s| s.used).collect();
        uses.sort_unstable();
        let oldest: HashSet<u64> = uses.into_iter().take(MAX_ROOMS / 10).collect();
        self.shelves
            .retain(|_, shelf| !oldest.contains(&shelf.used));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::PostKind;

    fn post(seq: i64) -> Record {
        Record::Post(Arc::new(Post {
            room: "#a".into(),
            at: seq,
            sender: 1,
            seq,
            kind: PostKind::Privmsg,
            prefix: "a!b@c".into(),
            text: b"x".as_slice().into(),
        }))
    }

    #[test]
    fn a_shelf_keeps_each_post_once_and_only_the_newest() {
        let mut shelf = Shelf::default();
        for seq in 0..300 {
            shelf.add(post(seq));
            shelf.add(post(seq));
        }
        let seqs: Vec<i64> = shelf.recent().posts.iter().map(|p| p.seq).collect();
        assert_eq!(seqs, (44..300).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_committed_while_a_room_is_loaded_is_neither_lost_nor_doubled() {
        let mut cache = Cache {
            shelves: HashMap::new(),
            loading: HashMap::new(),
            questions: 0,
        };
        cache.loading.insert("#a".into(), Loading::default());
        cache.stored(vec![post(2), post(3)]);
        let Record::Post(first) = post(1) else {
            unreachable!()
        };
        let Record::Post(second) = post(2) else {
            unreachable!()
        };
        let recent = Recent {
            posts: vec![first, second],
            topic: None,
        };
        cache.loaded("#a".into(), Some(recent));
        let seqs: Vec<i64> = cache.shelves["#a"]
            .recent()
            .posts
            .iter()
            .map(|p| p.seq)
            .collect();
        assert_eq!(seqs, [1, 2, 3]);
    }
}
