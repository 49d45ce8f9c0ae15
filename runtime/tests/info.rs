//! Looking at processes: the question is a signal like any other.

mod common;

use std::collections::HashSet;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use common::run;
use regrow_runtime::{
    Down, ExitReason, Handle, Pid, ProcessInfo, Runtime, SpawnOptions, Status, WorkerInfo, alias,
    exit, is_alive, link, monitor, process_info, processes, receive, register, reply_channel,
    self_pid, send, set_label, spawn, spawn_link, spawn_monitor, trap_exit, unalias, unregister,
    yield_now,
};

#[test]
fn the_answer_shows_all_that_the_asker_did_before() {
    run(2, async {
        for _ in 0..300 {
            let other = spawn(pending::<()>());
            for number in 0..5_u32 {
                send(other, number);
            }
            link(other);
            monitor(other);
            register("other", other).unwrap();
            let info = process_info(other).await.unwrap();
            assert_eq!(info.message_queue_len, 5);
            assert_eq!(info.links, [self_pid()]);
            assert_eq!(info.monitored_by, [self_pid()]);
            assert_eq!(info.name.as_deref(), Some("other"));
            regrow_runtime::unlink(other);
            exit(other, ExitReason::Kill);
            assert!(process_info(other).await.is_none());
            receive::<Down>().await;
        }
    });
}

#[test]
fn a_process_sees_its_own_messages_and_itself_running() {
    run(2, async {
        let me = self_pid();
        for number in 0..7_u32 {
            send(me, number);
        }
        let info = process_info(me).await.unwrap();
        assert_eq!((info.pid, info.message_queue_len), (me, 7));
        assert_eq!(info.status, Status::Running);
        receive::<u32>().matching(|n: &u32| *n == 3).await;
        assert_eq!(process_info(me).await.unwrap().message_queue_len, 6);
        trap_exit(true);
        set_label("the first");
        set_label(String::from("the second"));
        let info = process_info(me).await.unwrap();
        assert!(info.trap_exit);
        assert_eq!(info.label.as_deref(), Some("the second"));
    });
}

#[test]
fn one_that_waits_is_waiting_although_it_answers() {
    run(1, async {
        let other = spawn(async {
            loop {
                receive::<u8>().await;
            }
        });
        // Born, and not run yet.
        assert_eq!(process_info(other).await.unwrap().status, Status::Runnable);
        for _ in 0..100 {
            assert_eq!(process_info(other).await.unwrap().status, Status::Waiting);
        }
        send(other, 1_u8);
        assert_eq!(process_info(other).await.unwrap().status, Status::Runnable);
        let yields = spawn(async {
            loop {
                yield_now().await;
            }
        });
        yield_now().await;
        assert_eq!(process_info(yields).await.unwrap().status, Status::Runnable);
    });
}

#[test]
fn asking_a_process_does_not_poll_its_body() {
    run(1, async {
        let polls = Arc::new(Mutex::new(0));
        let count = polls.clone();
        let other = spawn(poll_fn(move |_| {
            *count.lock().unwrap() += 1;
            Poll::<()>::Pending
        }));
        yield_now().await;
        for _ in 0..10 {
            assert!(is_alive(other).await);
        }
        assert_eq!(*polls.lock().unwrap(), 1);
    });
}

#[test]
fn the_dead_answer_nothing() {
    run(2, async {
        let (dead, _) = spawn_monitor(async {});
        receive::<Down>().await;
        assert!(process_info(dead).await.is_none());
        assert!(!is_alive(dead).await);
        assert!(!processes().contains(&dead));
    });
}

#[test]
fn reductions_grow_with_what_a_process_does() {
    run(1, async {
        let before = process_info(self_pid()).await.unwrap().reductions;
        for number in 0..100_u32 {
            send(self_pid(), number);
            receive::<u32>().await;
        }
        let after = process_info(self_pid()).await.unwrap().reductions;
        assert!(after >= before + 200, "{before} {after}");
    });
}

#[test]
fn anybody_may_ask_also_a_thread_and_a_process_of_another_runtime() {
    let (here, there) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let pid = here.spawn(pending::<()>());
    assert!(futures_lite::future::block_on(is_alive(pid)));
    assert!(there.block_on(is_alive(pid)));
    exit(pid, ExitReason::Kill);
    assert!(!futures_lite::future::block_on(is_alive(pid)));
    assert!(!there.block_on(is_alive(pid)));
}

