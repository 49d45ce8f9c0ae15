//! Who comes, who goes, who comes back.

use std::sync::Arc;
use std::time::Instant;

use regrow::{ExitReason, Pid, demonitor_flush, monitor, self_pid, send, send_after};

use crate::clock;
use crate::irc::line::{Builder, Line};
use crate::room::protocol::{
    Entry, Leave, Look, Profile, RoomMessage, ToConnection, Uid, Welcome, What,
};
use crate::room::{Member, Room};

impl Room {
    pub(super) fn join(&mut self, profile: Arc<Profile>, seen: Option<i64>) {
        if self.members.contains_key(&profile.uid) {
            self.update(profile);
            return;
        }
        self.empty_since = None;
        self.deserted = false;
        let joined = self.event(What::Joined(profile.uid), self.join_line(&profile));
        match seen {
            Some(seen) => {
                // The clock may have been set back since.
                self.ring.not_before(seen);
                self.last_at = self.last_at.max(seen);
                for entry in self.ring.missed(seen) {
                    send(profile.pid, ToConnection::Entry(Arc::clone(entry)));
                }
                // Who came while this one was away has not seen it in NAMES.
                for member in self.members.values().filter(|member| !member.returned) {
                    send(member.profile.pid, ToConnection::Entry(Arc::clone(&joined)));
                }
            }
            None => self.show(joined),
        }
        let member = Member {
            profile: Arc::clone(&profile),
            monitor: monitor(profile.pid),
            returned: seen.is_some(),
        };
        self.uids.insert(profile.pid, profile.uid);
        self.members.insert(profile.uid, member);
        if seen.is_none() {
            let welcome = self.welcome();
            send(profile.pid, ToConnection::Welcome(Box::new(welcome)));
        }
    }

    fn welcome(&self) -> Welcome {
        let away = self.outbox.is_away() || !self.past_known;
        Welcome {
            name: self.name.clone(),
            created: self.created,
            at: self.ring.last(),
            topic: self.topic.clone(),
            nicks: self
                .members
                .values()
                .map(|m| Arc::clone(&m.profile.nick))
                .collect(),
            replay: self.ring.replay(),
            remark: away.then_some("the history of this room is not available at the moment"),
        }
    }

    fn join_line(&self, profile: &Profile) -> Line {
        Builder::from(&profile.prefix(), "JOIN")
            .param(self.name.shown().as_bytes())
            .at(clock::now_micros())
            .line()
    }

    fn event(&self, what: What, line: Line) -> Arc<Entry> {
        Arc::new(Entry {
            room: Arc::clone(self.name.key()),
            what,
            line,
        })
    }

    /// Takes a member out and returns who it was.
    fn remove(&mut self, uid: Uid) -> Option<Arc<Profile>> {
        let member = self.members.remove(&uid)?;
        demonitor_flush(member.monitor);
        self.uids.remove(&member.profile.pid);
        self.ring.forget(uid);
        if self.members.is_empty() {
            self.empty_since = Some(Instant::now());
            self.deserted = true;
            send_after(
                self.server.config.room_idle,
                self_pid(),
                RoomMessage::IdleTimer,
            );
        }
        Some(member.profile)
    }

    /// A member goes, but not before its last words are shown.
    pub(super) fn leave(&mut self, uid: Uid, how: Leave) {
        if !self.members.contains_key(&uid) || self.leaving.iter().any(|(l, _)| *l == uid) {
            return;
        }
        self.leaving.push((uid, how));
        self.let_go();
    }

    /// Lets those go who wanted to and have nothing left to be shown.
    pub(super) fn let_go(&mut self) {
        let mut index = 0;
        while let Some((uid, _)) = self.leaving.get(index) {
            if self.outbox.has_from(*uid) {
                index += 1;
            } else {
                let (uid, how) = self.leaving.remove(index);
                self.gone(uid, how);
            }
        }
    }

    fn gone(&mut self, uid: Uid, how: Leave) {
        let Some(profile) = self.remove(uid) else {
            return;
        };
        match how {
            Leave::Silent => {}
            Leave::Quit(reason) => self.show_quit(&profile, &reason),
            Leave::Part(reason) => {
                let line = Builder::from(&profile.prefix(), "PART")
                    .param(self.name.shown().as_bytes())
                    .at(clock::now_micros());
                let line = match reason {
                    Some(reason) => line.trailing(reason).line(),
                    None => line.line(),
                };
                let entry = self.event(What::Parted(uid), line);
                self.show(entry);
            }
        }
    }

    /// A member's process has ended without saying goodbye.
    pub(super) fn down(&mut self, pid: Pid, reason: &ExitReason) {
        let Some(uid) = self.uids.get(&pid).copied() else {
            return;
        };
        let how = match reason {
            // The server is going down, and everybody with it.
            ExitReason::Shutdown | ExitReason::ShutdownWith(_) => Leave::Silent,
            ExitReason::Panic(_) => Leave::Quit(b"Connection crashed".as_slice().into()),
            _ => Leave::Quit(b"Connection lost".as_slice().into()),
        };
        self.leave(uid, how);
    }

    fn show_quit(&mut self, profile: &Profile, reason: &[u8]) {
        let line = Builder::from(&profile.prefix(), "QUIT")
            .trailing(reason)
            .at(clock::now_micros())
            .line();
        let entry = self.event(What::Quit(profile.uid), line);
        self.show(entry);
    }

    pub(super) fn update(&mut self, profile: Arc<Profile>) {
        let Some(member) = self.members.get_mut(&profile.uid) else {
            return;
        };
        let old = std::mem::replace(&mut member.profile, Arc::clone(&profile));
        if old.nick != profile.nick {
            let line = Builder::from(&old.prefix(), "NICK")
                .trailing(profile.nick.as_bytes())
                .at(clock::now_micros())
                .line();
            let what = What::Renamed {
                uid: profile.uid,
                nick: Arc::clone(&profile.nick),
            };
            let entry = self.event(what, line);
            self.show(entry);
        }
    }

    pub(super) fn look(&self) -> Look {
        Look {
            name: self.name.clone(),
            topic: self.topic.clone(),
            members: self
                .members
                .values()
                .map(|m| Arc::clone(&m.profile))
                .collect(),
        }
    }
}
