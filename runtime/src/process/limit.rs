//! Mailboxes with a limit.
//!
//! A process with a limit has the mark for it in its owner word, which senders see
//! on the cache line that they push to. Only then they look here. A sender reserves
//! a *place* before it pushes; the message carries it as its kind (`signal::PLACED`),
//! and the owner gives it back when the message leaves the mailbox.
//!
//! # The state of a limit
//!
//! | who | what |
//! |---|---|
//! | a sender ([`Limit::reserve`]) | takes a place, unless others wait for one |
//! | a sender that waits ([`Limit::poll_place`]) | enters the line, behind all others |
//! | the owner ([`Limit::give_back`]) | hands the place to the first in the line, else frees it |
//! | a sender that gives up ([`Limit::give_up`]) | leaves the line, or hands its place on |
//! | the owner ([`Limit::change`]) | more room: hands it out; another policy: all in the line ask anew |
//! | the end of the owner ([`close`]) | all in the line ask anew, and learn that it is gone |
//!
//! All of it under one lock, and nobody is woken under it. `taken` counts the places of
//! messages on their way or in the mailbox, and those handed to somebody in the line,
//! so nobody overtakes the line. A limit is never taken off a living process, so
//! that each place is given back to the limit that it came from: to lift one is to
//! make it huge.
//!
//! What was on its way when the first limit was set has no place, and is not counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use parking_lot::{Mutex, RwLock};
use regrow_mailbox::{Envelope, SaveQueue};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::cell::Flag;
use super::links::with_header;
use super::{drop_refused, owner, push_new, self_pid, signal, table};
use crate::message::{Down, Exit, Origin, TaggedDown};
use crate::panic::{contain, wake_caught};
use crate::pid::Pid;
use crate::proc_lib::Terminate;
use crate::reason::ExitReason;
use crate::simulation::slots;

/// What happens to a message for a mailbox that is full.
///
/// | policy | [`send`](crate::send()) | [`try_send`](crate::try_send) | [`send_wait`](crate::send_wait) |
/// |---|---|---|---|
/// | `Wait` | not accepted | given back | waits for room |
/// | `Refuse` | not accepted | given back | given back |
/// | `DropNewest` | dropped | dropped | dropped |
/// | `DropOldest` | accepted | accepted | accepted |
/// | `Kill` | the receiver ends | it ends, given back | it ends, given back |
///
/// Calls in a message that is not accepted, or dropped, fail at once with
/// [`ReplyError::MailboxFull`](crate::ReplyError::MailboxFull).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MailboxPolicy {
    /// Senders may wait for room, with [`send_wait`](crate::send_wait).
    Wait,
    /// Senders are told that there is no room.
    Refuse,
    /// The message is dropped, and its sender is not told.
    DropNewest,
    /// The oldest message in the mailbox is dropped instead, when the receiver has its next
    /// turn. Until then the mailbox may hold more.
    DropOldest,
    /// The receiver ends, with a [`MailboxOverflow`] as its reason, even if it traps exits. What
    /// it had got before it may still handle.
    Kill,
}

/// The limit of a mailbox, as [`process_info`](crate::process_info) tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailboxLimit {
    /// How many messages the mailbox may hold.
    pub max: usize,
    /// What happens to more.
    pub policy: MailboxPolicy,
    /// How many messages count at present: in the mailbox, on their way into it, and places
    /// that senders which have waited are about to use.
    pub taken: usize,
    /// How many messages the limit has cost so far: dropped, or not accepted from a `send`.
    pub dropped: u64,
}

/// Why a process ended whose mailbox was to hold no more messages than that
/// ([`MailboxPolicy::Kill`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {max} messages in the mailbox")]
#[non_exhaustive]
pub struct MailboxOverflow {
    /// The limit.
    pub max: usize,
}

/// What a sender may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Push the message with a place.
    Place,
    /// Nothing: there is no room.
    Full,
    /// Drop the message.
    Drop,
    /// End the receiver, whose limit is this.
    Kill(usize),
    /// The receiver is gone, or as good as gone.
    Gone,
    /// Wait in the line.
    Wait,
}

