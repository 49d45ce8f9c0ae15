//! Births.

mod plain;

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use super::alias::{Alias, MonitorAliasMode};
use super::ancestry::Ancestry;
use super::cell::{Flag, Header, ProcessPtr};
use super::limit::{self, MailboxPolicy};
use super::owner;
use super::pinned::{PinnedBody, schedule_special};
use super::priority::Priority;
use super::table;
use super::turn::answer_for_dead;
use crate::events::{Event, EventKinds, Told};
use crate::local::{self, Local};
use crate::names::RegisterError;
use crate::pid::{MonitorRef, Pid};
use crate::reason::IntoExitReason;
use crate::scheduler::{self, Shared};
use crate::timer;

pub use self::plain::{spawn, spawn_link, spawn_local, spawn_monitor};

/// Why a process could not be spawned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The name that it should have is taken.
    #[error("the name `{name}` is taken by {pid}")]
    NameTaken {
        /// The name.
        name: Arc<str>,
        /// Who has it.
        pid: Pid,
    },
    /// The name that it should have is empty.
    #[error("the name is empty; a name must have at least one character")]
    EmptyName,
    /// The runtime has as many processes as
    /// [`Builder::max_processes`](crate::Builder::max_processes) allows, or the table of
    /// the whole program is full, or there is no memory for more of it (OTP:
    /// `system_limit`).
    #[error(
        "there is no room for another process: end some, or allow more with `Builder::max_processes`"
    )]
    SystemLimit,
    /// The runtime was dropped.
    #[error("the runtime has stopped")]
    Stopped,
    /// It would have been spawned into a [simulation](crate::simulation) from outside, or
    /// out of one.
    #[error("a simulation is closed: spawn what belongs to it from within, the rest outside")]
    Simulation,
}

/// What [`SpawnOptions::spawn`] made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spawned {
    /// The new process.
    pub pid: Pid,
    /// The monitor on it, if one was asked for.
    pub monitor: Option<MonitorRef>,
    /// The alias that goes with the monitor, if one was asked for.
    pub alias: Option<Alias>,
}

/// How a process is to be born (OTP: `spawn_opt`).
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{Down, SpawnError, SpawnOptions, receive, whereis};
///
/// let options = SpawnOptions::new().name("worker").label("counts sheep").monitor();
/// let worker = options.clone().spawn(std::future::pending::<()>()).unwrap();
/// assert_eq!(whereis("worker"), Some(worker.pid));
/// let taken = options.spawn(async {}).unwrap_err();
/// assert!(matches!(taken, SpawnError::NameTaken { .. }));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "options do nothing until `spawn`"]
pub struct SpawnOptions {
    link: bool,
    monitor: bool,
    alias: Option<MonitorAliasMode>,
    trap_exit: bool,
    proc_lib: bool,
    limit: Option<(usize, MailboxPolicy)>,
    spawned_at: Option<&'static Location<'static>>,
    name: Option<Arc<str>>,
    label: Option<Arc<str>>,
    priority: Priority,
}

impl SpawnOptions {
    /// A plain process: no link, no monitor, no name.
    pub fn new() -> Self {
        SpawnOptions::default()
    }

    /// Links the new process to the current one, from the first moment on.
    pub fn link(mut self) -> Self {
        self.link = true;
        self
    }

    /// Monitors the new process, from the first moment on.
    pub fn monitor(mut self) -> Self {
        self.monitor = true;
        self
    }

