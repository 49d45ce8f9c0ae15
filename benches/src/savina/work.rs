//! What actors of the suite compute between their messages.

use std::hint::black_box;

use super::random::Random;

/// The angle of [`sine`], as in the suite.
const THETA: f64 = 37.2;

/// A sine and a square: the little work of the fork-join workloads.
pub(super) fn sine() {
    let sine = black_box(THETA).sin();
    assert!(sine * sine > 0.0);
}

/// Turns a generator so often: the barber's and the customers' time.
pub(super) fn busy(turns: u64) {
    let mut random = Random::new(turns);
    for _ in 0..turns {
        black_box(random.next());
    }
}

/// Hundreds of logarithms: what making or using one item costs.
pub(super) fn process_item(item: f64) -> f64 {
    /// As in the suite, for producers and consumers alike.
    const COST: u64 = 25;
    let mut random = Random::new(COST);
    let mut result = item;
    for _ in 0..COST * 100 {
        let fraction = random.next() as f64 / f64::from(i32::MAX);
        result += (fraction + 0.01).ln();
    }
    result
}