/// A place in the line of those that wait.
pub(super) type Ticket = u64;

pub(super) struct Limit(Mutex<State>);

struct State {
    max: usize,
    policy: MailboxPolicy,
    taken: usize,
    dropped: u64,
    line: VecDeque<(Ticket, Waker)>,
    /// Tickets that were handed a place and have not used it yet.
    handed: Vec<Ticket>,
    last_ticket: Ticket,
    /// The receiver has ended, or been told to.
    gone: bool,
}

impl State {
    fn has_room(&self) -> bool {
        self.taken < self.max
    }

    /// Hands free places to those in the line. They must be woken once the lock is free.
    fn hand_out(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while self.has_room()
            && let Some((ticket, waker)) = self.line.pop_front()
        {
            self.taken += 1;
            self.handed.push(ticket);
            wakers.push(waker);
        }
        wakers
    }

    fn use_handed(&mut self, ticket: Ticket) -> bool {
        let at = self.handed.iter().position(|it| *it == ticket);
        at.map(|at| self.handed.swap_remove(at)).is_some()
    }

    fn leave_line(&mut self, ticket: Ticket) -> Option<Waker> {
        let at = self.line.binary_search_by_key(&ticket, |it| it.0).ok()?;
        self.line.remove(at).map(|it| it.1)
    }

    fn everybody_in_line(&mut self) -> Vec<Waker> {
        self.line.drain(..).map(|it| it.1).collect()
    }

    /// See [`Limit::reserve`].
    fn reserve(&mut self, is_told: bool) -> Verdict {
        if self.gone {
            return Verdict::Gone;
        }
        if self.has_room() && self.line.is_empty() {
            self.taken += 1;
            return Verdict::Place;
        }
        match self.policy {
            MailboxPolicy::Wait if is_told => Verdict::Wait,
            MailboxPolicy::Refuse if is_told => Verdict::Full,
            MailboxPolicy::Wait | MailboxPolicy::Refuse => {
                self.dropped += 1;
                Verdict::Full
            }
            MailboxPolicy::DropNewest => {
                self.dropped += 1;
                Verdict::Drop
            }
            MailboxPolicy::DropOldest => {
                self.taken += 1;
                Verdict::Place
            }
            MailboxPolicy::Kill => {
                self.gone = true;
                Verdict::Kill(self.max)
            }
        }
    }

    fn info(&self) -> MailboxLimit {
        MailboxLimit {
            max: self.max,
            policy: self.policy,
            taken: self.taken,
            dropped: self.dropped,
        }
    }
}

fn wake_all(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(wake_caught);
}

impl Limit {
    fn new(max: usize, policy: MailboxPolicy, taken: usize) -> Self {
        Limit(Mutex::new(State {
            max,
            policy,
            taken,
            dropped: 0,
            line: VecDeque::new(),
            handed: Vec::new(),
            last_ticket: 0,
            gone: false,
        }))
    }

    /// Whether a message may be sent. One whose sender is not told counts as a loss.
    fn reserve(&self, is_told: bool) -> Verdict {
        self.0.lock().reserve(is_told)
    }

