//! Messages that were taken from the inbox and not yet received.

use std::fmt;
use std::ptr::{self, NonNull};

use crate::envelope::{Envelope, Header};

/// Where a waiting receive stands in a [`SaveQueue`]: it has rejected everything
/// before. A new receive starts at the oldest message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cursor {
    /// The number of the first message not yet looked at; 0 before the first look.
    next: u32,
}

/// Messages in the order of their arrival, from which any may be taken.
///
/// # Invariants
///
/// - Q1: `head` starts a chain of owned nodes that ends with `tail`, whose `next`
///   is null; both are null when the queue is empty.
/// - Q2: `mark` is null or a node of the chain: the last one that was here before
///   this turn.
/// - Q3: `stamp` numbers the messages, increasing along the chain (wrapping, without 0).
pub struct SaveQueue {
    head: *mut Header,
    tail: *mut Header,
    mark: *mut Header,
    len: u32,
    next_stamp: u32,
}

// SAFETY: the queue owns its nodes (Q1), and envelopes are `Send`.
unsafe impl Send for SaveQueue {}

impl SaveQueue {
    /// An empty queue.
    #[inline]
    pub const fn new() -> Self {
        SaveQueue {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
            mark: ptr::null_mut(),
            len: 0,
            next_stamp: 1,
        }
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no message waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Says that what is here now is old: a receive that has seen all of it will
    /// start with what is appended next, without walking there.
    #[inline]
    pub fn begin_turn(&mut self) {
        self.mark = self.tail;
    }

    /// Adds a message at the end.
    #[inline]
    pub fn append(&mut self, envelope: Envelope) {
        let mut node = envelope.into_raw();
        // SAFETY: the node is ours.
        let header = unsafe { node.as_mut() };
        header.next = ptr::null_mut();
        header.stamp = self.next_stamp;
        self.next_stamp = self.next_stamp.wrapping_add(1).max(1);
        match NonNull::new(self.tail) {
            // SAFETY: Q1: the tail is an owned node.
            Some(mut tail) => unsafe { tail.as_mut() }.next = node.as_ptr(),
            None => self.head = node.as_ptr(),
        }
        self.tail = node.as_ptr();
        self.len += 1;
    }

    /// A cursor that has passed everything that is here now.
    pub fn end(&self) -> Cursor {
        Cursor {
            next: self.next_stamp,
        }
    }

    /// Takes the oldest message that `wanted` accepts among those that the
    /// cursor has not passed. If there is none, the cursor passes them all.
    #[inline]
    pub fn take_first(
        &mut self,
        cursor: &mut Cursor,
        mut wanted: impl FnMut(&Envelope) -> bool,
    ) -> Option<Envelope> {
        if cursor.next == self.next_stamp {
            return None;
        }
        let (mut before, mut at) = self.start(cursor);
        while let Some(node) = NonNull::new(at) {
            // SAFETY: Q1: the node is owned by the queue and stays in it; the
            // envelope is only lent to `wanted` and never dropped here.
            let envelope = std::mem::ManuallyDrop::new(unsafe { Envelope::from_raw(node) });
            // SAFETY: Q1.
            let (next, stamp) = unsafe { (node.as_ref().next, node.as_ref().stamp) };
            let new = cursor.next == 0 || !is_before(stamp, cursor.next);
            if new && wanted(&envelope) {
                self.unlink(before, node, next);
                // SAFETY: just unlinked, so it is ours alone.
                return Some(unsafe { Envelope::from_raw(node) });
            }
            before = at;
            at = next;
        }
        cursor.next = self.next_stamp;
        None
    }

    /// Takes the oldest message.
    pub fn pop(&mut self) -> Option<Envelope> {
        self.take_first(&mut Cursor::default(), |_| true)
    }

    /// Calls `visit` with each message, oldest first.
    pub fn for_each(&self, visit: impl FnMut(&Envelope)) {
        self.for_oldest(self.len(), visit);
    }

    /// Calls `visit` with the `count` oldest messages, or all if there are fewer.
    pub fn for_oldest(&self, count: usize, mut visit: impl FnMut(&Envelope)) {
        let mut at = self.head;
        let mut left = count;
        while let Some(node) = NonNull::new(at).filter(|_| left > 0) {
            left -= 1;
            // SAFETY: Q1; lent to `visit` only.
            let envelope = std::mem::ManuallyDrop::new(unsafe { Envelope::from_raw(node) });
            visit(&envelope);
            // SAFETY: Q1.
            at = unsafe { node.as_ref() }.next;
        }
    }

    /// Gives the messages that `wanted` accepts another kind, in their places, and
    /// returns how many these are.
    pub fn set_kind(&mut self, kind: u32, mut wanted: impl FnMut(&Envelope) -> bool) -> usize {
        let mut changed = 0;
        let mut at = self.head;
        while let Some(node) = NonNull::new(at) {
            // SAFETY: Q1; lent to `wanted` only.
            let mut envelope = std::mem::ManuallyDrop::new(unsafe { Envelope::from_raw(node) });
            if wanted(&envelope) {
                envelope.set_kind(kind);
                changed += 1;
            }
            // SAFETY: Q1.
            at = unsafe { node.as_ref() }.next;
        }
        changed
    }

    /// The first node to look at, and the one before it.
    #[inline]
    fn start(&self, cursor: &Cursor) -> (*mut Header, *mut Header) {
        if let Some(mark) = NonNull::new(self.mark).filter(|_| cursor.next != 0) {
            // SAFETY: Q2: the mark is a node of the chain.
            let mark = unsafe { mark.as_ref() };
            // By Q3, everything up to the mark is before the cursor as well.
            if is_before(mark.stamp, cursor.next) {
                return (self.mark, mark.next);
            }
        }
        (ptr::null_mut(), self.head)
    }

    #[inline]
    fn unlink(&mut self, before: *mut Header, node: NonNull<Header>, next: *mut Header) {
        match NonNull::new(before) {
            // SAFETY: Q1: `before` is the owned node in front of `node`.
            Some(mut before) => unsafe { before.as_mut() }.next = next,
            None => self.head = next,
        }
        if self.tail == node.as_ptr() {
            self.tail = before;
        }
        if self.mark == node.as_ptr() {
            self.mark = before;
        }
        self.len -= 1;
    }
}

/// Whether number `a` comes before `b`, with wrapping.
#[inline]
fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

impl Default for SaveQueue {
    #[inline]
    fn default() -> Self {
        SaveQueue::new()
    }
}

impl Drop for SaveQueue {
    #[inline]
    fn drop(&mut self) {
        // Queues are moved about a lot, and what is dropped is mostly empty.
        while !self.is_empty() {
            drop(self.pop());
        }
    }
}

impl fmt::Debug for SaveQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaveQueue")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
