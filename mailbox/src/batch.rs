//! What one take of an inbox brings.

use std::fmt;
use std::ptr::{self, NonNull};

use crate::envelope::{Envelope, Header};

/// Signals taken from an [`Inbox`](crate::Inbox), oldest first.
///
/// Dropping a batch drops what is left in it.
pub struct Batch {
    /// B1: null, or the oldest of a chain of owned nodes that ends with null.
    head: *mut Header,
}

// SAFETY: a batch owns its nodes (B1), and envelopes are `Send`.
unsafe impl Send for Batch {}

impl Batch {
    /// A batch with nothing in it.
    pub const fn new() -> Self {
        Batch {
            head: ptr::null_mut(),
        }
    }

    /// Turns the chain of an inbox, newest first, around.
    ///
    /// # Safety
    /// `newest` must be null or head a chain of nodes that the caller owns.
    #[inline]
    pub(crate) unsafe fn from_newest(newest: *mut Header) -> Self {
        let mut oldest = ptr::null_mut();
        let mut next = newest;
        while let Some(mut node) = NonNull::new(next) {
            // SAFETY: a node of the chain, owned by the caller.
            let header = unsafe { node.as_mut() };
            next = std::mem::replace(&mut header.next, oldest);
            oldest = node.as_ptr();
        }
        Batch { head: oldest }
    }

    /// Takes the oldest signal.
    #[inline]
    pub fn pop(&mut self) -> Option<Envelope> {
        let node = NonNull::new(self.head)?;
        // SAFETY: B1: the node is owned by this batch, which gives it up here.
        unsafe {
            self.head = node.as_ref().next;
            Some(Envelope::from_raw(node))
        }
    }

    /// Whether nothing is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.is_null()
    }
}

impl Default for Batch {
    fn default() -> Self {
        Batch::new()
    }
}

impl Drop for Batch {
    #[inline]
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("is_empty", &self.is_empty())
            .finish()
    }
}
