//! One atomic word: the queue of incoming signals and the scheduling state.
//!
//! # States
//!
//! | word | meaning |
//! |---|---|
//! | `PARKED` 0 | nothing to do; nobody holds the token |
//! | `AWAKE` 1 | queued to run or running; nothing new since the last take |
//! | `AWAKE` + `WOKEN` 3 | the same, and a wake came since the last take |
//! | address + `AWAKE` (+ `WOKEN`) | the same, with signals; the address is the newest node |
//! | `CLOSED` 4 | dead, or a slot that is free |
//!
//! The *token* is the right to run the process, or its entry in a run queue. It
//! exists exactly while the word is neither `PARKED` nor `CLOSED`.
//!
//! # Who may change what
//!
//! | who | from -> to | ordering | pairs with |
//! |---|---|---|---|
//! | [`open`](Inbox::open), owner of a free slot | `CLOSED` -> `AWAKE` | store Release | the run queue publishes the rest |
//! | [`push`](Inbox::push), anybody | `PARKED` -> node+`AWAKE`: **the pusher gets the token** | CAS AcqRel | take (node contents), park (the tenant's data) |
//! | push | awake -> node on top, `WOKEN` kept | CAS AcqRel | take |
//! | [`wake`](Inbox::wake), anybody | `PARKED` -> `AWAKE`+`WOKEN`: **the waker gets the token** | CAS AcqRel | take, park |
//! | wake | awake -> + `WOKEN`, **also when that changes nothing** | CAS AcqRel | take: what was written before the wake is seen by the next turn |
//! | [`take`](Inbox::take), token holder, at the start of a turn only | awake -> `AWAKE` | swap AcqRel | push, wake |
//! | [`has_signals`](Inbox::has_signals), token holder | - | load Relaxed | coherence: after an acquire of something that follows a push, the push or what took its node is seen |
//! | [`park`](Inbox::park), token holder | `AWAKE` -> `PARKED`, fails if anything came | CAS Release | the next push or wake |
//! | [`retire`](Inbox::retire), token holder | generation + 1 | swap SeqCst | the generation loads of push and wake |
//! | [`close`](Inbox::close), token holder | awake -> `CLOSED` | swap AcqRel | push (nodes) |
//!
//! # Invariants
//!
//! - I1: `PARKED` is left in one read-modify-write, whose thread gets the token;
//!   it is entered by the token holder alone. So a process is never queued twice
//!   and never run by two threads, whatever the generations: a stale signal or
//!   wake costs the next tenant of the slot one spurious turn, never more.
//! - I2: a free slot is `CLOSED`, never `PARKED`. Nothing but `open` changes a closed word.
//! - I3: whatever arrives after the take of a turn makes the word differ from
//!   `AWAKE`, so the park fails and another turn follows.
//! - I4: a wake always ends in a read-modify-write of the word, so the take that
//!   clears it sees what the waker wrote. No early return on a load.
//! - I5: every node carries the generation it was sent to. A push checks it before,
//!   and the receiver must check it again: the slot may have a new tenant by then.
//! - I6: after close no push succeeds, so each node ends exactly once.

use std::fmt;
use std::ptr::{self, NonNull};

use crate::batch::Batch;
use crate::envelope::{Envelope, Header};
use crate::primitive::{AtomicPtr, AtomicU32, Ordering};

const PARKED: usize = 0;
const AWAKE: usize = 1;
const WOKEN: usize = 2;
const CLOSED: usize = 4;
const FLAGS: usize = 7;

#[inline]
fn state(bits: usize) -> *mut Header {
    ptr::without_provenance_mut(bits)
}

#[inline]
fn has(word: *mut Header, flag: usize) -> bool {
    word.addr() & flag != 0
}

/// What became of a pushed signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the queue, and the process is awake already.
    Queued,
    /// It is in the queue, and the pusher now holds the token: it must queue the
    /// process to run.
    MustRun,
}

/// What a turn begins with.
#[derive(Debug)]
pub struct Taken {
    /// The signals that had arrived.
    pub batch: Batch,
    /// Whether the process was woken since its last turn.
    pub woken: bool,
}

/// The inbox of one process, in a slot that processes use one after the other.
///
/// See the [crate documentation](crate) for how a turn uses it. Each tenant of
/// the slot has its own *generation*; signals and wakes for an earlier one are
/// refused. `owner` is a word that the user of the inbox may use as it likes.
pub struct Inbox {
    word: AtomicPtr<Header>,
    generation: AtomicU32,
    owner: AtomicU32,
}

