//! Saying something: to rooms, to people, and as a topic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use regrow::{Pid, self_pid, send, whereis};

use crate::clock;
use crate::connection::{Busy, Connection, Then};
use crate::db::PostKind;
use crate::irc::isupport::{MAX_TARGETS, TOPIC_LEN};
use crate::irc::line::{Builder, Line, truncate};
use crate::irc::message::Message;
use crate::irc::names::{RoomName, nick_process};
use crate::irc::numeric::{
    AWAY, ERR_CANNOTSENDTOCHAN, ERR_NORECIPIENT, ERR_NOSUCHNICK, ERR_NOTEXTTOSEND,
    ERR_NOTONCHANNEL, ERR_TOOMANYTARGETS, numeric,
};
use crate::room::protocol::{SayKind, ToConnection};
use crate::server::SERVER_NAME;

impl Connection {
    /// PRIVMSG and NOTICE. A NOTICE is never answered, whatever is wrong with it (RFC 2812
    /// section 3.3.2).
    pub(super) fn speak(&mut self, message: &Message) {
        let kind = match message.command.as_str() {
            "NOTICE" => PostKind::Notice,
            _ => PostKind::Privmsg,
        };
        let complain = kind == PostKind::Privmsg;
        let targets = message.list(0);
        let Some(text) = message.param(1) else {
            if complain && targets.is_empty() {
                self.reply(ERR_NORECIPIENT, |b| {
                    b.trailing("No recipient given (PRIVMSG)")
                });
            } else if complain {
                self.reply(ERR_NOTEXTTOSEND, |b| b.trailing("No text to send"));
            }
            return;
        };
        if targets.len() > MAX_TARGETS {
            if complain {
                self.reply(ERR_TOOMANYTARGETS, |b| {
                    let text = format!("Too many recipients: at most {MAX_TARGETS}");
                    b.param(&targets[MAX_TARGETS]).trailing(text)
                });
            }
            return;
        }
        self.spoke = Instant::now();
        for target in targets {
            if target.starts_with('#') {
                self.speak_to_room(&target, kind, text);
            } else {
                self.speak_to_nick(&target, kind, text);
            }
        }
    }

    fn speak_to_room(&mut self, target: &str, kind: PostKind, text: &[u8]) {
        let complain = kind == PostKind::Privmsg;
        match RoomName::parse(target) {
            Some(name) if self.rooms.get(name.key()).is_some_and(|m| m.joined) => {
                self.say(name.key(), SayKind::Post(kind), text);
            }
            Some(name) if complain && whereis(&name.process()).is_some() => {
                self.reply(ERR_CANNOTSENDTOCHAN, |b| {
                    b.param(target)
                        .trailing("Cannot send to channel: join it first (+n)")
                });
            }
            _ if complain => self.no_such_room(target),
            _ => {}
        }
    }

    fn speak_to_nick(&mut self, target: &str, kind: PostKind, text: &[u8]) {
        let Some(profile) = self.profile.clone() else {
            return;
        };
        let Some(pid) = whereis(&nick_process(target)) else {
            if kind == PostKind::Privmsg {
                self.no_such_nick(target);
            }
            return;
        };
        let line = Builder::from(&profile.prefix(), kind.command())
            .param(target)
            .trailing(text);
        let line = line.at(clock::now_micros()).line();
        if self.caps.echo_message {
            self.push(line.clone());
        }
        let sender = Arc::clone(&profile.nick);
        send(
            pid,
            ToConnection::Direct {
                from: self_pid(),
                sender,
                kind,
                line,
            },
        );
    }

    /// Another client speaks to this one.
    pub(super) fn direct(&mut self, from: Pid, sender: &str, kind: PostKind, line: Line) {
        let Some(profile) = self.profile.clone() else {
            // It has taken a nick, but is not in yet.
            if kind == PostKind::Privmsg {
                let reply = numeric(SERVER_NAME, sender, ERR_NOSUCHNICK).param(self.nick_or_star());
                let line = reply.trailing("No such nick/channel").line();
                send(from, ToConnection::Lines(vec![line]));
            }
            return;
        };
        if let (Some(away), PostKind::Privmsg) = (&profile.away, kind) {
            let reply = numeric(SERVER_NAME, sender, AWAY).param(profile.nick.as_bytes());
            send(from, ToConnection::Lines(vec![reply.trailing(away).line()]));
        }
        self.push(line);
    }

    pub(super) fn topic(&mut self, message: &Message) {
        let Some(target) = message.text(0) else {
            return self.need_more(message);
        };
        let Some(name) = RoomName::parse(&target) else {
            return self.no_such_room(&target);
        };
        let Some(text) = message.params.get(1) else {
            return self.ask_topic(&target, &name);
        };
        if !self.rooms.get(name.key()).is_some_and(|m| m.joined) {
            return if whereis(&name.process()).is_some() {
                self.reply(ERR_NOTONCHANNEL, |b| {
                    b.param(&target).trailing("You're not on that channel")
                });
            } else {
                self.no_such_room(&target);
            };
        }
        let mut text = text.clone();
        truncate(&mut text, TOPIC_LEN);
        self.say(name.key(), SayKind::Topic, &text);
        // Who asks for it next gets the new one.
        let patience = self.server.config.history_wait + Duration::from_secs(3);
        self.busy = Busy::Settling {
            then: Then::Nothing,
            deadline: Instant::now() + patience,
        };
    }
}
