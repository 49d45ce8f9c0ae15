//! The word that rides in a slot beside the inbox: whose process it is, what queue it
//! runs from, and whether it has a registered name, a limit for its mailbox, or timers.
//!
//! | word | who changes it |
//! |---|---|
//! | 0 -> runtime + priority (+ `LIMITED`, `PINNED`) | the birth: `Inbox::open` |
//! | the priority | the process |
//! | + `NAMED` | whoever registers a name, once |
//! | + `LIMITED` | the process, when it first limits its mailbox |
//! | + `TIMED` | whoever first aims a timer at the process |
//! | anything -> 0 | the end, before the generation advances: [`leave`] |
//! | 0 -> a mark alone | a mark that came too late; the next birth overwrites it |
//!
//! A mark can be set in the word of a later tenant as well, by somebody whose pid is
//! stale: that one looks once in vain at its end.
//!
//! Priority and `PINNED` (a local process, which runs on one worker only) are read when
//! the process is queued, by whoever has the token; as only the process itself changes
//! them, in its turn, they hold still for the reader.

use std::sync::atomic::{Ordering, fence};

use regrow_mailbox::Inbox;

use super::priority::Priority;

const NAMED: u32 = 1 << 31;
const LIMITED: u32 = 1 << 30;
const PINNED: u32 = 1 << 29;
const PRIORITY_SHIFT: u32 = 27;
const PRIORITY: u32 = 3 << PRIORITY_SHIFT;
const TIMED: u32 = 1 << 26;
/// The bits below the marks.
const RUNTIME: u32 = (1 << 26) - 1;

/// The number of each simulation: no other thread meets its processes, and a number of
/// its own would make each one different.
pub(crate) const SIMULATION: u32 = RUNTIME;

/// The runtime that an owner word names; 0 is none.
pub(crate) fn runtime(owner: u32) -> u32 {
    owner & RUNTIME
}

/// Whether the process goes to the ordinary queues: any worker, normal priority.
#[inline]
pub(crate) fn is_ordinary(owner: u32) -> bool {
    owner & (PINNED | PRIORITY) == 0
}

pub(crate) fn is_pinned(owner: u32) -> bool {
    owner & PINNED != 0
}

pub(crate) fn priority(owner: u32) -> Priority {
    Priority::ALL[((owner & PRIORITY) >> PRIORITY_SHIFT) as usize]
}

/// Gives the process another priority, from its next queueing on; returns the one
/// that it had. For the process itself.
pub(crate) fn set_priority(inbox: &Inbox, to: Priority) -> Priority {
    let set = |owner| Some(owner & !PRIORITY | (to as u32) << PRIORITY_SHIFT);
    // Relaxed: whoever reads it has the token from us.
    let before = inbox
        .owner()
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, set);
    priority(before.unwrap_or_else(|owner| owner))
}

/// Marks that a name leads to the process. Whoever does so must look at the
/// generation afterwards: either it sees the death, or the dying process sees the mark.
pub(crate) fn mark_named(inbox: &Inbox) {
    inbox.owner().fetch_or(NAMED, Ordering::SeqCst);
    // Before the look at the generation; partner: the swap in `Inbox::retire`.
    fence(Ordering::SeqCst);
}

/// Whether an owner word says that the mailbox has a limit.
#[inline]
pub(crate) fn is_limited(owner: u32) -> bool {
    owner & LIMITED != 0
}

/// The word of a newborn process.
pub(crate) fn newborn(runtime: u32, priority: Priority, limited: bool, pinned: bool) -> u32 {
    let mark = |on, mark| if on { mark } else { 0 };
    runtime | (priority as u32) << PRIORITY_SHIFT | mark(limited, LIMITED) | mark(pinned, PINNED)
}

/// Marks that the mailbox has a limit, which must be in the table of limits already.
/// A sender that misses the mark sends as before.
pub(crate) fn mark_limited(inbox: &Inbox) {
    inbox.owner().fetch_or(LIMITED, Ordering::Release);
}

/// Marks that a timer is aimed at the process, and returns its runtime; `None` if it
/// has left that already.
///
/// The order of the changes to this one word decides: a mark that found a runtime came
/// before [`leave`], which therefore sees it. What follows is in the head of `timer/mod.rs`.
pub(crate) fn mark_timed(inbox: &Inbox) -> Option<u32> {
    // Acquire, both; partner: the store in `Inbox::open`. Whoever finds a word of a later
    // tenant here must see, in the generation, that the earlier one is dead.
    let mut owner = inbox.owner().load(Ordering::Acquire);
    if owner & TIMED == 0 {
        owner = inbox.owner().fetch_or(TIMED, Ordering::AcqRel);
    }
    Some(runtime(owner)).filter(|&runtime| runtime != 0)
}

/// What a process leaves behind that must be looked for.
#[derive(Clone, Copy)]
pub(crate) struct Marks(u32);

impl Marks {
    /// Whether a name may lead to it.
    pub(crate) fn named(self) -> bool {
        self.0 & NAMED != 0
    }

    /// Whether its mailbox has a limit.
    pub(crate) fn limited(self) -> bool {
        is_limited(self.0)
    }

    /// Whether it is a local process.
    pub(crate) fn pinned(self) -> bool {
        is_pinned(self.0)
    }

    /// Whether timers may be aimed at it.
    pub(crate) fn timed(self) -> bool {
        self.0 & TIMED != 0
    }
}

/// The process is ending: it belongs to no runtime any more. Returns the marks that it
/// had, which are taken away.
pub(crate) fn leave(inbox: &Inbox) -> Marks {
    Marks(inbox.owner().swap(0, Ordering::SeqCst))
}

/// Whether a name may lead to the process.
pub(crate) fn is_named(inbox: &Inbox) -> bool {
    inbox.owner().load(Ordering::SeqCst) & NAMED != 0
}

/// Runtimes are numbered; the numbers wrap before they reach that of simulations.
pub(crate) fn id_from_counter(counter: u32) -> u32 {
    counter % (SIMULATION - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_word_is_made_of_can_be_read_from_it() {
        for number in [1, SIMULATION] {
            for level in Priority::ALL {
                for (limited, pinned) in [(false, true), (true, false), (false, false)] {
                    let owner = newborn(number, level, limited, pinned) | NAMED | TIMED;
                    assert_eq!(runtime(owner), number);
                    assert_eq!(priority(owner), level);
                    assert_eq!(is_limited(owner), limited);
                    assert_eq!(is_pinned(owner), pinned);
                    assert_eq!(is_ordinary(owner), !pinned && level == Priority::Normal);
                }
            }
        }
    }

    #[test]
    fn runtimes_are_numbered_within_their_bits() {
        for counter in [0, 1, SIMULATION - 2, SIMULATION - 1, u32::MAX] {
            assert!((1..SIMULATION).contains(&id_from_counter(counter)));
        }
    }
}
