//! What connections and rooms say to each other.
//!
//! A connection sends [`RoomMessage`]s and never waits for the answer; a room answers with
//! [`ToConnection`]s. So neither can hold the other up.

use std::sync::Arc;

use regrow::{Pid, ReplyTo};

use crate::db::{Post, PostKind, Recent, StoreError, Topic};
use crate::irc::line::{Builder, Line};
use crate::irc::names::RoomName;

/// Names a connection; never used again, not even after a restart of the server.
pub(crate) type Uid = i64;

/// Who a client is. Shared by all who need to know; a change makes a new one.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) uid: Uid,
    pub(crate) pid: Pid,
    pub(crate) nick: Arc<str>,
    pub(crate) user: Arc<str>,
    pub(crate) host: Arc<str>,
    pub(crate) real_name: Arc<[u8]>,
    pub(crate) away: Option<Arc<[u8]>>,
    pub(crate) invisible: bool,
}

impl Profile {
    /// `nick!user@host`
    pub(crate) fn prefix(&self) -> String {
        format!("{}!{}@{}", self.nick, self.user, self.host)
    }
}

/// Something a client wants to be kept and shown to all members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SayKind {
    Post(PostKind),
    Topic,
}

/// What a member says. The connection keeps it until the room has delivered it, and says it
/// again to the next incarnation of the room if this one crashes before that.
#[derive(Debug, Clone)]
pub(crate) struct Say {
    /// Grows with everything that this connection says, in any room.
    pub(crate) seq: i64,
    pub(crate) kind: SayKind,
    pub(crate) text: Arc<[u8]>,
}

/// Why a client leaves.
#[derive(Debug, Clone)]
pub(crate) enum Leave {
    Part(Option<Arc<[u8]>>),
    Quit(Arc<[u8]>),
    /// The server is going down: nobody needs to be told.
    Silent,
}

/// What a room can be told.
pub(crate) enum RoomMessage {
    /// Let me in. `seen` is for those who were members of the crashed incarnation: the
    /// [`Post::at`] of the last post that they got. They come back without anybody noticing and
    /// get what they missed.
    Join {
        profile: Arc<Profile>,
        seen: Option<i64>,
    },
    /// From a member.
    Say {
        from: Uid,
        say: Say,
    },
    Leave {
        from: Uid,
        how: Leave,
    },
    /// A member's new profile; a new nick is told to all.
    Update(Arc<Profile>),
    /// What is there to know?
    Look(ReplyTo<Look>),
    /// From the database side: what became of a batch.
    Stored {
        batch: u64,
        result: Result<(), StoreError>,
    },
    /// From the room's helper: what is known of the past.
    Loaded(Recent),
    /// Time to look after what waits for the database.
    StoreTimer,
    /// Time to go if nobody is here.
    IdleTimer,
    /// Panics, for the sake of the demonstration.
    Crash {
        by: Arc<str>,
    },
}

/// What a room shows to those who ask.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) name: RoomName,
    pub(crate) topic: Option<Arc<Topic>>,
    pub(crate) members: Vec<Arc<Profile>>,
}

/// What all members of a room are shown.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The room's key.
    pub(crate) room: Arc<str>,
    pub(crate) what: What,
    pub(crate) line: Line,
}

/// Kinds of [`Entry`], with what a connection needs to know beyond the line.
#[derive(Debug)]
pub(crate) enum What {
    /// A post. It is stored, unless the database is away for long.
    Post(Arc<Post>),
    /// A new topic, said by `sender` as `seq`.
    Topic {
        topic: Arc<Topic>,
        sender: Uid,
        seq: i64,
    },
    Joined(Uid),
    Parted(Uid),
    /// Told by each room that the client was in; shown once.
    Quit(Uid),
    /// Likewise told by each room and shown once.
    Renamed {
        uid: Uid,
        nick: Arc<str>,
    },
    /// The server speaks.
    Notice,
}

impl Entry {
    /// Who said it as what, if it is something that somebody said.
    pub(crate) fn origin(&self) -> Option<(Uid, i64)> {
        match &self.what {
            What::Post(post) => Some((post.sender, post.seq)),
            What::Topic { sender, seq, .. } => Some((*sender, *seq)),
            _ => None,
        }
    }

    /// The post, if it is one.
    pub(crate) fn post(&self) -> Option<&Arc<Post>> {
        match &self.what {
            What::Post(post) => Some(post),
            _ => None,
        }
    }
}

