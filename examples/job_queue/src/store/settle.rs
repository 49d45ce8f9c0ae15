//! What of a group of records needs to be written.
//!
//! A busy queue deletes many jobs while their rows still wait for the disk. A job that comes and
//! goes within one group never gets there: the outcome on disk is the same.

use rustc_hash::FxHashMap;

use crate::protocol::JobId;
use crate::queue::Record;

/// Which of `records` make the same difference as all of them. What ends comes first, for it makes
/// room for the rest; otherwise the order stays.
pub(super) fn settle<'a>(records: impl Iterator<Item = &'a Record> + Clone) -> Vec<&'a Record> {
    let mut lives: FxHashMap<JobId, Life> = FxHashMap::default();
    for record in records.clone() {
        let life = lives.entry(record.id()).or_default();
        match record {
            Record::Put(_) => life.begins = true,
            Record::Delete(_) => life.ends = true,
            Record::State(_) => life.changes += 1,
        }
    }
    let (mut left, mut ends) = (Vec::new(), Vec::new());
    for record in records {
        let Some(life) = lives.get_mut(&record.id()) else {
            continue;
        };
        let matters = match record {
            Record::Put(_) => !life.ends,
            Record::Delete(_) => !life.begins,
            Record::State(_) => {
                life.changes -= 1;
                // Each change says all, so the last one is enough.
                !life.ends && life.changes == 0
            }
        };
        if matters {
            match record {
                Record::Delete(_) => ends.push(record),
                _ => left.push(record),
            }
        }
    }
    ends.append(&mut left);
    ends
}

/// What happens to a job in the group.
#[derive(Default)]
struct Life {
    begins: bool,
    ends: bool,
    changes: usize,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::store::tests::{row, update};

    /// What is on disk, in the plainest way.
    fn apply<'a>(
        disk: &mut BTreeMap<JobId, (u32, Vec<u8>)>,
        records: impl Iterator<Item = &'a Record>,
    ) {
        for record in records {
            match record {
                Record::Put(row) => {
                    let before = disk.insert(row.id, (row.pri, row.body.to_vec()));
                    assert!(before.is_none(), "an id is put twice");
                }
                Record::State(update) => {
                    if let Some(job) = disk.get_mut(&update.id) {
                        job.0 = update.pri;
                    }
                }
                Record::Delete(id) => {
                    disk.remove(id);
                }
            }
        }
    }

    /// Turns arbitrary numbers into a history: an id is put once and nothing follows its end.
    fn history(steps: &[(u8, u8)]) -> Vec<Record> {
        let (mut next, mut alive, mut records) = (4, vec![1, 2, 3], Vec::new());
        for (index, (what, which)) in steps.iter().enumerate() {
            let chosen = usize::from(*which) % alive.len().max(1);
            let pri = index as u32;
            match what % 3 {
                1 if !alive.is_empty() => records.push(Record::State(update(alive[chosen], pri))),
                2 if !alive.is_empty() => records.push(Record::Delete(alive.remove(chosen))),
                _ => {
                    records.push(Record::Put(row(next, pri, b"x")));
                    alive.push(next);
                    next += 1;
                }
            }
        }
        records
    }

    proptest! {
        #[test]
        fn what_is_left_comes_to_the_same_as_all(steps in prop::collection::vec(any::<(u8, u8)>(), 0..60)) {
            let records = history(&steps);
            let before: BTreeMap<_, _> = (1..=3).map(|id| (id, (9, vec![b'x']))).collect();
            let (mut all, mut settled) = (before.clone(), before);
            apply(&mut all, records.iter());
            apply(&mut settled, settle(records.iter()).into_iter());
            prop_assert_eq!(all, settled);
        }

        #[test]
        fn a_job_that_comes_and_goes_is_not_written(steps in prop::collection::vec(any::<(u8, u8)>(), 0..60)) {
            let records = history(&steps);
            for left in settle(records.iter()) {
                let ends = records.contains(&Record::Delete(left.id()));
                prop_assert!(!ends || left.id() <= 3);
            }
        }
    }
}
