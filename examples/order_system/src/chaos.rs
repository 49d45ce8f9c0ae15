//! Who kills: on request, or at random.
//!
//! At random it is any process below the root, supervisors and helpers too; only the killer itself is
//! spared. It has a place in the tree, so it is stopped with it.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regrow::{
    ChildSpec, ExitReason, Handle, Pid, exit, process_info, processes, self_pid, sleep, spawn_link,
};

use crate::config::Config;
use crate::tree::ROOT;

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
    loop {
        sleep(pause).await;
        let mut all = processes();
        all.retain(|pid| *pid != me && Some(*pid) != root && !spared.contains(pid));
        if all.is_empty() {
            continue;
        }
        let victim = all[random(all.len())];
        let what = match process_info(victim).await {
            Some(info) => {
                let label = info.name.or(info.label);
                label.map_or("helper".to_owned(), |label| kind(&label))
            }
            None => continue, // it has just ended
        };
        exit(victim, ExitReason::Kill);
        config.kills.count(what);
    }
}

/// Orders are counted together.
fn kind(label: &str) -> String {
    match label.starts_with("order ") {
        true => "order".into(),
        false => label.into(),
    }
}

/// A number below `bound`.
fn random(bound: usize) -> usize {
    // Each has keys of its own.
    let number = RandomState::new().build_hasher().finish();
    (number % bound as u64) as usize
}
