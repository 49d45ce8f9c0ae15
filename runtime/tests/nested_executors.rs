//! Futures of a process that are polled with wakers of somebody else.

mod common;

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use common::run;
use futures_lite::future::{or, poll_once, race, zip};
use regrow_runtime::{
    Down, Exit, ExitReason, Pid, blocking, consume_reductions, exit, receive, receive_any,
    reply_channel, self_pid, send, sleep, spawn, spawn_link, spawn_monitor, trap_exit, yield_now,
};

const MINUTE: Duration = Duration::from_secs(60);

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A set of futures that polls only those that were woken, each with its own waker.
struct Set<T> {
    tasks: Vec<(Option<Task<T>>, Arc<Flag>)>,
    polls: u32,
}

struct Flag {
    woken: AtomicBool,
    set: Mutex<Option<Waker>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        let set = self.set.lock().unwrap().clone();
        if let Some(set) = set {
            set.wake();
        }
    }
}

impl<T> Set<T> {
    fn new() -> Self {
        Set {
            tasks: Vec::new(),
            polls: 0,
        }
    }

    fn add(&mut self, task: impl Future<Output = T> + Send + 'static) {
        let flag = Flag {
            woken: AtomicBool::new(true),
            set: Mutex::new(None),
        };
        self.tasks.push((Some(Box::pin(task)), Arc::new(flag)));
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, T)>> {
        let mut empty = true;
        for (index, (task, flag)) in self.tasks.iter_mut().enumerate() {
            let Some(pending) = task else { continue };
            empty = false;
            *flag.set.lock().unwrap() = Some(cx.waker().clone());
            if !flag.woken.swap(false, Ordering::SeqCst) {
                continue;
            }
            self.polls += 1;
            let waker = Waker::from(flag.clone());
            if let Poll::Ready(output) = pending.as_mut().poll(&mut Context::from_waker(&waker)) {
                *task = None;
                return Poll::Ready(Some((index, output)));
            }
        }
        match empty {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }

    /// The next that is ready; `None` when all were.
    async fn next(&mut self) -> Option<(usize, T)> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    async fn all(mut self) -> Vec<T> {
        let mut outputs: Vec<Option<T>> = self.tasks.iter().map(|_| None).collect();
        while let Some((index, output)) = self.next().await {
            outputs[index] = Some(output);
        }
        outputs
            .into_iter()
            .map(|it| it.expect("each has ended"))
            .collect()
    }
}

#[test]
fn receives_of_many_kinds_are_woken_by_what_arrives() {
    run(2, async {
        let me = self_pid();
        for round in 0..100_u32 {
            let mut set = Set::new();
            for index in 0..20_u32 {
                set.add(async move {
                    let mine = move |(to, _): &(u32, u32)| *to == index;
                    receive::<(u32, u32)>().matching(mine).await.1
                });
            }
            spawn(async move {
                for index in (0..20_u32).rev() {
                    send(me, (index, index + round));
                    if index % 3 == 0 {
                        yield_now().await;
                    }
                }
            });
            assert_eq!(set.all().await, Vec::from_iter(round..20 + round));
        }
    });
}

#[test]
fn sleeps_time_outs_replies_and_yields_are_woken_each_by_its_own_waker() {
    run(2, async {
        let mut set = Set::new();
        for index in 0..50_u64 {
            let after = Duration::from_millis(1 + index % 10);
            match index % 5 {
                0 => set.add(async move { sleep(after).await }),
                1 => set.add(async move {
                    assert!(receive::<char>().timeout(after).await.is_err());
                }),
                2 => set.add(async move {
                    let (reply_to, reply) = reply_channel();
                    spawn(async move {
                        sleep(after).await;
                        reply_to.send(index);
                    });
                    assert_eq!(reply.timeout(MINUTE).await, Ok(index));
                }),
                3 => set.add(async move {
                    for _ in 0..index {
                        yield_now().await;
                    }
                }),
                _ => set.add(async move {
                    let me = self_pid();
                    regrow_runtime::send_after(after, me, index);
                    receive::<u64>()
                        .matching(move |it: &u64| *it == index)
                        .await;
                }),
            }
        }
        assert_eq!(set.all().await.len(), 50);
    });
}

#[test]
fn blocking_work_wakes_the_child_that_waits_for_it() {
    run(1, async {
        let mut set = Set::new();
        for index in 0..20_u32 {
            set.add(async move {
                let mut sum = 0;
                for number in 0..5 {
                    sum += blocking(move || index + number).await;
                }
                sum
            });
        }
        let sums = (0..20).map(|index| 5 * index + 10);
        assert_eq!(set.all().await, Vec::from_iter(sums));
    });
}

#[test]
fn a_child_that_yields_for_ever_neither_spins_nor_keeps_others_from_running() {
    run(1, async {
        let me = self_pid();
        let other = spawn(async move {
            for _ in 0..100 {
                receive::<()>().await;
                send(me, 1_u32);
            }
        });
        let mut set = Set::new();
        set.add(async {
            loop {
                yield_now().await;
            }
        });
        set.add(async move {
            for _ in 0..100 {
                send(other, ());
                receive::<u32>().await;
            }
        });
        assert_eq!(set.next().await, Some((1, ())));
    });
}

#[test]
fn a_child_without_reductions_left_goes_on_in_the_next_turn() {
    run(1, async {
        for number in 0..10_000_u32 {
            send(self_pid(), number);
        }
        let mut set = Set::new();
        set.add(async {
            // Far more than one turn may do.
            for wanted in 0..10_000_u32 {
                assert_eq!(receive::<u32>().await, wanted);
            }
        });
        set.add(async {
            consume_reductions(1_000_000);
            let (reply_to, reply) = reply_channel();
            reply_to.send(());
            reply.await.unwrap();
        });
        assert_eq!(set.all().await.len(), 2);
    });
}

#[test]
fn a_receive_beside_a_branch_that_takes_every_turn_gets_its_message() {
    run(1, async {
        let greedy = async {
            loop {
                consume_reductions(1_000_000);
                yield_now().await;
            }
        };
        send(self_pid(), 1_u32);
        assert_eq!(or(greedy, receive::<u32>()).await, 1);
    });
}

#[test]
fn the_first_of_a_race_wins_and_the_loser_has_taken_nothing() {
    run(2, async {
        let me = self_pid();
        for round in 0..500_u32 {
            let sender = spawn(async move {
                if round % 2 == 0 {
                    yield_now().await;
                }
                send(me, 'a');
                send(me, 1_u32);
            });
            let text = async { receive::<char>().await.to_string() };
            let number = async { receive::<u32>().await.to_string() };
            let first = race(text, number).await;
            let second = receive_any().await;
            assert!(second.is::<u32>() == (first == "a"), "{sender}");
        }
        let late = async {
            sleep(Duration::from_millis(2)).await;
            Err("late")
        };
        assert_eq!(
            or(async { Ok(receive::<u32>().await) }, late).await,
            Err("late")
        );
    });
}

#[test]
fn a_future_may_change_its_waker_between_polls() {
    run(1, async {
        let me = self_pid();
        let mut set = Set::new();
        for kind in 0..3 {
            // Polled once with the plain waker of the process, then by the set.
            let mut waits: Task<()> = match kind {
                0 => Box::pin(async { drop(receive::<String>().await) }),
                1 => Box::pin(sleep(Duration::from_millis(3))),
                _ => {
                    let (reply_to, reply) = reply_channel();
                    spawn(async move {
                        sleep(Duration::from_millis(3)).await;
                        reply_to.send(());
                    });
                    Box::pin(async { reply.await.unwrap() })
                }
            };
            assert!(poll_once(&mut waits).await.is_none());
            set.add(waits);
        }
        assert!(poll_once(Box::pin(set.next())).await.is_none());
        spawn(async move { send(me, String::from("x")) });
        // And back: whatever wakes the set wakes the process.
        assert_eq!(set.all().await.len(), 3);
        // The other way round: first by a set, then plainly.
        for _ in 0..3 {
            let waits = Arc::new(Mutex::new(Box::pin(receive::<u32>())));
            let in_set = waits.clone();
            let mut set = Set::new();
            set.add(poll_fn(move |cx| in_set.lock().unwrap().as_mut().poll(cx)));
            assert!(poll_once(Box::pin(set.next())).await.is_none());
            drop(set);
            spawn(async move { send(me, 1_u32) });
            assert_eq!(
                poll_fn(|cx| waits.lock().unwrap().as_mut().poll(cx)).await,
                1
            );
        }
    });
}

#[test]
fn sets_within_sets_lose_no_wake_up() {
    run(2, async {
        let me = self_pid();
        let mut outer = Set::new();
        for group in 0..8_u32 {
            outer.add(async move {
                let mut inner = Set::new();
                for index in 0..8_u32 {
                    inner.add(async move {
                        let wanted = group * 8 + index;
                        let mine = move |it: &u32| *it == wanted;
                        zip(
                            receive::<u32>().matching(mine),
                            sleep(Duration::from_millis(1)),
                        )
                        .await
                        .0
                    });
                }
                inner.all().await.into_iter().sum::<u32>()
            });
        }
        spawn(async move {
            for number in (0..64_u32).rev() {
                send(me, number);
                yield_now().await;
            }
        });
        assert_eq!(outer.all().await.into_iter().sum::<u32>(), 63 * 32);
    });
}

#[test]
fn only_children_that_may_go_on_are_polled() {
    run(1, async {
        let mut set: Set<()> = Set::new();
        for _ in 0..50 {
            set.add(sleep(MINUTE));
        }
        set.add(sleep(Duration::from_millis(5)));
        let other = spawn(pending::<()>());
        set.next().await;
        // A message concerns none of them.
        for _ in 0..20 {
            send(self_pid(), 1_u8);
            yield_now().await;
            assert!(poll_once(Box::pin(set.next())).await.is_none());
        }
        assert_eq!(set.polls, 52, "each once, and the one that ended again");
        exit(other, ExitReason::Kill);
    });
}

#[test]
fn a_receive_that_has_waited_in_one_process_can_wait_on_in_another() {
    run(1, async {
        let me = self_pid();
        for number in 0..10_u32 {
            send(self_pid(), number);
        }
        yield_now().await;
        let mut travels = Box::pin(receive::<&str>());
        assert!(poll_once(&mut travels).await.is_none());
        let other: Pid = spawn(async move {
            let text = travels.await;
            send(me, text);
        });
        send(other, "found");
        assert_eq!(receive::<&str>().await, "found");
        for number in 0..10_u32 {
            assert_eq!(receive::<u32>().await, number);
        }
    });
}

#[test]
fn a_receive_can_wait_on_in_the_next_tenant_of_its_process_place() {
    run(1, async {
        let me = self_pid();
        for _ in 0..20 {
            spawn_monitor(async move {
                for number in 0..10_u32 {
                    send(self_pid(), number);
                }
                yield_now().await;
                let mut travels = Box::pin(receive::<char>());
                assert!(poll_once(&mut travels).await.is_none());
                send(me, travels);
            });
            let mut travels = receive::<Pin<Box<regrow_runtime::Receive<char>>>>().await;
            receive::<Down>().await;
            // On one worker, the place that became free last is used first.
            let heir = spawn(async move {
                let found = (&mut travels).await;
                send(me, found);
            });
            send(heir, 'x');
            assert_eq!(receive::<char>().await, 'x');
        }
    });
}

#[test]
fn exits_and_downs_wake_children_too() {
    run(2, async {
        trap_exit(true);
        for _ in 0..200 {
            let mut set = Set::new();
            set.add(async { receive::<Exit>().await.pid });
            set.add(async { receive::<Down>().await.pid });
            let linked = spawn_link(async {});
            let (monitored, _) = spawn_monitor(async {});
            assert_eq!(set.all().await, [linked, monitored]);
        }
    });
}

#[test]
fn an_executor_that_polls_as_long_as_anything_is_woken_is_not_kept_busy() {
    run(1, async {
        let woken = Arc::new(Flag {
            woken: AtomicBool::new(true),
            set: Mutex::new(None),
        });
        let waker = Waker::from(woken.clone());
        let mut waits: Vec<Task<()>> = vec![
            Box::pin(async {
                for _ in 0..10 {
                    yield_now().await;
                }
            }),
            Box::pin(async {
                for _ in 0..10 {
                    consume_reductions(1_000_000);
                    let (reply_to, reply) = reply_channel();
                    send(self_pid(), 1_u8);
                    receive::<u8>().await;
                    reply_to.send(());
                    reply.await.unwrap();
                }
            }),
        ];
        let mut most = 0;
        for waits in &mut waits {
            woken.woken.store(true, Ordering::SeqCst);
            poll_fn(|cx| {
                *woken.set.lock().unwrap() = Some(cx.waker().clone());
                let mut polls = 0;
                while woken.woken.swap(false, Ordering::SeqCst) && polls < 1_000 {
                    polls += 1;
                    let polled = waits.as_mut().poll(&mut Context::from_waker(&waker));
                    if polled.is_ready() {
                        return Poll::Ready(());
                    }
                }
                most = most.max(polls);
                Poll::Pending
            })
            .await;
        }
        assert_eq!(most, 1, "each yield ends the turn");
    });
}
