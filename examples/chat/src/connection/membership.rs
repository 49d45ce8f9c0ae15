//! The rooms that a client is in, and how it gets back into them when they crash.
//!
//! A membership without a process is looking for one: a helper asks chat_room_sup, again and
//! again if need be. What the client says meanwhile is kept and said when the room is there.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use regrow::{
    Down, MonitorRef, Pid, ServerRef, demonitor_flush, monitor, self_pid, send, sleep, spawn_link,
    whereis,
};

use crate::connection::names::names_lines;
use crate::connection::{Busy, Connection, JOIN_PATIENCE, RECENT_EVENTS};
use crate::irc::isupport::MAX_ROOMS;
use crate::irc::line::Builder;
use crate::irc::names::RoomName;
use crate::irc::numeric::{
    ERR_CANNOTSENDTOCHAN, ERR_NOSUCHCHANNEL, ERR_TOOMANYCHANNELS, ERR_UNAVAILRESOURCE, TOPIC,
    TOPICWHOTIME,
};
use crate::room::protocol::{
    Entry, Leave, Profile, RoomMessage, Say, ToConnection, Uid, Welcome, What,
};
use crate::room::{self, OpenError};
use crate::server::SERVER_NAME;

/// Bounds of the pause between two attempts to find a room.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A client in a room, or on its way into it.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) name: RoomName,
    /// Whether the client has seen itself join.
    pub(super) joined: bool,
    /// When the room was created, in microseconds since 1970.
    pub(super) created: i64,
    /// The room's process; without it a helper looks for it.
    process: Option<(Pid, MonitorRef)>,
    /// The time of the newest post that the client got.
    seen: i64,
    /// What the client has said and has not seen delivered.
    unsettled: VecDeque<Say>,
    /// The newest number of each sender: what is said again is shown once.
    newest: HashMap<Uid, i64>,
}

impl Membership {
    /// Whether the room's process is known.
    pub(super) fn has_room(&self) -> bool {
        self.process.is_some()
    }

    fn cast(&self, message: RoomMessage) {
        if let Some((pid, _)) = self.process {
            ServerRef::from_pid(pid).cast(message);
        }
    }

    /// Everything up to `seq` is delivered. Returns how much that was.
    fn settle(&mut self, seq: i64) -> usize {
        let mut settled = 0;
        while self.unsettled.front().is_some_and(|say| say.seq <= seq) {
            self.unsettled.pop_front();
            settled += 1;
        }
        settled
    }
}

impl Connection {
    /// JOIN, one room.
    pub(super) fn join_room(&mut self, given: &str) {
        let Some(name) = RoomName::parse(given) else {
            self.reply(ERR_NOSUCHCHANNEL, |b| b.param(given).trailing("No such channel: a name is # and 1 to 49 bytes without spaces, commas and control characters"));
            return;
        };
        if self.rooms.contains_key(name.key()) {
            return;
        }
        if self.rooms.len() >= MAX_ROOMS {
            self.reply(ERR_TOOMANYCHANNELS, |b| {
                b.param(given).trailing("You have joined too many channels")
            });
            return;
        }
        let key = Arc::clone(name.key());
        let membership = Membership {
            name,
            joined: false,
            created: 0,
            process: None,
            seen: 0,
            unsettled: VecDeque::new(),
            newest: HashMap::new(),
        };
        self.rooms.insert(Arc::clone(&key), membership);
        self.busy = Busy::Joining {
            deadline: Instant::now() + JOIN_PATIENCE,
        };
        self.seek(&key);
    }

    /// Finds the process of a room: at once if it is there, by a helper otherwise.
    fn seek(&mut self, key: &Arc<str>) {
        let Some(membership) = self.rooms.get(key) else {
            return;
        };
        if let Some(pid) = whereis(&membership.name.process()) {
            self.room_found(key, pid);
            return;
        }
        let (me, key) = (self_pid(), Arc::clone(key));
        let (server, name) = (Arc::clone(&self.server), membership.name.clone());
        let joined = membership.joined;
        spawn_link(async move {
            let mut pause = PAUSE.0;
            // Ends with the connection, to which it is linked, at the latest.
            let found = loop {
                match room::open(&server, &name).await {
                    Ok(pid) => break ToConnection::Room { key, pid },
                    // Who was in the room waits for a place, who wants to make one is told.
                    Err(OpenError::TooMany) if !joined => {
                        break ToConnection::NoMoreRooms { key };
                    }
                    Err(OpenError::TooMany | OpenError::NotNow) => {}
                }
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
            };
            send(me, found);
        });
    }