#[test]
fn the_list_has_each_live_process_once_and_no_dead_one() {
    run(3, async {
        let me = self_pid();
        let stays: Vec<Pid> = (0..200).map(|_| spawn(pending::<()>())).collect();
        for _ in 0..200 {
            let dead = spawn(pending::<()>());
            exit(dead, ExitReason::Kill);
            assert!(!is_alive(dead).await);
            // Others come and go meanwhile.
            spawn(async { drop(spawn_link(async {}).to_string()) });
            let listed = processes();
            let set: HashSet<Pid> = listed.iter().copied().collect();
            assert_eq!(set.len(), listed.len(), "none is listed twice");
            assert!(set.contains(&me) && stays.iter().all(|pid| set.contains(pid)));
            assert!(!set.contains(&dead));
        }
    });
}

/// Lists the processes when it is woken.
struct Lists {
    handle: Handle,
    lists: Mutex<Vec<Vec<Pid>>>,
}

impl Wake for Lists {
    fn wake(self: Arc<Self>) {
        let list = self.handle.processes();
        self.lists.lock().unwrap().push(list);
    }
}

#[test]
fn one_in_the_middle_of_its_end_is_not_listed_under_any_pid() {
    run(1, async {
        let (reply_to, mut reply) = reply_channel::<()>();
        let lists = Arc::new(Lists {
            handle: Handle::current(),
            lists: Mutex::default(),
        });
        let waker = Waker::from(lists.clone());
        poll_fn(|_| {
            let mut cx = Context::from_waker(&waker);
            assert!(Pin::new(&mut reply).poll(&mut cx).is_pending());
            Poll::Ready(())
        })
        .await;
        spawn_monitor(async move {
            let _held = reply_to;
            panic!("told to the caller past the point of death")
        });
        receive::<Down>().await;
        assert_eq!(*lists.lists.lock().unwrap(), [[self_pid()]]);
    });
}

#[test]
fn no_pid_is_listed_before_its_birth() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let handle = runtime.handle();
    runtime.block_on(async move {
        register("taken", self_pid()).unwrap();
        for _ in 0..4 {
            spawn(async {
                loop {
                    let (_, reference) = spawn_monitor(async {});
                    let refused = SpawnOptions::new().name("taken").spawn(async {});
                    assert!(refused.is_err());
                    let mine = move |down: &Down| down.reference == reference;
                    receive::<Down>().matching(mine).await;
                }
            });
        }
        for _ in 0..500 {
            let earlier: HashSet<Pid> = handle.processes().into_iter().collect();
            for _ in 0..20 {
                let (newborn, _) = spawn_monitor(async {});
                assert!(!earlier.contains(&newborn), "{newborn} was listed before");
            }
            for _ in 0..20 {
                receive::<Down>().await;
            }
        }
    });
}

#[test]
fn the_counters_of_the_runtime_add_up_when_it_is_quiet() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    runtime.block_on(async {
        let children: Vec<_> = (0..50).map(|_| spawn_monitor(async {})).collect();
        for _ in children {
            receive::<Down>().await;
        }
    });
    let handle = runtime.handle();
    // The process of `block_on` answers before it is quite gone.
    while handle.system_info().processes > 0 {
        std::thread::yield_now();
    }
    let info = handle.system_info();
    assert_eq!((info.spawned, info.queued, info.timers), (51, 0, 0));
    let sum = |of: fn(&WorkerInfo) -> u64| info.workers.iter().map(of).sum::<u64>();
    assert!(sum(|worker| worker.turns) >= 51);
    assert_eq!(sum(|worker| worker.births), 50); // one came from outside
    assert_eq!(sum(|worker| worker.deaths), 51);
}

#[test]
fn messages_are_listed_by_type_oldest_first_also_ones_own() {
    struct Mine;
    run(2, async {
        for target in [spawn(pending::<()>()), self_pid()] {
            send(target, 'a');
            send(target, 2_u32);
            send(target, Mine);
            send(target, "d");
            let info = process_info(target).await.unwrap();
            assert_eq!(info.message_queue_len, 4);
            let mine = std::any::type_name::<Mine>();
            assert_eq!(info.messages, ["char", "u32", mine, "&str"]);
        }
        receive::<Mine>().await;
        let info = process_info(self_pid()).await.unwrap();
        assert_eq!(info.messages, ["char", "u32", "&str"]);
    });
}

#[test]
fn a_long_mailbox_is_shown_by_its_oldest_messages_and_estimated_by_them() {
    run(1, async {
        const MAX: usize = ProcessInfo::MESSAGES_MAX;
        let other = spawn(pending::<()>());
        let empty = process_info(other).await.unwrap();
        for _ in 0..MAX {
            send(other, [0_u64; 13]);
        }
        for _ in 0..9 * MAX {
            send(other, ());
        }
        let full = process_info(other).await.unwrap();
        assert_eq!(full.message_queue_len, 10 * MAX);
        assert_eq!(full.messages, vec!["[u64; 13]"; MAX]);
        // 24 bytes of header and 13 words each, as far as anybody looked.
        assert_eq!(full.memory - empty.memory, 10 * MAX * 128);
    });
}

