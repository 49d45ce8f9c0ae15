//! The word that rides in a slot beside the inbox: whose process it is, and
//! whether it has a registered name.

use std::sync::atomic::Ordering;

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
}

/// Takes the mark away.
pub(crate) fn unmark_named(inbox: &Inbox) {
    inbox.owner().fetch_and(!NAMED, Ordering::SeqCst);
}

/// Whether a name may lead to the process.
pub(crate) fn is_named(inbox: &Inbox) -> bool {
    inbox.owner().load(Ordering::SeqCst) & NAMED != 0
}

/// Runtimes are numbered; the numbers wrap before they reach the mark.
pub(crate) fn id_from_counter(counter: u32) -> u32 {
    counter % (NAMED - 1) + 1
}
