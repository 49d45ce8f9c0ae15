//! Becoming somebody: CAP, NICK, USER, and the welcome.

use regrow::{register, self_pid, unregister, whereis};

use crate::clock;
use crate::connection::Connection;
use crate::irc::isupport::{ROOM_MODES, USER_MODES, tokens};
use crate::irc::line::Builder;
use crate::irc::message::Message;
use crate::irc::names::{fold, is_nick, nick_process, user_name};
use crate::irc::numeric::{
    CREATED, ERR_ERRONEUSNICKNAME, ERR_INVALIDCAPCMD, ERR_NICKNAMEINUSE, ERR_NONICKNAMEGIVEN,
    ISUPPORT, MYINFO, WELCOME, YOURHOST,
};
use crate::server::{SERVER_NAME, VERSION};

/// What CAP LS offers.
const CAPABILITIES: [&str; 2] = ["server-time", "echo-message"];
/// The longest real name that is kept, in bytes.
const REAL_NAME: usize = 100;

impl Connection {
    pub(super) fn cap(&mut self, message: &Message) {
        let command = message.text(0).unwrap_or_default().to_ascii_uppercase();
        match command.as_str() {
            "LS" => {
                self.caps.negotiating = self.profile.is_none();
                self.cap_reply("LS", &CAPABILITIES.join(" "));
            }
            "LIST" => {
                let on = [self.caps.server_time, self.caps.echo_message];
                let on = CAPABILITIES
                    .iter()
                    .zip(on)
                    .filter(|(_, on)| *on)
                    .map(|(name, _)| *name);
                let on: Vec<&str> = on.collect();
                self.cap_reply("LIST", &on.join(" "));
            }
            "REQ" => {
                self.caps.negotiating = self.profile.is_none();
                self.cap_request(&message.text(1).unwrap_or_default());
            }
            "END" => {
                self.caps.negotiating = false;
                self.try_welcome();
            }
            other => self.reply(ERR_INVALIDCAPCMD, |b| {
                b.param(other)
                    .trailing("Invalid CAP command: LS, LIST, REQ and END are supported")
            }),
        }
    }

    fn cap_reply(&mut self, command: &str, list: &str) {
        let line = Builder::from(SERVER_NAME, "CAP")
            .param(self.nick_or_star())
            .param(command);
        self.push(line.trailing(list).line());
    }

    /// All or nothing.
    fn cap_request(&mut self, list: &str) {
        let mut caps = self.caps;
        for word in list.split(' ').filter(|word| !word.is_empty()) {
            let (name, on) = match word.strip_prefix('-') {
                Some(name) => (name, false),
                None => (word, true),
            };
            match name {
                "server-time" => caps.server_time = on,
                "echo-message" => caps.echo_message = on,
                _ => return self.cap_reply("NAK", list),
            }
        }
        self.caps = caps;
        self.output.set_server_time(caps.server_time);
        self.cap_reply("ACK", list);
    }

    pub(super) fn nick(&mut self, message: &Message) {
        let Some(wanted) = message.text(0) else {
            return self.reply(ERR_NONICKNAMEGIVEN, |b| b.trailing("No nickname given"));
        };
        if !is_nick(&wanted) {
            return self.reply(ERR_ERRONEUSNICKNAME, |b| {
                b.param(&wanted).trailing("Erroneous nickname")
            });
        }
        if self.nick.as_deref() == Some(wanted.as_str()) {
            return;
        }
        if !self.take_nick(&wanted) {
            return self.reply(ERR_NICKNAMEINUSE, |b| {
                b.param(&wanted).trailing("Nickname is already in use")
            });
        }
        let old = self.profile.as_ref().map(|profile| profile.prefix());
        self.nick = Some(wanted.as_str().into());
        match old {
            None => self.try_welcome(),
            Some(old) => {
                let line = Builder::from(&old, "NICK").trailing(&wanted);
                self.push(line.at(clock::now_micros()).line());
                self.renew_profile();
            }
        }
    }

    /// Makes this process the owner of a nick. The runtime's names are the registry: unique,
    /// and free again at the moment the process ends, however it ends.
    fn take_nick(&self, wanted: &str) -> bool {
        let wanted_name = nick_process(wanted);
        let old = self.nick.as_deref();
        if old.is_some_and(|old| fold(old) == fold(wanted)) {
            // Only the case changes.
            return true;
        }
        if whereis(&wanted_name).is_some() {
            return false;
        }
        // A process has one name, so the old one goes first.
        let old_name = old.map(nick_process);
        if let Some(old_name) = &old_name {
            let _ = unregister(old_name);
        }
        if register(wanted_name, self_pid()).is_ok() {
            return true;
        }
        // Somebody was faster. Nobody else can be this process, so this fails only if somebody
        // has taken the old nick in this very moment, too.
        if let Some(old_name) = old_name
            && register(old_name, self_pid()).is_err()
        {
            tracing::warn!(target: "chat::connection", nick = ?old, "nick lost to a race");
        }
        false
    }

    pub(super) fn user(&mut self, message: &Message) {
        let (Some(user), Some(_), Some(_)) = (message.param(0), message.param(1), message.param(2))
        else {
            return self.need_more(message);
        };
        let Some(real_name) = message.params.get(3) else {
            return self.need_more(message);
        };
        let mut real_name = real_name.clone();
        crate::irc::line::truncate(&mut real_name, REAL_NAME);
        self.user = Some(user_name(user).into());
        self.real_name = real_name.into();
        self.try_welcome();
    }

    /// Lets the client in once it has a nick, a user name and is done with CAP.
    fn try_welcome(&mut self) {
        if self.profile.is_some() || self.caps.negotiating {
            return;
        }
        self.renew_profile();
        let Some(profile) = self.profile.clone() else {
            return;
        };
        let prefix = profile.prefix();
        let started = clock::readable(self.server.started);
        self.reply(WELCOME, |b| {
            b.trailing(format!("Welcome to the regrow chat, {prefix}"))
        });
        self.reply(YOURHOST, |b| {
            b.trailing(format!(
                "Your host is {SERVER_NAME}, running version {VERSION}"
            ))
        });
        self.reply(CREATED, |b| {
            b.trailing(format!("This server was started {started} UTC"))
        });
        self.reply(MYINFO, |b| {
            b.param(SERVER_NAME)
                .param(VERSION)
                .param(USER_MODES)
                .param(ROOM_MODES)
        });
        self.isupport();
        self.motd();
    }

    pub(super) fn isupport(&mut self) {
        self.reply(ISUPPORT, |b| {
            let b = tokens().iter().fold(b, |b, token| b.param(token));
            b.trailing("are supported by this server")
        });
    }
}