impl Inbox {
    /// A closed inbox, of generation 1.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Inbox {
            word: AtomicPtr::new(ptr::without_provenance_mut(CLOSED)),
            generation: AtomicU32::new(1),
            owner: AtomicU32::new(0),
        }
    }

    /// A closed inbox, of generation 1.
    #[cfg(loom)]
    pub fn new() -> Self {
        Inbox {
            word: AtomicPtr::new(state(CLOSED)),
            generation: AtomicU32::new(1),
            owner: AtomicU32::new(0),
        }
    }

    /// The word that the user of the inbox may set when it opens it.
    #[inline]
    pub fn owner(&self) -> &AtomicU32 {
        &self.owner
    }

    /// The generation of the present tenant, or of the next if the slot is free.
    #[inline]
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// Gives the slot a tenant, awake, and returns its generation. The caller
    /// holds the token. Only whoever owns the free slot may call this.
    #[inline]
    pub fn open(&self, owner: u32) -> u32 {
        // Release: whoever sees it sees the end of the tenant before.
        self.owner.store(owner, Ordering::Release);
        let generation = self.generation.load(Ordering::Relaxed);
        self.word.store(state(AWAKE), Ordering::Release);
        generation
    }

    /// Adds a signal.
    ///
    /// # Errors
    ///
    /// Gives the envelope back if the process that it is for is dead.
    #[inline]
    pub fn push(&self, envelope: Envelope) -> Result<Pushed, Envelope> {
        // Acquire: a sender that saw the death elsewhere sees it here (noproc order).
        if self.generation.load(Ordering::Acquire) != envelope.generation() {
            return Err(envelope);
        }
        let mut top = self.word.load(Ordering::Relaxed);
        let mut node = envelope.into_raw();
        loop {
            if has(top, CLOSED) {
                // SAFETY: the node did not get into the queue: it is still ours.
                return Err(unsafe { Envelope::from_raw(node) });
            }
            // SAFETY: as above; nobody else sees the node before the exchange.
            unsafe { node.as_mut() }.next = top.map_addr(|addr| addr & !FLAGS);
            let new = node
                .as_ptr()
                .map_addr(|addr| addr | AWAKE | (top.addr() & WOKEN));
            match self
                .word
                .compare_exchange_weak(top, new, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) if top.addr() == PARKED => return Ok(Pushed::MustRun),
                Ok(_) => return Ok(Pushed::Queued),
                Err(now) => top = now,
            }
        }
    }

    /// Makes sure that the process of `generation` gets another turn. Returns
    /// whether the caller now holds the token and must queue the process to run.
    #[inline]
    pub fn wake(&self, generation: u32) -> bool {
        // Relaxed is enough: a stale pass costs a spurious turn (I1).
        if self.generation.load(Ordering::Relaxed) != generation {
            return false;
        }
        let mut top = self.word.load(Ordering::Relaxed);
        while !has(top, CLOSED) {
            let new = top.map_addr(|addr| addr | AWAKE | WOKEN);
            // Performed even when `new == top`: see I4.
            match self
                .word
                .compare_exchange_weak(top, new, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return top.addr() == PARKED,
                Err(now) => top = now,
            }
        }
        false
    }

    /// Takes everything that has arrived. For the token holder, at the start of
    /// a turn, before anything of the process is read.
    #[inline]
    pub fn take(&self) -> Taken {
        let word = self.word.swap(state(AWAKE), Ordering::AcqRel);
        Taken {
            // SAFETY: the swap made the chain ours (I6 and the Acquire half).
            batch: unsafe { Batch::from_newest(chain(word)) },
            woken: has(word, WOKEN),
        }
    }

    /// Whether signals have come since the last take. For the token holder: what was pushed
    /// before something that it has seen (by an acquire) is either taken, or seen here.
    #[inline]
    pub fn has_signals(&self) -> bool {
        self.word.load(Ordering::Relaxed).addr() & !FLAGS != 0
    }

    /// Gives the token up, unless something has arrived since the take: then it
    /// returns false, and the holder must run the process again.
    #[inline]
    pub fn park(&self) -> bool {
        self.word
            .compare_exchange(
                state(AWAKE),
                state(PARKED),
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// The point of death: from here on the tenant's generation is over. For the
    /// token holder, who then closes the inbox. False if the generations have come
    /// round: then the inbox must never be opened again, for its next tenant could
    /// be taken for an earlier one.
    #[inline]
    pub fn retire(&self) -> bool {
        let next = self
            .generation
            .load(Ordering::Relaxed)
            .wrapping_add(1)
            .max(1);
        // SeqCst, so that whoever marks `owner` and then reads the generation,
        // and the owner who retires and then reads the mark, cannot miss each other.
        self.generation.swap(next, Ordering::SeqCst);
        next != 1
    }

    /// Closes the inbox and takes what is left in it. For the token holder.
    #[inline]
    pub fn close(&self) -> Batch {
        let word = self.word.swap(state(CLOSED), Ordering::AcqRel);
        // SAFETY: the swap made the chain ours, and I6: nothing follows.
        unsafe { Batch::from_newest(chain(word)) }
    }

    /// Makes a closed inbox as good as a new one: of generation 1. Only for the owner of
    /// a free slot of which nobody else knows any more, or ever will: an envelope or
    /// a waker for an earlier tenant would be taken for the next one's.
    pub fn reset(&self) {
        debug_assert!(self.is_closed(), "a tenant lives in it");
        self.generation.store(1, Ordering::Relaxed);
        self.owner.store(0, Ordering::Relaxed);
    }

    /// Whether the inbox is closed.
    pub fn is_closed(&self) -> bool {
        has(self.word.load(Ordering::Acquire), CLOSED)
    }

    /// Whether the process is parked.
    pub fn is_parked(&self) -> bool {
        self.word.load(Ordering::Relaxed).addr() == PARKED
    }
}

/// The newest node of a word, or null.
#[inline]
fn chain(word: *mut Header) -> *mut Header {
    if word.addr() & !FLAGS == 0 {
        ptr::null_mut()
    } else {
        word.map_addr(|addr| addr & !FLAGS)
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox::new()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        if let Some(newest) = NonNull::new(chain(self.word.load(Ordering::Acquire))) {
            // SAFETY: `&mut self`: nobody else reaches the chain any more.
            drop(unsafe { Batch::from_newest(newest.as_ptr()) });
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("generation", &self.generation())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
