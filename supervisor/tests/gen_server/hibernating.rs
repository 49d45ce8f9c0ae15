//! Hibernation: what it gives back, what wakes a server, and that no system message does.

use regrow_runtime::{ExitReason, MailboxPolicy, process_info, send, sleep, yield_now};
use regrow_supervisor::{Next, sys};

use crate::common::*;
use crate::probe::{self, Do, Foreign, Step, act, answer, probe, started, step, steps};

async fn hibernates(server: &probe::Ref) -> bool {
    sys::get_status(server).await.unwrap().hibernating
}

#[test]
fn hibernate_runs_the_callback_and_any_message_wakes_the_server() {
    run(|| async {
        let server = started().await;
        assert!(!hibernates(&server).await);
        server.cast(answer(Next::Hibernate));
        assert_eq!(step().await, "hibernate");
        // It is asked, answers, and goes back to where it was.
        assert!(hibernates(&server).await);
        assert_eq!(step().await, "hibernate");
        server.cast(Do::Mark("wakes it"));
        assert_eq!(step().await, "wakes it");
        assert!(!hibernates(&server).await);
        assert_none::<Step>().await;
    });
}

#[test]
fn a_server_hibernates_from_init_info_and_timeouts_as_from_handle() {
    run(|| async {
        let server = probe(|cx| {
            cx.after_init(Next::Hibernate);
            Ok(())
        });
        let server = server.await.unwrap();
        assert_eq!(step().await, "hibernate");
        server.cast(act(|_, cx| {
            let _ = cx.timeout(millis(1), answer(Next::Hibernate));
            Next::Hibernate
        }));
        assert_eq!(steps(2).await, ["hibernate", "hibernate"]);
        assert!(hibernates(&server).await);
    });
}

#[test]
fn messages_that_wait_are_handled_though_the_server_was_told_to_hibernate() {
    run(|| async {
        let server = started().await;
        sys::suspend(&server).await.unwrap();
        server.cast(answer(Next::Hibernate));
        server.cast(Do::Mark("one"));
        server.cast(Do::Mark("two"));
        sys::resume(&server).await.unwrap();
        assert_eq!(steps(3).await, ["hibernate", "one", "two"]);
        assert!(!hibernates(&server).await);
    });
}

#[test]
fn suspend_and_resume_leave_a_hibernating_server_in_hibernation() {
    run(|| async {
        let server = started().await;
        server.cast(answer(Next::Hibernate));
        assert_eq!(step().await, "hibernate");
        sys::suspend(&server).await.unwrap();
        assert!(hibernates(&server).await);
        sys::resume(&server).await.unwrap();
        assert_eq!(step().await, "hibernate");
        assert!(hibernates(&server).await);
    });
}

#[test]
fn hibernate_after_lets_an_idle_server_hibernate_once_per_wait() {
    run(|| async {
        let server = probe(|_| Ok(())).hibernate_after(millis(5)).await.unwrap();
        assert_eq!(step().await, "hibernate");
        server.cast(Do::Mark("wakes it"));
        assert_eq!(steps(2).await, ["wakes it", "hibernate"]);
        send(server.pid().unwrap(), Foreign("wakes it"));
        assert_eq!(steps(2).await, ["foreign wakes it", "hibernate"]);
        sleep(millis(20)).await;
        assert_none::<Step>().await;
        assert!(hibernates(&server).await);
    });
}

#[test]
fn hibernate_after_waits_for_no_timeout() {
    run(|| async {
        let server = probe(|_| Ok(())).hibernate_after(millis(5)).await.unwrap();
        assert_eq!(step().await, "hibernate");
        server.cast(answer(Next::Timeout(millis(20))));
        assert_eq!(steps(2).await, ["timeout", "hibernate"]);
        server.cast(act(|_, cx| cx.timeout(millis(20), Foreign("event"))));
        assert_eq!(steps(2).await, ["foreign event", "hibernate"]);
    });
}

#[test]
fn a_hibernating_server_gives_back_the_room_in_its_tables() {
    run(|| async {
        let server = started().await;
        let pid = server.pid().unwrap();
        let call = server.call(|reply| {
            act(|_, _| {
                let aliases: Vec<_> = (0..40).map(|_| regrow_runtime::alias()).collect();
                for alias in aliases {
                    regrow_runtime::unalias(alias);
                }
                reply.send(());
                Next::Continue
            })
        });
        call.await.unwrap();
        let before = process_info(pid).await.unwrap().memory;
        server.cast(answer(Next::Hibernate));
        assert_eq!(step().await, "hibernate");
        yield_now().await;
        assert!(process_info(pid).await.unwrap().memory < before);
    });
}

#[test]
fn a_panic_in_hibernate_ends_the_server() {
    run(|| async {
        let server = started().await;
        server.cast(act(|probe, _| {
            probe.hibernate = || panic!("cannot sleep");
            Next::Hibernate
        }));
        assert_eq!(step().await, "hibernate");
        let terminated = step().await;
        assert!(terminated.ends_with("cannot sleep"), "{terminated}");
        let reason = exited(server.pid().unwrap()).await;
        assert!(matches!(reason, ExitReason::Panic(_)));
    });
}

#[test]
fn a_limited_mailbox_keeps_no_system_message_out() {
    run(|| async {
        let server = probe(|_| Ok(())).mailbox_limit(1, MailboxPolicy::Refuse);
        let server = server.await.unwrap();
        sys::suspend(&server).await.unwrap();
        server.cast(Do::Mark("waits"));
        server.cast(Do::Mark("is dropped"));
        let status = sys::get_status(&server).await.unwrap();
        assert_eq!((status.suspended, status.message_queue_len), (true, 1));
        sys::resume(&server).await.unwrap();
        assert_eq!(step().await, "waits");
        server.cast(Do::Mark("again there is room"));
        assert_eq!(step().await, "again there is room");
    });
}
