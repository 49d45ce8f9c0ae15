//! What waits to be written to one client: bounded, and shared with the other clients.

use std::collections::VecDeque;

use crate::irc::line::Line;

/// How much is handed to the socket in one write.
const PIECE: usize = 16 * 1024;

/// The queue of lines to one client.
#[derive(Debug)]
pub(crate) struct Output {
    lines: VecDeque<Line>,
    /// Bytes in `lines`.
    waiting: usize,
    /// The piece that is being written.
    piece: Vec<u8>,
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
            piece: Vec::new(),
            written: 0,
            limit,
            server_time: false,
        }
    }

    /// Whether lines carry the `time` tag from now on.
    pub(crate) fn set_server_time(&mut self, on: bool) {
        // What waits was counted without or with its tag: count again.
        self.server_time = on;
        self.waiting = self.lines.iter().map(|l| l.wire(on).len()).sum();
    }

    /// Adds a line.
    pub(crate) fn push(&mut self, line: Line) {
        self.waiting += line.wire(self.server_time).len();
        self.lines.push_back(line);
    }

    /// Whether more waits than may. That alone is no fault of the client: one long answer may
    /// do it; it is, if the socket takes nothing.
    pub(crate) fn is_over(&self) -> bool {
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
            while self.piece.len() < PIECE {
                let Some(line) = self.lines.pop_front() else {
                    break;
                };
                let wire = line.wire(self.server_time);
                self.waiting -= wire.len();
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
        self.waiting = 0;
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
    fn the_time_is_added_for_those_who_asked() {
        let mut output = Output::new(100);
        output.set_server_time(true);
        output.push(line("a"));
        assert!(output.next_piece().starts_with(b"@time=1970"));
    }
}
