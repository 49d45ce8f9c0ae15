//! Jobs, and where they are found by their ids.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::protocol::JobId;
use crate::queue::client::ClientId;
use crate::queue::clock::Moment;
use crate::queue::effect::Tally;
use crate::queue::tube::TubeKey;

/// A job. There may be millions: each byte counts.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) body: Arc<[u8]>,
    pub(super) created: Moment,
    pub(super) state: State,
    pub(super) tally: Tally,
    pub(super) tube: TubeKey,
    pub(super) pri: u32,
    pub(super) delay: u32,
    pub(super) ttr: u32,
}

/// The state of a job: see the table of the [module](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Delayed { until: Moment },
    Reserved { by: ClientId, until: Moment },
    Buried { ticket: u64 },
}

impl Job {
    /// Ready jobs with such a priority are counted by themselves.
    pub(super) fn is_urgent(&self) -> bool {
        self.pri < 1024
    }
}

/// Jobs on one page. Ids are given in ascending order, so that pages are mostly full; a page
/// with one old job is small enough not to matter.
const PAGE: u64 = 32;

#[derive(Debug)]
struct Page {
    jobs: [Option<Box<Job>>; PAGE as usize],
    count: usize,
}

/// All jobs by their ids.
///
/// Pages instead of one large table: it never has to be copied as a whole to grow, which would
/// hold up everybody for milliseconds.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pages: FxHashMap<u64, Box<Page>>,
}

impl Jobs {
    pub(super) fn get(&self, id: JobId) -> Option<&Job> {
        self.pages.get(&(id / PAGE))?.jobs[slot(id)].as_deref()
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<&mut Job> {
        self.pages.get_mut(&(id / PAGE))?.jobs[slot(id)].as_deref_mut()
    }

    /// Adds a job whose id is new.
    pub(super) fn insert(&mut self, job: Job) {
        let id = job.id;
        let empty = || {
            Box::new(Page {
                jobs: [const { None }; PAGE as usize],
                count: 0,
            })
        };
        let page = self.pages.entry(id / PAGE).or_insert_with(empty);
        if page.jobs[slot(id)].replace(Box::new(job)).is_none() {
            page.count += 1;
        }
    }

    pub(super) fn remove(&mut self, id: JobId) -> Option<Box<Job>> {
        let page = self.pages.get_mut(&(id / PAGE))?;
        let job = page.jobs[slot(id)].take()?;
        page.count -= 1;
        if page.count == 0 {
            self.pages.remove(&(id / PAGE));
        }
        Some(job)
    }
}

fn slot(id: JobId) -> usize {
    (id % PAGE) as usize
}
