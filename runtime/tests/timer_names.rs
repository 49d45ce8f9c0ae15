//! A timer for a name goes with nobody, and looks the name up when its time has come.

mod common;
#[path = "common/timers.rs"]
mod timers;

use std::future::pending;
use std::sync::Arc;

use common::run;
use regrow_runtime::{
    Down, ExitReason, Pid, ReplyError, Runtime, cancel_timer, exit, read_timer, receive,
    reply_channel, self_pid, send, send_after, spawn, spawn_monitor, start_timer,
};
use timers::{Counted, Drops, MINUTE, armed, ms, until};

#[test]
fn a_timer_for_a_name_looks_it_up_when_its_time_has_come() {
    run(2, async {
        let me = self_pid();
        // Nobody has it yet.
        let timer = send_after(ms(20), "late", 1_u8);
        assert!(read_timer(timer).is_some());
        regrow_runtime::register("late", me).unwrap();
        assert_eq!(receive::<u8>().await, 1);
        assert_eq!(read_timer(timer), None);
        // Somebody else has it by then.
        send_after(ms(20), String::from("late"), 2_u8);
        regrow_runtime::unregister("late").unwrap();
        let heir = spawn(async move { send(me, (self_pid(), receive::<u8>().await)) });
        regrow_runtime::register("late", heir).unwrap();
        assert_eq!(receive::<(Pid, u8)>().await, (heir, 2));
    });
}

#[test]
fn a_timer_for_a_name_that_nobody_has_can_be_read_and_cancelled() {
    run(1, async {
        let drops = Drops::default();
        for name in ["nobody", "", &"x".repeat(100_000)] {
            let timer = start_timer(MINUTE, name, drops.message());
            let left = read_timer(timer).unwrap();
            assert!(left <= MINUTE && left > MINUTE / 2);
            assert!(cancel_timer(timer).unwrap() <= left);
            assert_eq!(cancel_timer(timer), None);
        }
        assert_eq!((drops.count(), armed()), (3, 0));
    });
}

#[test]
fn a_message_for_a_name_that_nobody_has_by_then_is_dropped_silently() {
    run(1, async {
        let drops = Drops::default();
        regrow_runtime::register("gone", self_pid()).unwrap();
        send_after(ms(3), "gone", drops.message());
        let (sender, reply) = reply_channel::<()>();
        send_after(ms(3), "gone", sender);
        regrow_runtime::unregister("gone").unwrap();
        assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::NoProc)));
        until("it is dropped", || drops.count() == 1).await;
        assert!(receive::<Counted>().timeout(ms(5)).await.is_err());
    });
}

#[test]
fn a_timer_for_a_name_outlives_whoever_has_the_name() {
    run(2, async {
        let (holder, _) = spawn_monitor(pending::<()>());
        regrow_runtime::register("name", holder).unwrap();
        let timer = start_timer(ms(40), Arc::<str>::from("name"), "hello");
        exit(holder, ExitReason::Kill);
        receive::<Down>().await;
        assert_eq!(armed(), 1);
        regrow_runtime::register("name", self_pid()).unwrap();
        let timed_out = receive::<regrow_runtime::TimedOut<&str>>().await;
        assert_eq!((timed_out.timer, timed_out.message), (timer, "hello"));
    });
}

#[test]
fn a_timer_for_a_name_looks_in_the_runtime_that_it_was_started_in() {
    let (one, other) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let (told, telling) = std::sync::mpsc::channel();
    for (runtime, which) in [(&one, 1), (&other, 2)] {
        let told = told.clone();
        let pid = runtime.spawn(async move { told.send((which, receive::<u8>().await)).unwrap() });
        runtime.handle().register("name", pid).unwrap();
    }
    other.handle().send_after(ms(2), "name", 5_u8);
    assert_eq!(telling.recv_timeout(MINUTE / 3), Ok((2, 5)));
    let handle = other.handle();
    one.block_on(async move { handle.send_after(ms(2), "name", 6_u8) });
    assert!(telling.recv_timeout(ms(50)).is_err(), "nobody has it there");
}
