//! Which command does what.

use std::sync::Arc;

use regrow::{registered, whereis};

use crate::clock;
use crate::connection::{Connection, Then};
use crate::irc::isupport::ROOM_MODES;
use crate::irc::isupport::{AWAY_LEN, USER_MODES};
use crate::irc::line::{Builder, truncate};
use crate::irc::message::Message;
use crate::irc::mode::{self, RoomMode};
use crate::irc::names::{RoomName, fold, nick_process};
use crate::irc::numeric::{
    CHANNELMODEIS, CREATIONTIME, ENDOFBANLIST, ENDOFMOTD, ENDOFWHOWAS, ERR_ALREADYREGISTERED,
    ERR_CHANOPRIVSNEEDED, ERR_NEEDMOREPARAMS, ERR_NOORIGIN, ERR_NOSUCHCHANNEL, ERR_NOSUCHNICK,
    ERR_NOTONCHANNEL, ERR_NOTREGISTERED, ERR_UMODEUNKNOWNFLAG, ERR_UNKNOWNCOMMAND, ERR_UNKNOWNMODE,
    ERR_USERSDONTMATCH, ERR_WASNOSUCHNICK, ISON, LUSERCHANNELS, LUSERCLIENT, LUSERME, MOTD,
    MOTDSTART, NOWAWAY, TIME, UMODEIS, UNAWAY, VERSION as RPL_VERSION,
};
use crate::room::protocol::Leave;
use crate::server::{SERVER_NAME, VERSION};

/// The message of the day.
const MOTD_TEXT: &[&str] = &[
    "This server runs on regrow: every room, every connection and the",
    "database are processes under supervisors. What crashes grows back.",
];

impl Connection {
    /// Carries out one command, at once or when what the client said before is delivered.
    pub(super) fn command(&mut self, message: Message) {
        match message.command.as_str() {
            // Others would see these before words that were said earlier.
            "QUIT" | "PART" | "NICK" => self.when_settled(Then::Command(message)),
            "JOIN" if message.param(0) == Some(b"0") => self.when_settled(Then::Command(message)),
            _ => self.carry_out(&message),
        }
    }

    pub(super) fn carry_out(&mut self, message: &Message) {
        match message.command.as_str() {
            "CAP" => self.cap(message),
            "NICK" => self.nick(message),
            "PING" => self.ping(message),
            "PONG" => {}
            "QUIT" => self.quit(message),
            "USER" | "PASS" if self.profile.is_some() => {
                self.reply(ERR_ALREADYREGISTERED, |b| {
                    b.trailing("You may not reregister")
                });
            }
            "USER" => self.user(message),
            // Nobody has a password here.
            "PASS" => {}
            _ if self.profile.is_none() => {
                self.reply(ERR_NOTREGISTERED, |b| b.trailing("You have not registered"));
            }
            _ => self.registered_command(message),
        }
    }

    fn registered_command(&mut self, message: &Message) {
        match message.command.as_str() {
            "JOIN" => self.join(message),
            "PART" => self.part(message),
            "PRIVMSG" | "NOTICE" => self.speak(message),
            "TOPIC" => self.topic(message),
            "NAMES" => self.names(message),
            "LIST" => self.list(message),
            "WHO" => self.who(message),
            "WHOIS" => self.whois(message),
            "USERHOST" => self.userhost(message),
            "WHOWAS" => self.whowas(message),
            "ISON" => self.ison(message),
            "MODE" => self.mode(message),
            "AWAY" => self.set_away(message),
            "MOTD" => self.motd(),
            "VERSION" => {
                self.reply(RPL_VERSION, |b| {
                    b.param(VERSION).param(SERVER_NAME).trailing("on regrow")
                });
                self.isupport();
            }
            "TIME" => self.reply(TIME, |b| {
                let now = clock::readable(clock::now_micros());
                b.param(SERVER_NAME).trailing(format!("{now} UTC"))
            }),
            "LUSERS" => self.lusers(),
            "KICK" | "INVITE" => self.reply(ERR_CHANOPRIVSNEEDED, |b| {
                let room = message.text(usize::from(message.command == "INVITE"));
                b.param(room.unwrap_or_default())
                    .trailing("Nobody is operator here")
            }),
            "CRASH" if self.server.config.chaos => self.crash(message),
            "TREE" if self.server.config.chaos => self.tree(),
            other => {
                self.reply(ERR_UNKNOWNCOMMAND, |b| {
                    b.param(other).trailing("Unknown command")
                });
            }
        }
    }

