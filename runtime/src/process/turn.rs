//! One turn of a process.
//!
//! 1. Take the inbox, once.
//! 2. Handle the signals in their order; messages go to the mailbox.
//! 3. Unless a signal was fatal, or nothing concerns the body, poll it.
//! 4. Park, or queue again if something came meanwhile or the body asked.

use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use regrow_mailbox::{Batch, Envelope, SaveQueue};

use super::alias::Aliased;
use super::cell::{Flag, Header, ProcessPtr};
use super::crash::Cause;
use super::exit::{self, Ending};
use super::info::{self, Status};
use super::limit;
use super::long_queue;
use super::pinned::schedule_special;
use super::relations::Ended;
use super::signal::{self, Control, ExitEffect, exit_effect};
use super::table::{self, Slot};
use super::{budget, drop_dead_letter, owner, push_new, waker};
use crate::local::Local;
use crate::message::{Down, Exit, Message, Origin, TaggedDown};
use crate::panic::{catch, discard, wake_caught};
use crate::pid::Pid;
use crate::process::reply::ReplyError;
use crate::reason::ExitReason;
use crate::scheduler::Worker;
use crate::timer::Tick;

/// Runs the process in a slot for one turn. The caller took the index from a run
/// queue, and so holds the token.
pub(crate) fn run(local: &Local, worker: &Worker, index: u32) {
    let Some(slot) = table::slot(index) else {
        return;
    };
    let taken = slot.inbox.take();
    // SAFETY: the caller holds the token (T2).
    let Some(process) = (unsafe { slot.process() }) else {
        return;
    };
    // SAFETY: the process is in its slot (C1), and the token is ours until the
    // park below, after which the header is not used.
    let header = unsafe { process.header() };
    let pid = Pid::local(index, slot.inbox.generation());
    local.pid.set(pid.pack());
    local.budget.set(budget::TURN);
    local.again.set(false);

    worker.turn_begins(index, header.spawned_at);
    header.turns.set(header.turns.get().wrapping_add(1));
    let again = header.replace(Flag::WantsTurn, false);
    let mut batch = taken.batch;
    let signals = handle(local, worker, header, pid, &mut batch, taken.woken, again);
    let fatal = match signals {
        Signals::Nothing => None,
        Signals::Poll if header.hog.get() > 0 && hand_over(local, worker, header, index) => return,
        Signals::Poll => poll(local, header, process, pid),
        Signals::Fatal(reason) => Some((reason, Cause::Signal)),
    };
    if let Some((reason, cause)) = fatal {
        exit::exit(Ending {
            local,
            worker,
            slot,
            process,
            pid,
            reason,
            cause,
            rest: batch,
        });
        return;
    }
    if local.has_dropped() {
        fail_dropped(local, header);
    }
    // Read before parking: afterwards the process may be anybody's, or freed.
    let wants_turn = header.is(Flag::WantsTurn);
    if worker.is_surplus() {
        return go_on_apart(worker, slot, header, pid);
    }
    go_on(worker, slot, wants_turn, index);
}

/// Looks at a process that waits for its turn. The caller has its token, as for [`run`],
/// and keeps it.
pub(crate) fn look<T>(index: u32, work: impl FnOnce(Pid, &Header) -> T) -> Option<T> {
    let slot = table::slot(index)?;
    // SAFETY: the caller holds the token (T2).
    let process = unsafe { slot.process() }?;
    // SAFETY: the process is in its slot (C1), and the token outlasts the look.
    let header = unsafe { process.header() };
    Some(work(Pid::local(index, slot.inbox.generation()), header))
}

/// Leaves a process that takes long turns to a thread that is there for such, if
/// one is free. Then it is not ours any more.
#[cold]
fn hand_over(local: &Local, worker: &Worker, header: &Header, index: u32) -> bool {
    if local.has_dropped() {
        fail_dropped(local, header);
    }
    // Its signals are handled; the poll that they call for is up to the other.
    header.set(Flag::WantsTurn, true);
    let is_ours = worker.may_run_hog(header, index);
    if is_ours {
        header.set(Flag::WantsTurn, false);
    }
    !is_ours
}

