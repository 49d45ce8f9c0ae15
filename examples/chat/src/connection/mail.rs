//! What others tell a connection.

use std::sync::Arc;

use regrow::{Down, Exit, Message as Mail, demonitor_flush};

use crate::connection::{Busy, Connection};
use crate::irc::numeric::ERR_UNAVAILRESOURCE;
use crate::room::protocol::{ToConnection, Whois};

impl Connection {
    pub(super) fn mail(&mut self, mail: Mail) {
        let mail = match mail.downcast::<ToConnection>() {
            Ok(message) => return self.told(message),
            Err(mail) => mail,
        };
        let mail = match mail.downcast::<Down>() {
            Ok(down) => return self.down(&down),
            Err(mail) => mail,
        };
        if let Ok(exit) = mail.downcast::<Exit>()
            && exit.pid == self.supervisor
        {
            let why = if exit.reason.is_normal_like() {
                "Server shutting down"
            } else {
                "Server error"
            };
            self.close(why, exit.reason);
        }
    }

    pub(super) fn told(&mut self, message: ToConnection) {
        if self.closing.is_some() {
            return;
        }
        match message {
            ToConnection::Entry(entry) => self.entry(&entry),
            ToConnection::Welcome(welcome) => self.welcome_to(*welcome),
            ToConnection::Refused { room, seq, why } => self.refused(&room, seq, why),
            ToConnection::Delivered { room, seq } => self.delivered(&room, seq),
            ToConnection::Room { key, pid } => self.room_found(&key, pid),
            ToConnection::NoMoreRooms { key } => self.no_more_rooms(&key),
            ToConnection::Answer(lines) => {
                if let Busy::Asking(monitor) = self.busy {
                    demonitor_flush(monitor);
                    self.busy = Busy::No;
                }
                lines.into_iter().for_each(|line| self.push_answer(line));
            }
            ToConnection::Direct {
                from,
                sender,
                kind,
                line,
            } => {
                self.direct(from, &sender, kind, line);
            }
            ToConnection::Lines(lines) => lines.into_iter().for_each(|line| self.push(line)),
            ToConnection::WhoAreYou(reply) => {
                // Who is not registered yet is nobody: the reply handle is dropped.
                if let Some(profile) = &self.profile {
                    reply.send(Whois {
                        profile: Arc::clone(profile),
                        signed_on: self.signed_on,
                        idle_seconds: self.spoke.elapsed().as_secs(),
                        rooms: self.joined_rooms(),
                    });
                }
            }
            ToConnection::Crash { by } => {
                panic!(
                    "{by} asked the connection of {} to crash",
                    self.nick_or_star()
                );
            }
        }
    }

    pub(super) fn down(&mut self, down: &Down) {
        match &self.busy {
            Busy::Asking(monitor) if *monitor == down.reference => {
                self.busy = Busy::No;
                self.reply(ERR_UNAVAILRESOURCE, |b| b.trailing("No answer, try again"));
            }
            _ => self.room_down(down),
        }
    }
}
