//! Links and exit signals, as the current process uses them.

use super::cell::{Flag, Header};
use super::signal::{self, Control, ExitEffect, exit_effect};
use super::{push_new, self_pid};
use crate::local;
use crate::message::{Exit, Origin};
use crate::panic::{end_finally, end_with};
use crate::pid::Pid;
use crate::reason::ExitReason;

/// Works with the current process.
///
/// # Panics
///
/// Outside one, saying that `what` needs it.
#[track_caller]
pub(crate) fn with_header<T>(what: &str, work: impl FnOnce(&Header) -> T) -> T {
    with_header_or(what, "", work)
}

/// The same for what can be done in another way elsewhere, which the panic says.
#[track_caller]
pub(crate) fn with_header_or<T>(what: &str, elsewhere: &str, work: impl FnOnce(&Header) -> T) -> T {
    let mut work = Some(work);
    let result = local::with(|local| {
        let header = local.current.get()?;
        work.take().map(|work| work(header))
    });
    match result {
        Some(result) => result,
        None => panic!("`{what}` must be called inside a regrow process{elsewhere}"),
    }
}

/// Links the current process and another: when one ends, the other gets an exit
/// signal (OTP: `link/1`).
///
/// Linking twice is linking once; linking to oneself does nothing. Linking to a
/// process that is gone gives an exit signal with [`ExitReason::NoProc`], which
/// ends the caller unless it traps exits.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Exit, ExitReason, exit, link, receive, spawn, trap_exit};
///
/// trap_exit(true);
/// let other = spawn(std::future::pending::<()>());
/// link(other);
/// exit(other, ExitReason::Shutdown);
/// assert_eq!(receive::<Exit>().await.reason, ExitReason::Shutdown);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn link(pid: Pid) {
    let me = self_pid();
    if pid == me {
        return;
    }
    local::with(|local| local.check_receiver(pid));
    let id = with_header("link", |header| {
        let id = header.fresh_link_id();
        header.with_relations(|it| it.link(pid, id)).then_some(id)
    });
    let Some(id) = id else { return };
    if push_new(pid, signal::CONTROL, Control::Link { from: me, id }).is_err() {
        // Through my own inbox: the dead one's last messages may be in it still.
        let exit = Exit {
            pid,
            reason: ExitReason::NoProc,
            origin: Origin::Link {
                mine: 0,
                theirs: id,
            },
        };
        let _ = push_new(me, signal::EXIT, exit);
    }
}

/// Removes the link to another process, if there is one (OTP: `unlink/1`).
///
/// Once it returns, no exit signal of that link arrives any more; an [`Exit`]
/// that is in the mailbox already stays there.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{spawn_link, unlink};
///
/// let child = spawn_link(async { panic!("nobody cares") });
/// unlink(child);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn unlink(pid: Pid) {
    let from = self_pid();
    let ids = with_header("unlink", |header| {
        header.with_relations(|it| it.unlink(pid))
    });
    if let Some(ids) = ids {
        // A dead peer has no link any more.
        let _ = push_new(pid, signal::CONTROL, Control::Unlink { from, ids });
    }
}

/// Sends an exit signal (OTP: `exit/2`), from anywhere.
///
/// | receiver | `Normal` | `Kill` | any other |
/// |---|---|---|---|
/// | does not trap exits | ignored | ends with `Killed` | ends with the reason |
/// | traps exits | an [`Exit`] message | ends with `Killed` | an [`Exit`] message |
///
/// Sent to oneself, it ends the process there and then, also with `Normal`,
/// unless exits are trapped. That cannot be caught; what can is [`exit_with`]. From
/// outside a process, the receiver sees itself as the sender.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Down, ExitReason, exit, receive, self_pid, spawn_monitor};
///
/// spawn_monitor(async {
///     exit(self_pid(), ExitReason::error("enough"));
///     unreachable!();
/// });
/// assert_eq!(receive::<Down>().await.reason, ExitReason::error("enough"));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn exit(pid: Pid, reason: ExitReason) {
    let me = super::try_self_pid();
    if me == Some(pid) {
        let (traps, ending) = with_header("exit", |header| {
            (header.is(Flag::TrapsExits), header.is(Flag::Ending))
        });
        // While unwinding, or in a drop at the end, there is nothing to end.
        if !ending
            && !std::thread::panicking()
            && let ExitEffect::End(end) = exit_effect(Origin::Itself, &reason, traps)
        {
            // Whoever catches the unwinding with the means of the language dies all
            // the same, of this and nothing later, when the turn is over.
            if !with_header("exit", |header| header.replace(Flag::HasLeft, true)) {
                local::with(|local| local.last_word.set(Some(end.clone())));
            }
            end_finally(end);
        }
    }
    local::try_with(|local| local.check_receiver(pid));
    let exit = Exit {
        pid: me.unwrap_or(pid),
        reason,
        origin: if me == Some(pid) {
            Origin::Itself
        } else {
            Origin::Sent
        },
    };
    let _ = push_new(pid, signal::EXIT, exit);
}

/// Ends the current process with a reason, there and then (OTP: `exit/1`).
///
/// It is raised as a panic is, and so [`catch_panic`](crate::catch_panic) catches it:
/// in a callback of a behaviour, `terminate` is run. Whether exits are trapped is all
/// the same to it. Nothing is printed or reported, unless the reason is an error.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Down, ExitReason, exit_with, receive, spawn_monitor};
///
/// fn deep_inside() {
///     exit_with(ExitReason::Shutdown);
/// }
/// spawn_monitor(async { deep_inside() });
/// assert_eq!(receive::<Down>().await.reason, ExitReason::Shutdown);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "exit")]
#[track_caller]
pub fn exit_with(reason: ExitReason) -> ! {
    with_header("exit_with", |_| ());
    end_with(reason)
}

/// Whether exit signals reach the current process as [`Exit`] messages instead of
/// ending it (OTP: `process_flag(trap_exit, _)`). Returns what was before.
/// Messages that are in the mailbox already stay there.
///
/// # Panics
///
/// Outside a process; [`SpawnOptions::trap_exit`](crate::SpawnOptions::trap_exit) says it at
/// the birth of another.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::trap_exit;
/// assert!(!trap_exit(true));
/// assert!(trap_exit(false));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "process_flag")]
#[doc(alias = "Process.flag")]
#[track_caller]
pub fn trap_exit(on: bool) -> bool {
    let elsewhere = "; `SpawnOptions::trap_exit` lets one trap exits from its birth";
    with_header_or("trap_exit", elsewhere, |header| {
        header.replace(Flag::TrapsExits, on)
    })
}
