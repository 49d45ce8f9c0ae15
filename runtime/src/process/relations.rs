//! Links and monitors of one process: pure bookkeeping, touched by its owner only.
//!
//! # Links without acknowledgements
//!
//! An entry holds two ids: `mine`, of my own live link request, and `theirs`, of
//! the peer's. 0 is none. The link exists while either is set.
//!
//! | event | effect |
//! |---|---|
//! | link | nothing if `mine` is set; else `mine` = a fresh id, send Link(id) |
//! | unlink | forget the entry, send Unlink(mine, theirs) |
//! | Link(id) arrives | `theirs` = id |
//! | Unlink(mine, theirs) arrives | clear what is equal; both 0: forget the entry |
//! | death | Exit(mine, theirs) to each peer |
//! | Exit of a link arrives | counts only if one of its ids is the entry's; forgets it |
//!
//! So an unlink removes exactly the requests that it had seen: a link made after
//! it survives, and an exit signal that was under way when the link was removed
//! counts for nothing. That both sides always come to agree is checked over all
//! interleavings in the tests.

use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::foreign::ForeignWakers;
use super::alias::{Aliases, Passage};
use super::ancestry::Ancestry;
use super::reply::Fail;
use crate::message::{Message, Monitored, Origin};
use crate::pid::{MonitorRef, Pid};

/// The two ids of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LinkIds {
    pub(crate) mine: u32,
    pub(crate) theirs: u32,
}

/// One entry in the process itself, because most processes have one link (to
/// their parent) and one monitor on them; the rest in tables made on demand.
#[derive(Debug, Default)]
pub(crate) struct Relations {
    /// Packed pid; 0 is none.
    link_peer: u64,
    link_ids: LinkIds,
    /// Packed pid; 0 is none.
    watcher: u64,
    watcher_reference: u64,
    more: Option<Box<More>>,
}

/// What few processes have.
#[derive(Default)]
pub(crate) struct More {
    links: FxHashMap<Pid, LinkIds>,
    watchers: FxHashMap<MonitorRef, Pid>,
    monitors: FxHashMap<MonitorRef, Pid>,
    /// What its children have for ancestors, once it has had some.
    pub(crate) heirs: Option<Arc<Ancestry>>,
    pub(crate) foreign: ForeignWakers,
    /// Calls whose reply handle a panic dropped: told when the process ends.
    pub(crate) failed: Vec<Box<dyn Fail>>,
    rare: Option<Box<Rare>>,
}

/// What fewer have still.
#[derive(Debug, Default)]
struct Rare {
    aliases: Aliases,
    /// By which name a process is monitored, where it was by one.
    names: FxHashMap<MonitorRef, Arc<str>>,
    /// What the `Down` of a monitor is to carry, where its owner wants that.
    tags: FxHashMap<MonitorRef, Message>,
}

/// A monitor that was active.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) target: Pid,
    /// By which it was monitored.
    pub(crate) name: Option<Arc<str>>,
    /// Its drop is the user's code, which must not run in `with_relations`.
    pub(crate) tag: Option<Message>,
}

impl Rare {
    fn is_empty(&self) -> bool {
        self.aliases.len() == 0 && self.names.is_empty() && self.tags.is_empty()
    }

    fn memory(&self) -> usize {
        size_of::<Rare>() + self.aliases.memory() + bytes_of(&self.names) + bytes_of(&self.tags)
    }
}

/// Bytes of a table, about: a byte for each place beside the entry, and an eighth
/// of the places stays free.
pub(super) fn bytes_of<K, V>(table: &FxHashMap<K, V>) -> usize {
    table.capacity() * (size_of::<(K, V)>() + 1) * 8 / 7
}

impl std::fmt::Debug for More {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("More")
            .field("links", &self.links)
            .field("watchers", &self.watchers)
            .field("monitors", &self.monitors)
            .field("rare", &self.rare)
            .finish_non_exhaustive()
    }
}

impl Relations {
    pub(crate) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub(crate) fn existing(&mut self) -> Option<&mut More> {
        self.more.as_deref_mut()
    }

    /// Bytes of the tables, about.
    pub(crate) fn memory(&self) -> usize {
        let Some(more) = &self.more else { return 0 };
        size_of::<More>()
            + bytes_of(&more.links)
            + bytes_of(&more.watchers)
            + bytes_of(&more.monitors)
            + more.foreign.memory()
            + more.failed.capacity() * size_of::<Box<dyn Fail>>()
            + more.rare.as_ref().map_or(0, |it| it.memory())
    }

    /// Gives back all that the tables do not need at present.
    pub(crate) fn shrink(&mut self) {
        let Some(more) = &mut self.more else { return };
        more.links.shrink_to_fit();
        more.watchers.shrink_to_fit();
        more.monitors.shrink_to_fit();
        more.foreign.shrink();
        more.failed.shrink_to_fit();
        if let Some(rare) = &mut more.rare {
            rare.aliases.shrink();
            rare.names.shrink_to_fit();
            rare.tags.shrink_to_fit();
        }
        if more.rare.as_ref().is_some_and(|rare| rare.is_empty()) {
            more.rare = None;
        }
        if more.is_empty() {
            self.more = None;
        }
    }