#[test]
fn memory_counts_the_future_the_tables_and_the_messages() {
    run(1, async {
        async fn with_room<const N: usize>() {
            let room = [1_u8; N];
            pending::<()>().await;
            assert_eq!(room[N - 1], 1);
        }
        let memory = async |pid| process_info(pid).await.unwrap().memory;
        let small = spawn(with_room::<8>());
        let large = spawn(with_room::<10_008>());
        assert_eq!(memory(large).await - memory(small).await, 10_000);
        assert!(
            memory(small).await <= 112 + 32 + 64,
            "an idle process is small"
        );

        let before = memory(small).await;
        for _ in 0..100 {
            monitor(small);
        }
        let watched = memory(small).await;
        assert!(watched - before >= 99 * size_of::<(u64, Pid)>());
        send(small, [0_u8; 1_000]);
        assert_eq!(memory(small).await - watched, 1_024);
    });
}

#[test]
fn garbage_collect_gives_back_room_and_nothing_that_is_in_use() {
    run(1, async {
        trap_exit(true);
        let me = self_pid();
        let memory = async || process_info(me).await.unwrap().memory;
        let fresh = memory().await;
        let others: Vec<Pid> = (0..50).map(|_| spawn(pending::<()>())).collect();
        for other in &others {
            link(*other);
        }
        let monitors: Vec<_> = others.iter().map(|other| monitor(*other)).collect();
        let kept = alias();
        for other in &others[2..] {
            regrow_runtime::unlink(*other);
        }
        for reference in &monitors[1..] {
            regrow_runtime::demonitor(*reference);
        }
        let before = memory().await;
        regrow_runtime::garbage_collect();
        assert!(memory().await < before);
        let info = process_info(me).await.unwrap();
        assert_eq!(
            info.links.iter().collect::<HashSet<_>>(),
            others[..2].iter().collect()
        );
        assert_eq!((info.monitors.len(), info.aliases), (1, 1));
        exit(others[0], ExitReason::Kill);
        receive::<Down>().await;
        receive::<regrow_runtime::Exit>().await;
        kept.send("through it");
        assert_eq!(receive::<&str>().await, "through it");
        unalias(kept);
        regrow_runtime::unlink(others[1]);
        regrow_runtime::garbage_collect();
        assert_eq!(memory().await, fresh, "all tables are gone");
    });
}

#[test]
fn a_thread_asks_by_blocking_and_sees_what_it_did_before() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let handle = runtime.handle();
    for _ in 0..100 {
        let pid = runtime.spawn(pending::<()>());
        for number in 0..10_u8 {
            send(pid, number);
        }
        handle.register("asked", pid).unwrap();
        let info = handle.process_info(pid).unwrap();
        assert_eq!((info.pid, info.message_queue_len), (pid, 10));
        assert_eq!(info.name.as_deref(), Some("asked"));
        exit(pid, ExitReason::Kill);
        assert!(handle.process_info(pid).is_none());
    }
}

#[test]
#[should_panic = "`Handle::process_info` must not be called inside a regrow process"]
fn a_process_must_not_block_for_an_answer() {
    run(1, async {
        drop(Handle::current().process_info(self_pid()));
    });
}

#[test]
fn whoever_asks_a_dying_process_gets_no_answer_or_one_from_before() {
    run(2, async {
        for _ in 0..500 {
            let (dying, _) = spawn_monitor(async {
                yield_now().await;
                panic!("in the middle of a question")
            });
            while let Some(info) = process_info(dying).await {
                assert_ne!(info.status, Status::Running, "it did not ask itself");
            }
            receive::<Down>().await;
        }
    });
}

#[test]
fn a_name_that_is_not_there_is_none() {
    run(1, async {
        let info = async || process_info(self_pid()).await.unwrap();
        assert_eq!(info().await.name, None);
        register("here", self_pid()).unwrap();
        assert_eq!(info().await.name.as_deref(), Some("here"));
        unregister("here").unwrap();
        assert_eq!(info().await.name, None);
    });
}

#[test]
fn active_aliases_are_counted() {
    run(1, async {
        let aliases = async || process_info(self_pid()).await.unwrap().aliases;
        let empty = process_info(self_pid()).await.unwrap().memory;
        let mine: Vec<_> = (0..100).map(|_| alias()).collect();
        assert_eq!(aliases().await, 100);
        assert!(process_info(self_pid()).await.unwrap().memory > empty + 100 * 9);
        mine.into_iter().for_each(|it| assert!(unalias(it)));
        assert_eq!(aliases().await, 0);
    });
}