    pub(super) fn need_more(&mut self, message: &Message) {
        self.reply(ERR_NEEDMOREPARAMS, |b| {
            b.param(&message.command).trailing("Not enough parameters")
        });
    }

    fn ping(&mut self, message: &Message) {
        match message.param(0) {
            None => self.reply(ERR_NOORIGIN, |b| b.trailing("No origin specified")),
            Some(token) => {
                let pong = Builder::from(SERVER_NAME, "PONG")
                    .param(SERVER_NAME)
                    .trailing(token);
                self.push(pong.line());
            }
        }
    }

    fn quit(&mut self, message: &Message) {
        let reason = match message.text(0) {
            Some(text) => format!("Quit: {text}"),
            None => "Quit".to_owned(),
        };
        self.close(&reason, regrow::ExitReason::Normal);
    }

    fn join(&mut self, message: &Message) {
        if message.param(0) == Some(b"0") {
            let rooms: Vec<String> = self.rooms.keys().map(|key| key.to_string()).collect();
            rooms.iter().for_each(|room| self.part_one(room, None));
            return;
        }
        let rooms = message.list(0);
        if rooms.is_empty() {
            return self.need_more(message);
        }
        rooms.iter().for_each(|room| self.join_room(room));
    }

    fn part(&mut self, message: &Message) {
        let rooms = message.list(0);
        if rooms.is_empty() {
            return self.need_more(message);
        }
        for room in rooms {
            self.part_one(&room, message.param(1));
        }
    }

    fn part_one(&mut self, given: &str, reason: Option<&[u8]>) {
        let Some(profile) = self.profile.clone() else {
            return;
        };
        let Some(asked) = RoomName::parse(given) else {
            return self.no_such_room(given);
        };
        let leave = Leave::Part(reason.map(Arc::from));
        match self.part_room(asked.key(), &leave) {
            Some(name) => {
                let line = Builder::from(&profile.prefix(), "PART").param(name.shown().as_bytes());
                let line = match reason {
                    Some(reason) => line.trailing(reason),
                    None => line,
                };
                self.push(line.at(clock::now_micros()).line());
            }
            None if whereis(&asked.process()).is_some() => {
                self.reply(ERR_NOTONCHANNEL, |b| {
                    b.param(given).trailing("You're not on that channel")
                });
            }
            None => self.no_such_room(given),
        }
    }

    pub(super) fn no_such_room(&mut self, given: &str) {
        self.reply(ERR_NOSUCHCHANNEL, |b| {
            b.param(given).trailing("No such channel")
        });
    }

    pub(super) fn no_such_nick(&mut self, given: &str) {
        self.reply(ERR_NOSUCHNICK, |b| {
            b.param(given).trailing("No such nick/channel")
        });
    }

    fn mode(&mut self, message: &Message) {
        let Some(target) = message.text(0) else {
            return self.need_more(message);
        };
        let modes = message.text(1);
        if target.starts_with('#') {
            self.room_mode(&target, modes.as_deref(), message.param(2).is_some());
        } else if whereis(&nick_process(&target)).is_none() {
            self.no_such_nick(&target);
        } else if fold(&target) != fold(self.nick_or_star()) {
            self.reply(ERR_USERSDONTMATCH, |b| {
                b.trailing("Cannot change mode for other users")
            });
        } else if let Some(modes) = modes {
            self.user_mode(&modes);
        } else {
            let modes = if self.invisible { "+i" } else { "+" };
            self.reply(UMODEIS, |b| b.param(modes));
        }
    }

