//! Cuts the bytes of a socket into lines.

/// The longest line without tags, its line end included (RFC 1459 section 2.3).
pub(crate) const MAX_LINE: usize = 512;
/// The longest tag part that a client may send, `@` and the space after it included (IRCv3).
const MAX_TAGS: usize = 4096;

/// What [`LineBuffer::next_line`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A whole line without its line end and without NUL bytes.
    Line(Vec<u8>),
    /// A line was longer than allowed; what is left of it is skipped.
    TooLong,
}

/// Bytes that were read and not yet used.
///
/// A line ends with LF, a CR before it is dropped. Never holds much more than what is pushed
/// between two calls: a line that grows over the limit is reported once and skipped.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
    /// Start of the first unused byte.
    start: usize,
    /// No LF between `start` and here.
    scanned: usize,
    /// The line that is coming in was too long: drop it up to its end.
    skipping: bool,
}

impl LineBuffer {
    /// Adds what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
            self.scanned = 0;
        } else if self.start > 4096 {
            self.bytes.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes wait to be used.
    pub(crate) fn pending(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// The next whole line, if there is one.
    pub(crate) fn next_line(&mut self) -> Option<Input> {
        loop {
            let Some(at) = self.bytes[self.scanned..].iter().position(|b| *b == b'\n') else {
                return self.unfinished();
            };
            let end = self.scanned + at;
            let line = &self.bytes[self.start..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let skip = std::mem::take(&mut self.skipping);
            let fits = fits(line, line.len() + 2);
            let line = if skip || !fits {
                Vec::new()
            } else {
                line.iter()
                    .copied()
                    .filter(|b| *b != 0 && *b != b'\r')
                    .collect()
            };
            self.start = end + 1;
            self.scanned = self.start;
            if skip {
                continue;
            }
            return Some(if fits {
                Input::Line(line)
            } else {
                Input::TooLong
            });
        }
    }

    /// No line end yet: too long already?
    fn unfinished(&mut self) -> Option<Input> {
        self.scanned = self.bytes.len();
        let line = &self.bytes[self.start..];
        if self.skipping {
            self.drop_rest();
            return None;
        }
        // One byte more than a whole line may have: a CR may stand before the LF that comes.
        if fits(line, line.len() + 1) {
            return None;
        }
        self.skipping = true;
        self.drop_rest();
        Some(Input::TooLong)
    }

    fn drop_rest(&mut self) {
        self.bytes.clear();
        self.start = 0;
        self.scanned = 0;
    }
}

/// Whether a line that takes `length` bytes with its line end is within the limits.
fn fits(line: &[u8], length: usize) -> bool {
    if line.first() != Some(&b'@') {
        return length <= MAX_LINE;
    }
    match line.iter().position(|b| *b == b' ') {
        Some(space) => space < MAX_TAGS && length - (space + 1) <= MAX_LINE,
        None => length <= MAX_TAGS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(buffer: &mut LineBuffer) -> Vec<Input> {
        std::iter::from_fn(|| buffer.next_line()).collect()
    }

    fn line(text: &str) -> Input {
        Input::Line(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_may_come_in_pieces_and_in_bunches() {
        let mut b = LineBuffer::default();
        b.push(b"NICK a\r\nUS");
        assert_eq!(all(&mut b), [line("NICK a")]);
        b.push(b"ER x\nPING\r");
        assert_eq!(all(&mut b), [line("USER x")]);
        b.push(b"\n\r\n");
        assert_eq!(all(&mut b), [line("PING"), line("")]);
        assert_eq!(b.pending(), 0);
    }

    #[test]
    fn exactly_512_bytes_are_a_line_and_one_more_is_too_long() {
        let mut b = LineBuffer::default();
        let mut longest = vec![b'x'; 510];
        longest.extend(b"\r\n");
        b.push(&longest);
        assert!(matches!(b.next_line(), Some(Input::Line(l)) if l.len() == 510));
        longest.insert(0, b'x');
        b.push(&longest);
        assert_eq!(b.next_line(), Some(Input::TooLong));
        b.push(b"PING\n");
        assert_eq!(all(&mut b), [line("PING")]);
    }

    #[test]
    fn the_rest_of_a_too_long_line_is_skipped_and_reported_once() {
        let mut b = LineBuffer::default();
        let mut found = Vec::new();
        for _ in 0..100 {
            b.push(&[b'x'; 100]);
            found.extend(all(&mut b));
            assert!(b.pending() <= MAX_LINE + 100);
        }
        b.push(b"end\r\nPING\r\n");
        found.extend(all(&mut b));
        assert_eq!(found, [Input::TooLong, line("PING")]);
    }

    #[test]
    fn tags_have_room_of_their_own() {
        let mut b = LineBuffer::default();
        let text = format!("@a={} PRIVMSG x :{}\r\n", "t".repeat(4000), "y".repeat(400));
        b.push(text.as_bytes());
        assert!(matches!(b.next_line(), Some(Input::Line(_))));
        b.push(format!("@{}\r\n", "t".repeat(5000)).as_bytes());
        assert_eq!(b.next_line(), Some(Input::TooLong));
    }

    #[test]
    fn nul_bytes_and_stray_carriage_returns_are_dropped() {
        let mut b = LineBuffer::default();
        b.push(b"PI\0N\rG\r\n");
        assert_eq!(all(&mut b), [line("PING")]);
    }

    #[test]
    fn any_bytes_in_any_pieces_never_panic() {
        let mut seed = 7_u64;
        let mut next = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize
        };
        let mut b = LineBuffer::default();
        for _ in 0..20_000 {
            let piece: Vec<u8> = (0..next() % 700)
                .map(|_| match next() % 400 {
                    0 => b'\n',
                    1 => b'@',
                    2 => b'\r',
                    n => n as u8,
                })
                .collect();
            b.push(&piece);
            for input in all(&mut b) {
                if let Input::Line(l) = input {
                    assert!(l.len() <= MAX_LINE + MAX_TAGS);
                    let _ = crate::irc::message::Message::parse(&l);
                }
            }
        }
    }
}