/// The turn is over and the process lives: parks it, or queues it again.
fn go_on(worker: &Worker, slot: &Slot, wants_turn: bool, index: u32) {
    if !wants_turn && slot.inbox.park() {
        return;
    }
    // On the cache line of the inbox's word. The process may have changed it.
    let owner = slot.inbox.owner().load(Ordering::Relaxed);
    match owner::is_ordinary(owner) {
        true => worker.push_back(index),
        false => schedule_special(index, slot, owner),
    }
}

/// The same on a thread that has lost its seat among the workers.
#[cold]
fn go_on_apart(worker: &Worker, slot: &Slot, header: &Header, pid: Pid) {
    worker.judge(header, pid);
    let owner = slot.inbox.owner().load(Ordering::Relaxed);
    if owner::is_pinned(owner) {
        // It stays here whatever it does.
        header.hog.set(0);
    }
    let (wants_turn, is_hog) = (header.is(Flag::WantsTurn), header.hog.get() > 0);
    if is_hog && (wants_turn || !slot.inbox.park()) {
        return worker.push_hog(pid.index());
    }
    if !is_hog {
        go_on(worker, slot, wants_turn, pid.index());
    }
}

enum Signals {
    /// Nothing that concerns the body.
    Nothing,
    Poll,
    Fatal(ExitReason),
}

/// Handles signals until one is fatal; what follows that stays in the batch.
fn handle(
    local: &Local,
    worker: &Worker,
    header: &Header,
    pid: Pid,
    batch: &mut Batch,
    woken: bool,
    again: bool,
) -> Signals {
    // Put together where it is needed: to copy it for each turn costs more.
    let (index, generation) = (pid.index(), pid.generation());
    let arrived = header.with_queue(|queue| {
        let mut arrived = false;
        let mut placed = false;
        queue.begin_turn();
        if header.is(Flag::HasLongQueue) {
            long_queue::look_at_rest(header, worker, queue);
        }
        while let Some(envelope) = batch.pop() {
            if envelope.generation() != generation {
                // Meant for an earlier tenant of the slot.
                let dead = Pid::local(index, envelope.generation());
                answer_for_dead(envelope, dead);
                continue;
            }
            if envelope.kind() == signal::MESSAGE {
                queue.append(envelope);
                arrived = true;
                continue;
            }
            if envelope.kind() == signal::PLACED {
                queue.append(envelope);
                (arrived, placed) = (true, true);
                continue;
            }
            let pid = Pid::local(index, generation);
            if std::mem::take(&mut placed) {
                // Before anybody is told how many there are.
                limit::evict(pid, queue);
            }
            match accept(header, pid, envelope, queue, woken || again || arrived) {
                Accepted::Message(envelope) => {
                    placed = envelope.kind() == signal::PLACED;
                    queue.append(envelope);
                    arrived = true;
                }
                Accepted::Done => {}
                Accepted::Fatal(reason) => return Err(reason),
            }
        }
        if placed {
            limit::evict(Pid::local(index, generation), queue);
        }
        if arrived && queue.len() >= worker.shared.long_queue.enable {
            long_queue::sound(header, worker, Pid::local(index, generation), queue);
        }
        Ok(arrived)
    });
    let arrived = match arrived {
        Ok(arrived) => arrived,
        Err(reason) => return Signals::Fatal(reason),
    };
    if !arrived && !woken && !again {
        return Signals::Nothing;
    }
    // Not for a mere wake: that may be what a foreign waker itself has done, and
    // they would wake each other for ever.
    if header.is(Flag::HasForeign) && (arrived || again || has_many_foreign(header)) {
        header.set(Flag::HasForeign, false);
        wake_foreign(local, header);
        if header.is(Flag::HasLeft) {
            return Signals::Fatal(last_word(local));
        }
    }
    Signals::Poll
}

fn has_many_foreign(header: &Header) -> bool {
    header.with_relations(|relations| {
        let more = relations.existing();
        more.is_some_and(|more| more.foreign.are_many())
    })
}

