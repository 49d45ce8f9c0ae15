//! Tubes, and where they are found by their names.

use std::collections::BTreeSet;
use std::ops::{Index, IndexMut};

use rustc_hash::FxHashMap;
use slab::Slab;

use crate::protocol::{JobId, TubeName};
use crate::queue::client::ClientId;
use crate::queue::clock::Moment;

/// Names a tube that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TubeKey(u32);

/// A tube, which lives as long as somebody uses it.
#[derive(Debug)]
pub(super) struct Tube {
    pub(super) name: TubeName,
    /// By priority, then in the order of the puts.
    pub(super) ready: BTreeSet<(u32, JobId)>,
    pub(super) delayed: BTreeSet<(Moment, JobId)>,
    /// In the order in which they were buried.
    pub(super) buried: BTreeSet<(u64, JobId)>,
    /// In the order in which they came.
    pub(super) waiting: BTreeSet<(u64, ClientId)>,
    pub(super) pause: Option<Pause>,
    pub(super) reserved: u64,
    pub(super) urgent: u64,
    /// Clients that use it.
    pub(super) users: u64,
    /// Connections that use it: workers of the pool put nothing.
    pub(super) using: u64,
    pub(super) watching: u64,
    /// Jobs put into it so far.
    pub(super) total: u64,
    pub(super) deletes: u64,
    pub(super) pauses: u64,
    /// Its place in the list of all.
    listed: usize,
}

/// Nobody can reserve from a tube for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) seconds: u32,
    pub(super) until: Moment,
}

impl Tube {
    fn is_needed(&self) -> bool {
        self.users > 0
            || self.watching > 0
            || self.reserved > 0
            || !self.ready.is_empty()
            || !self.delayed.is_empty()
            || !self.buried.is_empty()
    }

    /// What a client that watches it would get.
    pub(super) fn next_ready(&self) -> Option<(u32, JobId)> {
        if self.pause.is_some() {
            return None;
        }
        self.ready.first().copied()
    }
}

/// All tubes.
#[derive(Debug)]
pub(super) struct Tubes {
    tubes: Slab<Tube>,
    keys: FxHashMap<TubeName, TubeKey>,
    /// As clients are told: in the order of their making, but the last takes the place of one
    /// that goes (as in beanstalkd).
    list: Vec<TubeKey>,
}

impl Tubes {
    /// The tube that every client begins with, and that is always there.
    pub(super) const DEFAULT: TubeKey = TubeKey(0);

    pub(super) fn new() -> Tubes {
        let mut tubes = Tubes {
            tubes: Slab::new(),
            keys: FxHashMap::default(),
            list: Vec::new(),
        };
        let first = tubes.find_or_make(&TubeName::default());
        debug_assert_eq!(first, Tubes::DEFAULT);
        tubes
    }

    pub(super) fn find(&self, name: &TubeName) -> Option<TubeKey> {
        self.keys.get(name).copied()
    }

    /// Whoever makes a tube gives it a job or a client before it is [released](Tubes::release).
    pub(super) fn find_or_make(&mut self, name: &TubeName) -> TubeKey {
        if let Some(key) = self.find(name) {
            return key;
        }
        let tube = Tube {
            name: name.clone(),
            ready: BTreeSet::new(),
            delayed: BTreeSet::new(),
            buried: BTreeSet::new(),
            waiting: BTreeSet::new(),
            pause: None,
            reserved: 0,
            urgent: 0,
            users: 0,
            using: 0,
            watching: 0,
            total: 0,
            deletes: 0,
            pauses: 0,
            listed: self.list.len(),
        };
        let index = self.tubes.insert(tube);
        let key = TubeKey(u32::try_from(index).expect("fewer tubes than 2^32 fit into memory"));
        self.keys.insert(name.clone(), key);
        self.list.push(key);
        key
    }

    /// Somebody does not need the tube any more. Gives back the pause that it had, if it goes.
    pub(super) fn release(&mut self, key: TubeKey) -> Option<Pause> {
        if key == Tubes::DEFAULT || self[key].is_needed() {
            return None;
        }
        let tube = self.tubes.remove(key.0 as usize);
        self.keys.remove(&tube.name);
        self.list.swap_remove(tube.listed);
        if let Some(moved) = self.list.get(tube.listed).copied() {
            self[moved].listed = tube.listed;
        }
        tube.pause
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Tube> {
        self.list.iter().map(|key| &self[*key])
    }
}

impl Index<TubeKey> for Tubes {
    type Output = Tube;

    fn index(&self, key: TubeKey) -> &Tube {
        &self.tubes[key.0 as usize]
    }
}

impl IndexMut<TubeKey> for Tubes {
    fn index_mut(&mut self, key: TubeKey) -> &mut Tube {
        &mut self.tubes[key.0 as usize]
    }
}