    /// For a sender that would wait: a verdict, or else its place in the line, where it
    /// was already if it has a ticket.
    pub(super) fn poll_place(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Verdict {
        // Cloned and dropped outside of the lock: that may be anybody's code.
        let mut waker = waker.clone();
        let mut state = self.0.lock();
        if let Some(mine) = *ticket {
            if state.use_handed(mine) {
                *ticket = None;
                return Verdict::Place;
            }
            if let Ok(at) = state.line.binary_search_by_key(&mine, |it| it.0) {
                std::mem::swap(&mut state.line[at].1, &mut waker);
                drop(state);
                return Verdict::Wait;
            }
            // Sent out of the line, to ask anew.
            *ticket = None;
        }
        let verdict = state.reserve(true);
        if verdict == Verdict::Wait {
            state.last_ticket += 1;
            *ticket = Some(state.last_ticket);
            let mine = state.last_ticket;
            state.line.push_back((mine, waker));
        }
        verdict
    }

    /// A sender waits no more.
    pub(super) fn give_up(&self, ticket: Ticket) {
        let mut state = self.0.lock();
        if state.use_handed(ticket) {
            drop(state);
            return self.give_back(1);
        }
        let waker = state.leave_line(ticket);
        drop(state);
        drop(waker);
    }

    /// Messages have left the mailbox.
    fn give_back(&self, places: usize) {
        let mut state = self.0.lock();
        state.taken = state.taken.saturating_sub(places);
        let wakers = state.hand_out();
        drop(state);
        wake_all(wakers);
    }

    /// Another limit, or another policy. Returns what was before.
    fn change(&self, max: usize, policy: MailboxPolicy) -> MailboxLimit {
        let mut state = self.0.lock();
        let before = state.info();
        (state.max, state.policy) = (max, policy);
        let mut wakers = state.hand_out();
        if policy != MailboxPolicy::Wait {
            wakers.append(&mut state.everybody_in_line());
        }
        drop(state);
        wake_all(wakers);
        before
    }

    fn close(&self) {
        let mut state = self.0.lock();
        state.gone = true;
        let wakers = state.everybody_in_line();
        drop(state);
        wake_all(wakers);
    }
}

type Shard = RwLock<FxHashMap<Key, Arc<Limit>>>;
/// The space of a pid, and the pid packed.
type Key = (u64, u64);

const SHARDS: usize = 64;

/// The limits of all processes that have one.
static LIMITS: [Shard; SHARDS] =
    [const { RwLock::new(FxHashMap::with_hasher(FxBuildHasher)) }; SHARDS];

fn shard(pid: Pid) -> &'static Shard {
    &LIMITS[pid.index() as usize % SHARDS]
}

fn key(pid: Pid) -> Key {
    (slots::space(pid), pid.pack())
}

/// Works with the limit of a process, if it has one.
fn with_limit<T>(pid: Pid, work: impl FnOnce(&Arc<Limit>) -> T) -> Option<T> {
    // Not under the shard's lock: the work may wake somebody.
    let limit = shard(pid).read().get(&key(pid)).cloned()?;
    Some(work(&limit))
}

/// The limit of a process that has the mark.
pub(super) fn of(pid: Pid) -> Option<Arc<Limit>> {
    shard(pid).read().get(&key(pid)).cloned()
}

/// Whether a message may be sent to a process that has the mark. See [`Limit::reserve`].
pub(super) fn reserve(to: Pid, is_told: bool) -> Verdict {
    // None: it has just ended, which the push will find out.
    with_limit(to, |limit| limit.reserve(is_told)).unwrap_or(Verdict::Gone)
}

/// A birth with a limit: before the inbox is opened, with the mark.
pub(super) fn set_at_birth(pid: Pid, max: usize, policy: MailboxPolicy) {
    let limit = Arc::new(Limit::new(max, policy, 0));
    shard(pid).write().insert(key(pid), limit);
}

/// The end of a process with a limit, after the point of death: those that wait must
/// find it dead.
pub(super) fn close(pid: Pid) {
    let limit = shard(pid).write().remove(&key(pid));
    if let Some(limit) = limit {
        limit.close();
    }
}

/// The limit of a process, for introspection.
pub(super) fn info(pid: Pid) -> Option<MailboxLimit> {
    let slot = table::slot(pid.index())?;
    if !owner::is_limited(slot.inbox.owner().load(Ordering::Relaxed)) {
        return None;
    }
    with_limit(pid, |limit| limit.0.lock().info())
}

/// A message that has a place leaves the mailbox.
#[cold]
pub(super) fn left(pid: Pid, envelope: &mut Envelope) {
    envelope.set_kind(signal::MESSAGE);
    give_back(pid);
}

/// A place is not needed.
pub(super) fn give_back(pid: Pid) {
    with_limit(pid, |limit| limit.give_back(1));
}