    pub(super) fn room_found(&mut self, key: &Arc<str>, pid: Pid) {
        let Some(profile) = &self.profile else {
            return;
        };
        let Some(membership) = self.rooms.get_mut(key) else {
            return;
        };
        if membership.process.is_some() {
            return;
        }
        // If it is dead already, the monitor says so and we look again.
        membership.process = Some((pid, monitor(pid)));
        let seen = membership.joined.then_some(membership.seen);
        membership.cast(RoomMessage::Join {
            profile: Arc::clone(profile),
            seen,
        });
        for say in &membership.unsettled {
            membership.cast(RoomMessage::Say {
                from: self.uid,
                say: say.clone(),
            });
        }
    }

    /// The room is not there, and there are as many as there may be.
    pub(super) fn no_more_rooms(&mut self, key: &Arc<str>) {
        let is_waiting = |m: &Membership| !m.joined && m.process.is_none();
        if !self.rooms.get(key).is_some_and(is_waiting) {
            return;
        }
        if let Some(name) = self.part_room(key, &Leave::Silent) {
            self.reply(ERR_UNAVAILRESOURCE, |b| {
                b.param(name.shown().as_bytes())
                    .trailing("The server has no place for another room, try again later")
            });
        }
        self.joined_one();
    }

    pub(super) fn room_down(&mut self, down: &Down) {
        let is_it = |m: &Membership| m.process.is_some_and(|(_, r)| r == down.reference);
        let Some((key, membership)) = self.rooms.iter_mut().find(|(_, m)| is_it(m)) else {
            return;
        };
        membership.process = None;
        let key = Arc::clone(key);
        if self.closing.is_none() {
            self.seek(&key);
        }
    }

    /// A room lets the client in: JOIN, topic, names, and what was said lately.
    pub(super) fn welcome_to(&mut self, welcome: Welcome) {
        let Some(profile) = self.profile.clone() else {
            return;
        };
        let Some(membership) = self.rooms.get_mut(welcome.name.key()) else {
            // We had given up on it.
            return;
        };
        membership.joined = true;
        membership.created = welcome.created;
        membership.seen = welcome.at;
        membership.name = welcome.name.clone();
        let shown = Arc::clone(welcome.name.shown());
        let join = Builder::from(&profile.prefix(), "JOIN").param(shown.as_bytes());
        self.push(join.at(crate::clock::now_micros()).line());
        if let Some(topic) = &welcome.topic {
            self.reply(TOPIC, |b| b.param(shown.as_bytes()).trailing(&topic.text));
            self.reply(TOPICWHOTIME, |b| {
                let seconds = (topic.at / 1_000_000).to_string();
                b.param(shown.as_bytes())
                    .param(topic.setter.as_bytes())
                    .param(seconds)
            });
        }
        let names = names_lines(&profile.nick, &shown, welcome.nicks.iter().map(|n| &**n));
        names.into_iter().for_each(|line| self.push_answer(line));
        let server_time = self.caps.server_time;
        let replay = welcome
            .replay
            .iter()
            .filter_map(|post| post.replay_line(&shown, server_time));
        for line in replay.collect::<Vec<_>>() {
            self.push_answer(line);
        }
        if let Some(remark) = welcome.remark {
            let line = Builder::from(SERVER_NAME, "NOTICE")
                .param(shown.as_bytes())
                .trailing(remark);
            self.push(line.line());
        }
        self.joined_one();
    }

    /// Goes on with the client's commands if no room is still to let it in.
    fn joined_one(&mut self) {
        if matches!(self.busy, Busy::Joining { .. }) && self.rooms.values().all(|m| m.joined) {
            self.busy = Busy::No;
        }
    }

    /// The rooms that have not let the client in took too long.
    pub(super) fn give_up_joining(&mut self) {
        let late: Vec<Arc<str>> = self
            .rooms
            .iter()
            .filter(|(_, m)| !m.joined)
            .map(|(key, _)| Arc::clone(key))
            .collect();
        for key in late {
            self.part_room(&key, &Leave::Part(None));
            self.reply(ERR_UNAVAILRESOURCE, |b| {
                b.param(key.as_bytes())
                    .trailing("The room is temporarily unavailable, try again")
            });
        }
    }

