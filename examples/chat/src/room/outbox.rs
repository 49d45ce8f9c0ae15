//! What a room does with what is said: store first, deliver then, and what if the store is away.
//!
//! Pure decisions; the room carries them out. The rules:
//!
//! * Entries are stored in batches, one batch under way at a time, and delivered in order when
//!   their batch is stored.
//! * A batch that got lost (the pool was restarting) is sent again. Entries wait meanwhile, at
//!   most [`capacity`](Outbox::new) of them; more are refused.
//! * When the oldest entry has waited too long, or the database refuses a batch, the room goes on
//!   without history: what waits and what comes is delivered at once. It is kept, up to the same
//!   capacity, and stored when the database is back; what does not fit is lost for the history.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::db::{Record, StoreError};
use crate::room::protocol::{Entry, Uid, What};

/// At most this many entries are stored at once. Less than a room gets to know of its past when
/// it starts: so what was stored and not delivered is delivered by the next incarnation.
pub(crate) const BATCH: usize = 128;

#[derive(Debug)]
struct Item {
    entry: Arc<Entry>,
    since: Instant,
    delivered: bool,
}

/// What becomes of an accepted entry.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// It waits for its turn.
    Queued,
    /// There is no history: deliver it now.
    DeliverNow(Arc<Entry>),
    /// Too many wait.
    Refused,
}

/// What to do next.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    /// Deliver these, in this order.
    pub(crate) deliver: Vec<Arc<Entry>>,
    /// The history has just gone: why.
    pub(crate) gone: Option<StoreError>,
    /// The history is back; so many posts are missing from it.
    pub(crate) back: Option<u64>,
}

/// The entries that are on their way to the database.
#[derive(Debug)]
pub(crate) struct Outbox {
    items: VecDeque<Item>,
    capacity: usize,
    patience: Duration,
    /// The batch under way, and how many of the first items it has.
    under_way: Option<(u64, usize)>,
    batches: u64,
    /// There is no history at the moment.
    away: bool,
    lost: u64,
}

impl Outbox {
    /// For at most `capacity` entries, which wait at most `patience`.
    pub(crate) fn new(capacity: usize, patience: Duration) -> Outbox {
        Outbox {
            items: VecDeque::new(),
            capacity: capacity.max(BATCH),
            patience,
            under_way: None,
            batches: 0,
            away: false,
            lost: 0,
        }
    }

    /// Whether the room goes on without history at the moment.
    pub(crate) fn is_away(&self) -> bool {
        self.away
    }

    /// Whether everything is stored and delivered.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether something that `sender` has said is still to be delivered.
    pub(crate) fn has_from(&self, sender: Uid) -> bool {
        let is_from = |entry: &Entry| entry.origin().is_some_and(|(uid, _)| uid == sender);
        self.items
            .iter()
            .any(|item| !item.delivered && is_from(&item.entry))
    }

    /// Takes something that a member has said.
    pub(crate) fn accept(&mut self, entry: Arc<Entry>, now: Instant) -> Accepted {
        if self.items.len() >= self.capacity {
            if !self.away {
                return Accepted::Refused;
            }
            // The oldest that is not under way makes room.
            let index = self.under_way.map_or(0, |(_, count)| count);
            if self.items.remove(index).is_some() {
                self.lost += 1;
            }
        }
        let item = Item {
            entry: Arc::clone(&entry),
            since: now,
            delivered: self.away,
        };
        self.items.push_back(item);
        if self.away {
            Accepted::DeliverNow(entry)
        } else {
            Accepted::Queued
        }
    }

    /// The next batch to store, if there is something to store and no batch is under way.
    pub(crate) fn next_batch(&mut self) -> Option<(u64, Vec<Record>)> {
        if self.under_way.is_some() || self.items.is_empty() {
            return None;
        }
        let count = self.items.len().min(BATCH);
        let records = self
            .items
            .iter()
            .take(count)
            .filter_map(|i| record(&i.entry))
            .collect();
        self.batches += 1;
        self.under_way = Some((self.batches, count));
        Some((self.batches, records))
    }

    /// A batch was stored, or not. Answers for batches that are not under way mean nothing.
    pub(crate) fn answered(&mut self, batch: u64, result: Result<(), StoreError>) -> Todo {
        let mut todo = Todo::default();
        let Some((_, count)) = self.under_way.take_if(|(number, _)| *number == batch) else {
            return todo;
        };
        match result {
            Ok(()) => {
                let stored = self.items.drain(..count);
                todo.deliver = stored.filter(|i| !i.delivered).map(|i| i.entry).collect();
                if self.away && self.items.is_empty() {
                    self.away = false;
                    todo.back = Some(std::mem::take(&mut self.lost));
                }
            }
            Err(StoreError::Lost) => {}
            Err(refused) => self.go_on_without(refused, &mut todo),
        }
        todo
    }

    /// Looks whether something has waited too long.
    pub(crate) fn look(&mut self, now: Instant) -> Todo {
        let mut todo = Todo::default();
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.go_on_without(StoreError::Lost, &mut todo);
        }
        todo
    }

    /// When to [`look`](Outbox::look) again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.away {
            return None;
        }
        self.items.front().map(|item| item.since + self.patience)
    }

    fn go_on_without(&mut self, why: StoreError, todo: &mut Todo) {
        if !std::mem::replace(&mut self.away, true) {
            todo.gone = Some(why);
        }
        for item in self.items.iter_mut().filter(|item| !item.delivered) {
            item.delivered = true;
            todo.deliver.push(Arc::clone(&item.entry));
        }
    }
}

