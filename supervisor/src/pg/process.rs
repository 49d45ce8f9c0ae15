//! The process of a scope: it takes joins and leaves in turn, and tells those who watch.
//!
//! It monitors its members, and those who watch: a watch ends with its owner. The reference of that
//! monitor is the reference of the watch.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use regrow_runtime::{Down, ExitReason, MonitorRef, Pid, ReplyTo, demonitor, monitor, send};
use rustc_hash::FxHashMap;

use super::Event;
use super::groups::{Groups, Members};
use crate::report::{contained, discard};
use crate::{Context, GenServer, Info, Next};

pub(super) enum Request<G: Send + 'static> {
    Join(G, Vec<Pid>, ReplyTo<()>),
    /// Whether anybody has left.
    Leave(G, Vec<Pid>, ReplyTo<bool>),
    /// For this process: one group.
    Monitor(G, Pid, ReplyTo<(MonitorRef, Vec<Pid>)>),
    /// For this process: all groups.
    MonitorScope(Pid, ReplyTo<Everything<G>>),
    /// Whether there was such a watch.
    Demonitor(MonitorRef, ReplyTo<bool>),
}

/// The reference of a watch over all groups, and the groups as they are.
pub(super) type Everything<G> = (MonitorRef, Vec<(G, Vec<Pid>)>);

pub(super) struct Process<G: Hash + Eq + Clone + Send + Sync + 'static> {
    pid: Pid,
    groups: Arc<Groups<G, Pid>>,
    members: Members<G, Pid, MonitorRef>,
    /// Who watches what; `None` is everything.
    watches: FxHashMap<MonitorRef, Option<G>>,
    of_scope: Watchers,
    of_group: FxHashMap<G, Watchers>,
}

/// In the order in which they began.
type Watchers = BTreeMap<MonitorRef, Pid>;

impl<G: Hash + Eq + Clone + Send + Sync + 'static> GenServer for Process<G> {
    type Args = Arc<Groups<G, Pid>>;
    type Message = Request<G>;

    async fn init(groups: Self::Args, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let pid = cx.pid();
        groups.open(pid);
        Ok(Process {
            pid,
            groups,
            members: Members::default(),
            watches: FxHashMap::default(),
            of_scope: BTreeMap::new(),
            of_group: FxHashMap::default(),
        })
    }

    async fn handle(&mut self, request: Request<G>, _: &mut Context<Self>) -> Next {
        match request {
            Request::Join(group, pids, reply) => {
                self.members.join(&self.groups, &group, &pids, monitor);
                if !pids.is_empty() {
                    self.tell_joined(&group, pids.into());
                }
                reply.send(());
            }
            Request::Leave(group, pids, reply) => {
                let (left, gone) = self.members.leave(&self.groups, &group, &pids);
                for reference in gone {
                    demonitor(reference);
                }
                let any = !left.is_empty();
                if any {
                    self.tell_left(&group, left.into());
                }
                reply.send(any);
            }
            Request::Monitor(group, watcher, reply) => {
                let reference = monitor(watcher);
                let members = self.groups.members(&group);
                let watchers = self.of_group.entry(group.clone()).or_default();
                watchers.insert(reference, watcher);
                self.watches.insert(reference, Some(group));
                reply.send((reference, members));
            }
            Request::MonitorScope(watcher, reply) => {
                let reference = monitor(watcher);
                self.of_scope.insert(reference, watcher);
                self.watches.insert(reference, None);
                reply.send((reference, self.groups.all()));
            }
            Request::Demonitor(reference, reply) => {
                let known = self.unwatch(reference);
                if known {
                    demonitor(reference);
                }
                reply.send(known);
            }
        }
        Next::Continue
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        match &info {
            Info::Down(down) => self.ended(down),
            _ => contained(|| {
                tracing::warn!(
                    target: "regrow::pg",
                    pid = %self.pid,
                    ?info,
                    "unexpected message dropped"
                );
            }),
        }
        discard(info);
        Next::Continue
    }
}

impl<G: Hash + Eq + Clone + Send + Sync + 'static> Process<G> {
    /// A member, or one who watched, has ended.
    fn ended(&mut self, down: &Down) {
        if self.unwatch(down.reference) || self.members.kept(down.pid) != Some(&down.reference) {
            return;
        }
        for group in self.members.ended(&self.groups, down.pid) {
            self.tell_left(&group, Arc::new([down.pid]));
        }
    }

    /// Whether there was such a watch.
    fn unwatch(&mut self, reference: MonitorRef) -> bool {
        let Some(what) = self.watches.remove(&reference) else {
            return false;
        };
        let Some(group) = what else {
            self.of_scope.remove(&reference);
            return true;
        };
        if let Some(watchers) = self.of_group.get_mut(&group) {
            watchers.remove(&reference);
            if watchers.is_empty() {
                self.of_group.remove(&group);
            }
        }
        true
    }

    fn tell_joined(&self, group: &G, pids: Arc<[Pid]>) {
        self.tell(group, |monitor| Event::Join {
            monitor,
            group: group.clone(),
            pids: pids.clone(),
        });
    }

    fn tell_left(&self, group: &G, pids: Arc<[Pid]>) {
        self.tell(group, |monitor| Event::Leave {
            monitor,
            group: group.clone(),
            pids: pids.clone(),
        });
    }

    /// Tells those who watch everything, then those who watch this group.
    fn tell(&self, group: &G, event: impl Fn(MonitorRef) -> Event<G>) {
        let of_group = self.of_group.get(group);
        let watchers = self.of_scope.iter().chain(of_group.into_iter().flatten());
        for (&reference, &watcher) in watchers {
            send(watcher, event(reference));
        }
    }
}

impl<G: Hash + Eq + Clone + Send + Sync + 'static> Drop for Process<G> {
    fn drop(&mut self) {
        self.groups.close(self.pid);
    }
}