/// What a room tells a new member.
#[derive(Debug)]
pub(crate) struct Welcome {
    pub(crate) name: RoomName,
    pub(crate) created: i64,
    /// The newest [`Post::at`] so far.
    pub(crate) at: i64,
    pub(crate) topic: Option<Arc<Topic>>,
    pub(crate) nicks: Vec<Arc<str>>,
    /// The last posts, oldest first.
    pub(crate) replay: Vec<Arc<Post>>,
    /// Something that the new member should know ("no history at the moment").
    pub(crate) remark: Option<&'static str>,
}

/// What a connection can be told.
pub(crate) enum ToConnection {
    /// A room shows something to its members.
    Entry(Arc<Entry>),
    /// A room lets us in.
    Welcome(Box<Welcome>),
    /// A room will not deliver what we said as `seq`, and why.
    Refused {
        room: Arc<str>,
        seq: i64,
        why: &'static str,
    },
    /// A room had delivered what we said as `seq` before it crashed.
    Delivered { room: Arc<str>, seq: i64 },
    /// From our helper: the process of a room that we want to be in.
    Room { key: Arc<str>, pid: Pid },
    /// From our helper: there may be no further room.
    NoMoreRooms { key: Arc<str> },
    /// From our helper: what the client had asked for.
    Answer(Vec<Line>),
    /// Another client speaks to ours.
    Direct {
        from: Pid,
        sender: Arc<str>,
        kind: PostKind,
        line: Line,
    },
    /// More lines for the client.
    Lines(Vec<Line>),
    /// Who are you?
    WhoAreYou(ReplyTo<Whois>),
    /// Panics, for the sake of the demonstration.
    Crash { by: Arc<str> },
}

/// A connection's answer to [`ToConnection::WhoAreYou`].
#[derive(Debug)]
pub(crate) struct Whois {
    pub(crate) profile: Arc<Profile>,
    /// In microseconds since 1970.
    pub(crate) signed_on: i64,
    pub(crate) idle_seconds: u64,
    pub(crate) rooms: Vec<Arc<str>>,
}

impl PostKind {
    /// The command that carries it.
    pub(crate) fn command(self) -> &'static str {
        match self {
            PostKind::Privmsg => "PRIVMSG",
            PostKind::Notice => "NOTICE",
        }
    }
}

impl Post {
    /// The line that members are shown.
    pub(crate) fn line(&self, room: &str) -> Line {
        Builder::from(&self.prefix, self.kind.command())
            .param(room)
            .trailing(&self.text)
            .at(self.at)
            .line()
    }

    /// The line that a new member is shown. Without `server-time` the client cannot tell the
    /// past from the present, so the time stands in the text. `None` for client-to-client
    /// requests, which must not be answered a second time.
    pub(crate) fn replay_line(&self, room: &str, server_time: bool) -> Option<Line> {
        const ACTION: &[u8] = b"\x01ACTION ";
        let action = self.text.starts_with(ACTION);
        if self.text.first() == Some(&1) && !action {
            return None;
        }
        if server_time {
            return Some(self.line(room));
        }
        let (start, rest) = self.text.split_at(if action { ACTION.len() } else { 0 });
        let when = crate::clock::readable(self.at);
        let text = [start, b"[", when.as_bytes(), b"] ", rest].concat();
        let line = Builder::from(&self.prefix, self.kind.command())
            .param(room)
            .trailing(text);
        Some(line.at(self.at).line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(text: &[u8]) -> Post {
        Post {
            room: "#a".into(),
            at: 0,
            sender: 1,
            seq: 1,
            kind: PostKind::Privmsg,
            prefix: "n!u@h".into(),
            text: text.into(),
        }
    }

    #[test]
    fn the_past_is_told_from_the_present() {
        let post = post(b"hi");
        assert_eq!(post.line("#A").wire(false), b":n!u@h PRIVMSG #A :hi\r\n");
        let plain = post.replay_line("#A", false).unwrap();
        assert_eq!(
            plain.wire(false),
            b":n!u@h PRIVMSG #A :[1970-01-01 00:00:00] hi\r\n"
        );
        assert_eq!(post.replay_line("#A", true).unwrap(), post.line("#A"));
    }

    #[test]
    fn actions_are_replayed_and_other_requests_are_not() {
        let line = post(b"\x01ACTION waves\x01")
            .replay_line("#a", false)
            .unwrap();
        let text = String::from_utf8(line.wire(false).to_vec()).unwrap();
        assert!(
            text.ends_with(":\x01ACTION [1970-01-01 00:00:00] waves\x01\r\n"),
            "{text:?}"
        );
        assert_eq!(post(b"\x01VERSION\x01").replay_line("#a", true), None);
    }
}
