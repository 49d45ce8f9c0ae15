//! Looking at processes from outside.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use regrow_mailbox::SaveQueue;

use super::ancestry::Ancestor;
use super::cell::{Flag, Header};
use super::limit::{self, MailboxLimit};
use super::links::with_header;
use super::priority::{self, Priority};
use super::reply::{Reply, reply_channel};
use super::signal::{self, Control};
use super::wait_site::wait_here;
use super::{push_new, self_pid, table, try_self_pid};
use crate::local;
use crate::message::Monitored;
use crate::pid::Pid;
use crate::scheduler;

/// What a process was doing when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It asked about itself.
    Running,
    /// It had something to do and waited for its turn.
    Runnable,
    /// It waited for a message, a timer, or I/O.
    Waiting,
}

/// What [`process_info`] tells of a process.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// The process.
    pub pid: Pid,
    /// Its registered name.
    pub name: Option<Arc<str>>,
    /// What it is, in a few words.
    pub label: Option<Arc<str>>,
    /// The process that spawned it, unless that was no process.
    pub parent: Option<Pid>,
    /// Its parent, the parent of that, and so on, if it was spawned as by OTP's
    /// [`proc_lib`](crate::SpawnOptions::proc_lib) as behaviours are; none of a plain
    /// process.
    pub ancestors: Vec<Ancestor>,
    /// The processes that it is linked to, in no order.
    pub links: Vec<Pid>,
    /// The processes that it monitors, one entry for each monitor; by name, where it
    /// monitors them by name.
    pub monitors: Vec<Monitored>,
    /// The processes that monitor it, one entry for each monitor.
    pub monitored_by: Vec<Pid>,
    /// The number of its aliases that are active.
    pub aliases: usize,
    /// Whether it traps exits.
    pub trap_exit: bool,
    /// Its priority.
    pub priority: Priority,
    /// The number of messages in its mailbox.
    pub message_queue_len: usize,
    /// The types of the messages in its mailbox, oldest first, but not more than the
    /// [`MESSAGES_MAX`](ProcessInfo::MESSAGES_MAX) oldest.
    pub messages: Vec<&'static str>,
    /// The bytes that it takes up: the process with its future, its place in the table,
    /// its tables of links and monitors, its messages. What the future and the messages
    /// keep elsewhere, in vectors or behind other pointers, is not known and not counted.
    /// Messages beyond the [`MESSAGES_MAX`](ProcessInfo::MESSAGES_MAX) oldest are taken to
    /// be as large as these are on average.
    pub memory: usize,
    /// The limit of its mailbox, if it has one.
    pub mailbox_limit: Option<MailboxLimit>,
    /// What it was doing.
    pub status: Status,
    /// Where in the source it waits, if it does: where it made the last of this crate's futures
    /// (a receive, a call, a sleep). What it may have begun to wait for since by other means does
    /// not show.
    pub waiting_at: Option<&'static Location<'static>>,
    /// Where in the source it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// Reductions spent in its turns so far.
    pub reductions: u64,
}

impl ProcessInfo {
    /// So many messages are looked at: a mailbox may be longer than anybody wants to
    /// wait for, or to read.
    pub const MESSAGES_MAX: usize = 1_000;
}

/// `memory` is what the process takes up without its tables and messages.
pub(super) fn gather(
    header: &Header,
    pid: Pid,
    queue: &SaveQueue,
    status: Status,
    memory: usize,
) -> ProcessInfo {
    let (tables, (messages, nodes)) = (header.with_relations(|it| it.memory()), look_into(queue));
    let (name, label) = local::with(|local| {
        let shared = &local.worker.get()?.shared;
        Some((shared.names.name_of(pid), shared.label_of(header, pid)))
    })
    .unwrap_or_default();
    let (links, monitors, monitored_by) =
        header.with_relations(|it| (it.links(), it.monitors(), it.watchers()));
    ProcessInfo {
        pid,
        name,
        label,
        parent: header.parent(),
        ancestors: (header.ancestry().into_iter())
            .flat_map(|it| it.iter().cloned())
            .collect(),
        links,
        monitors,
        monitored_by,
        aliases: header.with_relations(|it| it.alias_count()),
        trap_exit: header.is(Flag::TrapsExits),
        priority: priority::of(pid),
        message_queue_len: queue.len(),
        messages,
        memory: memory + tables + nodes,
        mailbox_limit: limit::info(pid),
        status,
        waiting_at: header.waits_at.get().filter(|_| status == Status::Waiting),
        spawned_at: header.spawned_at,
        reductions: header.reductions(),
    }
}

