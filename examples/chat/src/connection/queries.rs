//! Questions that others must answer: NAMES, LIST, WHO, WHOIS, TOPIC, USERHOST.
//!
//! A helper process asks them and sends the finished lines; the connection goes on meanwhile.
//! If the helper dies, the monitor tells.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use regrow::{Reply, registered, reply_channel, self_pid, send, sleep, spawn_monitor, whereis};

use crate::connection::names::names_lines;
use crate::connection::{Busy, Connection};
use crate::irc::isupport::MAX_TARGETS;
use crate::irc::line::Builder;
use crate::irc::line::Line;
use crate::irc::message::Message;
use crate::irc::names::{RoomName, fold, nick_process, room_process};
use crate::irc::numeric::{
    AWAY, ENDOFWHO, ENDOFWHOIS, ERR_NONICKNAMEGIVEN, ERR_NOSUCHCHANNEL, ERR_NOSUCHNICK,
    ERR_NOSUCHSERVER, ERR_TOOMANYTARGETS, LIST, LISTEND, LISTSTART, NOTOPIC, TOPIC, TOPICWHOTIME,
    USERHOST, WHOISCHANNELS, WHOISIDLE, WHOISSERVER, WHOISUSER, WHOREPLY, numeric,
};
use crate::room::protocol::{Look, Profile, RoomMessage, ToConnection, Uid, Whois};
use crate::server::{SERVER_NAME, VERSION};

/// How long others have to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a room that is being restarted is looked for.
const ATTEMPTS: usize = 20;
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// USERHOST takes so many nicks (RFC 2812 section 4.8).
const USERHOST_NICKS: usize = 5;

/// Who asks.
#[derive(Clone)]
struct Asker {
    nick: Arc<str>,
    uid: Uid,
    /// The keys of the rooms that the asker is in.
    rooms: Vec<Arc<str>>,
}

impl Asker {
    fn reply(&self, code: u16) -> Builder {
        numeric(SERVER_NAME, &self.nick, code)
    }

    /// Whether the asker is shown this member of the room.
    fn sees(&self, room: &Look, member: &Profile) -> bool {
        !member.invisible || member.uid == self.uid || self.rooms.contains(room.name.key())
    }
}

impl Connection {
    fn asker(&self) -> Asker {
        Asker {
            nick: self.nick_or_star().into(),
            uid: self.uid,
            rooms: self.rooms.keys().cloned().collect(),
        }
    }

    /// Lets a helper find out what the client has asked.
    pub(super) fn ask(&mut self, question: impl Future<Output = Vec<Line>> + Send + 'static) {
        let me = self_pid();
        let (_, monitor) =
            spawn_monitor(async move { send(me, ToConnection::Answer(question.await)) });
        self.busy = Busy::Asking(monitor);
    }

    pub(super) fn names(&mut self, message: &Message) {
        let rooms = message.list(0);
        if rooms.is_empty() {
            let nick: Arc<str> = self.nick_or_star().into();
            names_lines(&nick, "*", std::iter::empty())
                .into_iter()
                .for_each(|l| self.push(l));
            return;
        }
        if self.too_many(&rooms) {
            return;
        }
        let asker = self.asker();
        self.ask(async move {
            let mut lines = Vec::new();
            for given in rooms {
                let look = look(&asker, &given).await;
                let nicks = look.iter().flat_map(|look| {
                    look.members
                        .iter()
                        .filter(|m| asker.sees(look, m))
                        .map(|m| &*m.nick)
                });
                let shown = look
                    .as_ref()
                    .map_or(given.as_str(), |look| look.name.shown());
                lines.extend(names_lines(&asker.nick, shown, nicks));
            }
            lines
        });
    }

    fn too_many(&mut self, targets: &[String]) -> bool {
        if targets.len() > MAX_TARGETS {
            self.reply(ERR_TOOMANYTARGETS, |b| {
                b.param(&targets[MAX_TARGETS])
                    .trailing(format!("Too many targets: at most {MAX_TARGETS}"))
            });
        }
        targets.len() > MAX_TARGETS
    }