    /// How many aliases are active.
    pub(crate) fn alias_count(&self) -> usize {
        let rare = self.more.as_ref().and_then(|more| more.rare.as_ref());
        rare.map_or(0, |rare| rare.aliases.len())
    }

    fn link_entry(&mut self, peer: Pid) -> Option<&mut LinkIds> {
        if self.link_peer == peer.pack() {
            return Some(&mut self.link_ids);
        }
        self.more.as_mut()?.links.get_mut(&peer)
    }

    fn link_entry_or_new(&mut self, peer: Pid) -> &mut LinkIds {
        let packed = peer.pack();
        if self.link_peer == packed {
            return &mut self.link_ids;
        }
        let elsewhere = self
            .more
            .as_ref()
            .is_some_and(|m| m.links.contains_key(&peer));
        if self.link_peer == 0 && !elsewhere {
            self.link_peer = packed;
            self.link_ids = LinkIds::default();
            return &mut self.link_ids;
        }
        self.more().links.entry(peer).or_default()
    }

    /// Whether there is a link, whose Exit is then still to come.
    pub(crate) fn is_linked(&mut self, peer: Pid) -> bool {
        self.link_entry(peer).is_some()
    }

    fn remove_link(&mut self, peer: Pid) -> Option<LinkIds> {
        if self.link_peer == peer.pack() {
            self.link_peer = 0;
            return Some(std::mem::take(&mut self.link_ids));
        }
        let links = &mut self.more.as_mut()?.links;
        let ids = links.remove(&peer);
        give_back(links);
        ids
    }

    /// `link(peer)`, with a fresh id: whether a Link with it must be sent.
    pub(crate) fn link(&mut self, peer: Pid, id: u32) -> bool {
        let entry = self.link_entry_or_new(peer);
        let new = entry.mine == 0;
        if new {
            entry.mine = id;
        }
        new
    }

    /// `unlink(peer)`: the ids of the Unlink to send, if there was a link.
    pub(crate) fn unlink(&mut self, peer: Pid) -> Option<LinkIds> {
        self.remove_link(peer)
    }

    /// A Link from `peer` arrived (or a child was born linked).
    pub(crate) fn on_link(&mut self, peer: Pid, id: u32) {
        self.link_entry_or_new(peer).theirs = id;
    }

    /// An Unlink from `peer` arrived; `ids` are as the peer sees them.
    pub(crate) fn on_unlink(&mut self, peer: Pid, ids: LinkIds) {
        let Some(entry) = self.link_entry(peer) else {
            return;
        };
        if entry.theirs == ids.mine {
            entry.theirs = 0;
        }
        if entry.mine == ids.theirs {
            entry.mine = 0;
        }
        if *entry == LinkIds::default() {
            self.remove_link(peer);
        }
    }

    /// An exit signal arrived: whether it counts. `Sent` ones always do.
    pub(crate) fn on_exit(&mut self, peer: Pid, origin: Origin) -> bool {
        let Origin::Link { mine, theirs } = origin else {
            return true;
        };
        let Some(entry) = self.link_entry(peer) else {
            return false;
        };
        let counts = (entry.mine != 0 && entry.mine == theirs)
            || (entry.theirs != 0 && entry.theirs == mine);
        if counts {
            self.remove_link(peer);
        }
        counts
    }

    /// Takes the link that is in the process itself, for telling the peer at death.
    pub(crate) fn pop_link(&mut self) -> Option<(Pid, LinkIds)> {
        let peer = Pid::unpack(std::mem::take(&mut self.link_peer))?;
        Some((peer, std::mem::take(&mut self.link_ids)))
    }

    /// Takes all the links that are not in the process itself.
    pub(crate) fn take_tables(&mut self) -> Option<Box<More>> {
        self.more.take()
    }

    pub(crate) fn links(&self) -> Vec<Pid> {
        let more = self.more.iter().flat_map(|more| more.links.keys().copied());
        Pid::unpack(self.link_peer)
            .into_iter()
            .chain(more)
            .collect()
    }

    /// `monitor(target)` was called, perhaps by a name.
    pub(crate) fn add_monitor(
        &mut self,
        reference: MonitorRef,
        target: Pid,
        name: Option<Arc<str>>,
    ) {
        let more = self.more();
        more.monitors.insert(reference, target);
        if let Some(name) = name {
            more.rare().names.insert(reference, name);
        }
    }

    /// Whether the Down of a monitor is still to come.
    pub(crate) fn has_monitor(&self, reference: MonitorRef) -> bool {
        let more = self.more.as_ref();
        more.is_some_and(|more| more.monitors.contains_key(&reference))
    }

    /// Gives an active monitor a tag. What comes back is not needed: the one before, or this
    /// one if the monitor is not active.
    pub(crate) fn tag_monitor(
        &mut self,
        reference: MonitorRef,
        tag: Message,
    ) -> Result<Option<Message>, Message> {
        if !self.has_monitor(reference) {
            return Err(tag);
        }
        Ok(self.more().rare().tags.insert(reference, tag))
    }

