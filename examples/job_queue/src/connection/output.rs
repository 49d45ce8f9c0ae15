//! The bytes that wait to be written to a client.

use crate::protocol::Response;

/// With more than this waiting the client is not heard until it has read some.
const LONG: usize = 64 * 1024;
/// The room of a buffer larger than this is not kept.
const KEPT: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    written: usize,
}

impl Output {
    pub(super) fn push(&mut self, response: &Response) {
        response.write_to(&mut self.bytes);
    }

    /// What is to be written next.
    pub(super) fn piece(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    pub(super) fn advance(&mut self, written: usize) {
        self.written += written;
        if self.written == self.bytes.len() {
            self.written = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEPT {
                self.bytes = Vec::new();
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn is_long(&self) -> bool {
        self.piece().len() > LONG
    }
}
