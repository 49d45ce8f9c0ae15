//! Lines to clients: built once, shared by all who get them.

use std::sync::Arc;

use crate::clock;
use crate::irc::lines::MAX_LINE;

/// One encoded line with its line end. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Line {
    bytes: Arc<[u8]>,
    /// Where the line starts for clients that did not ask for `server-time`.
    body: usize,
}

impl Line {
    /// What goes over the wire to a client with or without `server-time`.
    pub(crate) fn wire(&self, server_time: bool) -> &[u8] {
        if server_time {
            &self.bytes
        } else {
            &self.bytes[self.body..]
        }
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.bytes))
    }
}

/// Puts a line together and cuts it to the 512 bytes that IRC allows.
///
/// Bytes that would break the line (CR, LF, NUL) are left out wherever they come from.
#[derive(Debug)]
pub(crate) struct Builder {
    tag: String,
    text: Vec<u8>,
}

impl Builder {
    /// A line from `prefix` (a server name or `nick!user@host`).
    pub(crate) fn from(prefix: &str, command: &str) -> Builder {
        Builder {
            tag: String::new(),
            text: Vec::new(),
        }
        .raw(":")
        .raw(prefix)
        .param(command)
    }

    /// A line without a prefix (`ERROR`, `PING`).
    pub(crate) fn bare(command: &str) -> Builder {
        Builder {
            tag: String::new(),
            text: Vec::new(),
        }
        .raw(command)
    }

    /// When it happened, for clients with `server-time`.
    pub(crate) fn at(mut self, micros: i64) -> Builder {
        self.tag = format!("@time={} ", clock::server_time(micros));
        self
    }

    fn raw(mut self, text: impl AsRef<[u8]>) -> Builder {
        self.extend(text.as_ref());
        self
    }

    /// A parameter without spaces; one that is empty is written as `*`.
    pub(crate) fn param(mut self, text: impl AsRef<[u8]>) -> Builder {
        self.text.push(b' ');
        let text = text.as_ref();
        let text = if text.is_empty() { b"*" } else { text };
        let start = self.text.len();
        self.extend(text);
        for byte in &mut self.text[start..] {
            if *byte == b' ' {
                *byte = b'_';
            }
        }
        if self.text.get(start) == Some(&b':') {
            self.text[start] = b'_';
        }
        self
    }

    /// The last parameter, which may be empty and may have spaces.
    pub(crate) fn trailing(mut self, text: impl AsRef<[u8]>) -> Builder {
        self.text.extend_from_slice(b" :");
        self.extend(text.as_ref());
        self
    }

    fn extend(&mut self, text: &[u8]) {
        self.text
            .extend(text.iter().filter(|b| !matches!(b, b'\r' | b'\n' | 0)));
    }

    /// The finished line.
    pub(crate) fn line(mut self) -> Line {
        truncate(&mut self.text, MAX_LINE - 2);
        self.text.extend_from_slice(b"\r\n");
        let body = self.tag.len();
        let mut bytes = self.tag.into_bytes();
        bytes.extend_from_slice(&self.text);
        Line {
            bytes: bytes.into(),
            body,
        }
    }
}

/// Cuts `text` to at most `limit` bytes, not in the middle of a UTF-8 character.
pub(crate) fn truncate(text: &mut Vec<u8>, limit: usize) {
    if text.len() <= limit {
        return;
    }
    let mut end = limit;
    // A character has at most three continuation bytes; more than that is not UTF-8 anyway.
    while end > limit.saturating_sub(3) && text[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    if text[end] & 0xC0 == 0x80 {
        end = limit;
    }
    text.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(line: &Line) -> String {
        String::from_utf8_lossy(line.wire(false)).into_owned()
    }

    #[test]
    fn a_line_is_prefix_command_params_and_trailing() {
        let line = Builder::from("a!b@c", "PRIVMSG")
            .param("#x")
            .trailing("hi  there")
            .line();
        assert_eq!(wire(&line), ":a!b@c PRIVMSG #x :hi  there\r\n");
        assert_eq!(
            wire(&Builder::bare("PING").trailing("t").line()),
            "PING :t\r\n"
        );
    }

    #[test]
    fn the_time_is_seen_only_by_those_who_asked() {
        let line = Builder::from("s", "NOTICE")
            .param("a")
            .trailing("b")
            .at(0)
            .line();
        assert_eq!(line.wire(false), b":s NOTICE a :b\r\n");
        assert_eq!(
            line.wire(true),
            b"@time=1970-01-01T00:00:00.000Z :s NOTICE a :b\r\n"
        );
    }

    #[test]
    fn nobody_can_smuggle_in_a_second_line() {
        let line = Builder::from("s", "NOTICE")
            .param("a\r\nb c")
            .trailing("x\r\nQUIT\0")
            .line();
        assert_eq!(wire(&line), ":s NOTICE ab_c :xQUIT\r\n");
        assert_eq!(
            wire(&Builder::from("s", "1").param(":x").param("").line()),
            ":s 1 _x *\r\n"
        );
    }

    #[test]
    fn lines_are_cut_at_512_bytes_between_characters() {
        let line = Builder::from("s", "NOTICE")
            .param("a")
            .trailing("ä".repeat(400))
            .line();
        let text = line.wire(false);
        assert!(text.len() <= 512 && text.len() >= 510);
        assert!(std::str::from_utf8(text).is_ok());
        let line = Builder::from("s", "NOTICE")
            .param("a")
            .trailing([0x80; 900])
            .line();
        assert_eq!(line.wire(false).len(), 512);
    }
}
