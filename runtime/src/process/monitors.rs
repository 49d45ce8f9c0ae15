//! Monitors, as the current process uses them.

use std::sync::Arc;

use super::alias::{Alias, Life, MonitorAliasMode};
use super::cell::Flag;
use super::links::with_header;
use super::receive::try_take;
use super::signal::{self, Control};
use super::{push_new, self_pid};
use crate::local;
use crate::message::{Down, Message, Monitored, TaggedDown};
use crate::names;
use crate::pid::{MonitorRef, Pid};
use crate::reason::ExitReason;

/// Watches another process: when it ends, a [`Down`] arrives (OTP: `monitor/2`).
///
/// Each call makes a monitor of its own. For a process that is gone already the
/// `Down` says [`ExitReason::NoProc`]. A monitor on oneself never fires.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Down, ExitReason, exit, monitor, receive, spawn};
///
/// let other = spawn(std::future::pending::<()>());
/// let reference = monitor(other);
/// exit(other, ExitReason::Kill);
/// let down = receive::<Down>().matching(|down: &Down| down.reference == reference).await;
/// assert_eq!(down.reason, ExitReason::Killed);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn monitor(pid: Pid) -> MonitorRef {
    start(pid, None, None)
}

/// Watches the process that has a name now (OTP: `monitor(process, Name)`).
///
/// The monitor sticks to that process, whatever becomes of the name, and its
/// [`Down`] says by which name it was made ([`Down::object`]). If nobody has the
/// name, the `Down` says [`ExitReason::NoProc`] at once.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Down, ExitReason, Monitored, SpawnOptions, monitor_named, receive, send};
///
/// let options = SpawnOptions::new().name("clerk");
/// let clerk = options.spawn(async { receive::<ExitReason>().await }).unwrap().pid;
/// monitor_named("clerk");
/// send(clerk, ExitReason::Shutdown);
/// let down = receive::<Down>().await;
/// assert_eq!(down.object(), Monitored::Name("clerk".into()));
/// assert_eq!((down.pid, down.reason), (clerk, ExitReason::Shutdown));
///
/// monitor_named("clerk");
/// assert_eq!(receive::<Down>().await.reason, ExitReason::NoProc);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn monitor_named(name: impl Into<Arc<str>>) -> MonitorRef {
    let name = name.into();
    start(resolve(&name), Some(name), None)
}

/// Watches a process, and makes an alias that goes with the monitor (OTP:
/// `monitor/3` with `{alias, Mode}`).
///
/// The alias is for the answer of the watched process: with
/// [`MonitorAliasMode::ReplyDemonitor`], either the answer arrives or the [`Down`],
/// and nothing afterwards.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{
///     Alias, MonitorAliasMode, demonitor, monitor_alias, receive, send, spawn,
/// };
///
/// let oracle = spawn(async { receive::<Alias>().await.send(42) });
/// let (reference, reply_to) = monitor_alias(oracle, MonitorAliasMode::ReplyDemonitor);
/// send(oracle, reply_to);
/// assert_eq!(receive::<i32>().await, 42);
/// assert!(!demonitor(reference)); // the reply has ended the monitor
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn monitor_alias(target: impl Into<Monitored>, mode: MonitorAliasMode) -> (MonitorRef, Alias) {
    let life = Some(mode.into());
    let reference = match target.into() {
        Monitored::Process(pid) => start(pid, None, life),
        Monitored::Name(name) => start(resolve(&name), Some(name), life),
    };
    (reference, Alias::new(self_pid(), reference.0))
}

