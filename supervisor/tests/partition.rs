//! Several processes that do the same, each for a part of the keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use regrow_runtime::{ExitReason, Pid, ReplyTo, exit, self_pid, sleep, system_info};
use regrow_supervisor::{
    CallError, ChildSpec, ChildState, ChildType, Context, Next, PartitionSupervisor, Partitions,
    Restart, SpecError, StartError, Strategy, Supervisor, SupervisorRef,
};

use crate::common::*;

/// Says which partition it is, and ends if told to.
struct Part(usize);

enum Ask {
    Which(ReplyTo<usize>),
    End(ExitReason),
}

impl GenServer for Part {
    type Args = usize;
    type Message = Ask;

    async fn init(partition: usize, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Part(partition))
    }

    async fn handle(&mut self, message: Ask, _: &mut Context<Self>) -> Next {
        match message {
            Ask::Which(reply) => reply.send(self.0),
            Ask::End(reason) => return Next::Stop(reason),
        }
        Next::Continue
    }
}

fn parts(count: usize) -> PartitionSupervisor {
    let part = |partition| ChildSpec::new("part", move || Part::start_link(partition));
    PartitionSupervisor::new("parts", part).partitions(count)
}

fn partitions() -> Partitions<Ask> {
    Partitions::named("parts")
}

async fn which(partitions: &Partitions<Ask>, key: u32) -> Result<usize, CallError> {
    partitions.server_ref(&key).call(Ask::Which).await
}

/// Waits until the partition of this number is another process.
async fn replaced(partition: usize, old: Pid) {
    let partition = partitions().partition(partition);
    while partition.pid().is_none_or(|pid| pid == old) {
        sleep(millis(1)).await;
    }
}

#[test]
fn there_is_one_child_for_each_partition_and_a_key_always_has_the_same() {
    run(|| async {
        let sup = parts(4).start_link().await.unwrap();
        let children = sup.which_children().await.unwrap();
        let ids: Vec<_> = children.iter().map(|child| &*child.id).collect();
        assert_eq!(ids, ["part/3", "part/2", "part/1", "part/0"]);
        assert_eq!(counts(&sup).await, [4, 4, 0, 4]);
        let partitions = partitions();
        assert_eq!(partitions.count(), 4);
        for key in 0..20 {
            let first = which(&partitions, key).await.unwrap();
            assert_eq!(which(&partitions, key).await, Ok(first));
        }
        for partition in 0..4 {
            let asked = partitions.partition(partition).call(Ask::Which).await;
            assert_eq!(asked, Ok(partition));
        }
        let fifth = partitions.partition(4).call(Ask::Which).await;
        assert_eq!(fifth, Err(CallError::NoProc));
    });
}

#[test]
fn keys_in_a_row_are_spread_evenly() {
    run_with_threads(async {
        parts(8).start_link().await.unwrap();
        let partitions = partitions();
        let pids: Vec<Pid> = (0..8)
            .filter_map(|n| partitions.partition(n).pid())
            .collect();
        let mut found = [0; 8];
        for key in 0..8_000_u32 {
            let pid = partitions.server_ref(&key).pid().unwrap();
            found[pids.iter().position(|&other| other == pid).unwrap()] += 1;
        }
        assert!(
            found.iter().all(|&n| (800..1_200).contains(&n)),
            "{found:?}"
        );
    });
}

#[test]
fn there_are_as_many_partitions_as_scheduler_threads_unless_told_otherwise() {
    run(|| async {
        let part = |partition| ChildSpec::new("part", move || Part::start_link(partition));
        let sup = PartitionSupervisor::new("parts", part);
        let sup = sup.start_link().await.unwrap();
        let workers = system_info().workers.len();
        assert_eq!(partitions().count(), workers);
        assert_eq!(counts(&sup).await, [workers, workers, 0, workers]);
    });
}