    pub(super) fn ask_topic(&mut self, given: &str, name: &RoomName) {
        let (asker, given, name) = (self.asker(), given.to_owned(), name.clone());
        self.ask(async move {
            let Some(look) = look(&asker, name.key()).await else {
                let line = asker.reply(ERR_NOSUCHCHANNEL).param(given);
                return vec![line.trailing("No such channel").line()];
            };
            let shown = look.name.shown().as_bytes();
            match &look.topic {
                None => vec![
                    asker
                        .reply(NOTOPIC)
                        .param(shown)
                        .trailing("No topic is set")
                        .line(),
                ],
                Some(topic) => {
                    let seconds = (topic.at / 1_000_000).to_string();
                    let who = asker
                        .reply(TOPICWHOTIME)
                        .param(shown)
                        .param(topic.setter.as_bytes());
                    vec![
                        asker.reply(TOPIC).param(shown).trailing(&topic.text).line(),
                        who.param(seconds).line(),
                    ]
                }
            }
        });
    }

    pub(super) fn list(&mut self, message: &Message) {
        let asker = self.asker();
        let wanted: Vec<String> = message.list(0).iter().map(|name| fold(name)).collect();
        self.ask(async move {
            // All are asked before the first answer is waited for.
            let asked: Vec<Reply<Look>> = registered()
                .iter()
                .filter_map(|name| name.strip_prefix("room:"))
                .filter(|key| wanted.is_empty() || wanted.iter().any(|w| w == key))
                .filter_map(ask_room)
                .collect();
            let mut lines = vec![
                asker
                    .reply(LISTSTART)
                    .param("Channel")
                    .trailing("Users  Name")
                    .line(),
            ];
            let mut looks = Vec::new();
            for answer in asked {
                looks.extend(answer.timeout(PATIENCE).await);
            }
            looks.sort_by(|a, b| a.name.key().cmp(b.name.key()));
            for look in looks.iter().filter(|look| !look.members.is_empty()) {
                let line = asker.reply(LIST).param(look.name.shown().as_bytes());
                let topic = look.topic.as_ref().map_or(&b""[..], |topic| &topic.text);
                lines.push(
                    line.param(look.members.len().to_string())
                        .trailing(topic)
                        .line(),
                );
            }
            lines.push(asker.reply(LISTEND).trailing("End of /LIST").line());
            lines
        });
    }

    pub(super) fn who(&mut self, message: &Message) {
        let asker = self.asker();
        let mask = message.text(0).unwrap_or_else(|| "*".into());
        self.ask(async move {
            let mut lines = Vec::new();
            let line = |room: &str, who: &Profile| {
                let text = [b"0 ", &*who.real_name].concat();
                asker
                    .reply(WHOREPLY)
                    .param(room)
                    .param(who.user.as_bytes())
                    .param(who.host.as_bytes())
                    .param(SERVER_NAME)
                    .param(who.nick.as_bytes())
                    .param(if who.away.is_some() { "G" } else { "H" })
                    .trailing(text)
                    .line()
            };
            if mask.starts_with('#') {
                if let Some(look) = look(&asker, &mask).await {
                    let seen = look.members.iter().filter(|m| asker.sees(&look, m));
                    lines.extend(seen.map(|member| line(look.name.shown(), member)));
                }
            } else if let Some(whois) = who_is(&mask).await {
                lines.push(line("*", &whois.profile));
            }
            lines.push(
                asker
                    .reply(ENDOFWHO)
                    .param(mask)
                    .trailing("End of /WHO list.")
                    .line(),
            );
            lines
        });
    }