    fn room_mode(&mut self, target: &str, modes: Option<&str>, has_parameter: bool) {
        let Some(name) = RoomName::parse(target) else {
            return self.no_such_room(target);
        };
        match mode::room(modes, has_parameter) {
            _ if whereis(&name.process()).is_none() => self.no_such_room(target),
            RoomMode::Query => {
                self.reply(CHANNELMODEIS, |b| {
                    b.param(target).param(format!("+{ROOM_MODES}"))
                });
                if let Some(created) = self.rooms.get(name.key()).map(|m| m.created / 1_000_000) {
                    self.reply(CREATIONTIME, |b| b.param(target).param(created.to_string()));
                }
            }
            RoomMode::BanList => {
                self.reply(ENDOFBANLIST, |b| {
                    b.param(target).trailing("End of channel ban list")
                });
            }
            RoomMode::Nothing => {}
            RoomMode::Denied => self.reply(ERR_CHANOPRIVSNEEDED, |b| {
                b.param(target)
                    .trailing("Nobody is operator here: rooms are always +n")
            }),
            RoomMode::Unknown(letter) => self.reply(ERR_UNKNOWNMODE, |b| {
                b.param(letter.to_string())
                    .trailing(format!("is not supported for {target}"))
            }),
        }
    }

    fn user_mode(&mut self, modes: &str) {
        let wanted = mode::user(modes);
        if wanted.unknown {
            let text = format!("Unknown MODE flag: only {USER_MODES} is supported");
            self.reply(ERR_UMODEUNKNOWNFLAG, |b| b.trailing(text));
        }
        if let Some(invisible) = wanted.invisible
            && invisible != self.invisible
        {
            self.invisible = invisible;
            self.renew_profile();
            if let Some(profile) = self.profile.clone() {
                let line = Builder::from(&profile.prefix(), "MODE").param(profile.nick.as_bytes());
                self.push(line.trailing(if invisible { "+i" } else { "-i" }).line());
            }
        }
    }

    fn set_away(&mut self, message: &Message) {
        self.away = message.param(0).map(|text| {
            let mut text = text.to_vec();
            truncate(&mut text, AWAY_LEN);
            text.into()
        });
        self.renew_profile();
        if self.away.is_some() {
            self.reply(NOWAWAY, |b| {
                b.trailing("You have been marked as being away")
            });
        } else {
            self.reply(UNAWAY, |b| {
                b.trailing("You are no longer marked as being away")
            });
        }
    }

    pub(super) fn motd(&mut self) {
        self.reply(MOTDSTART, |b| {
            b.trailing(format!("- {SERVER_NAME} Message of the day - "))
        });
        for text in MOTD_TEXT {
            self.reply(MOTD, |b| b.trailing(format!("- {text}")));
        }
        if self.server.config.chaos {
            let text = "- Try CRASH #room, CRASH db, CRASH cache, CRASH connection NICK, and TREE.";
            self.reply(MOTD, |b| b.trailing(text));
        }
        self.reply(ENDOFMOTD, |b| b.trailing("End of /MOTD command."));
    }

    fn lusers(&mut self) {
        let names = registered();
        let clients = names
            .iter()
            .filter(|name| name.starts_with("nick:"))
            .count();
        let rooms = names
            .iter()
            .filter(|name| name.starts_with("room:"))
            .count();
        self.reply(LUSERCLIENT, |b| {
            b.trailing(format!(
                "There are {clients} users and 0 services on 1 server"
            ))
        });
        self.reply(LUSERCHANNELS, |b| {
            b.param(rooms.to_string()).trailing("channels formed")
        });
        self.reply(LUSERME, |b| {
            b.trailing(format!("I have {clients} clients and 0 servers"))
        });
    }

    fn ison(&mut self, message: &Message) {
        if message.param(0).is_none() {
            return self.need_more(message);
        }
        let given = message
            .params
            .iter()
            .map(|p| String::from_utf8_lossy(p).into_owned());
        let nicks = given.flat_map(|p| p.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let there: Vec<String> = nicks
            .filter(|nick| whereis(&nick_process(nick)).is_some())
            .collect();
        self.reply(ISON, |b| b.trailing(there.join(" ")));
    }

    fn whowas(&mut self, message: &Message) {
        let Some(nick) = message.text(0) else {
            return self.need_more(message);
        };
        self.reply(ERR_WASNOSUCHNICK, |b| {
            b.param(&nick).trailing("There was no such nickname")
        });
        self.reply(ENDOFWHOWAS, |b| b.param(&nick).trailing("End of WHOWAS"));
    }
}
