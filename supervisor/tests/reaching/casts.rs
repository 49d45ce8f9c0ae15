use std::thread;

use regrow_runtime::{
    MailboxPolicy, Runtime, SpawnOptions, TrySendError, is_alive, self_pid, send, sleep, spawn,
};

use super::*;

/// A process that takes numbers once it is let go, and hands them on.
fn busy(max: usize, policy: MailboxPolicy) -> (ServerRef<u32>, Switch) {
    let (test, go) = (self_pid(), Switch::default());
    let let_go = go.clone();
    let options = SpawnOptions::new().mailbox_limit(max, policy).link();
    let body = async move {
        while !go.is_on() {
            sleep(millis(1)).await;
        }
        loop {
            let n: u32 = receive().await;
            send(test, n);
        }
    };
    (
        ServerRef::from_pid(options.spawn(body).unwrap().pid),
        let_go,
    )
}

#[test]
fn try_cast_gives_back_what_cannot_be_delivered() {
    run(|| async {
        let (full, _) = busy(2, MailboxPolicy::Refuse);
        assert_eq!(full.try_cast(1), Ok(()));
        assert_eq!(full.try_cast(2), Ok(()));
        assert_eq!(full.try_cast(3), Err(TrySendError::Full(3)));
        full.cast(4); // lost without a word
        regrow_runtime::exit(full.pid().unwrap(), ExitReason::Kill);
        while is_alive(full.pid().unwrap()).await {}
        assert_eq!(full.try_cast(5), Err(TrySendError::NoProc(5)));
        let nobody = Name::<u32>::new("nobody").server_ref();
        assert_eq!(nobody.try_cast(6), Err(TrySendError::NoProc(6)));
    });
}

#[test]
fn cast_wait_waits_for_room_and_keeps_the_order() {
    run(|| async {
        let (full, go) = busy(1, MailboxPolicy::Wait);
        full.cast_wait(0).await.unwrap();
        let sender = {
            let full = full.clone();
            spawn(async move {
                for n in 1..10 {
                    full.cast_wait(n).await.unwrap();
                }
            })
        };
        let waiting = regrow_runtime::timeout(millis(2), full.cast_wait(100)).await;
        assert!(waiting.is_err());
        assert!(is_alive(sender).await);
        go.set(true);
        for n in 0..10 {
            assert_eq!(receive::<u32>().await, n);
        }
    });
}

#[test]
fn cast_wait_tells_at_once_that_nobody_is_there_and_later_that_nobody_is_left() {
    run(|| async {
        let nobody = Name::<u32>::new("nobody").server_ref();
        assert_eq!(nobody.cast_wait(1).await, Err(TrySendError::NoProc(1)));
        let (full, _) = busy(1, MailboxPolicy::Wait);
        full.cast_wait(2).await.unwrap();
        let waiting = full.cast_wait(3);
        let pid = full.pid().unwrap();
        spawn(async move { regrow_runtime::exit(pid, ExitReason::Kill) });
        assert_eq!(waiting.await, Err(TrySendError::NoProc(3)));
    });
}

#[test]
fn a_reference_by_pid_works_on_any_thread() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let pid = runtime.block_on(async { Server::start(()).name(NAME).await.unwrap() });
    let by_name = NAME.server_ref_on(&handle);
    thread::spawn(move || {
        assert_eq!(by_name.pid(), pid.pid());
        let stop = Command::StopWith(ExitReason::Normal, regrow_runtime::reply_channel().0);
        pid.cast(Command::Wait);
        pid.try_cast(stop).unwrap();
        send(pid.pid().unwrap(), Go);
        while by_name.pid().is_some() {
            thread::yield_now();
        }
        assert!(by_name.try_cast(Command::Wait).is_err());
    })
    .join()
    .unwrap();
}

#[test]
fn a_reference_on_a_runtime_prints_its_name_and_equals_its_clones() {
    let runtime = Runtime::new().unwrap();
    let server = NAME.server_ref_on(&runtime.handle());
    assert_eq!(server.to_string(), "server");
    assert_eq!(server, server.clone());
    assert_ne!(server, NAME.server_ref_on(&runtime.handle()));
    assert_ne!(server, NAME.server_ref());
}
