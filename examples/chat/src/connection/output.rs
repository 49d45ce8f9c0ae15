//! What waits to be written to one client: bounded, and shared with the other clients.
//!
//! What others say counts for the bound. The lines of an answer do not: the client has asked for
//! them, they are there at once, and it can only read them one after the other. They keep their
//! place among the other lines, and the client's next command waits while there is
//! [too much](Output::is_long) of it all.

use std::collections::VecDeque;

use crate::irc::line::Line;

/// How much is handed to the socket in one write.
const PIECE: usize = 16 * 1024;

#[derive(Debug)]
struct Waiting {
    line: Line,
    counts: bool,
}

/// The queue of lines to one client.
#[derive(Debug)]
pub(crate) struct Output {
    lines: VecDeque<Waiting>,
    /// Bytes in `lines`.
    waiting: usize,
    /// How many of them count.
    counted: usize,
    /// The piece that is being written.
    piece: Vec<u8>,
    /// How many bytes of it count.
    piece_counted: usize,
    written: usize,
    limit: usize,
    server_time: bool,
}

impl Output {
    /// An empty queue for at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Output {
        Output {
            lines: VecDeque::new(),
            waiting: 0,
            counted: 0,
            piece: Vec::new(),
            piece_counted: 0,
            written: 0,
            limit,
            server_time: false,
        }
    }

    /// Whether lines carry the `time` tag from now on.
    pub(crate) fn set_server_time(&mut self, on: bool) {
        // What waits was counted without or with its tag: count again.
        self.server_time = on;
        (self.waiting, self.counted) = (0, 0);
        for Waiting { line, counts } in &self.lines {
            let bytes = line.wire(on).len();
            self.waiting += bytes;
            self.counted += if *counts { bytes } else { 0 };
        }
    }

    /// Adds a line.
    pub(crate) fn push(&mut self, line: Line) {
        self.add(line, true);
    }

    /// Adds a line of an answer.
    pub(crate) fn push_answer(&mut self, line: Line) {
        self.add(line, false);
    }

    fn add(&mut self, line: Line, counts: bool) {
        let bytes = line.wire(self.server_time).len();
        self.waiting += bytes;
        self.counted += if counts { bytes } else { 0 };
        self.lines.push_back(Waiting { line, counts });
    }

    /// Whether more waits than may, answers not counted. That alone is no fault of the client:
    /// much may have come at once; it is, if the socket takes nothing.
    pub(crate) fn is_over(&self) -> bool {
        let unwritten = self.piece.len() - self.written;
        self.counted + self.piece_counted.min(unwritten) > self.limit
    }

    /// Whether so much waits, answers included, that nothing more should be asked for.
    pub(crate) fn is_long(&self) -> bool {
        self.pending() > self.limit
    }

    /// Bytes that are not yet written.
    pub(crate) fn pending(&self) -> usize {
        self.waiting + self.piece.len() - self.written
    }

    /// The bytes to write next; empty if there is nothing to write.
    pub(crate) fn next_piece(&mut self) -> &[u8] {
        if self.written == self.piece.len() {
            self.piece.clear();
            self.written = 0;
            self.piece_counted = 0;
            while self.piece.len() < PIECE {
                let Some(Waiting { line, counts }) = self.lines.pop_front() else {
                    break;
                };
                let wire = line.wire(self.server_time);
                let counted = if counts { wire.len() } else { 0 };
                self.waiting -= wire.len();
                self.counted -= counted;
                self.piece_counted += counted;
                self.piece.extend_from_slice(wire);
            }
        }
        &self.piece[self.written..]
    }

    /// Tells how much of the piece was written. An idle client holds no buffer.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.written += bytes;
        if self.written == self.piece.len() && self.lines.is_empty() {
            self.piece = Vec::new();
            self.lines = VecDeque::new();
            self.written = 0;
        }
    }

    /// Forgets all whole lines that wait; only the line under way is finished.
    pub(crate) fn clear_waiting(&mut self) {
        self.lines.clear();
        (self.waiting, self.counted) = (0, 0);
        // Cut after the line end that follows what the client has seen of this piece.
        if self.written > 0 && self.piece.get(self.written - 1) != Some(&b'\n') {
            let rest = &self.piece[self.written..];
            let line_end = rest
                .iter()
                .position(|b| *b == b'\n')
                .map_or(rest.len(), |at| at + 1);
            self.piece.truncate(self.written + line_end);
        } else {
            self.piece.truncate(self.written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::line::Builder;

    fn line(text: &str) -> Line {
        Builder::bare("X").trailing(text).at(0).line()
    }

    #[test]
    fn what_is_pushed_comes_out_in_order_whatever_the_socket_takes() {
        let mut output = Output::new(1 << 20);
        let mut expected = Vec::new();
        for n in 0..2_000 {
            let l = line(&n.to_string());
            expected.extend_from_slice(l.wire(false));
            output.push(l);
        }
        assert_eq!(output.pending(), expected.len());
        let mut seen = Vec::new();
        let mut step = 1;
        while output.pending() > 0 {
            let piece = output.next_piece();
            let n = step.min(piece.len());
            seen.extend_from_slice(&piece[..n]);
            output.advance(n);
            step = step * 7 % 5_003 + 1;
        }
        assert_eq!(seen, expected);
        assert_eq!(output.next_piece(), b"");
    }

    #[test]
    fn over_the_limit_is_said_and_a_cleared_queue_ends_with_a_whole_line() {
        let mut output = Output::new(100);
        output.push(line(&"a".repeat(50)));
        assert!(!output.is_over());
        output.push(line(&"b".repeat(50)));
        assert!(output.is_over());
        output.next_piece();
        output.advance(10);
        output.clear_waiting();
        output.push(line("bye"));
        let rest = String::from_utf8(output.next_piece().to_vec()).unwrap();
        assert!(rest.ends_with("a\r\n") && !rest.contains('b'), "{rest}");
        output.advance(rest.len());
        assert_eq!(output.next_piece(), b"X :bye\r\n");
    }

    #[test]
    fn an_answer_keeps_its_place_and_does_not_count_for_the_limit() {
        let mut output = Output::new(100);
        output.push(line("before"));
        (0..5_000).for_each(|n| output.push_answer(line(&n.to_string())));
        assert!(output.is_long() && !output.is_over());
        output.set_server_time(true);
        output.set_server_time(false);
        assert!(output.is_long() && !output.is_over(), "counted again");
        output.push(line("after"));
        let mut seen = Vec::new();
        while output.pending() > 0 {
            assert!(!output.is_over(), "whatever is under way");
            let piece = output.next_piece();
            let n = piece.len().min(999);
            seen.extend_from_slice(&piece[..n]);
            output.advance(n);
        }
        assert!(!output.is_long());
        let seen = String::from_utf8(seen).unwrap();
        let mut lines = seen.lines();
        assert_eq!(lines.next(), Some("X :before"));
        assert_eq!(lines.next_back(), Some("X :after"));
        assert!((0..5_000).map(|n| format!("X :{n}")).eq(lines));
    }

    #[test]
    fn what_others_say_counts_also_behind_an_answer() {
        let mut output = Output::new(100);
        (0..100).for_each(|_| output.push_answer(line("answer")));
        output.push(line(&"a".repeat(50)));
        assert!(!output.is_over());
        output.push(line(&"b".repeat(50)));
        assert!(output.is_over());
        output.next_piece();
        assert!(output.is_over(), "all of it is under way and unwritten");
        output.clear_waiting();
        assert!(!output.is_over());
    }

    #[test]
    fn the_time_is_added_for_those_who_asked() {
        let mut output = Output::new(100);
        output.set_server_time(true);
        output.push(line("a"));
        assert!(output.next_piece().starts_with(b"@time=1970"));
    }
}