/// What the database keeps of an entry.
fn record(entry: &Entry) -> Option<Record> {
    match &entry.what {
        What::Post(post) => Some(Record::Post(Arc::clone(post))),
        What::Topic { topic, .. } => Some(Record::Topic(Arc::clone(topic))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Post, PostKind};

    const PATIENCE: Duration = Duration::from_secs(5);

    fn entry(seq: i64) -> Arc<Entry> {
        let post = Post {
            room: "#a".into(),
            at: seq,
            sender: 1,
            seq,
            kind: PostKind::Privmsg,
            prefix: "n!u@h".into(),
            text: b"x".as_slice().into(),
        };
        let line = post.line("#a");
        Arc::new(Entry {
            room: "#a".into(),
            what: What::Post(Arc::new(post)),
            line,
        })
    }

    fn seqs(entries: &[Arc<Entry>]) -> Vec<i64> {
        entries.iter().map(|e| e.origin().unwrap().1).collect()
    }

    #[test]
    fn nothing_is_delivered_before_it_is_stored() {
        let now = Instant::now();
        let mut outbox = Outbox::new(1_000, PATIENCE);
        for seq in 0..300 {
            assert!(matches!(outbox.accept(entry(seq), now), Accepted::Queued));
        }
        let mut delivered = Vec::new();
        while let Some((batch, records)) = outbox.next_batch() {
            assert!(records.len() <= BATCH && outbox.next_batch().is_none());
            assert!(outbox.answered(batch + 1, Ok(())).deliver.is_empty());
            assert!(outbox.has_from(1) && !outbox.has_from(2));
            delivered.extend(outbox.answered(batch, Ok(())).deliver);
        }
        assert!(!outbox.has_from(1));
        assert_eq!(seqs(&delivered), (0..300).collect::<Vec<_>>());
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_lost_batch_is_sent_again_and_what_comes_meanwhile_waits_behind_it() {
        let now = Instant::now();
        let mut outbox = Outbox::new(1_000, PATIENCE);
        outbox.accept(entry(1), now);
        let (first, _) = outbox.next_batch().unwrap();
        outbox.accept(entry(2), now);
        assert!(
            outbox
                .answered(first, Err(StoreError::Lost))
                .deliver
                .is_empty()
        );
        let (second, records) = outbox.next_batch().unwrap();
        assert_eq!(records.len(), 2);
        assert!(
            outbox.answered(first, Ok(())).deliver.is_empty(),
            "a late answer means nothing"
        );
        assert_eq!(seqs(&outbox.answered(second, Ok(())).deliver), [1, 2]);
    }

    #[test]
    fn after_some_seconds_it_goes_on_without_history_and_tells_when_it_is_back() {
        let now = Instant::now();
        let mut outbox = Outbox::new(1_000, PATIENCE);
        outbox.accept(entry(1), now);
        let (batch, _) = outbox.next_batch().unwrap();
        outbox.answered(batch, Err(StoreError::Lost));
        assert!(outbox.look(now + PATIENCE / 2).deliver.is_empty());
        let todo = outbox.look(now + PATIENCE);
        assert_eq!(seqs(&todo.deliver), [1]);
        assert_eq!(todo.gone, Some(StoreError::Lost));
        assert!(matches!(
            outbox.accept(entry(2), now),
            Accepted::DeliverNow(_)
        ));
        let (batch, records) = outbox.next_batch().unwrap();
        assert_eq!(records.len(), 2, "what was delivered is stored later");
        let todo = outbox.answered(batch, Ok(()));
        assert!(todo.deliver.is_empty(), "and is not delivered twice");
        assert_eq!(todo.back, Some(0));
        assert!(matches!(outbox.accept(entry(3), now), Accepted::Queued));
    }

    #[test]
    fn a_database_that_refuses_is_not_waited_for() {
        let now = Instant::now();
        let mut outbox = Outbox::new(1_000, PATIENCE);
        outbox.accept(entry(1), now);
        let (batch, _) = outbox.next_batch().unwrap();
        let full = StoreError::Refused("full".into());
        let todo = outbox.answered(batch, Err(full.clone()));
        assert_eq!(
            (seqs(&todo.deliver), todo.gone),
            (vec![1], Some(full.clone()))
        );
        let (batch, _) = outbox.next_batch().unwrap();
        let todo = outbox.answered(batch, Err(full));
        assert!(todo.deliver.is_empty() && todo.gone.is_none(), "said once");
    }

    #[test]
    fn what_waits_is_bounded() {
        let now = Instant::now();
        let mut outbox = Outbox::new(200, PATIENCE);
        let refused = |o: &mut Outbox, seq| matches!(o.accept(entry(seq), now), Accepted::Refused);
        assert_eq!(
            (0..250).filter(|seq| refused(&mut outbox, *seq)).count(),
            50
        );
        let (batch, _) = outbox.next_batch().unwrap();
        assert_eq!(outbox.look(now + PATIENCE).deliver.len(), 200);
        assert!(
            !refused(&mut outbox, 250),
            "without history the oldest make room"
        );
        assert!(outbox.answered(batch, Ok(())).back.is_none());
        let (batch, records) = outbox.next_batch().unwrap();
        assert_eq!(records.len(), 200 - BATCH);
        assert_eq!(outbox.answered(batch, Ok(())).back, Some(1));
    }
}