/// Wakes whoever waits in this process with a waker of its own, before the poll.
fn wake_foreign(local: &Local, header: &Header) {
    let taken =
        header.with_relations(|relations| relations.existing().map(|more| more.foreign.take()));
    let _current = local.current.enter(Some(header));
    for waker in taken.into_iter().flatten() {
        wake_caught(waker);
    }
}

enum Accepted {
    Message(Envelope),
    Done,
    Fatal(ExitReason),
}

/// Handles a signal that is no message.
fn accept(
    header: &Header,
    pid: Pid,
    mut envelope: Envelope,
    queue: &SaveQueue,
    runnable: bool,
) -> Accepted {
    match envelope.kind() {
        signal::EXIT => {
            let Some(Exit {
                pid: from,
                reason,
                origin,
            }) = envelope.peek::<Exit>()
            else {
                return Accepted::Done;
            };
            let (from, origin) = (*from, *origin);
            if !header.with_relations(|relations| relations.on_exit(from, origin)) {
                // The reason's drop may be the user's code.
                drop_dead_letter(envelope);
                return Accepted::Done;
            }
            match exit_effect(origin, reason, header.is(Flag::TrapsExits)) {
                ExitEffect::Ignore => Accepted::Done,
                ExitEffect::End(reason) => {
                    if matches!(origin, Origin::Limit) {
                        limit::report_kill(pid, &reason);
                    }
                    Accepted::Fatal(reason)
                }
                ExitEffect::Deliver => {
                    envelope.set_kind(signal::MESSAGE);
                    Accepted::Message(envelope)
                }
            }
        }
        signal::DOWN => {
            let reference = envelope.peek::<Down>().map(|down| down.reference);
            let active = reference
                .and_then(|it| header.with_relations(|relations| relations.remove_monitor(it)));
            let Some(Ended { name, tag, .. }) = active else {
                drop_dead_letter(envelope);
                return Accepted::Done;
            };
            if name.is_some()
                && let Some(down) = envelope.peek_mut::<Down>()
            {
                down.name = name;
            }
            envelope.set_kind(signal::MESSAGE);
            Accepted::Message(match tag {
                Some(tag) => tagged(tag, envelope),
                None => envelope,
            })
        }
        signal::ALIAS => match envelope.downcast::<Aliased>() {
            Ok(Aliased { id, message }) => accept_aliased(header, id, message),
            Err(_) => Accepted::Done,
        },
        signal::TICK | signal::PLACED_TICK => accept_tick(pid, envelope),
        _ => {
            if let Ok(control) = envelope.downcast::<Control>() {
                obey(header, pid, control, queue, runnable);
            }
            Accepted::Done
        }
    }
}

/// A `Down` with what its monitor was given for it.
#[cold]
fn tagged(tag: Message, down: Envelope) -> Envelope {
    let generation = down.generation();
    match down.downcast::<Down>() {
        Ok(down) => Envelope::new(generation, signal::MESSAGE, TaggedDown { tag, down }),
        Err(other) => other,
    }
}

/// A message through an alias: a message like any other, if that is active.
fn accept_aliased(header: &Header, id: u64, message: Envelope) -> Accepted {
    let (passes, monitor) = header.with_relations(|relations| relations.on_aliased(id));
    if !passes {
        drop_dead_letter(message);
        return Accepted::Done;
    }
    if let Some((reference, Ended { target, tag, .. })) = monitor {
        // A dead target needs no demonitor.
        let _ = push_new(target, signal::CONTROL, Control::Demonitor { reference });
        discard("the drop of a monitor's tag", tag);
    }
    Accepted::Message(message)
}

/// An interval's message is made here: a clone may take long, and that is its receiver's time.
#[cold]
fn accept_tick(pid: Pid, tick: Envelope) -> Accepted {
    let is_placed = tick.kind() == signal::PLACED_TICK;
    let message = tick.downcast::<Tick>().ok().and_then(Tick::into_message);
    let Some(Message(mut message)) = message else {
        if is_placed {
            limit::give_back(pid);
        }
        return Accepted::Done;
    };
    message.set_generation(pid.generation());
    if is_placed {
        message.set_kind(signal::PLACED);
    }
    Accepted::Message(message)
}

