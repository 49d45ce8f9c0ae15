//! A timer goes with the process that it is aimed at.

mod common;
#[path = "common/timers.rs"]
mod timers;

use std::future::pending;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use common::run;
use regrow_runtime::{
    Down, EventKinds, Exit, ExitReason, Handle, MailboxPolicy, Pid, ReplyError, Runtime,
    cancel_timer, exit, mailbox_limit, monitor, processes, read_timer, receive, receive_down,
    reply_channel, self_pid, send, send_after, send_interval, set_label, sleep, spawn, spawn_link,
    spawn_monitor, start_timer, subscribe, trap_exit, yield_now,
};
use timers::{Drops, MINUTE, armed, ms, until};

#[test]
fn a_timer_and_its_message_go_before_the_down_of_its_target_comes() {
    run(2, async {
        // More than what is taken out under one lock.
        for timers in [1, 2, 1_000] {
            let drops = Drops::default();
            let (pid, _) = spawn_monitor(pending::<()>());
            let armed_here: Vec<_> = (0..timers)
                .map(|_| send_after(MINUTE, pid, drops.message()))
                .collect();
            assert_eq!((drops.count(), armed()), (0, timers));
            exit(pid, ExitReason::Kill);
            receive::<Down>().await;
            assert_eq!((drops.count(), armed()), (timers, 0));
            for timer in armed_here {
                assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
            }
        }
    });
}

#[test]
fn a_timer_goes_whichever_way_its_target_ends() {
    run(2, async {
        trap_exit(true);
        for way in 0..4 {
            let drops = Drops::default();
            let message = drops.message();
            let child = spawn_link(async move {
                // Its own timer, and one that nobody else knows of.
                start_timer(MINUTE, self_pid(), message);
                receive::<()>().await;
                match way {
                    0 => {}
                    1 => exit(self_pid(), ExitReason::Kill),
                    2 => panic!("on purpose"),
                    _ => pending().await,
                }
            });
            send_interval(MINUTE, child, "again");
            until("it arms its own", || armed() == 2).await;
            match way {
                3 => exit(child, ExitReason::Shutdown),
                _ => send(child, ()),
            }
            let told = receive::<Exit>().await;
            assert_eq!(told.pid, child);
            assert_eq!((drops.count(), armed()), (1, 0), "way {way}");
        }
    });
}

#[test]
fn timers_that_others_armed_anywhere_go_as_well() {
    let runtime = Runtime::builder().workers(3).build().unwrap();
    let drops = Drops::default();
    let target = runtime.spawn(pending::<()>());
    for _ in 0..50 {
        let drops = drops.clone();
        runtime.spawn(async move {
            for _ in 0..20 {
                send_after(MINUTE, target, drops.message());
                yield_now().await;
            }
        });
    }
    let handle = runtime.handle();
    let thread = {
        let (handle, drops) = (handle.clone(), drops.clone());
        std::thread::spawn(move || {
            for _ in 0..1_000 {
                handle.send_after(MINUTE, target, drops.message());
            }
        })
    };
    thread.join().unwrap();
    let counted = drops.clone();
    let left = runtime.block_on(async move {
        let own = send_after(MINUTE, self_pid(), ());
        until("all are armed", || armed() == 2_001).await;
        monitor(target);
        exit(target, ExitReason::Kill);
        receive::<Down>().await;
        let left = (counted.count(), armed());
        assert!(cancel_timer(own).is_some());
        left
    });
    // Somebody else's timer stays.
    assert_eq!(left, (2_000, 1));
}

#[test]
fn a_timer_for_a_dead_process_never_is() {
    run(1, async {
        let drops = Drops::default();
        let (dead, _) = spawn_monitor(async {});
        receive::<Down>().await;
        // Somebody else lives in its slot by now.
        let heir = spawn(pending::<()>());
        let timers = [
            send_after(MINUTE, dead, drops.message()),
            start_timer(MINUTE, dead, drops.message()),
            Handle::current().send_after(Duration::ZERO, dead, drops.message()),
            send_interval(MINUTE, dead, ()),
        ];
        assert_eq!((drops.count(), armed()), (3, 0));
        for timer in timers {
            assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
        }
        let (sender, reply) = reply_channel::<()>();
        send_after(MINUTE, dead, sender);
        assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::NoProc)));
        exit(heir, ExitReason::Kill);
    });
}

