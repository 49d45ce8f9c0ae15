//! What is sorted, and how it is cut and checked.

use std::cmp::Ordering;

use super::random::Random;

/// Where the numbers begin, as in the suite.
const SEED: u64 = 1024;

/// Random numbers below 2^58, which the BEAM keeps in one word.
pub(super) fn numbers(count: u64) -> Vec<u64> {
    let mut random = Random::new(SEED);
    let mut number = || (random.next() << 27) + random.below(1 << 27);
    (0..count).map(|_| number()).collect()
}

/// What is split between two yields: some microseconds of work.
pub(super) const CHUNK: usize = 10_000;

/// The numbers below a pivot, those like it, those above.
#[derive(Debug)]
pub(super) struct Split {
    pivot: u64,
    pub(super) left: Vec<u64>,
    pub(super) equal: Vec<u64>,
    pub(super) right: Vec<u64>,
}

impl Split {
    /// At the number in the middle; nothing is split yet.
    pub(super) fn of(data: &[u64]) -> Split {
        Split {
            pivot: data[data.len() / 2],
            left: Vec::new(),
            equal: Vec::new(),
            right: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, chunk: &[u64]) {
        for &number in chunk {
            match number.cmp(&self.pivot) {
                Ordering::Less => self.left.push(number),
                Ordering::Equal => self.equal.push(number),
                Ordering::Greater => self.right.push(number),
            }
        }
    }
}

/// A number that depends on the order.
pub(super) fn checksum(data: &[u64]) -> u64 {
    let step = |sum, &number: &u64| (sum * 31 + number % 1_000_003) % 1_000_000_007;
    data.iter().fold(0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_tells_orders_apart() {
        let mut data = numbers(1000);
        let before = checksum(&data);
        data.swap(1, 2);
        assert_ne!(checksum(&data), before);
    }

    #[test]
    fn a_split_loses_nothing_and_leaves_less_on_each_side() {
        for count in 1..200 {
            let data = numbers(count);
            let mut split = Split::of(&data);
            data.chunks(7).for_each(|chunk| split.add(chunk));
            let Split {
                left, equal, right, ..
            } = split;
            assert!(!equal.is_empty());
            assert_eq!(left.len() + equal.len() + right.len(), data.len());
            assert!(left.iter().all(|number| *number < equal[0]));
            assert!(right.iter().all(|number| *number > equal[0]));
        }
    }
}
