//! Random stories.

mod steps;
mod tree;

use crate::Story;
use crate::random::Random;

/// The story that this seed gives.
pub fn generate(seed: u64) -> Story {
    let mut random = Random::new(seed);
    let (root, mut known) = tree::tree(&mut random);
    let steps = steps::steps(&mut random, &mut known);
    Story { root, steps }
}

/// A supervisor that steps may name.
#[derive(Clone, Debug)]
struct KnownSupervisor {
    id: String,
    dynamic: bool,
    auto_shutdown: bool,
    depth: u32,
    /// Whether there may be several at a time, as instances of a template.
    several: bool,
    children: Vec<String>,
}

/// What is in the tree, or may once have been.
#[derive(Clone, Debug, Default)]
struct Known {
    supervisors: Vec<KnownSupervisor>,
    workers: u32,
}
