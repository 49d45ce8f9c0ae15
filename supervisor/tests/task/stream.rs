//! Which results come, when, and in what order.

use std::collections::BTreeSet;
use std::future::{IntoFuture, pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use regrow_runtime::{
    ExitReason, Pid, is_alive, monotonic_time, receive, self_pid, send, simulate_seeds, sleep,
    system_info, timeout,
};
use regrow_supervisor::{OnTimeout, StartChildError, Task, TaskError, TaskSupervisor};

use super::*;
use crate::common::*;

/// Sleeps for so many seconds, and gives them back.
async fn nap(seconds: u64) -> u64 {
    sleep(secs(seconds)).await;
    seconds
}

#[test]
fn results_come_in_the_order_of_the_items_unless_said_otherwise() {
    simulate_seeds(0..10, || async {
        let naps = || Task::async_stream([3, 1, 2], nap).max_concurrency(3);
        assert_eq!(naps().collect().await, [Ok(3), Ok(1), Ok(2)]);
        let unordered = naps().ordered(false).collect().await;
        assert_eq!(unordered, [Ok(1), Ok(2), Ok(3)]);
        assert_empty().await;
    });
}

#[test]
fn each_item_has_a_task_of_its_own_and_nothing_is_left_of_them() {
    run(|| async {
        let me = self_pid();
        let pids = Task::async_stream(0..50, |_| async { self_pid() });
        let pids: BTreeSet<Pid> = pids
            .collect()
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(pids.len(), 50);
        assert!(!pids.contains(&me));
        alone().await;
        assert_empty().await;
    });
}

#[test]
fn no_items_are_no_results_and_after_the_end_there_is_nothing() {
    run(|| async {
        let mut none = Task::async_stream(Vec::<u8>::new(), |n| async move { n });
        assert_eq!(none.next().await, None);
        let mut one = Task::async_stream([1], |n| async move { n });
        assert_eq!(one.next().await, Some(Ok(1)));
        for _ in 0..3 {
            assert_eq!(one.next().await, None);
        }
        alone().await;
    });
}

#[test]
fn the_iterator_may_borrow_from_the_caller() {
    run(|| async {
        let texts = ["one".to_owned(), "three".to_owned()];
        let lengths = Task::async_stream(texts.iter().cloned(), |text| async move { text.len() });
        assert_eq!(lengths.collect().await, [Ok(3), Ok(5)]);
        assert_eq!(texts.len(), 2);
    });
}

/// How many there are now, and how many there were at most.
#[derive(Clone, Default)]
struct Gauge(Arc<(AtomicUsize, AtomicUsize)>);

struct Counted(Gauge);

impl Gauge {
    fn count(&self) -> Counted {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Counted(self.clone())
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn never_more_tasks_run_than_max_concurrency_and_no_item_is_taken_before_its_turn() {
    for ordered in [true, false] {
        run(|| async move {
            let running = Gauge::default();
            let pulled = Arc::new(AtomicUsize::new(0));
            let items = (0..30_usize).inspect(|_| {
                pulled.fetch_add(1, Ordering::SeqCst);
            });
            let gauge = running.clone();
            let work = move |n| {
                let gauge = gauge.clone();
                async move {
                    let _counted = gauge.count();
                    sleep(millis(n as u64 % 3)).await;
                }
            };
            let mut stream = Task::async_stream(items, work)
                .max_concurrency(4)
                .ordered(ordered);
            assert_eq!(pulled.load(Ordering::SeqCst), 0); // lazy
            let mut taken = 0;
            while stream.next().await.is_some() {
                taken += 1;
                assert!(pulled.load(Ordering::SeqCst) < taken + 4);
                // Who does not take holds the tasks up.
                sleep(millis(1)).await;
                assert!(pulled.load(Ordering::SeqCst) < taken + 4);
            }
            assert_eq!(taken, 30);
            assert!((2..=4).contains(&running.most()), "{}", running.most());
        });
    }
}

#[test]
fn as_many_tasks_run_as_there_are_workers_unless_said_otherwise() {
    run(|| async {
        let info = system_info();
        let workers = info.workers.iter().filter(|it| !it.surplus).count();
        let running = Gauge::default();
        let gauge = running.clone();
        let stream = Task::async_stream(0..3 * workers, move |_| {
            let gauge = gauge.clone();
            async move {
                let _counted = gauge.count();
                // The first ones wait for each other.
                while gauge.most() < workers {
                    sleep(millis(1)).await;
                }
                sleep(millis(1)).await;
            }
        });
        assert_eq!(stream.collect().await.len(), 3 * workers);
        assert_eq!(running.most(), workers);
    });
}

#[test]
fn a_wait_that_is_given_up_has_taken_nothing() {
    run(|| async {
        let mut stream = Task::async_stream(0..10, |n| async move {
            sleep(millis(1)).await;
            n
        });
        let mut results = Vec::new();
        loop {
            match timeout(Duration::from_micros(300), stream.next()).await {
                Err(_) => {}
                Ok(Some(result)) => results.push(result.unwrap()),
                Ok(None) => break,
            }
        }
        assert_eq!(results, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn each_task_has_its_time_and_one_that_is_late_ends_the_stream() {
    simulate_seeds(0..10, || async {
        let before = monotonic_time();
        let naps = Task::async_stream([4, 4, 4, 60, 1], nap).max_concurrency(1);
        let results = naps.collect().await;
        assert_eq!(results, [Ok(4), Ok(4), Ok(4), Err(TaskError::Timeout)]);
        assert_lasted(before, secs(17)); // 5 s each by default
        let naps = Task::async_stream([9, 60], nap).max_concurrency(2);
        assert_eq!(naps.collect().await, [Err(TaskError::Timeout)]);
        alone().await;
        assert_empty().await;
    });
}

#[test]
fn a_late_task_is_killed_in_its_place_if_asked_for() {
    simulate_seeds(0..10, || async {
        let test = self_pid();
        let naps = Task::async_stream([1, 60, 2], move |n| async move {
            send(test, self_pid());
            nap(n).await
        });
        let results = naps.max_concurrency(2).on_timeout(OnTimeout::KillTask);
        let results = results.collect().await;
        assert_eq!(results, [Ok(1), Err(TaskError::Timeout), Ok(2)]);
        for _ in 0..3 {
            assert!(!is_alive(receive::<Pid>().await).await);
        }
        assert_empty().await;
    });
}

#[test]
fn without_a_limit_on_time_all_is_waited_for() {
    simulate_seeds(0..3, || async {
        let naps = Task::async_stream([3600, 7200], nap).no_timeout();
        assert_eq!(naps.collect().await, [Ok(3600), Ok(7200)]);
    });
}

#[test]
fn the_time_runs_whether_or_not_somebody_waits() {
    simulate_seeds(0..5, || async {
        let mut naps = Task::async_stream([1, 6], nap)
            .max_concurrency(2)
            .on_timeout(OnTimeout::KillTask);
        assert_eq!(naps.next().await, Some(Ok(1)));
        sleep(secs(60)).await;
        assert_eq!(naps.next().await, Some(Err(TaskError::Timeout)));
        assert_eq!(naps.next().await, None);
    });
}

#[test]
fn tasks_of_a_supervisor_are_its_children_and_beyond_its_limit_the_stream_ends() {
    run(|| async {
        let tasks = TaskSupervisor::new().max_children(2);
        let tasks = tasks.start_link().await.unwrap();
        let of = tasks.clone();
        let children = tasks.async_stream(0..4, move |_| {
            let of = of.clone();
            async move { of.children().await.unwrap().contains(&self_pid()) }
        });
        let children = children.max_concurrency(1).collect().await;
        assert_eq!(children, [Ok(true), Ok(true), Ok(true), Ok(true)]);

        while !tasks.children().await.unwrap().is_empty() {
            sleep(millis(1)).await;
        }
        let mut stream = tasks
            .async_stream_nolink(0..4, |_| pending::<()>())
            .max_concurrency(4);
        let refused = TaskError::NotStarted(StartChildError::MaxChildren);
        assert_eq!(stream.next().await, Some(Err(refused)));
        assert_eq!(stream.next().await, None);
        while !tasks.children().await.unwrap().is_empty() {
            sleep(millis(1)).await;
        }
        assert_empty().await;
    });
}

#[test]
fn it_can_be_polled_by_hand_as_the_streams_of_others_are() {
    run(|| async {
        let mut stream = Task::async_stream(0..3, |n| async move { n });
        let mut sum = 0;
        while let Some(n) = poll_fn(|cx| stream.poll_next(cx)).await {
            sum += n.unwrap();
        }
        assert_eq!(sum, 3);
    });
}

#[test]
fn what_has_begun_cannot_be_set_any_more() {
    run(|| async {
        let (begun, watched) = regrow_runtime::spawn_monitor(async {
            let mut stream = Task::async_stream([1, 2], |n| async move { n });
            stream.next().await;
            drop(stream.ordered(false));
        });
        let down = regrow_runtime::receive_down(watched).await;
        assert_eq!(down.pid, begun);
        assert!(
            down.reason.to_string().contains("before the first `next`"),
            "{}",
            down.reason
        );
        alone().await;
    });
}

#[test]
#[should_panic(expected = "`max_concurrency` must be at least 1")]
fn it_must_be_allowed_to_do_something() {
    drop(Task::async_stream([1], |n| async move { n }).max_concurrency(0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever takes how long, and however it ends, the outcomes are those of the items.
    #[test]
    fn outcomes_are_those_of_a_plain_loop(
        items in prop::collection::vec((0..4_u64, prop::bool::weighted(0.2)), 0..20),
        max in 1..6_usize,
        ordered in any::<bool>(),
        linked in any::<bool>(),
    ) {
        let expected: Vec<_> = items.iter().enumerate()
            .map(|(n, (_, fails))| match fails {
                true => Err(TaskError::Exit(ExitReason::Shutdown)),
                false => Ok(n),
            })
            .collect();
        let found = Arc::new(Mutex::new(Vec::new()));
        let output = found.clone();
        regrow_runtime::simulate(max as u64, async move {
            regrow_runtime::trap_exit(true);
            let work = |(n, (time, fails))| async move {
                sleep(secs(time)).await;
                match fails {
                    true => ending(ExitReason::Shutdown).await,
                    false => n,
                }
            };
            let tasks = TaskSupervisor::new().start_link().await.unwrap();
            let items = items.into_iter().enumerate();
            let stream = match linked {
                true => Task::async_stream(items, work),
                false => tasks.async_stream_nolink(items, work),
            };
            let outcomes = stream.max_concurrency(max).ordered(ordered).collect().into_future();
            *output.lock().unwrap() = outcomes.await;
            assert_empty().await;
        });
        let mut found = found.lock().unwrap().clone();
        if !ordered {
            let mut expected = expected;
            let key = |it: &Result<usize, TaskError>| format!("{it:?}");
            found.sort_by_key(key);
            expected.sort_by_key(key);
            prop_assert_eq!(found, expected);
        } else {
            prop_assert_eq!(found, expected);
        }
    }
}