/// The types of the oldest messages, and the bytes of all, about.
fn look_into(queue: &SaveQueue) -> (Vec<&'static str>, usize) {
    let seen = queue.len().min(ProcessInfo::MESSAGES_MAX);
    let mut types = Vec::with_capacity(seen);
    let mut bytes = 0;
    queue.for_oldest(seen, |message| {
        types.push(message.type_name());
        bytes += message.size();
    });
    (types, bytes * queue.len() / seen.max(1))
}

/// Asks a process how it is (OTP: `process_info/1`); `None` if it is gone.
///
/// The question is a signal: the answer shows the effect of everything that the
/// caller did to the process before, and comes when the process has its turn. One that
/// computes or blocks without an await answers when it is done with that. Works from
/// any executor; a thread without one uses
/// [`Handle::process_info`](crate::Handle::process_info).
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{process_info, self_pid, send, spawn};
///
/// let other = spawn(std::future::pending::<()>());
/// send(other, "one");
/// send(other, "two");
/// let info = process_info(other).await.unwrap();
/// assert_eq!(info.message_queue_len, 2);
/// assert_eq!(info.parent, Some(self_pid()));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn process_info(pid: Pid) -> impl Future<Output = Option<ProcessInfo>> + Send {
    wait_here(async move { ask(pid)?.await.ok() })
}

/// The question is on its way when this returns, unless the process is gone.
pub(crate) fn ask(pid: Pid) -> Option<Reply<ProcessInfo>> {
    local::try_with(|local| local.check_receiver(pid));
    let (reply_to, reply) = reply_channel();
    let control = Control::Info {
        asker: try_self_pid(),
        reply: reply_to,
    };
    push_new(pid, signal::CONTROL, control).ok()?;
    Some(reply)
}

/// Whether a process is alive (OTP: `is_process_alive/1`). As it is asked by a
/// signal, the answer is false after an `exit(pid, Kill)` of the caller's.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{ExitReason, exit, is_alive, spawn};
///
/// let other = spawn(std::future::pending::<()>());
/// assert!(is_alive(other).await);
/// exit(other, ExitReason::Kill);
/// assert!(!is_alive(other).await);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn is_alive(pid: Pid) -> impl Future<Output = bool> + Send {
    wait_here(async move {
        local::try_with(|local| local.check_receiver(pid));
        let (reply_to, reply) = reply_channel();
        let control = Control::Ping { reply: reply_to };
        push_new(pid, signal::CONTROL, control).is_ok() && reply.await.is_ok()
    })
}

/// Whether a process is alive, as far as one can see without asking it.
///
/// It is once it has been spawned, and is not once its end has come so far that links and
/// monitors are told. One that has been killed and has not had its turn since is still alive:
/// [`is_alive`] asks, and takes a turn of the process; this takes a look at the process table, and
/// works from any thread. In a [simulation](crate::simulation), only from within.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{exit, ExitReason, receive_down, seems_alive, spawn_monitor};
///
/// let (other, end) = spawn_monitor(std::future::pending::<()>());
/// assert!(seems_alive(other));
/// exit(other, ExitReason::Kill);
/// receive_down(end).await;
/// assert!(!seems_alive(other));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn seems_alive(pid: Pid) -> bool {
    table::slot(pid.index()).is_some_and(|slot| slot.inbox.generation() == pid.generation())
}

/// All processes of this runtime, in no order (OTP: `processes/0`). Processes that
/// are born or die at the same time may or may not be among them.
///
/// # Panics
///
/// Outside a process; [`Handle::processes`](crate::Handle::processes) works anywhere.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// assert_eq!(regrow_runtime::processes(), [regrow_runtime::self_pid()]);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn processes() -> Vec<Pid> {
    scheduler::with_current("processes", |shared| table::pids_of(shared.id))
}

/// Says in a few words what the current process is, for people (OTP:
/// `proc_lib:set_label/1`).
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{process_info, self_pid, set_label};
/// set_label("the one in charge");
/// let info = process_info(self_pid()).await.unwrap();
/// assert_eq!(info.label.as_deref(), Some("the one in charge"));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn set_label(label: impl Into<Arc<str>>) {
    let label = label.into();
    with_header("set_label", |header| header.set(Flag::Listed, true));
    scheduler::with_current("set_label", |shared| shared.labels.set(self_pid(), label));
}
