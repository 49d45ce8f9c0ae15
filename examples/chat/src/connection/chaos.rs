//! CRASH and TREE: breaking things on purpose, and watching them grow back.

use std::sync::Arc;

use regrow::{print_tree, send_named, whereis};

use crate::cache::{CACHE, CacheMessage};
use crate::connection::Connection;
use crate::db::{DB_POOL, PoolMessage};
use crate::irc::line::Builder;
use crate::irc::message::Message;
use crate::irc::names::{RoomName, nick_process};
use crate::room::protocol::{RoomMessage, ToConnection};
use crate::server::SERVER_NAME;
use crate::tree::APP_SUP;

/// TREE shows at most so many lines.
const TREE_LINES: usize = 200;

impl Connection {
    pub(super) fn crash(&mut self, message: &Message) {
        let Some(target) = message.text(0) else {
            return self.need_more(message);
        };
        let by: Arc<str> = self.nick_or_star().into();
        let (what, found) = if let Some(name) = RoomName::parse(&target) {
            let told = send_named(&name.process(), RoomMessage::Crash { by });
            (format!("room {}", name.shown()), told.is_ok())
        } else {
            match (target.to_ascii_lowercase().as_str(), message.text(1)) {
                ("db", _) => {
                    let told = send_named(DB_POOL.as_str(), PoolMessage::Crash { by });
                    ("the database pool".to_owned(), told.is_ok())
                }
                ("cache", _) => {
                    let told = send_named(CACHE.as_str(), CacheMessage::Crash { by });
                    ("the cache".to_owned(), told.is_ok())
                }
                ("connection", Some(nick)) => {
                    let told = send_named(&nick_process(&nick), ToConnection::Crash { by });
                    (format!("the connection of {nick}"), told.is_ok())
                }
                ("connection", None) => return self.need_more(message),
                _ => {
                    return self.notice("CRASH what? One of: #room, db, cache, connection NICK");
                }
            }
        };
        if found {
            self.notice(&format!("CRASH: {what} panics now"));
        } else {
            self.notice(&format!("CRASH: {what} is not running"));
        }
    }

    pub(super) fn tree(&mut self) {
        let nick: Arc<str> = self.nick_or_star().into();
        self.ask(async move {
            let tree = match whereis(APP_SUP) {
                Some(pid) => print_tree(pid).await.map_err(|error| error.to_string()),
                None => Err("it is gone".to_owned()),
            };
            let text = tree.map_or_else(|why| format!("no tree: {why}"), |tree| tree.to_string());
            let line = |text: &str| {
                Builder::from(SERVER_NAME, "NOTICE")
                    .param(nick.as_bytes())
                    .trailing(text)
                    .line()
            };
            let mut lines: Vec<_> = text.lines().take(TREE_LINES).map(line).collect();
            let more = text.lines().count().saturating_sub(TREE_LINES);
            if more > 0 {
                lines.push(line(&format!("... and {more} more")));
            }
            lines.push(line("End of TREE"));
            lines
        });
    }
}