    pub(super) fn whois(&mut self, message: &Message) {
        // `WHOIS server nick`: the server is this one, or that of the nick.
        let nicks = message.list(usize::from(message.param(1).is_some()));
        let Some(nick) = nicks.first().cloned() else {
            return self.reply(ERR_NONICKNAMEGIVEN, |b| b.trailing("No nickname given"));
        };
        if nicks.len() > 1 {
            return self.reply(ERR_TOOMANYTARGETS, |b| {
                b.param(&nicks[1]).trailing("Too many targets: at most 1")
            });
        }
        if let (Some(_), Some(server)) = (message.param(1), message.text(0))
            && fold(&server) != SERVER_NAME
            && fold(&server) != fold(&nick)
        {
            return self.reply(ERR_NOSUCHSERVER, |b| {
                b.param(server).trailing("No such server")
            });
        }
        let asker = self.asker();
        self.ask(async move {
            let mut lines = match who_is(&nick).await {
                Some(whois) => whois_lines(&asker, &whois),
                None => {
                    let line = asker.reply(ERR_NOSUCHNICK).param(&nick);
                    vec![line.trailing("No such nick/channel").line()]
                }
            };
            lines.push(
                asker
                    .reply(ENDOFWHOIS)
                    .param(nick)
                    .trailing("End of /WHOIS list.")
                    .line(),
            );
            lines
        });
    }

    pub(super) fn userhost(&mut self, message: &Message) {
        if message.param(0).is_none() {
            return self.need_more(message);
        }
        let asker = self.asker();
        let given = message.params.iter().take(USERHOST_NICKS);
        let nicks: Vec<String> = given
            .map(|p| String::from_utf8_lossy(p).into_owned())
            .collect();
        self.ask(async move {
            let mut words = Vec::new();
            for nick in nicks {
                if let Some(Whois { profile: p, .. }) = who_is(&nick).await {
                    let here = if p.away.is_some() { '-' } else { '+' };
                    words.push(format!("{}={here}{}@{}", p.nick, p.user, p.host));
                }
            }
            vec![asker.reply(USERHOST).trailing(words.join(" ")).line()]
        });
    }
}

fn whois_lines(asker: &Asker, whois: &Whois) -> Vec<Line> {
    let who = &whois.profile;
    let start = |code| asker.reply(code).param(who.nick.as_bytes());
    let user = start(WHOISUSER)
        .param(who.user.as_bytes())
        .param(who.host.as_bytes())
        .param("*");
    let mut lines = vec![user.trailing(&who.real_name).line()];
    for rooms in whois.rooms.chunks(6) {
        lines.push(start(WHOISCHANNELS).trailing(rooms.join(" ")).line());
    }
    lines.push(
        start(WHOISSERVER)
            .param(SERVER_NAME)
            .trailing(VERSION)
            .line(),
    );
    if let Some(away) = &who.away {
        lines.push(start(AWAY).trailing(away).line());
    }
    let idle = start(WHOISIDLE).param(whois.idle_seconds.to_string());
    let idle = idle.param((whois.signed_on / 1_000_000).to_string());
    lines.push(idle.trailing("seconds idle, signon time").line());
    lines
}

/// Asks a room what is there to see; `None` if it does not run.
fn ask_room(key: &str) -> Option<Reply<Look>> {
    let pid = whereis(&room_process(key))?;
    let (to, answer) = reply_channel();
    send(pid, RoomMessage::Look(to));
    Some(answer)
}

/// What is to be seen in a room. One that the asker is in may be restarting: it is waited for.
async fn look(asker: &Asker, given: &str) -> Option<Look> {
    let key = fold(given);
    let is_member = asker.rooms.iter().any(|room| **room == *key);
    for _ in 0..ATTEMPTS {
        if let Some(answer) = ask_room(&key)
            && let Ok(look) = answer.timeout(PATIENCE).await
        {
            return Some(look);
        }
        if !is_member {
            return None;
        }
        sleep(PAUSE).await;
    }
    None
}

/// Asks the connection that owns a nick; `None` if nobody does, or not yet quite.
async fn who_is(nick: &str) -> Option<Whois> {
    let pid = whereis(&nick_process(nick))?;
    let (to, answer) = reply_channel();
    send(pid, ToConnection::WhoAreYou(to));
    answer.timeout(PATIENCE).await.ok()
}