    /// Takes all tags, for dropping them.
    pub(crate) fn take_tags(&mut self) -> Option<FxHashMap<MonitorRef, Message>> {
        let rare = self.more.as_mut()?.rare.as_mut()?;
        Some(std::mem::take(&mut rare.tags))
    }

    /// `demonitor`, or a Down arrived: what the monitor was, if it was active.
    pub(crate) fn remove_monitor(&mut self, reference: MonitorRef) -> Option<Ended> {
        let more = self.more.as_mut()?;
        let (mut name, mut tag) = (None, None);
        if let Some(rare) = &mut more.rare {
            rare.aliases.on_monitor_end(reference);
            name = rare.names.remove(&reference);
            tag = rare.tags.remove(&reference);
        }
        let target = more.monitors.remove(&reference)?;
        give_back(&mut more.monitors);
        Some(Ended { target, name, tag })
    }

    pub(crate) fn monitors(&self) -> Vec<Monitored> {
        let Some(more) = &self.more else {
            return Vec::new();
        };
        let name = |reference| more.rare.as_ref()?.names.get(reference).cloned();
        let object = |(reference, target): (_, &Pid)| match name(reference) {
            Some(name) => Monitored::Name(name),
            None => Monitored::Process(*target),
        };
        more.monitors.iter().map(object).collect()
    }

    pub(crate) fn aliases(&mut self) -> &mut Aliases {
        &mut self.more().rare().aliases
    }

    /// `unalias`: whether it was active.
    pub(crate) fn remove_alias(&mut self, id: u64) -> bool {
        let rare = self.more.as_mut().and_then(|more| more.rare.as_mut());
        rare.is_some_and(|rare| rare.aliases.remove(id))
    }

    /// A message came through an alias: whether it may pass; and the monitor that ends
    /// with it.
    pub(crate) fn on_aliased(&mut self, id: u64) -> (bool, Option<(MonitorRef, Ended)>) {
        let rare = self.more.as_mut().and_then(|more| more.rare.as_mut());
        match rare.map_or(Passage::Closed, |rare| rare.aliases.on_message(id)) {
            Passage::Closed => (false, None),
            Passage::Open => (true, None),
            Passage::OpenOnce(reference) => {
                let ended = self.remove_monitor(reference);
                (true, ended.map(|ended| (reference, ended)))
            }
        }
    }

    /// A Monitor arrived.
    pub(crate) fn add_watcher(&mut self, reference: MonitorRef, watcher: Pid) {
        if self.watcher == 0 {
            self.watcher = watcher.pack();
            self.watcher_reference = reference.0;
        } else {
            self.more().watchers.insert(reference, watcher);
        }
    }

    /// A Demonitor arrived.
    pub(crate) fn remove_watcher(&mut self, reference: MonitorRef) {
        if self.watcher != 0 && self.watcher_reference == reference.0 {
            self.watcher = 0;
        } else if let Some(more) = &mut self.more {
            more.watchers.remove(&reference);
            give_back(&mut more.watchers);
        }
    }

    /// Takes the watcher that is in the process itself, for telling it at death.
    pub(crate) fn pop_watcher(&mut self) -> Option<(MonitorRef, Pid)> {
        let watcher = Pid::unpack(std::mem::take(&mut self.watcher))?;
        Some((MonitorRef(self.watcher_reference), watcher))
    }

    pub(crate) fn watchers(&self) -> Vec<Pid> {
        let more = self
            .more
            .iter()
            .flat_map(|more| more.watchers.values().copied());
        Pid::unpack(self.watcher).into_iter().chain(more).collect()
    }
}

/// How large a table may stay however little is in it.
const ROOM_KEPT: usize = 64;

/// Gives most of a table's memory back when it is nearly empty: a process that once
/// had a million links should not pay for them for ever. What is left is twice what
/// is used, so that this is rare.
#[inline]
fn give_back<K: Eq + Hash, V>(table: &mut FxHashMap<K, V>) {
    let room = table.capacity();
    if room > ROOM_KEPT && table.len() < room / 8 {
        table.shrink_to(table.len() * 2);
    }
}

impl More {
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Whether a process without it would be the same.
    fn is_empty(&self) -> bool {
        self.links.is_empty()
            && self.watchers.is_empty()
            && self.monitors.is_empty()
            && self.heirs.is_none()
            && self.foreign.len() == 0
            && self.failed.is_empty()
            && self.rare.is_none()
    }

    pub(crate) fn into_parts(self) -> Parts {
        Parts {
            links: self.links,
            watchers: self.watchers,
            monitors: self.monitors,
            failed: self.failed,
        }
    }
}

/// The tables of a process that is ending.
pub(crate) struct Parts {
    pub(crate) links: FxHashMap<Pid, LinkIds>,
    pub(crate) watchers: FxHashMap<MonitorRef, Pid>,
    pub(crate) monitors: FxHashMap<MonitorRef, Pid>,
    pub(crate) failed: Vec<Box<dyn Fail>>,
}

mod foreign;
#[cfg(all(test, loom))]
mod loom;
#[cfg(test)]
mod tests;