#[test]
fn a_partition_that_crashes_is_started_again_and_the_others_go_on() {
    run(|| async {
        parts(3).start_link().await.unwrap();
        let partitions = partitions();
        let before: Vec<Pid> = (0..3)
            .filter_map(|n| partitions.partition(n).pid())
            .collect();
        partitions.partition(1).cast(Ask::End(died()));
        replaced(1, before[1]).await;
        // The same references reach the new one, and it has the same keys.
        assert_eq!(partitions.partition(1).call(Ask::Which).await, Ok(1));
        for n in [0, 2] {
            assert_eq!(partitions.partition(n).pid(), Some(before[n]));
        }
    });
}

#[test]
fn three_restarts_in_five_seconds_are_the_default() {
    run(|| async {
        let sup = parts(2).start_link().await.unwrap();
        for _ in 0..4 {
            let part = partitions().partition(0);
            let pid = part.pid().unwrap();
            part.cast(Ask::End(died()));
            down(pid).await;
            let _ = sup.count_children().await; // answered after the restart, if there is one
        }
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
        assert_eq!(partitions().partition(1).pid(), None);
    });
}

#[test]
fn a_strategy_and_an_intensity_may_be_set() {
    run(|| async {
        let sup = parts(2)
            .strategy(Strategy::OneForAll)
            .intensity(1, secs(3600))
            .start_link()
            .await
            .unwrap();
        let partitions = partitions();
        let before = [0, 1].map(|n| partitions.partition(n).pid().unwrap());
        partitions.partition(1).cast(Ask::End(died()));
        replaced(0, before[0]).await;
        replaced(1, before[1]).await;
        partitions.partition(0).cast(Ask::End(died()));
        assert_eq!(supervisor_exited(&sup).await, ExitReason::Shutdown);
    });
}

#[test]
fn what_the_specs_say_counts_as_under_any_supervisor() {
    run(|| async {
        let part = |partition| {
            let spec =
                ChildSpec::supervisor("sub", || Supervisor::new(Strategy::OneForOne).start_link());
            spec.restart(if partition == 0 {
                Restart::Transient
            } else {
                Restart::Permanent
            })
        };
        let sup = PartitionSupervisor::new("subs", part).partitions(2);
        let sup = sup.start_link().await.unwrap();
        let first = sup.which_child("sub/0").await.unwrap();
        assert_eq!(first.child_type, ChildType::Supervisor);
        let sub = SupervisorRef::from_pid(first.state.pid().unwrap());
        sub.stop(ExitReason::Normal, None).await.unwrap();
        becomes(&sup, "sub/0", ChildState::Stopped).await;
        assert_eq!(Partitions::<()>::named("subs").partition(0).pid(), None);
    });
}

#[test]
fn references_survive_a_restart_of_the_supervisor_and_may_be_older_than_it() {
    run(|| async {
        let partitions = partitions();
        assert_eq!(partitions.count(), 0);
        let early = partitions.server_ref("key");
        assert_eq!(early.call(Ask::Which).await, Err(CallError::NoProc));
        let runs = Arc::new(AtomicUsize::new(2));
        // One partition more each time.
        let start = move || parts(runs.fetch_add(1, Ordering::SeqCst)).start_link();
        supervisor(Strategy::OneForOne)
            .child(ChildSpec::supervisor("parts", start))
            .start_link()
            .await
            .unwrap();
        early.call(Ask::Which).await.unwrap();
        assert_eq!(partitions.count(), 2);
        let old = SupervisorRef::named("parts").pid().unwrap();
        exit(old, ExitReason::Kill);
        while partitions.count() != 3 || partitions.partition(2).pid().is_none() {
            sleep(millis(1)).await;
        }
        early.call(Ask::Which).await.unwrap();
    });
}

#[test]
fn no_partitions_and_a_name_that_is_taken_are_refused() {
    run(|| async {
        let none = parts(0).start_link().await.unwrap_err();
        let expected = ExitReason::error(SpecError::NoPartitions);
        assert_eq!(none, StartError::Exit(expected));
        let first = parts(2).start_link().await.unwrap();
        let second = parts(3).start_link().await.unwrap_err();
        assert_eq!(second, StartError::AlreadyStarted(first.pid().unwrap()));
        // And has touched nothing.
        assert_eq!(partitions().count(), 2);
        assert!(which(&partitions(), 1).await.is_ok());
        assert_ne!(first.pid(), Some(self_pid()));
    });
}
