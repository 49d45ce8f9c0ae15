//! Who kills: on request, or at random.
//!
//! At random it is any process below the root, supervisors and helpers too; only the killer itself is
//! spared. It has a place in the tree, so it is stopped with it.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regrow::{
    ChildSpec, ExitReason, Handle, Pid, exit, monotonic_time, processes, seems_alive, self_pid,
    sleep, spawn_link,
};

use crate::config::Config;
use crate::processing::ORDERS;
use crate::tree::{PARTS, ROOT};

/// How many of what were killed.
#[derive(Debug, Default)]
pub(crate) struct Kills(Mutex<BTreeMap<String, u64>>);

impl Kills {
    fn count(&self, what: String) {
        let mut kills = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kills.entry(what).or_default() += 1;
    }

    /// As they are now.
    pub(crate) fn get(&self) -> BTreeMap<String, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Kills whoever has this name, if somebody has.
pub(crate) fn kill(name: &str, handle: &Handle, kills: &Kills) -> Option<Pid> {
    let pid = handle.whereis(name)?;
    exit(pid, ExitReason::Kill);
    kills.count(name.to_owned());
    Some(pid)
}

/// The killer as a child. `spared` are the processes that were there before the tree.
pub(crate) fn spec(config: Arc<Config>, spared: HashSet<Pid>) -> ChildSpec {
    let spared = Arc::new(spared);
    ChildSpec::new("chaos", move || {
        let (config, spared) = (Arc::clone(&config), Arc::clone(&spared));
        async move { Ok::<_, ExitReason>(spawn_link(storm(config, spared))) }
    })
}

async fn storm(config: Arc<Config>, spared: Arc<HashSet<Pid>>) {
    let pause = Duration::from_secs_f64(1.0 / config.chaos_rate);
    let me = self_pid();
    let root = regrow::whereis(ROOT);
    let mut next = monotonic_time();
    loop {
        next += pause;
        // Not from the last time on: so many a second, also if one is late.
        sleep(next.saturating_sub(monotonic_time())).await;
        let mut all = processes();
        all.retain(|pid| *pid != me && Some(*pid) != root && !spared.contains(pid));
        // One that has just ended is no victim.
        while !all.is_empty() {
            let victim = all.swap_remove(random(all.len()));
            let what = kind(victim);
            if seems_alive(victim) {
                exit(victim, ExitReason::Kill);
                config.kills.count(what.to_owned());
                break;
            }
        }
    }
}

/// What it is, without asking it.
fn kind(pid: Pid) -> &'static str {
    let is_it = |name: &&&str| regrow::whereis(name) == Some(pid);
    match PARTS.iter().find(is_it) {
        Some(part) => part,
        None if ORDERS.keys(pid).is_empty() => "helper",
        None => "order",
    }
}

/// A number below `bound`.
fn random(bound: usize) -> usize {
    // Each has keys of its own.
    let number = RandomState::new().build_hasher().finish();
    (number % bound as u64) as usize
}