    /// A room shows something.
    pub(super) fn entry(&mut self, entry: &Entry) {
        let Some(membership) = self.rooms.get_mut(&entry.room) else {
            return;
        };
        if !membership.joined {
            return;
        }
        let mut show = true;
        if let Some((sender, seq)) = entry.origin() {
            let own = sender == self.uid;
            if own {
                self.unsettled -= membership.settle(seq);
            }
            let newest = membership.newest.entry(sender).or_insert(0);
            show = seq > *newest;
            *newest = seq.max(*newest);
            if let Some(post) = entry.post() {
                membership.seen = membership.seen.max(post.at);
                show &= !own || self.caps.echo_message;
            }
        }
        match &entry.what {
            // The client has been told of its own doings when it did them.
            What::Joined(uid) | What::Parted(uid) | What::Quit(uid) | What::Renamed { uid, .. }
                if *uid == self.uid =>
            {
                show = false;
            }
            What::Parted(uid) => {
                membership.newest.remove(uid);
            }
            What::Quit(uid) => {
                membership.newest.remove(uid);
                show = self.is_new(*uid, None);
            }
            What::Renamed { uid, nick } => show = self.is_new(*uid, Some(nick)),
            What::Joined(_) | What::Post(_) | What::Topic { .. } | What::Notice => {}
        }
        if show {
            self.push(entry.line.clone());
        }
    }

    /// Whether this rename or quit was not shown yet: several rooms may tell of it.
    fn is_new(&mut self, uid: Uid, nick: Option<&Arc<str>>) -> bool {
        let event = (uid, nick.cloned());
        // Renamed to and fro: only the last rename counts as shown.
        let last = self.recent_events.iter().rev().find(|(u, _)| *u == uid);
        if last == Some(&event) {
            return false;
        }
        if self.recent_events.len() >= RECENT_EVENTS {
            self.recent_events.pop_front();
        }
        self.recent_events.push_back(event);
        true
    }

    /// Keeps what the client says to a room until it is delivered, and tells the room.
    pub(super) fn say(&mut self, key: &str, kind: crate::room::protocol::SayKind, text: &[u8]) {
        let Some(membership) = self.rooms.get_mut(key) else {
            return;
        };
        self.seq += 1;
        let say = Say {
            seq: self.seq,
            kind,
            text: text.into(),
        };
        membership.cast(RoomMessage::Say {
            from: self.uid,
            say: say.clone(),
        });
        membership.unsettled.push_back(say);
        self.unsettled += 1;
    }

    pub(super) fn delivered(&mut self, room: &str, seq: i64) {
        if let Some(membership) = self.rooms.get_mut(room) {
            self.unsettled -= membership.settle(seq);
        }
    }

    pub(super) fn refused(&mut self, room: &str, seq: i64, why: &str) {
        let Some(membership) = self.rooms.get_mut(room) else {
            return;
        };
        let before = membership.unsettled.len();
        membership.unsettled.retain(|say| say.seq != seq);
        self.unsettled -= before - membership.unsettled.len();
        let shown = Arc::clone(membership.name.shown());
        self.reply(ERR_CANNOTSENDTOCHAN, |b| {
            b.param(shown.as_bytes()).trailing(why)
        });
    }

    /// Leaves one room. The client is told by the caller.
    pub(super) fn part_room(&mut self, key: &str, how: &Leave) -> Option<RoomName> {
        let membership = self.rooms.remove(key)?;
        self.unsettled -= membership.unsettled.len();
        membership.cast(RoomMessage::Leave {
            from: self.uid,
            how: how.clone(),
        });
        if let Some((_, monitor)) = membership.process {
            demonitor_flush(monitor);
        }
        Some(membership.name)
    }

    pub(super) fn leave_all(&mut self, how: &Leave) {
        let keys: Vec<Arc<str>> = self.rooms.keys().cloned().collect();
        for key in keys {
            self.part_room(&key, how);
        }
    }

    pub(super) fn tell_rooms(&self, profile: &Arc<Profile>) {
        for membership in self.rooms.values() {
            membership.cast(RoomMessage::Update(Arc::clone(profile)));
        }
    }

    pub(super) fn joined_rooms(&self) -> Vec<Arc<str>> {
        let joined = self.rooms.values().filter(|m| m.joined);
        joined.map(|m| Arc::clone(m.name.shown())).collect()
    }
}