#[test]
fn a_call_in_a_timers_message_fails_with_the_reason_after_links_were_told() {
    run(2, async {
        trap_exit(true);
        for _ in 0..100 {
            let pid = spawn_link(pending::<()>());
            let (sender, reply) = reply_channel::<()>();
            send_after(MINUTE, pid, sender);
            exit(pid, ExitReason::Shutdown);
            assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::Shutdown)));
            let told = receive::<Exit>().timeout(Duration::ZERO).await;
            assert_eq!(told.map(|exit| exit.pid).ok(), Some(pid));
        }
    });
}

#[test]
fn the_drop_of_a_timers_message_runs_as_the_target_and_may_do_anything() {
    struct Evil(Handle, Pid, Pid, Drops);
    impl Drop for Evil {
        fn drop(&mut self) {
            let Evil(handle, test, dead, drops) = self;
            if regrow_runtime::try_self_pid() == Some(*dead) {
                drop(drops.message());
            }
            // It is dead: these come to nothing.
            send(*dead, drops.message());
            send_after(MINUTE, *dead, drops.message());
            handle.send_after(MINUTE, *dead, drops.message());
            assert!(regrow_runtime::register("evil", *dead).is_err());
            // Its links are told still.
            regrow_runtime::link(*test);
            panic!("in a drop");
        }
    }
    run(2, async {
        trap_exit(true);
        let drops = Drops::default();
        let (pid, _) = spawn_monitor(pending::<()>());
        for _ in 0..3 {
            let evil = Evil(Handle::current(), self_pid(), pid, drops.clone());
            send_after(MINUTE, pid, evil);
        }
        exit(pid, ExitReason::Kill);
        assert_eq!(receive::<Down>().await.reason, ExitReason::Killed);
        assert_eq!((drops.count(), armed()), (12, 0));
        let told = receive::<Exit>().await;
        assert_eq!((told.pid, told.reason), (pid, ExitReason::Killed));
    });
}