/// Messages with places have come in: makes room for them, if that is the policy.
#[cold]
pub(super) fn evict(pid: Pid, queue: &mut SaveQueue) {
    with_limit(pid, |limit| {
        let excess = {
            let state = limit.0.lock();
            match state.policy {
                MailboxPolicy::DropOldest => state.taken.saturating_sub(state.max),
                _ => 0,
            }
        };
        let mut evicted = 0;
        while evicted < excess
            && let Some(oldest) =
                queue.take_first(&mut Default::default(), |it| it.kind() == signal::PLACED)
        {
            evicted += 1;
            drop_refused(oldest);
        }
        if evicted > 0 {
            limit.0.lock().dropped += evicted as u64;
            limit.give_back(evicted);
        }
    });
}

/// Ends a process whose mailbox has become too long. The sender may hold a lock, as
/// that of an event does, so no user code may run in it: the process itself reports
/// its end ([`report_kill`]).
#[cold]
pub(super) fn kill(pid: Pid, max: usize) {
    let exit = Exit {
        pid,
        reason: ExitReason::error(MailboxOverflow { max }),
        origin: Origin::Limit,
    };
    let _ = push_new(pid, signal::EXIT, exit);
}

/// Reports that a process ends for its mailbox.
#[cold]
pub(super) fn report_kill(pid: Pid, reason: &ExitReason) {
    // A subscriber is the user's code.
    contain("a report", || {
        tracing::error!(target: "regrow::mailbox", %pid, %reason, "killed for a mailbox that is too long");
    });
}

/// Limits the mailbox of the current process, or changes its limit. Returns the one
/// before; its `dropped` goes on counting.
///
/// At most `max` messages may then be in the mailbox; what happens to more is up to the
/// policy. Messages count whoever sends them, timers and the process itself included.
/// Exit signals, [`Exit`] and [`Down`] messages, replies, messages through an
/// [`Alias`](crate::Alias), requests to [stop](crate::proc_lib::stop), links and monitors never do.
/// What is in the mailbox already counts; what is on its way when the *first* limit is
/// set does not. Nothing is dropped by setting a limit: the policy is for what comes.
///
/// There is no way back to no limit; `usize::MAX` is as good, but for a look at a lock
/// with each message. [`SpawnOptions::mailbox_limit`](crate::SpawnOptions::mailbox_limit)
/// sets one before the first message can come.
///
/// # Panics
///
/// Outside a process, and if `max` is zero.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{MailboxPolicy, mailbox_limit, receive, self_pid, send, try_send};
///
/// mailbox_limit(2, MailboxPolicy::Refuse);
/// let me = self_pid();
/// send(me, "one");
/// send(me, "two");
/// let full = try_send(me, "three").unwrap_err();
/// assert_eq!(full.into_inner(), "three");
/// receive::<&str>().await;
/// assert!(try_send(me, "four").is_ok());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn mailbox_limit(max: usize, policy: MailboxPolicy) -> Option<MailboxLimit> {
    check(max);
    let me = self_pid();
    if with_header("mailbox_limit", |header| header.is(Flag::Ending)) {
        // In a drop at the end: nobody would ever take it away again.
        return None;
    }
    if let Some(before) = with_limit(me, |limit| limit.change(max, policy)) {
        return Some(before);
    }
    let is_signal = |it: &Envelope| {
        it.is::<Exit>() || it.is::<Down>() || it.is::<TaggedDown>() || it.is::<Terminate>()
    };
    let counts = |it: &Envelope| !is_signal(it);
    let taken = with_header("mailbox_limit", |header| {
        header.with_queue(|queue| queue.set_kind(signal::PLACED, counts))
    });
    let limit = Arc::new(Limit::new(max, policy, taken));
    shard(me).write().insert(key(me), limit);
    if let Some(slot) = table::slot(me.index()) {
        owner::mark_limited(&slot.inbox);
    }
    None
}

/// # Panics
///
/// If a mailbox were to hold nothing.
#[track_caller]
pub(super) fn check(max: usize) {
    assert!(max > 0, "a mailbox must have room for one message at least");
}
