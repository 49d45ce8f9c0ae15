//! Numbers out of keys.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

/// A number that looks like any other, the same for the same key in each run, and far apart for
/// keys that are close.
pub(crate) fn mixed<K: Hash + ?Sized>(key: &K) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    // The steps of splitmix64.
    let mut z = hasher.finish().wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
