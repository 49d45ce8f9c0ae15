//! Wakers of somebody else's that wait in a process.

use std::task::Waker;

use rustc_hash::FxHashSet;

/// Wakers of receives that were polled with a waker of their own, for the next
/// turn that brings a message.
///
/// Those that nobody needs any more are among them (nobody says so), so when they
/// get many all are woken: the live ones come back, and how many these are sets
/// the next limit.
#[derive(Default)]
pub(crate) struct ForeignWakers {
    /// In the order in which they came: that of addresses would differ from run to run.
    wakers: Vec<Waker>,
    /// Their data and vtables, which tell them apart as long as they are kept.
    keys: FxHashSet<(usize, usize)>,
    /// At more than this many all are woken. 0 is not known yet.
    limit: usize,
}

impl ForeignWakers {
    /// How many wakers are few.
    const FEW: usize = 64;

    pub(crate) fn contains(&self, key: (usize, usize)) -> bool {
        self.keys.contains(&key)
    }

    /// Keeps a waker, or gives it back if it is kept already.
    pub(crate) fn keep(&mut self, key: (usize, usize), waker: Waker) -> Option<Waker> {
        if !self.keys.insert(key) {
            return Some(waker);
        }
        self.wakers.push(waker);
        None
    }

    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waker> + use<> {
        self.keys.clear();
        std::mem::take(&mut self.wakers).into_iter()
    }

    /// Bytes of the tables, about.
    pub(super) fn memory(&self) -> usize {
        self.wakers.capacity() * size_of::<Waker>()
            + self.keys.capacity() * (size_of::<(usize, usize)>() + 1) * 8 / 7
    }

    pub(super) fn shrink(&mut self) {
        self.wakers.shrink_to_fit();
        self.keys.shrink_to_fit();
    }

    pub(super) fn len(&self) -> usize {
        self.wakers.len()
    }

    /// At the start of a turn: whether there are so many that most must be stale.
    pub(crate) fn are_many(&mut self) -> bool {
        if self.limit == 0 {
            // The first look after a waking: these are the live ones.
            self.limit = 2 * self.wakers.len().max(Self::FEW);
        }
        let many = self.wakers.len() > self.limit;
        if many {
            self.limit = 0;
        }
        many
    }
}
