//! Supervision trees in simulations: chaos from a seed, and the same chaos again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use regrow_runtime::simulation::{Simulation, random_below};
use regrow_runtime::{
    ExitReason, ReplyTo, exit, monotonic_time, processes, self_pid, simulate_seeds, sleep,
    spawn_link, trap_exit,
};
use regrow_supervisor::{
    ChildSpec, Context, DynamicSupervisor, Name, Next, Restart, Shutdown, Strategy, Supervisor,
    SupervisorRef,
};

use crate::common::*;

/// A server that crashes at each seventh request, and counts how many of it there are.
struct Counter {
    requests: u64,
    _alive: Alive,
}

struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Alive(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Count(ReplyTo<u64>);

impl GenServer for Counter {
    type Args = Arc<AtomicUsize>;
    type Message = Count;

    async fn init(count: Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        sleep(millis(random_below(3))).await;
        Ok(Counter {
            requests: 0,
            _alive: Alive::new(&count),
        })
    }

    async fn handle(&mut self, Count(reply): Count, _: &mut Context<Self>) -> Next {
        self.requests += 1;
        assert!(self.requests < 7, "seven is too many");
        reply.send(self.requests);
        Next::Continue
    }
}

const COUNTERS: [&str; 4] = ["counter 0", "counter 1", "counter 2", "counter 3"];

/// Two supervisors with two counters each, and a dynamic one, below a root.
async fn tree(count: &Arc<AtomicUsize>) -> SupervisorRef {
    let counter = |name: &'static str| {
        let count = count.clone();
        ChildSpec::new(name, move || Counter::start_link(count.clone()).name(name))
            .shutdown(Shutdown::Timeout(secs(1)))
    };
    let branch = |strategy, first: usize| {
        let branch = Supervisor::new(strategy)
            .intensity(u32::MAX, secs(3600))
            .children([counter(COUNTERS[first]), counter(COUNTERS[first + 1])]);
        ChildSpec::supervisor(COUNTERS[first], move || branch.clone().start_link())
    };
    let dynamic = ChildSpec::supervisor("dynamic", || {
        DynamicSupervisor::new()
            .name("dynamic")
            .intensity(u32::MAX, secs(3600))
            .start_link()
    });
    Supervisor::new(Strategy::OneForOne)
        .intensity(u32::MAX, secs(3600))
        .child(branch(Strategy::OneForAll, 0))
        .child(branch(Strategy::RestForOne, 2))
        .child(dynamic)
        .start_link()
        .await
        .unwrap()
}

/// Lets clients call the counters and kills whom it likes, for some seconds. Afterwards the tree
/// must be whole, and stopping it must leave nothing behind.
async fn chaos() -> u64 {
    trap_exit(true);
    let count = Arc::new(AtomicUsize::new(0));
    let root = tree(&count).await;
    let clients: Vec<_> = (0..3)
        .map(|_| {
            spawn_link(async {
                loop {
                    sleep(millis(random_below(50))).await;
                    let counter = COUNTERS[random_below(4) as usize];
                    // It may be gone, be busy starting, or crash.
                    let call = Name::new(counter).server_ref().call(Count);
                    let _ = call.timeout(millis(1 + random_below(20))).await;
                }
            })
        })
        .collect();
    let mut kills = 0;
    while monotonic_time() < secs(10) {
        sleep(millis(random_below(500))).await;
        let all = processes();
        let victim = all[random_below(all.len() as u64) as usize];
        let spared = [self_pid(), root.pid().unwrap()];
        if !spared.contains(&victim) && !clients.contains(&victim) {
            exit(victim, ExitReason::Kill);
            kills += 1;
        }
    }
    for client in clients {
        exit(client, ExitReason::Kill);
        exited(client).await;
    }
    // Nothing is hurt any more; a start takes two milliseconds at most.
    sleep(secs(1)).await;
    assert_eq!(count.load(Ordering::Relaxed), COUNTERS.len());
    assert_eq!(counts(&root).await, [3, 3, 3, 0]);
    // root, its three, four counters, the test
    assert_eq!(processes().len(), 1 + 3 + 4 + 1);
    exit(root.pid().unwrap(), ExitReason::Shutdown);
    assert_eq!(supervisor_exited(&root).await, ExitReason::Shutdown);
    assert_eq!(processes(), [self_pid()]);
    assert_eq!(count.load(Ordering::Relaxed), 0);
    kills
}

#[test]
fn a_tree_is_whole_again_after_much_chaos_whatever_the_seed() {
    simulate_seeds(0..50, || async {
        assert!(chaos().await > 10);
    });
}

#[test]
fn the_same_seed_is_the_same_chaos() {
    let run = |seed| Simulation::new(seed).trace(true).run(chaos()).unwrap();
    for seed in 100..110 {
        let first = run(seed);
        assert!(first.trace.events().len() > 1000);
        assert_eq!(run(seed), first);
        assert_ne!(run(seed + 1000).trace, first.trace);
    }
}

#[test]
fn a_dynamic_supervisor_stops_its_children_in_the_same_order_each_time() {
    let run = || {
        let stop = async {
            trap_exit(true);
            let sup = DynamicSupervisor::new().start_link().await.unwrap();
            for _ in 0..40 {
                let spec = worker("one").restart(Restart::Temporary);
                sup.start_child(spec).await.unwrap();
            }
            exit(sup.pid().unwrap(), ExitReason::Shutdown);
            exited(sup.pid().unwrap()).await
        };
        Simulation::new(1).trace(true).run(stop).unwrap()
    };
    assert_eq!(run().trace, run().trace);
}
