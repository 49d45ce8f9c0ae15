//! The word that rides in a slot beside the inbox: whose process it is, and
//! whether it has a registered name.

use std::sync::atomic::{Ordering, fence};

use regrow_mailbox::Inbox;

const NAMED: u32 = 1 << 31;

/// The runtime that an owner word names.
pub(crate) fn runtime(owner: u32) -> u32 {
    owner & !NAMED
}

/// Marks that a name leads to the process. Whoever does so must look at the
/// generation afterwards: either it sees the death, or the dying process sees the mark.
pub(crate) fn mark_named(inbox: &Inbox) {
    inbox.owner().fetch_or(NAMED, Ordering::SeqCst);
    // Before the look at the generation; partner: the swap in `Inbox::retire`.
    fence(Ordering::SeqCst);
}

/// The process is ending: it belongs to no runtime any more. Returns whether it
/// had the mark, which is taken away.
pub(crate) fn leave(inbox: &Inbox) -> bool {
    inbox.owner().swap(0, Ordering::SeqCst) & NAMED != 0
}

/// Whether a name may lead to the process.
pub(crate) fn is_named(inbox: &Inbox) -> bool {
    inbox.owner().load(Ordering::SeqCst) & NAMED != 0
}

/// Runtimes are numbered; the numbers wrap before they reach the mark.
pub(crate) fn id_from_counter(counter: u32) -> u32 {
    counter % (NAMED - 1) + 1
}
