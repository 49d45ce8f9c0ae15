//! Random numbers that are the same on every engine.

/// Prime, so that nothing but zero leads to zero.
const MODULUS: u64 = (1 << 31) - 1;

/// Park and Miller's generator. Its products stay below 2^59, where the BEAM still computes with machine
/// words, so the twins draw the same numbers at a fair price.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Any seed will do.
    pub(super) fn new(seed: u64) -> Random {
        Random(seed % (MODULUS - 1) + 1)
    }

    /// The next number, from 1 to 2^31 - 2.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0 * 48_271 % MODULUS;
        self.0
    }

    /// The next number, from 0 to `limit` - 1.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_thousandth_number_is_the_one_in_the_literature() {
        // Seed 1, multiplier 48271: as the C++ standard has it for `minstd_rand`.
        let mut random = Random::new(0);
        let last = (0..10_000).map(|_| random.next()).last();
        assert_eq!(last, Some(399_268_537));
    }
}
