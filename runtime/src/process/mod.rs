//! Processes: what they are made of, how they run, and how they end.
//!
//! - [`table`]: the slots, which never move; [`cell`]: what is in one.
//! - [`turn`]: one turn: take the inbox, handle the signals, poll, park.
//! - [`exit`]: the end, in its order; [`crash`]: what people are told of it.
//! - [`relations`]: links and monitors, as pure bookkeeping; [`ancestry`]: who
//!   started whom.
//! - [`limit`]: mailboxes that may be full.
//! - [`links`], [`monitors`], [`alias`], [`send`], [`receive`], [`reply`], [`spawn`],
//!   [`info`]: what users call.

pub(crate) mod alias;
pub(crate) mod ancestry;
pub(crate) mod budget;
pub(crate) mod cell;
mod crash;
mod exit;
pub(crate) mod garbage;
pub(crate) mod info;
pub(crate) mod limit;
pub(crate) mod links;
pub(crate) mod long_queue;
pub(crate) mod monitors;
pub(crate) mod owner;
pub(crate) mod pinned;
pub(crate) mod priority;
pub(crate) mod receive;
pub(crate) mod receive_end;
pub(crate) mod receive_macro;
pub(crate) mod relations;
pub(crate) mod reply;
pub(crate) mod reply_or_down;
pub(crate) mod send;
pub(crate) mod signal;
pub(crate) mod spawn;
pub(crate) mod table;
pub(crate) mod turn;
pub(crate) mod wait_site;
pub(crate) mod waker;

use std::sync::atomic::Ordering;

use regrow_mailbox::{Envelope, Pushed};

pub(crate) use self::reply::Undelivered;
pub(crate) use self::send::{offer_message, send_message};
use self::table::Slot;
use crate::local;
use crate::panic::discard;
use crate::pid::Pid;
use crate::scheduler;

/// Puts a signal into the inbox of a process and queues that to run if needed.
/// A signal to a dead process is given back.
pub(crate) fn push(to: Pid, mut envelope: Envelope) -> Result<(), Envelope> {
    let Some(slot) = table::slot(to.index()) else {
        return Err(envelope);
    };
    envelope.set_generation(to.generation());
    push_to(slot, to.index(), envelope)
}

/// As [`push`], into a slot that was looked up before.
#[inline]
fn push_to(slot: &'static Slot, index: u32, envelope: Envelope) -> Result<(), Envelope> {
    if slot.inbox.push(envelope)? == Pushed::MustRun {
        schedule(index, slot);
    }
    Ok(())
}

/// As [`push`], with the envelope made here.
pub(crate) fn push_new<T: Send + 'static>(to: Pid, kind: u32, payload: T) -> Result<(), Envelope> {
    push(to, Envelope::new(to.generation(), kind, payload))
}

/// Drops a message that reached nobody: calls in it fail with no-such-process. Its
/// drop is the user's code, and runs as no process: a link made in it would
/// belong to nobody.
pub(crate) fn drop_dead_letter(envelope: Envelope) {
    drop_undelivered(Undelivered::NoProc, envelope);
}

/// As [`drop_dead_letter`], of a message for which there was no room.
fn drop_refused(envelope: Envelope) {
    drop_undelivered(Undelivered::Full, envelope);
}

pub(crate) fn drop_undelivered(why: Undelivered, envelope: Envelope) {
    local::try_with(|local| {
        let before = local.undelivered.replace(Some(why));
        discard("the drop of an undelivered message", envelope);
        local.undelivered.set(before);
    });
}

/// Makes sure that a process gets another turn.
pub(crate) fn wake(pid: Pid) {
    if let Some(slot) = table::slot(pid.index())
        && slot.inbox.wake(pid.generation())
    {
        schedule(pid.index(), slot);
    }
}

/// For the thread that got the token: queues the process to run.
fn schedule(index: u32, slot: &Slot) {
    // Ours to read: the token keeps the tenant, and so its owner, in place.
    let owner = slot.inbox.owner().load(Ordering::Relaxed);
    match owner::is_ordinary(owner) {
        true => scheduler::schedule(index, owner::runtime(owner)),
        false => pinned::schedule_special(index, slot, owner),
    }
}

/// The pid of the current process (OTP: `self/0`).
///
/// # Panics
///
/// Outside a process; see [`try_self_pid`].
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// assert_eq!(Some(regrow_runtime::self_pid()), regrow_runtime::try_self_pid());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn self_pid() -> Pid {
    match try_self_pid() {
        Some(pid) => pid,
        None => panic!("there is no current process: this must be called inside a regrow process"),
    }
}

/// The pid of the current process, or `None` outside one.
///
/// ```
/// assert_eq!(regrow_runtime::try_self_pid(), None);
/// ```
pub fn try_self_pid() -> Option<Pid> {
    local::try_with(|local| local.self_pid())?
}
