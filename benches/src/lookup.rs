//! Processes found by names, keys and groups.

use std::hint::black_box;
use std::time::{Duration, Instant};

use regrow::pg::Scope;
use regrow::{
    ExitReason, Pid, Registry, receive, register, self_pid, trap_exit, unregister, whereis,
};

use crate::signals::end;

/// Members of the group.
pub const MEMBERS: u64 = 100;
/// Keys in the registry.
const KEYS: u64 = 1_000;

const NAME: &str = "bench_lookup";
const REGISTRY: Registry<u64, u64> = Registry::unique("bench_registry");
const SCOPE: Scope<&str> = Scope::new("bench_scope");
const GROUP: &str = "members";

struct Ask(Pid);
struct Here;

/// Looks up a registered name.
pub async fn by_name(count: u64) -> Duration {
    let this = self_pid();
    register(NAME, this).expect("the name is free");
    let start = Instant::now();
    for _ in 0..count {
        assert_eq!(whereis(black_box(NAME)), Some(this));
    }
    let elapsed = start.elapsed();
    unregister(NAME).expect("it is ours");
    elapsed
}

/// Looks up keys, of which there are a thousand, and their values.
pub async fn by_key(count: u64) -> Duration {
    let this = self_pid();
    // The entries go with the registry, and whoever has some would go with them.
    let trapped = trap_exit(true);
    let registry = REGISTRY.start_link().await.expect("the name is free");
    for key in 0..KEYS {
        REGISTRY.register(key, key + 1).expect("the key is free");
    }
    let start = Instant::now();
    for number in 0..count {
        let key = number % KEYS;
        assert_eq!(REGISTRY.lookup(&key), Some((this, key + 1)));
    }
    let elapsed = start.elapsed();
    registry
        .stop(ExitReason::Normal, None)
        .await
        .expect("the registry stops");
    trap_exit(trapped);
    elapsed
}

/// Sends to all members of a group and waits until all have answered, `count` times.
pub async fn broadcast(count: u64) -> Duration {
    let this = self_pid();
    let scope = SCOPE.start().await.expect("the name is free");
    let members: Vec<Pid> = (0..MEMBERS).map(|_| regrow::spawn(member())).collect();
    SCOPE
        .join(GROUP, members.iter().copied())
        .await
        .expect("the scope runs");
    let start = Instant::now();
    for _ in 0..count {
        for member in SCOPE.get_members(&GROUP) {
            regrow::send(member, Ask(this));
        }
        for _ in 0..MEMBERS {
            receive::<Here>().await;
        }
    }
    let elapsed = start.elapsed();
    end(scope).await;
    for member in members {
        end(member).await;
    }
    elapsed
}

async fn member() {
    loop {
        let Ask(from) = receive().await;
        regrow::send(from, Here);
    }
}
