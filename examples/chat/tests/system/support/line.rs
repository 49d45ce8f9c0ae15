//! One line of the server, taken apart.

use std::fmt;

/// `[@tags ][:prefix ]COMMAND[ middle...][ :trailing]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// As it came, without its line end. Bytes that are not UTF-8 are replaced.
    pub(crate) raw: String,
    /// Who sent it: `nick!user@host` or the server's name; empty if the line does not say.
    pub(crate) prefix: String,
    pub(crate) command: String,
    /// All parameters, the trailing one last.
    pub(crate) params: Vec<String>,
}

impl Line {
    pub(crate) fn parse(raw: &str) -> Self {
        let mut rest = raw;
        if rest.starts_with('@') {
            rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
        }
        let mut prefix = "";
        if let Some(prefixed) = rest.strip_prefix(':') {
            (prefix, rest) = prefixed.split_once(' ').unwrap_or((prefixed, ""));
        }
        let (head, trailing) = match rest.split_once(" :") {
            Some((head, trailing)) => (head, Some(trailing.to_owned())),
            None => (rest, None),
        };
        let mut words = head.split_ascii_whitespace().map(str::to_owned);
        let command = words.next().unwrap_or_default();
        let params = words.chain(trailing).collect();
        Self {
            raw: raw.to_owned(),
            prefix: prefix.to_owned(),
            command,
            params,
        }
    }

    /// The nick in the prefix.
    pub(crate) fn nick(&self) -> &str {
        self.prefix.split('!').next().unwrap_or_default()
    }

    /// The parameter at `index`, or nothing.
    pub(crate) fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// The last parameter.
    pub(crate) fn text(&self) -> &str {
        self.params.last().map_or("", String::as_str)
    }

    pub(crate) fn is(&self, command: &str) -> bool {
        self.command == command
    }

    /// What was said before this client came: without `server-time`, the server puts
    /// `[2026-01-31 23:59:58] ` before it.
    pub(crate) fn replayed(&self) -> Option<&str> {
        let (when, text) = self.text().strip_prefix('[')?.split_once("] ")?;
        (self.is("PRIVMSG") && when.len() == "2026-01-31 23:59:58".len()).then_some(text)
    }

    /// Whether it replays this message from this nick.
    pub(crate) fn replays(&self, nick: &str, text: &str) -> bool {
        self.nick() == nick && self.replayed() == Some(text)
    }

    /// Whether it is this message from this nick, said now.
    pub(crate) fn says(&self, nick: &str, text: &str) -> bool {
        self.is("PRIVMSG") && self.nick() == nick && self.text() == text
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}