/// Gives a monitor of this process a tag: a [`TaggedDown`] with it then arrives in place of
/// the [`Down`] (OTP: `monitor/3` with `{tag, Tag}`, and `spawn_opt` with it). So one part of a
/// program can tell its monitors from those of others without keeping their references.
///
/// Any monitor will do, however it was made. No `Down` can arrive between two awaits: right
/// after the monitor was made, this is never too late. False if the monitor is not active: its
/// `Down` has arrived already, it was ended, or it is on this process itself. A second tag
/// replaces the first. [`receive_down`](crate::receive_down()) waits for a `Down` without a tag.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{ExitReason, TaggedDown, exit, receive, spawn_monitor, tag_monitor};
///
/// struct Worker(u8);
///
/// for number in [1, 2] {
///     let (pid, reference) = spawn_monitor(std::future::pending::<()>());
///     tag_monitor(reference, Worker(number));
///     exit(pid, ExitReason::Kill);
/// }
/// let TaggedDown { tag, down, .. } = receive().await;
/// let Worker(number) = tag.downcast().unwrap();
/// assert!([1, 2].contains(&number));
/// assert_eq!(down.reason, ExitReason::Killed);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn tag_monitor<T: Send + 'static>(reference: MonitorRef, tag: T) -> bool {
    let tag = Message::new(tag);
    // What comes back is dropped outside: that is the user's code.
    let former = with_header("tag_monitor", |header| {
        if header.is(Flag::Ending) {
            // In a drop at the end: no `Down` will ever come.
            return Err(tag);
        }
        header.with_relations(|it| it.tag_monitor(reference, tag))
    });
    former.is_ok()
}

/// Who has a name now, or somebody who never lives.
#[track_caller]
fn resolve(name: &str) -> Pid {
    names::whereis(name).unwrap_or(Pid::NOBODY)
}

#[track_caller]
fn start(pid: Pid, name: Option<Arc<str>>, alias: Option<Life>) -> MonitorRef {
    let watcher = self_pid();
    let reference = MonitorRef(local::with(|local| {
        if pid != Pid::NOBODY {
            local.check_receiver(pid);
        }
        local.fresh_reference()
    }));
    with_header("monitor", |header| {
        header.with_relations(|it| {
            if let Some(life) = alias {
                it.aliases().add(reference.0, life);
            }
            if pid != watcher {
                it.add_monitor(reference, pid, name);
            }
        });
    });
    if pid == watcher {
        return reference;
    }
    let control = Control::Monitor { watcher, reference };
    if push_new(pid, signal::CONTROL, control).is_err() {
        // Through my own inbox: the dead one's last messages may be in it still.
        let down = Down::new(reference, pid, ExitReason::NoProc);
        let _ = push_new(watcher, signal::DOWN, down);
    }
    reference
}

/// Ends a monitor (OTP: `demonitor/2` with `info`). True if it was active. Once it
/// returns, no `Down` of it arrives any more; one that is in the mailbox already
/// stays there.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{demonitor, spawn_monitor};
///
/// let (_, reference) = spawn_monitor(std::future::pending::<()>());
/// assert!(demonitor(reference));
/// assert!(!demonitor(reference));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn demonitor(reference: MonitorRef) -> bool {
    let ended = with_header("demonitor", |header| {
        header.with_relations(|it| it.remove_monitor(reference))
    });
    if let Some(ended) = ended {
        let control = Control::Demonitor { reference };
        let _ = push_new(ended.target, signal::CONTROL, control);
        return true;
    }
    false
}

/// As [`demonitor`], and takes its `Down` out of the mailbox if that is there
/// (OTP: `demonitor/2` with `flush` and `info`). True if the monitor was active.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Down, demonitor_flush, receive, spawn_monitor, try_receive, yield_now};
///
/// let (_, reference) = spawn_monitor(async {});
/// yield_now().await;
/// demonitor_flush(reference);
/// assert!(try_receive::<Down>().is_none());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn demonitor_flush(reference: MonitorRef) -> bool {
    let active = demonitor(reference);
    if !active {
        // What has not been taken from the inbox yet is dropped when it is: the
        // monitor is not active any more.
        drop(try_take("demonitor_flush", |it| {
            let down = it.peek::<Down>();
            let tagged = || it.peek::<TaggedDown>().map(|it| &it.down);
            let down = down.or_else(tagged);
            down.is_some_and(|down| down.reference == reference)
        }));
    }
    active
}