fn obey(header: &Header, pid: Pid, control: Control, queue: &SaveQueue, runnable: bool) {
    match control {
        Control::Link { from, id } => header.with_relations(|it| it.on_link(from, id)),
        Control::Unlink { from, ids } => header.with_relations(|it| it.on_unlink(from, ids)),
        Control::Monitor { watcher, reference } => {
            header.with_relations(|it| it.add_watcher(reference, watcher));
        }
        Control::Demonitor { reference } => {
            header.with_relations(|it| it.remove_watcher(reference));
        }
        Control::Info { asker, reply } => {
            let status = match runnable {
                _ if asker == Some(pid) => Status::Running,
                true => Status::Runnable,
                false => Status::Waiting,
            };
            let slot = table::slot(pid.index());
            // SAFETY: the caller holds the token (T2), and is outside of the poll (C2).
            let body = slot.and_then(|it| unsafe { it.process().map(|it| it.size()) });
            let memory = body.unwrap_or_default() + size_of::<Slot>();
            reply.send(info::gather(header, pid, queue, status, memory));
        }
        Control::Ping { reply } => {
            reply.send(());
        }
    }
}

/// Answers a signal on behalf of a process that is gone.
pub(super) fn answer_for_dead(envelope: Envelope, dead: Pid) {
    match envelope.kind() {
        signal::CONTROL => {}
        _ => return drop_dead_letter(envelope),
    }
    // An undeliverable answer needs none itself.
    let _ = match envelope.downcast::<Control>() {
        Ok(Control::Link { from, id }) => push_new(
            from,
            signal::EXIT,
            Exit {
                pid: dead,
                reason: ExitReason::NoProc,
                origin: Origin::Link {
                    mine: 0,
                    theirs: id,
                },
            },
        ),
        Ok(Control::Monitor { watcher, reference }) => push_new(
            watcher,
            signal::DOWN,
            Down::new(reference, dead, ExitReason::NoProc),
        ),
        Ok(Control::Info { reply, .. }) => {
            reply.fail(ExitReason::NoProc);
            Ok(())
        }
        Ok(Control::Ping { reply }) => {
            reply.fail(ExitReason::NoProc);
            Ok(())
        }
        Ok(Control::Unlink { .. } | Control::Demonitor { .. }) | Err(_) => Ok(()),
    };
}

/// Polls the body. Returns the reason if it ended, and how.
fn poll(
    local: &Local,
    header: &Header,
    process: ProcessPtr,
    pid: Pid,
) -> Option<(ExitReason, Cause)> {
    // Its drop would be a call of a function that does nothing.
    let waker = ManuallyDrop::new(waker::waker_of(pid));
    let mut cx = Context::from_waker(&waker);
    let current = local.current.enter(Some(header));
    // SAFETY: we hold the token, and a process is never polled within its own turn (C2).
    let polled = catch(|| unsafe { process.poll(&mut cx) });
    drop(current);
    header.count_reductions(budget::TURN - local.budget.get());
    if header.is(Flag::HasLeft) {
        let reason = last_word(local);
        discard("the drop of an exit reason", polled);
        return Some((reason, Cause::Unwound));
    }
    match polled {
        Ok(Poll::Pending) => {
            header.set(Flag::WantsTurn, local.again.get());
            None
        }
        Ok(Poll::Ready(reason)) => Some((reason, Cause::Returned)),
        Err(reason) => Some((reason, Cause::Unwound)),
    }
}

/// Why the process has ended itself.
#[cold]
fn last_word(local: &Local) -> ExitReason {
    local.unwinds.set(false);
    match local.last_word.take() {
        Some(reason) => reason,
        None => unreachable!("whoever leaves says why"),
    }
}

/// Tells the callers whose reply handles were dropped in this turn. Those that a
/// panic dropped must wait for the end of the process, which knows why; so must all
/// when it has said that this is near.
#[cold]
fn fail_dropped(local: &Local, header: &Header) {
    let ends = header.is(Flag::FailsAtEnd);
    for (cell, by_panic) in local.take_dropped() {
        if by_panic || ends {
            header.with_relations(|relations| relations.more().failed.push(cell));
            continue;
        }
        cell.fail(ReplyError::Dropped);
    }
}
