//! What is sorted, and how it is cut and checked.

use super::random::Random;

/// Where the numbers begin, as in the suite.
const SEED: u64 = 1024;

/// Random numbers below 2^58, which the BEAM keeps in one word.
pub(super) fn numbers(count: u64) -> Vec<u64> {
    let mut random = Random::new(SEED);
    let mut number = || (random.next() << 27) + random.below(1 << 27);
    (0..count).map(|_| number()).collect()
}

/// Those below the one in the middle, those like it, those above.
pub(super) fn split(data: &[u64]) -> (Vec<u64>, Vec<u64>, Vec<u64>) {
    let pivot = data[data.len() / 2];
    let (mut left, mut equal, mut right) = (Vec::new(), Vec::new(), Vec::new());
    for &number in data {
        match number.cmp(&pivot) {
            std::cmp::Ordering::Less => left.push(number),
            std::cmp::Ordering::Equal => equal.push(number),
            std::cmp::Ordering::Greater => right.push(number),
        }
    }
    (left, equal, right)
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
            let (left, equal, right) = split(&data);
            assert!(!equal.is_empty());
            assert_eq!(left.len() + equal.len() + right.len(), data.len());
            assert!(left.iter().all(|number| *number < equal[0]));
            assert!(right.iter().all(|number| *number > equal[0]));
        }
    }
}