    /// Monitors the new process from the first moment on, and makes an alias of the
    /// current one that goes with the monitor, as
    /// [`monitor_alias`](crate::monitor_alias) does (OTP: `{monitor, [{alias, Mode}]}`).
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{Alias, MonitorAliasMode, SpawnOptions, receive, send};
    ///
    /// let options = SpawnOptions::new().monitor_alias(MonitorAliasMode::ReplyDemonitor);
    /// let oracle = options.spawn(async { receive::<Alias>().await.send(42) }).unwrap();
    /// send(oracle.pid, oracle.alias.unwrap());
    /// assert_eq!(receive::<i32>().await, 42);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn monitor_alias(mut self, mode: MonitorAliasMode) -> Self {
        self.monitor = true;
        self.alias = Some(mode);
        self
    }

    /// Whether the process traps exits from its first moment on.
    pub fn trap_exit(mut self, on: bool) -> Self {
        self.trap_exit = on;
        self
    }

    /// As [`proc_lib`](crate::proc_lib) spawns, and with it every behaviour: the process
    /// knows its [ancestors](crate::ProcessInfo::ancestors), and *whatever* ends it by
    /// itself is a crash report, unless that is
    /// [normal-like](crate::ExitReason::is_normal_like). (A plain process reports a panic
    /// or an error that its body returns, and not an [`exit`](crate::exit()) on itself.)
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{SpawnOptions, process_info, register, self_pid};
    ///
    /// register("mother", self_pid()).unwrap();
    /// let options = SpawnOptions::new().proc_lib();
    /// let child = options.spawn(std::future::pending::<()>()).unwrap().pid;
    /// let info = process_info(child).await.unwrap();
    /// assert_eq!(info.ancestors[0].pid, self_pid());
    /// assert_eq!(info.ancestors[0].name.as_deref(), Some("mother"));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn proc_lib(mut self) -> Self {
        self.proc_lib = true;
        self
    }

    /// Limits its mailbox to `max` messages, from its first moment on; see
    /// [`mailbox_limit`](crate::mailbox_limit).
    ///
    /// # Panics
    ///
    /// If `max` is zero.
    #[track_caller]
    pub fn mailbox_limit(mut self, max: usize, policy: MailboxPolicy) -> Self {
        limit::check(max);
        self.limit = Some((max, policy));
        self
    }

    /// Where in the source it is spawned, for people; otherwise that is where
    /// [`spawn`](SpawnOptions::spawn) is called. For libraries that spawn on behalf of their
    /// callers.
    pub fn spawned_at(mut self, place: &'static Location<'static>) -> Self {
        self.spawned_at = Some(place);
        self
    }

    /// Registers the process under a name, before it runs.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says in a few words what the process is, for people.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The priority of the process; [`Priority::Normal`] unless said otherwise (OTP:
    /// `{priority, Level}`).
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{Priority, SpawnOptions, process_info};
    ///
    /// let sweeper = std::future::pending::<()>();
    /// let sweeper = SpawnOptions::new().priority(Priority::Low).spawn(sweeper).unwrap();
    /// let info = process_info(sweeper.pid).await.unwrap();
    /// assert_eq!(info.priority, Priority::Low);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Spawns the process.
    ///
    /// # Errors
    ///
    /// If the name is taken or empty, or there may be no more processes; then `body`
    /// is dropped, never run.
    ///
    /// # Panics
    ///
    /// Outside a process; [`Handle::spawn_with`](crate::Handle::spawn_with) works anywhere.
    #[track_caller]
    pub fn spawn<F>(self, body: F) -> Result<Spawned, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: IntoExitReason,
    {
        let place = Location::caller();
        scheduler::with_current("spawn", |shared| self.spawn_on(shared, place, body))
    }

    pub(crate) fn spawn_on<F>(
        self,
        shared: &Arc<Shared>,
        place: &'static Location<'static>,
        body: F,
    ) -> Result<Spawned, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: IntoExitReason,
    {
        let build = |header| ProcessPtr::new(header, body);
        local::with(|local| self.give_birth(local, shared, place, false, build))
    }

    /// Spawns a local process: its body need not be `Send`, and all its turns are on
    /// the worker that runs the caller. Its drop is there as well, whatever ends the
    /// process. Everything else is as for other processes: the pid, signals, links,
    /// monitors, names, priorities.
    ///
    /// Messages to it must be `Send`, as they may come from anywhere. It shares its worker
    /// with others, in turns; while one of these blocks the thread, it waits, as
    /// nobody else can run it. A thread that was found in a long turn gets the lowest
    /// priority of the system (nice 19), for good: local processes stay on it, and have from
    /// then on what the rest of the machine leaves. So none of them should take long turns.
    ///
    /// # Errors
    ///
    /// As [`SpawnOptions::spawn`].
    ///
    /// # Panics
    ///
    /// Outside a process;
    /// [`Handle::spawn_local_with`](crate::Handle::spawn_local_with) works anywhere.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{SpawnOptions, receive, self_pid, send};
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// let me = self_pid();
    /// let make = move || async move {
    ///     let sum = Rc::new(Cell::new(0));
    ///     for _ in 0..2 {
    ///         let number: u32 = receive().await;
    ///         sum.set(sum.get() + number);
    ///     }
    ///     send(me, sum.get());
    /// };
    /// let adder = SpawnOptions::new().spawn_local(make()).unwrap();
    /// send(adder.pid, 40_u32);
    /// send(adder.pid, 2_u32);
    /// assert_eq!(receive::<u32>().await, 42);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(self, body: F) -> Result<Spawned, SpawnError>
    where
        F: Future + 'static,
        F::Output: IntoExitReason,
    {
        let place = Location::caller();
        scheduler::with_current("spawn_local", |shared| {
            local::with(|local| {
                let birth = shared.admit_local_here(local);
                let home = birth.home();
                let build = |header| ProcessPtr::new_pinned(header, PinnedBody::here(home, body));
                let born = self.give_birth(local, shared, place, true, build)?;
                birth.happened();
                Ok(born)
            })
        })
    }

    /// As [`SpawnOptions::spawn_local`], on a worker that the runtime chooses and that
    /// makes the body.
    pub(crate) fn spawn_local_on<M, F>(
        self,
        shared: &Arc<Shared>,
        place: &'static Location<'static>,
        make: M,
    ) -> Result<Spawned, SpawnError>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: IntoExitReason,
    {
        let birth = local::with(|local| shared.admit_local(local))?;
        let home = birth.home();
        let build = |header| ProcessPtr::new_pinned(header, PinnedBody::seed(home, make));
        let born = local::with(|local| self.give_birth(local, shared, place, true, build))?;
        birth.happened();
        Ok(born)
    }

    /// `build` makes the process of its header.
    fn give_birth(
        self,
        local: &Local,
        shared: &Arc<Shared>,
        place: &'static Location<'static>,
        pinned: bool,
        build: impl FnOnce(Header) -> ProcessPtr,
    ) -> Result<Spawned, SpawnError> {
        shared.admit(local)?;
        let reserved = local.free_index();
        let slot = reserved.and_then(|index| Some((index, table::slot(index)?)));
        let Some((index, slot)) = slot else {
            shared.withdraw(local);
            return Err(SpawnError::SystemLimit);
        };
        let pid = Pid::local(index, slot.inbox.generation());
        let parent = local.self_pid();
        let place = self.spawned_at.unwrap_or(place);
        let header = if self.proc_lib {
            let mother = local.current.get().zip(parent);
            let ancestry = mother.map(|(it, pid)| Ancestry::of_children(local, it, pid));
            Header::proc_lib(ancestry, place)
        } else {
            Header::new(parent, place)
        };
        header.set(Flag::TrapsExits, self.trap_exit);
        let owner = owner::newborn(shared.id, self.priority, self.limit.is_some(), pinned);
        // Opened before it is named: nobody finds a name whose inbox is closed.
        if let Some((max, policy)) = self.limit {
            limit::set_at_birth(pid, max, policy);
        }
        slot.inbox.open(owner);
        let spawned = || put_spawned(shared, pid, parent, place);
        let told = match self.name {
            Some(name) => shared.register_newborn(name, pid, spawned),
            None => {
                spawned().into_iter().for_each(Told::wake);
                Ok(())
            }
        };
        if let Err(error) = told {
            // Somebody may have seen it: to them it was born and has died.
            let marks = owner::leave(&slot.inbox);
            let usable = slot.inbox.retire();
            shared.release_name(pid);
            if marks.timed() {
                timer::release_unborn(shared, pid);
            }
            limit::close(pid);
            let mut left = slot.inbox.close();
            while let Some(envelope) = left.pop() {
                let dead = Pid::local(index, envelope.generation());
                answer_for_dead(envelope, dead);
            }
            if usable {
                local.release_index(index);
            }
            shared.withdraw(local);
            // Its drop may panic: before there is a value on its way out, which would be lost.
            drop(build);
            return Err(spawn_error(error));
        }
        let mut monitor = None;
        let mut alias = None;
        if let (Some(mother), Some(parent)) = (local.current.get(), parent) {
            if self.link {
                let id = mother.fresh_link_id();
                mother.with_relations(|relations| relations.link(pid, id));
                header.with_relations(|relations| relations.on_link(parent, id));
            }
            if self.monitor {
                let reference = MonitorRef(local.fresh_reference());
                mother.with_relations(|relations| relations.add_monitor(reference, pid, None));
                header.with_relations(|relations| relations.add_watcher(reference, parent));
                monitor = Some(reference);
                if let Some(mode) = self.alias {
                    mother.with_relations(|it| it.aliases().add(reference.0, mode.into()));
                    alias = Some(Alias::new(parent, reference.0));
                }
            }
        }
        if let Some(label) = self.label {
            header.set(Flag::Listed, true);
            shared.labels.set(pid, label);
        }
        let process = build(header);
        // SAFETY: the slot was free and its index ours; it was opened here, so the
        // token is ours as well, until the process is queued (T2).
        unsafe { slot.set_process(Some(process)) };
        local.spend(BIRTH);
        if owner::is_ordinary(owner) {
            scheduler::schedule_newborn(index, shared);
        } else {
            schedule_special(index, slot, owner);
        }
        Ok(Spawned {
            pid,
            monitor,
            alias,
        })
    }
}

fn put_spawned(
    shared: &Shared,
    pid: Pid,
    parent: Option<Pid>,
    place: &'static Location<'static>,
) -> Option<Told> {
    let wanted = shared.events.want(EventKinds::SPAWNED);
    wanted.then(|| shared.events.put(&Event::Spawned { pid, parent, place }))
}

/// Reductions that a birth costs: some more than a message.
const BIRTH: u32 = 2;

fn spawn_error(error: RegisterError) -> SpawnError {
    match error {
        RegisterError::NameTaken { name, pid } => SpawnError::NameTaken { name, pid },
        _ => SpawnError::EmptyName,
    }
}
