//! Latencies in buckets, each an eighth of a power of two wide: 12% apart at most.

use std::time::Duration;

/// Buckets of a power of two.
const PARTS: u64 = 8;
const BUCKETS: usize = 64 * PARTS as usize;

/// How often which latency occurred.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
        }
    }
}

/// The bucket of a number of nanoseconds: its highest bits.
fn bucket(nanos: u64) -> usize {
    if nanos < PARTS {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - PARTS.ilog2();
    let part = (nanos >> shift) - PARTS;
    (u64::from(shift + 1) * PARTS + part) as usize
}

/// The middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    let shift = bucket / PARTS - 1;
    let low = (PARTS + bucket % PARTS) << shift;
    low + ((1 << shift) >> 1)
}

impl Histogram {
    pub(crate) fn add(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)] += 1;
        self.count += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.count += other.count;
    }

    /// The latency, in microseconds, that this share of all does not exceed.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return middle(index) as f64 / 1000.0;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{BUCKETS, Histogram, bucket, middle};

    proptest! {
        #[test]
        fn every_number_is_near_the_middle_of_its_bucket(nanos: u64) {
            let index = bucket(nanos);
            prop_assert!(index < BUCKETS);
            let error = middle(index).abs_diff(nanos);
            prop_assert!(error as f64 <= nanos as f64 / 8.0, "{} {}", nanos, middle(index));
        }

        #[test]
        fn a_larger_number_is_in_no_lower_bucket(one: u64, other: u64) {
            prop_assert!(bucket(one.min(other)) <= bucket(one.max(other)));
        }
    }

    #[test]
    fn the_share_is_that_of_all_that_was_added() {
        let mut histogram = Histogram::default();
        for micros in 1..=100 {
            histogram.add(Duration::from_micros(micros));
        }
        let mut other = Histogram::default();
        other.add(Duration::from_secs(1));
        histogram.merge(&other);
        assert!((44.0..57.0).contains(&histogram.micros(0.5)));
        assert!(histogram.micros(0.99) < 120.0);
        assert!(histogram.micros(1.0) > 900_000.0);
    }
}
