//! The end of a process, in its order.
//!
//! 1. The reason is fixed.
//! 2. The body is dropped.
//! 3. The mailbox is dropped, and what its monitors were given.
//! 4. The name is released.
//! 5. The generation advances: *the point of death*.
//! 6. Timers that are aimed at it are taken out, and their messages dropped.
//! 7. Links are told.
//! 8. Calls that will never be answered are told, then monitors.
//! 9. The inbox is closed, and what is left in it is answered.
//! 10. The slot is free.
//!
//! So whoever sees the `Down`, or the failed call, finds the state dropped, the name
//! free and the timers gone, and has the exit signal of its link, if there was one, in
//! its inbox. Drops are user code: in 2, 3 and 6 they run as the process, and may
//! send, link and spawn; later ones run as no process at all.

use regrow_mailbox::Batch;
use rustc_hash::FxHashMap;

use super::cell::{Flag, Header, ProcessPtr};
use super::crash::{self, Cause};
use super::relations::{LinkIds, Parts};
use super::reply::ReplyError;
use super::table::Slot;
use super::turn::answer_for_dead;
use super::{limit, owner, push_new, signal};
use crate::events::{Event, EventKinds};
use crate::local::Local;
use crate::message::{Down, Exit, Message, Origin};
use crate::panic::{contain, discard};
use crate::pid::{MonitorRef, Pid};
use crate::process::signal::Control;
use crate::reason::ExitReason;
use crate::scheduler::Worker;
use crate::timer;

/// A process that is about to end, and whoever ends it.
pub(super) struct Ending<'a> {
    pub(super) local: &'a Local,
    pub(super) worker: &'a Worker,
    pub(super) slot: &'static Slot,
    pub(super) process: ProcessPtr,
    pub(super) pid: Pid,
    pub(super) reason: ExitReason,
    pub(super) cause: Cause,
    /// Signals that came behind the fatal one.
    pub(super) rest: Batch,
}

pub(super) fn exit(ending: Ending<'_>) {
    let Ending {
        local,
        worker,
        slot,
        process,
        pid,
        reason,
        cause,
        mut rest,
    } = ending;
    // SAFETY: the token is ours to the end, and the process is freed last (C1).
    let header = unsafe { process.header() };

    if let Some(driver) = worker.driver() {
        driver.dies(pid, &reason);
    }
    header.set(Flag::Ending, true);
    let current = local.current.enter(Some(header));
    crash::report(header, pid, &reason, cause, worker);
    // SAFETY: we hold the token and are outside its poll (C2); this is the end (C5).
    contain("the drop of a process", || unsafe { process.clear() });
    let mut queue = header.with_queue(std::mem::take);
    while let Some(message) = queue.pop() {
        contain("the drop of a message", || drop(message));
    }
    if header.is(Flag::HasForeign) {
        drop_foreign(header);
    }
    if let Some(tags) = header.with_relations(|relations| relations.take_tags()) {
        drop_tags(tags);
    }
    drop(current);

    // Taken out of its runtime first, so that nobody lists it under the next generation.
    let marks = owner::leave(&slot.inbox);
    if marks.named() {
        worker.shared.release_name(pid);
    }
    let usable = slot.inbox.retire();
    worker.counters().deaths.add(1);
    if owner::is_named(&slot.inbox) {
        // Somebody has given it a name at the last moment.
        worker.shared.release_name(pid);
    }
    if worker.shared.events.want(EventKinds::EXITED) {
        tell_of_exit(worker, pid, &reason);
    }
    if marks.timed() {
        let _current = local.current.enter(Some(header));
        timer::release(&worker.shared, pid);
    }
    // After the last drop that runs as the process, which may have listed or limited it.
    if header.is(Flag::Listed) {
        worker.shared.unlist(pid);
    }
    if marks.limited() || marks.timed() {
        limit::close(pid);
    }

    let (link, watcher, tables) = header.with_relations(|relations| {
        (
            relations.pop_link(),
            relations.pop_watcher(),
            relations.take_tables(),
        )
    });
    // Most processes have none of these, and should not pay for them.
    let mut tables = tables.map(|more| more.into_parts());
    if let Some((peer, ids)) = link {
        tell_link(pid, peer, ids, &reason);
    }
    if let Some(tables) = &mut tables {
        for (peer, ids) in std::mem::take(&mut tables.links) {
            tell_link(pid, peer, ids, &reason);
        }
    }
    if local.has_dropped() || tables.is_some() {
        fail_calls(local, tables.as_mut(), &reason);
    }
    if let Some((reference, watcher)) = watcher {
        tell_watcher(pid, reference, watcher, &reason);
    }
    if let Some(tables) = tables {
        tell_watchers(pid, tables, &reason);
    }

    let mut left = slot.inbox.close();
    while let Some(envelope) = rest.pop().or_else(|| left.pop()) {
        // Also those for earlier tenants: each is answered for whom it was sent to.
        let dead = Pid::local(pid.index(), envelope.generation());
        answer_for_dead(envelope, dead);
    }

    // SAFETY: the inbox is closed: the slot is ours (T2), and this ends the process (C1, T3).
    unsafe {
        slot.set_process(None);
        process.free();
    }
    if usable {
        local.release_index(pid.index());
    }
    discard("the drop of an exit reason", reason);
    if marks.pinned() {
        worker.local_has_ended();
    }
    worker.counters().finished.add(1);
}

/// Past the point of death, and before anybody whom it concerns is told.
#[cold]
fn tell_of_exit(worker: &Worker, pid: Pid, reason: &ExitReason) {
    let reason = reason.clone();
    worker.shared.events.emit(&Event::Exited { pid, reason });
}

#[cold]
fn drop_foreign(header: &Header) {
    let foreign =
        header.with_relations(|relations| relations.existing().map(|more| more.foreign.take()));
    for waker in foreign.into_iter().flatten() {
        contain("the drop of a waker", || drop(waker));
    }
}

/// What the `Down`s of its monitors would have carried.
#[cold]
fn drop_tags(tags: FxHashMap<MonitorRef, Message>) {
    for tag in tags.into_values() {
        contain("the drop of a monitor's tag", || drop(tag));
    }
}

/// Tells the calls whose reply handles this process, or its end, has dropped.
#[cold]
fn fail_calls(local: &Local, tables: Option<&mut Parts>, reason: &ExitReason) {
    let by_panic = tables.map(|tables| std::mem::take(&mut tables.failed));
    let dropped = local.take_dropped().into_iter().map(|(cell, _)| cell);
    for cell in dropped.chain(by_panic.into_iter().flatten()) {
        cell.fail(ReplyError::Exit(reason.clone()));
    }
}

#[cold]
fn tell_watchers(dead: Pid, tables: Parts, reason: &ExitReason) {
    for (reference, watcher) in tables.watchers {
        tell_watcher(dead, reference, watcher, reason);
    }
    for (reference, target) in tables.monitors {
        // A dead target needs no demonitor.
        let _ = push_new(target, signal::CONTROL, Control::Demonitor { reference });
    }
}

fn tell_link(dead: Pid, peer: Pid, ids: LinkIds, reason: &ExitReason) {
    let LinkIds { mine, theirs } = ids;
    let exit = Exit {
        pid: dead,
        reason: reason.clone(),
        origin: Origin::Link { mine, theirs },
    };
    // A dead peer needs no exit signal.
    let _ = push_new(peer, signal::EXIT, exit);
}

fn tell_watcher(dead: Pid, reference: MonitorRef, watcher: Pid, reason: &ExitReason) {
    let down = Down::new(reference, dead, reason.clone());
    let _ = push_new(watcher, signal::DOWN, down);
}
