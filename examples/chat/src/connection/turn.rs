//! Whose turn it is: the client's next command, what had to wait, or the clock.

use std::time::{Duration, Instant};

use regrow::ExitReason;

use crate::connection::membership::Membership;
use crate::connection::{Busy, Connection, INPUT_LIMIT, Then, WINDOW};
use crate::irc::line::Builder;
use crate::irc::lines::Input;
use crate::irc::message::Message;
use crate::irc::numeric::ERR_INPUTTOOLONG;
use crate::server::SERVER_NAME;

impl Connection {
    /// Carries out what the client has asked for, as far as it is its turn.
    pub(super) fn work(&mut self, now: Instant) {
        self.settle();
        while self.closing.is_none() && self.is_free() {
            if !self.bucket.is_open(now) {
                if self.input.pending() > INPUT_LIMIT {
                    self.close("Excess Flood", ExitReason::Normal);
                }
                return;
            }
            match self.input.next_line() {
                None => {
                    if self.eof {
                        self.when_settled(Then::Close("Connection closed".into()));
                    }
                    return;
                }
                Some(Input::TooLong) => {
                    self.bucket.take();
                    self.reply(ERR_INPUTTOOLONG, |b| b.trailing("Input line was too long"));
                }
                Some(Input::Line(line)) => {
                    self.bucket.take();
                    if let Some(message) = Message::parse(&line) {
                        self.command(message);
                    }
                }
            }
            self.settle();
        }
    }

    /// Whether the next command may be carried out.
    fn is_free(&self) -> bool {
        matches!(self.busy, Busy::No) && self.unsettled < WINDOW && !self.output.is_long()
    }

    /// Goes on with what had to wait until the client's words were delivered.
    pub(super) fn settle(&mut self) {
        if !self.is_settled() || self.closing.is_some() {
            return;
        }
        if let Busy::Settling { .. } = self.busy
            && let Busy::Settling { then, .. } = std::mem::replace(&mut self.busy, Busy::No)
        {
            self.then(then);
        }
    }

    /// Whether everything that the client has said is delivered, and all its rooms are there to
    /// hear what it does next.
    fn is_settled(&self) -> bool {
        self.unsettled == 0 && self.rooms.values().all(Membership::has_room)
    }

    pub(super) fn then(&mut self, then: Then) {
        match then {
            Then::Command(message) => self.carry_out(&message),
            Then::Close(reason) => self.close(&reason, ExitReason::Normal),
            Then::Nothing => {}
        }
    }

    /// Does `then` when everything that the client has said is delivered, which is now if
    /// nothing is on its way.
    pub(super) fn when_settled(&mut self, then: Then) {
        if self.is_settled() {
            self.then(then);
        } else {
            let patience = self.server.config.history_wait + Duration::from_secs(3);
            self.busy = Busy::Settling {
                then,
                deadline: Instant::now() + patience,
            };
        }
    }

    /// Whether the socket is read at the moment: always while the client is slowed down (it may
    /// be a flood), but not while it waits for us.
    pub(super) fn wants_input(&self) -> bool {
        !self.eof && (self.is_free() || self.input.pending() < INPUT_LIMIT)
    }

    /// When something must be done though nothing happens.
    pub(super) fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let config = &self.server.config;
        let life = match (&self.profile, self.pinged) {
            (None, _) => self.connected + config.registration_timeout,
            (Some(_), Some(pinged)) => pinged + config.ping_interval,
            (Some(_), None) => self.heard + config.ping_interval,
        };
        let turn = match &self.busy {
            Busy::No if self.is_free() && self.input.pending() > 0 && !self.bucket.is_open(now) => {
                Some(self.bucket.next_token(now))
            }
            Busy::Joining { deadline } | Busy::Settling { deadline, .. } => Some(*deadline),
            _ => None,
        };
        Some(turn.map_or(life, |turn| turn.min(life)))
    }

    pub(super) fn on_deadline(&mut self, now: Instant) {
        if self.closing.is_some() {
            return;
        }
        match &self.busy {
            Busy::Joining { deadline } if *deadline <= now => {
                self.busy = Busy::No;
                self.give_up_joining();
            }
            Busy::Settling { deadline, .. } if *deadline <= now => {
                if let Busy::Settling { then, .. } = std::mem::replace(&mut self.busy, Busy::No) {
                    self.then(then);
                }
            }
            _ => {}
        }
        let config = &self.server.config;
        let (interval, registration) = (config.ping_interval, config.registration_timeout);
        if self.profile.is_none() {
            if now >= self.connected + registration {
                self.close("Registration timed out", ExitReason::Normal);
            }
        } else if let Some(pinged) = self.pinged {
            if now >= pinged + interval {
                let silence = now.duration_since(self.heard).as_secs();
                self.close(
                    &format!("Ping timeout: {silence} seconds"),
                    ExitReason::Normal,
                );
            }
        } else if now >= self.heard + interval {
            self.pinged = Some(now);
            self.push(Builder::bare("PING").trailing(SERVER_NAME).line());
        }
    }
}
