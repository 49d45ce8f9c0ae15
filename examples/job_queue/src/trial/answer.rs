//! Where an answer ends, and what is in it.
//!
//! An answer is a line that ends with CRLF. `OK`, `FOUND` and `RESERVED` end with a number of bytes
//! and are followed by that many and another CRLF.

use std::ops::Range;

/// No answer has a longer line than this: `WATCHING`, `USING` and a name of 200 bytes are the most.
const LONGEST_LINE: usize = 512;

/// One answer in a buffer that begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The line, without its CRLF.
    pub line: Range<usize>,
    /// The bytes after the line, without their CRLF, if it is an answer with any.
    pub body: Option<Range<usize>>,
    /// How many bytes the answer takes in all.
    pub length: usize,
}

/// These bytes are no answer of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No line end where one is due.
    #[error("more than {LONGEST_LINE} bytes without a line end")]
    Endless,
    /// `OK`, `FOUND` or `RESERVED` without the number of bytes that follow.
    #[error("the line {0:?} does not say how many bytes follow")]
    NoLength(String),
    /// The bytes are not followed by CRLF: the number of them is wrong.
    #[error("the {length} bytes after the line {line:?} are not followed by CRLF")]
    WrongLength {
        /// What the line was.
        line: String,
        /// How many bytes it promised.
        length: usize,
    },
}

/// The first answer in `bytes`; `None` if it is not there yet as a whole.
///
/// # Errors
///
/// If the bytes are not an answer, whatever may follow.
pub fn parse(bytes: &[u8]) -> Result<Option<Parsed>, Malformed> {
    let window = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        if window.len() == LONGEST_LINE {
            return Err(Malformed::Endless);
        }
        return Ok(None);
    };
    let line = &bytes[..end];
    let mut words = line.split(|&byte| byte == b' ');
    let numbers = match words.next() {
        Some(b"OK") => 1,
        Some(b"FOUND" | b"RESERVED") => 2,
        _ => {
            return Ok(Some(Parsed {
                line: 0..end,
                body: None,
                length: end + 2,
            }));
        }
    };
    let text = || String::from_utf8_lossy(line).into_owned();
    let length = words
        .nth(numbers - 1)
        .and_then(number)
        .filter(|_| words.next().is_none())
        .ok_or_else(|| Malformed::NoLength(text()))?;
    let length = usize::try_from(length).map_err(|_| Malformed::NoLength(text()))?;
    let body = end + 2..end + 2 + length;
    match bytes.get(body.end..body.end + 2) {
        None => Ok(None),
        Some(b"\r\n") => Ok(Some(Parsed {
            line: 0..end,
            length: body.end + 2,
            body: Some(body),
        })),
        Some(_) => Err(Malformed::WrongLength {
            line: text(),
            length,
        }),
    }
}

/// The number that these digits are.
pub fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// An answer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The line, without its CRLF.
    pub line: String,
    /// What follows the line, if it is an answer with a body.
    pub body: Option<Vec<u8>>,
}

impl Answer {
    /// The answer that `parsed` found in `bytes`.
    pub fn new(bytes: &[u8], parsed: &Parsed) -> Self {
        Self {
            line: String::from_utf8_lossy(&bytes[parsed.line.clone()]).into_owned(),
            body: parsed.body.clone().map(|body| bytes[body].to_vec()),
        }
    }

    /// The first word of the line.
    pub fn word(&self) -> &str {
        self.line.split(' ').next().unwrap_or("")
    }

    /// The number after the first word: the id of INSERTED, RESERVED and FOUND, the count of KICKED.
    pub fn number(&self) -> Option<u64> {
        number(self.line.split(' ').nth(1)?.as_bytes())
    }

    /// The value of a key in a body that is a dictionary.
    pub fn value(&self, key: &str) -> Option<&str> {
        let body = std::str::from_utf8(self.body.as_deref()?).ok()?;
        body.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Malformed, parse};

    fn whole(bytes: &[u8]) -> Answer {
        let parsed = parse(bytes).unwrap().unwrap();
        assert_eq!(parsed.length, bytes.len());
        Answer::new(bytes, &parsed)
    }

    #[test]
    fn an_answer_is_taken_only_when_it_is_whole() {
        let bytes = b"RESERVED 12 7\r\nab\r\ncde\r\n";
        for length in 0..bytes.len() {
            assert_eq!(parse(&bytes[..length]), Ok(None), "{length} bytes");
        }
        let answer = whole(bytes);
        assert_eq!((answer.word(), answer.number()), ("RESERVED", Some(12)));
        assert_eq!(answer.body.as_deref(), Some(&b"ab\r\ncde"[..]));
    }

    #[test]
    fn what_follows_an_answer_is_left() {
        let parsed = parse(b"DELETED\r\nNOT_FOUND\r\n").unwrap().unwrap();
        assert_eq!(parsed.length, 9);
        assert_eq!(whole(b"OK 0\r\n\r\n").body.as_deref(), Some(&b""[..]));
    }

    #[test]
    fn a_wrong_length_is_told() {
        assert!(matches!(
            parse(b"FOUND 1 3\r\nabcd\r\n"),
            Err(Malformed::WrongLength { length: 3, .. })
        ));
        for line in [&b"OK\r\n"[..], b"OK x\r\n", b"FOUND 1\r\n", b"OK 1 2\r\n"] {
            assert!(matches!(parse(line), Err(Malformed::NoLength(_))));
        }
        assert_eq!(parse(&[b'x'; 600]), Err(Malformed::Endless));
    }

    #[test]
    fn the_value_of_a_key_is_that_of_the_whole_key() {
        let answer = whole(b"OK 28\r\n---\ncmd-peek-ready: 2\nid: 7\n\r\n");
        assert_eq!(answer.value("id"), Some("7"));
        assert_eq!(answer.value("cmd-peek"), None);
    }
}
