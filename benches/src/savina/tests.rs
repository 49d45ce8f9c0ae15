//! Each workload, small, on threads, in simulation and on tokio.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use regrow::Runtime;
use regrow::simulation::Simulation;

use super::{Size, Workload, on_tokio};

/// Small, and so that every branch is taken: a full waiting room, a full buffer, several filters and splits.
fn small(workload: Workload) -> Size {
    let (actors, count, room) = match workload {
        Workload::ProducerConsumer => (4, 25, 5),
        Workload::ConcurrentDictionary => (4, 50, 30),
        Workload::SleepingBarber => (0, 40, 2),
        Workload::BankTransaction => (10, 60, 0),
        Workload::Sieve => (0, 300, 7),
        Workload::Quicksort => (0, 500, 16),
        _ => (7, 30, 0),
    };
    Size {
        actors,
        count,
        room,
    }
}

/// The value of `work`, or a failure if it takes a minute: a run that goes wrong waits for ever.
fn in_time<T: Send + 'static>(what: String, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, value) = mpsc::channel();
    let worker = thread::spawn(move || done.send(work()));
    let value = value.recv_timeout(Duration::from_secs(60));
    let value = value.unwrap_or_else(|error| panic!("{what}: {error}"));
    worker
        .join()
        .expect("it has sent")
        .expect("we have received");
    value
}

#[test]
fn each_workload_gives_on_threads_what_one_loop_gives() {
    for &workload in Workload::all() {
        let size = small(workload);
        let outcome = in_time(workload.name(), move || {
            let runtime = Runtime::builder().workers(2).build();
            let runtime = runtime.expect("the runtime starts");
            runtime.block_on(async move { workload.run(size).await })
        });
        assert_eq!(outcome.result, workload.expected(size), "{workload:?}");
    }
}

#[test]
fn each_workload_gives_the_same_in_whatever_order_its_actors_run() {
    for &workload in Workload::all() {
        let size = small(workload);
        let mut ways = HashSet::new();
        for seed in 0..20 {
            let run = Simulation::new(seed)
                .max_turns(u64::MAX)
                .run(async move { workload.run(size).await });
            let outcome = run.unwrap_or_else(|error| panic!("{workload:?}: {error}"));
            assert_eq!(
                outcome.value.result,
                workload.expected(size),
                "{workload:?}, seed {seed}"
            );
            ways.insert(outcome.trace.hash());
        }
        assert!(ways.len() > 1, "{workload:?} ran one way only");
    }
}

#[test]
fn each_workload_gives_on_tokio_what_one_loop_gives() {
    for &workload in Workload::all() {
        let size = small(workload);
        let outcome = in_time(workload.name(), move || {
            on_tokio::run(workload, vec![size], 2)
        });
        let outcome = outcome.expect("tokio starts");
        assert_eq!(outcome[0].result, workload.expected(size), "{workload:?}");
    }
}

#[test]
fn a_scaled_size_has_other_work_and_the_same_actors() {
    let size = Workload::Big.size();
    let half = size.scaled(0.5);
    assert_eq!((half.actors, half.count), (size.actors, size.count / 2));
    assert_eq!(size.scaled(0.0).count, 10);
    assert_eq!(size.scaled(1.0), size);
}
