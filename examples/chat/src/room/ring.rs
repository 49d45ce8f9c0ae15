//! What a room remembers of what it has shown: for those who join, and for those who come back
//! after a crash of the room and missed something.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::db::Post;
use crate::room::protocol::{Entry, Uid};

/// How many posts are replayed to a new member.
pub(crate) const REPLAY: usize = 50;
/// How long everything is remembered, whatever the number: members come back within that.
const YOUNG: Duration = Duration::from_secs(30);
/// But never more than this.
const MAX: usize = 8_192;

#[derive(Debug)]
struct Remembered {
    entry: Arc<Entry>,
    shown: Instant,
}

/// The memory of one incarnation of a room.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    entries: VecDeque<Remembered>,
    /// How many of `entries` are posts.
    posts: usize,
    /// The newest `seq` of each sender that this incarnation knows of.
    known: HashMap<Uid, i64>,
    last: i64,
}

impl Ring {
    /// Adds what was there before this incarnation: older than everything else.
    ///
    /// `in_time` says that nobody has come back yet, so that all who do get what they missed of
    /// it. If it comes later, what senders say again must be shown again.
    pub(crate) fn load(&mut self, past: Vec<Arc<Entry>>, in_time: bool, now: Instant) {
        let have = |ring: &Ring, entry: &Entry| {
            ring.entries
                .iter()
                .any(|r| r.entry.post().is_some() && r.entry.origin() == entry.origin())
        };
        for entry in past.into_iter().rev() {
            if let Some(post) = entry.post()
                && !have(self, &entry)
            {
                self.last = self.last.max(post.at);
                if in_time {
                    note(&mut self.known, post.sender, post.seq);
                }
                self.posts += 1;
                self.entries.push_front(Remembered { entry, shown: now });
            }
        }
    }

    /// Adds what is shown to the members now.
    pub(crate) fn push(&mut self, entry: Arc<Entry>, now: Instant) {
        if let Some(post) = entry.post() {
            self.last = self.last.max(post.at);
            self.posts += 1;
        }
        self.entries.push_back(Remembered { entry, shown: now });
        while let Some(oldest) = self.entries.front() {
            let old = now.duration_since(oldest.shown) > YOUNG;
            let is_post = oldest.entry.post().is_some();
            let needed = is_post && self.posts <= REPLAY;
            if self.entries.len() <= MAX && (!old || needed) {
                break;
            }
            self.posts -= usize::from(is_post);
            self.entries.pop_front();
        }
    }

    /// Whether this was said before; from now on it was. Resent words of a sender come in the
    /// order in which they were first said, so the newest number is enough.
    pub(crate) fn is_repeated(&mut self, sender: Uid, seq: i64) -> bool {
        let repeated = self.known.get(&sender).is_some_and(|known| seq <= *known);
        note(&mut self.known, sender, seq);
        repeated
    }

    /// Forgets a sender that is gone for good.
    pub(crate) fn forget(&mut self, sender: Uid) {
        self.known.remove(&sender);
    }

    /// The [`Post::at`] of the newest post.
    pub(crate) fn last(&self) -> i64 {
        self.last
    }

    /// Makes sure that later posts come after `at`.
    pub(crate) fn not_before(&mut self, at: i64) {
        self.last = self.last.max(at);
    }

    /// The last posts, oldest first, for a new member.
    pub(crate) fn replay(&self) -> Vec<Arc<Post>> {
        let posts = self
            .entries
            .iter()
            .rev()
            .filter_map(|r| r.entry.post())
            .take(REPLAY);
        let mut posts: Vec<Arc<Post>> = posts.cloned().collect();
        posts.reverse();
        posts
    }

    /// What a member that comes back has missed: posts after `seen`, and everything else that
    /// this incarnation has shown.
    pub(crate) fn missed(&self, seen: i64) -> impl Iterator<Item = &Arc<Entry>> {
        let missed = move |entry: &&Arc<Entry>| entry.post().is_none_or(|post| post.at > seen);
        self.entries.iter().map(|r| &r.entry).filter(missed)
    }
}

fn note(known: &mut HashMap<Uid, i64>, sender: Uid, seq: i64) {
    let newest = known.entry(sender).or_insert(seq);
    *newest = seq.max(*newest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::PostKind;
    use crate::irc::line::Builder;
    use crate::room::protocol::What;

    fn post(sender: Uid, seq: i64, at: i64) -> Arc<Entry> {
        let post = Post {
            room: "#a".into(),
            at,
            sender,
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

    fn event() -> Arc<Entry> {
        let line = Builder::bare("X").line();
        Arc::new(Entry {
            room: "#a".into(),
            what: What::Notice,
            line,
        })
    }

    #[test]
    fn the_last_fifty_are_replayed_however_old_they_are() {
        let now = Instant::now();
        let mut ring = Ring::default();
        ring.load((0..100).map(|n| post(1, n, n)).collect(), true, now);
        ring.push(post(1, 100, 100), now + Duration::from_secs(3_600));
        let seqs: Vec<i64> = ring.replay().iter().map(|p| p.seq).collect();
        assert_eq!(seqs, (51..=100).collect::<Vec<_>>());
        assert_eq!(
            ring.entries.len(),
            REPLAY,
            "what is old and not needed is forgotten"
        );
    }

    #[test]
    fn who_comes_back_gets_what_was_stored_and_not_delivered_and_all_events() {
        let now = Instant::now();
        let mut ring = Ring::default();
        ring.load((1..=10).map(|n| post(1, n, n)).collect(), true, now);
        ring.push(event(), now);
        ring.push(post(2, 1, 11), now);
        let missed: Vec<Option<i64>> = ring.missed(8).map(|e| e.post().map(|p| p.at)).collect();
        assert_eq!(missed, [Some(9), Some(10), None, Some(11)]);
        assert_eq!(ring.last(), 11);
    }

    #[test]
    fn what_is_said_again_is_recognized() {
        let mut ring = Ring::default();
        ring.load(vec![post(1, 5, 5)], true, Instant::now());
        assert!(ring.is_repeated(1, 4));
        assert!(ring.is_repeated(1, 5));
        assert!(!ring.is_repeated(1, 6));
        assert!(ring.is_repeated(1, 6));
        assert!(!ring.is_repeated(2, 1));
    }

    #[test]
    fn loading_late_neither_doubles_nor_disorders() {
        let now = Instant::now();
        let mut ring = Ring::default();
        ring.push(post(1, 3, 3), now);
        ring.load((1..=3).map(|n| post(1, n, n)).collect(), false, now);
        assert!(!ring.is_repeated(1, 3), "who is here may not have seen it");
        let seqs: Vec<i64> = ring.replay().iter().map(|p| p.seq).collect();
        assert_eq!(seqs, [1, 2, 3]);
    }

    #[test]
    fn memory_is_bounded_also_when_everything_is_young() {
        let now = Instant::now();
        let mut ring = Ring::default();
        (0..20_000).for_each(|n| ring.push(post(1, n, n), now));
        assert_eq!(ring.entries.len(), MAX);
        assert_eq!(ring.posts, MAX);
    }
}