#[test]
fn a_message_that_panics_in_its_drop_does_not_hurt_who_cancels_its_timer() {
    struct Evil;
    impl Drop for Evil {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    run(1, async {
        let timer = send_after(MINUTE, self_pid(), Evil);
        assert!(cancel_timer(timer).is_some());
        assert_eq!(armed(), 0);
    });
}

#[test]
fn arming_at_a_process_that_dies_at_that_moment_leaves_nothing() {
    const ARMERS: usize = 3;
    run(3, async {
        let drops = Drops::default();
        let mut timers = 0;
        let me = self_pid();
        for round in 0..400 {
            let target = spawn(pending::<()>());
            monitor(target);
            for _ in 0..ARMERS {
                let drops = drops.clone();
                spawn(async move {
                    let mut count = 0_usize;
                    // Until it is gone, and once more.
                    while regrow_runtime::is_alive(target).await || count == 0 {
                        send_after(MINUTE, target, drops.message());
                        count += 1;
                    }
                    send_after(MINUTE, target, drops.message());
                    send(me, count + 1);
                });
            }
            for _ in 0..round % 7 {
                yield_now().await;
            }
            exit(target, ExitReason::Kill);
            receive::<Down>().await;
            for _ in 0..ARMERS {
                timers += receive::<usize>().await;
            }
            assert_eq!((drops.count(), armed()), (timers, 0), "round {round}");
        }
    });
}

#[test]
fn arming_from_threads_at_a_process_that_dies_at_that_moment_leaves_nothing() {
    const TIMERS: usize = 300;
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let handle = runtime.handle();
    for round in 0..1_500 {
        let drops = Drops::default();
        let target = runtime.spawn(async { receive::<()>().await });
        let begin = Barrier::new(2);
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let (handle, drops, begin) = (&handle, &drops, &begin);
                scope.spawn(move || {
                    begin.wait();
                    for number in 0..TIMERS {
                        if number == round % 50 && thread == 0 {
                            send(target, ());
                        }
                        handle.send_after(MINUTE, target, drops.message());
                    }
                });
            }
        });
        let patience = Instant::now() + MINUTE / 12;
        while (drops.count(), handle.system_info().timers) != (2 * TIMERS, 0) {
            assert!(Instant::now() < patience, "{} dropped", drops.count());
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_cancel_against_the_death_of_the_target_drops_the_message_once() {
    run(3, async {
        let me = self_pid();
        for round in 0..1_000 {
            let drops = Drops::default();
            let (target, _) = spawn_monitor(pending::<()>());
            let timer = send_after(MINUTE, target, drops.message());
            spawn(async move { send(me, cancel_timer(timer).is_some()) });
            if round % 2 == 0 {
                yield_now().await;
            }
            exit(target, ExitReason::Kill);
            receive::<Down>().await;
            let cancelled = receive::<bool>().await;
            assert_eq!((drops.count(), armed()), (1, 0), "{cancelled}");
        }
    });
}

#[test]
fn a_timer_for_a_process_of_another_runtime_lives_in_that_one() {
    let stays = Runtime::builder().workers(1).build().unwrap();
    let drops = Drops::default();
    let (told, telling) = std::sync::mpsc::channel();
    let target = stays.spawn(async move {
        told.send(receive::<u8>().await).unwrap();
        pending::<()>().await;
    });
    let goes = Runtime::builder().workers(1).build().unwrap();
    let message = drops.message();
    let timer = goes.block_on(async move {
        send_after(ms(30), target, 7_u8);
        let timer = send_after(MINUTE, target, message);
        assert_eq!(armed(), 0);
        assert!(read_timer(timer).is_some());
        timer
    });
    drop(goes);
    assert_eq!(telling.recv_timeout(MINUTE / 3), Ok(7));
    assert_eq!(stays.handle().system_info().timers, 1);
    assert!(read_timer(timer).is_some());
    stays.block_on(async move {
        monitor(target);
        exit(target, ExitReason::Kill);
        receive::<Down>().await;
    });
    assert_eq!((drops.count(), stays.handle().system_info().timers), (1, 0));
}

#[test]
fn the_end_of_a_runtime_drops_the_messages_of_all_its_timers() {
    let drops = Drops::default();
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let handle = runtime.handle();
    let target = runtime.spawn(pending::<()>());
    handle.send_after(MINUTE, target, drops.message());
    handle.send_after(MINUTE, "nobody", drops.message());
    handle.start_timer(MINUTE, "nobody", drops.message());
    let timer = handle.send_interval(MINUTE, "nobody", ());
    drop(runtime);
    assert_eq!(drops.count(), 3);
    // And none can be armed any more.
    handle.send_after(MINUTE, "nobody", drops.message());
    handle.send_after(MINUTE, target, drops.message());
    assert_eq!((drops.count(), read_timer(timer)), (5, None));
}

#[test]
fn a_million_timers_can_wait_at_once() {
    const MILLION: usize = 1_000_000;
    run(2, async {
        let (target, _) = spawn_monitor(pending::<()>());
        let mut timers = Vec::with_capacity(MILLION);
        for number in 0..MILLION {
            // To three processes, and over more than an hour.
            let to = [target, self_pid(), target][number % 3];
            timers.push(send_after(MINUTE + ms(number as u64 * 4), to, number));
        }
        assert_eq!(armed(), MILLION);
        for (number, &timer) in timers.iter().enumerate().step_by(7) {
            let after = MINUTE + ms(number as u64 * 4);
            let left = cancel_timer(timer).unwrap();
            assert!(left <= after && left > after - MINUTE, "{left:?}");
        }
        assert_eq!(armed(), MILLION - MILLION.div_ceil(7));
        exit(target, ExitReason::Kill);
        receive::<Down>().await;
        let mine = |&number: &usize| number % 3 == 1 && number % 7 != 0;
        assert_eq!(armed(), (0..MILLION).filter(mine).count());
        for (number, &timer) in timers.iter().enumerate() {
            assert_eq!(read_timer(timer).is_some(), mine(&number));
        }
        // A short one among them.
        sleep(ms(1)).await;
        assert_eq!(processes().len(), 1);
    });
}

/// Makes the runtime know something of the process that drops it.
struct Lister;

impl Drop for Lister {
    fn drop(&mut self) {
        set_label("late");
        subscribe(EventKinds::SPAWNED);
        mailbox_limit(3, MailboxPolicy::Refuse);
    }
}

#[test]
fn what_the_drop_of_a_timer_s_message_asks_for_goes_with_the_process() {
    run(1, async {
        let (_, reference) = spawn_monitor(async {
            send_after(MINUTE, self_pid(), Lister);
        });
        receive_down(reference).await;
        assert_eq!(Handle::current().system_info().event_subscribers, 0);
    });
}
