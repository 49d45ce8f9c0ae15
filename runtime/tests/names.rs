//! Registered names: one for a process, one process for a name, free at its end.

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use common::run_and_simulate;
use regrow_runtime::{
    Down, ExitReason, Handle, MonitorRef, Pid, RegisterError, Runtime, SpawnError, SpawnOptions,
    exit, is_alive, monitor, process_info, receive, register, registered, self_pid, send,
    send_named, spawn, spawn_monitor, unregister, whereis, yield_now,
};

async fn down(reference: MonitorRef) -> ExitReason {
    let mine = move |down: &Down| down.reference == reference;
    receive::<Down>().matching(mine).await.reason
}

async fn name_of(pid: Pid) -> Option<Arc<str>> {
    process_info(pid).await.expect("it lives").name
}

#[test]
fn a_name_leads_to_one_process_and_a_process_has_one_name() {
    run_and_simulate(2, || async {
        let me = self_pid();
        let other = spawn(pending::<()>());
        assert_eq!(name_of(me).await, None);
        register("one", me).unwrap();
        assert_eq!(whereis("one"), Some(me));
        assert_eq!(name_of(me).await.as_deref(), Some("one"));
        let taken = |pid| RegisterError::NameTaken {
            name: "one".into(),
            pid,
        };
        assert_eq!(register("one", other), Err(taken(me)));
        assert_eq!(register("one", me), Err(taken(me)), "its own, too");
        let named = RegisterError::AlreadyNamed {
            pid: me,
            name: "one".into(),
        };
        assert_eq!(register("two", me), Err(named));
        register("two", other).unwrap();
        let mut names = registered();
        names.sort();
        assert_eq!(
            names.iter().map(|it| &**it).collect::<Vec<_>>(),
            ["one", "two"]
        );
    });
}

#[test]
fn a_name_that_was_given_up_can_be_given_again() {
    run_and_simulate(2, || async {
        let me = self_pid();
        let other = spawn(pending::<()>());
        register("one", me).unwrap();
        unregister("one").unwrap();
        assert_eq!(whereis("one"), None);
        assert_eq!(name_of(me).await, None);
        assert_eq!(&*unregister("one").unwrap_err().0, "one");
        register("one", other).unwrap();
        register("another", me).unwrap();
        // Anybody may take a name away.
        unregister("one").unwrap();
        assert_eq!(registered().len(), 1);
    });
}

#[test]
fn the_dead_and_the_empty_name_are_refused() {
    run_and_simulate(2, || async {
        let (dead, reference) = spawn_monitor(async {});
        down(reference).await;
        assert_eq!(register("late", dead), Err(RegisterError::NoProc(dead)));
        assert_eq!(register("", self_pid()), Err(RegisterError::EmptyName));
        let named = SpawnOptions::new().name("").spawn(async {});
        assert_eq!(named.unwrap_err(), SpawnError::EmptyName);
        assert!(registered().is_empty());
    });
}

#[test]
fn a_message_to_a_name_reaches_who_has_it_now_and_comes_back_if_nobody_has() {
    run_and_simulate(2, || async {
        let error = send_named("nobody", String::from("hello")).unwrap_err();
        assert_eq!(&*error.name, "nobody");
        assert_eq!(error.into_inner(), "hello");
        register("me", self_pid()).unwrap();
        send_named("me", 1_u8).unwrap();
        unregister("me").unwrap();
        assert!(send_named("me", 2_u8).is_err());
        assert_eq!(receive::<u8>().await, 1);
    });
}

#[test]
fn a_process_born_with_a_name_has_it_before_it_runs() {
    run_and_simulate(2, || async {
        for _ in 0..500 {
            let options = SpawnOptions::new().name("born").monitor();
            let child = options.clone().spawn(async {
                let mine = whereis("born") == Some(self_pid());
                receive::<()>().await;
                assert!(mine);
            });
            let child = child.unwrap();
            assert_eq!(whereis("born"), Some(child.pid));
            send_named("born", ()).unwrap();
            assert_eq!(receive::<Down>().await.reason, ExitReason::Normal);
        }
    });
}

#[test]
fn a_body_whose_name_is_taken_is_dropped_and_never_runs() {
    struct Falls(Arc<AtomicBool>);
    impl Drop for Falls {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    run_and_simulate(2, || async {
        let me = self_pid();
        register("taken", me).unwrap();
        let dropped = Arc::new(AtomicBool::new(false));
        let falls = Falls(dropped.clone());
        let options = SpawnOptions::new().name("taken").link().monitor();
        let error = options.spawn(async move {
            drop(falls);
            exit(me, ExitReason::Kill);
        });
        let wanted = SpawnError::NameTaken {
            name: "taken".into(),
            pid: me,
        };
        assert_eq!(error.unwrap_err(), wanted);
        assert!(dropped.load(Ordering::SeqCst));
        let info = process_info(me).await.unwrap();
        assert_eq!((info.links, info.monitors), (vec![], vec![]));
        assert_eq!(regrow_runtime::processes(), [me]);
    });
}

#[test]
fn of_many_that_want_a_name_one_gets_it() {
    run_and_simulate(4, || async {
        let me = self_pid();
        for _ in 0..200 {
            let rivals: Vec<Pid> = (0..8)
                .map(|_| {
                    spawn(async move {
                        receive::<()>().await;
                        let won = register("prize", self_pid());
                        let lost = match won {
                            Ok(()) => None,
                            Err(RegisterError::NameTaken { pid, .. }) => Some(pid),
                            Err(error) => panic!("{error}"),
                        };
                        send(me, (self_pid(), lost));
                        pending::<()>().await;
                    })
                })
                .collect();
            for rival in &rivals {
                send(*rival, ());
            }
            let mut outcomes = Vec::new();
            for _ in &rivals {
                outcomes.push(receive::<(Pid, Option<Pid>)>().await);
            }
            let winner = whereis("prize").expect("somebody won");
            for (rival, beaten_by) in outcomes {
                assert_eq!(beaten_by, (rival != winner).then_some(winner));
            }
            for rival in rivals {
                exit(rival, ExitReason::Kill);
                assert!(!is_alive(rival).await);
            }
            assert_eq!(whereis("prize"), None);
        }
    });
}

#[test]
fn a_name_given_while_its_process_dies_is_refused_or_released_but_never_stays() {
    run_and_simulate(3, || async {
        let mut given = 0;
        for round in 0..3_000 {
            let (victim, reference) = spawn_monitor(pending::<()>());
            if round % 2 == 0 {
                yield_now().await;
            }
            exit(victim, ExitReason::Kill);
            match register("short-lived", victim) {
                Ok(()) => given += 1,
                Err(error) => assert_eq!(error, RegisterError::NoProc(victim)),
            }
            down(reference).await;
            assert_eq!(whereis("short-lived"), None, "in round {round}");
            assert!(registered().is_empty());
            // Whoever gets the slot next has inherited nothing.
            let heir = spawn(pending::<()>());
            register("heir", heir).unwrap();
            unregister("heir").unwrap();
            exit(heir, ExitReason::Kill);
        }
        assert!(given > 0);
    });
}

#[test]
fn registering_from_another_thread_against_the_end_of_a_process_leaves_no_name() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let handle = runtime.handle();
    let given = Arc::new(AtomicU32::new(0));
    for _ in 0..1_000 {
        let victim = runtime.spawn(async {});
        let rival = {
            let (handle, given) = (handle.clone(), given.clone());
            std::thread::spawn(move || {
                while let Ok(()) = handle.register("short-lived", victim) {
                    given.fetch_add(1, Ordering::SeqCst);
                    // The victim may have taken it along meanwhile.
                    let _ = handle.unregister("short-lived");
                }
            })
        };
        rival.join().unwrap();
        runtime.block_on(async move { while is_alive(victim).await {} });
        assert_eq!(handle.whereis("short-lived"), None);
    }
}

#[test]
fn a_name_is_free_as_soon_as_its_process_is_known_to_be_dead() {
    run_and_simulate(2, || async {
        for _ in 0..3_000 {
            let child = spawn(pending::<()>());
            register("again and again", child).unwrap();
            assert_eq!(whereis("again and again"), Some(child));
            exit(child, ExitReason::Kill);
            assert!(!is_alive(child).await);
            assert_eq!(whereis("again and again"), None);
        }
    });
}

#[test]
fn a_message_sent_by_name_is_ordered_with_those_sent_by_pid_and_with_the_down() {
    run_and_simulate(2, || async {
        let me = self_pid();
        register("collector", me).unwrap();
        for _ in 0..300 {
            let child = spawn(async move {
                for number in 0..10_u32 {
                    match number % 3 {
                        0 => send(me, number),
                        _ => send_named("collector", number).unwrap(),
                    }
                }
            });
            monitor(child);
            for number in 0..10 {
                let message = regrow_runtime::receive_any().await;
                if message.is::<Down>() {
                    // It was dead before it was monitored; nothing else may be late.
                    panic!("the down came before {number}");
                }
                assert_eq!(message.downcast::<u32>().unwrap(), number);
            }
            receive::<Down>().await;
        }
    });
}

#[test]
fn names_belong_to_one_runtime() {
    let (here, there) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let (a, b) = (here.spawn(pending::<()>()), there.spawn(pending::<()>()));
    here.handle().register("same", a).unwrap();
    there.handle().register("same", b).unwrap();
    assert_eq!(here.handle().whereis("same"), Some(a));
    assert_eq!(there.handle().whereis("same"), Some(b));
}

#[test]
fn a_name_never_outlives_its_process_not_even_one_of_another_runtime() {
    let (here, there) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let guest = there.spawn(pending::<()>());
    // Whether this is allowed is not the question.
    let _ = here.handle().register("guest", guest);
    drop(there);
    assert_eq!(here.handle().whereis("guest"), None);
}

#[test]
fn a_handle_serves_names_from_any_thread() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let handle = runtime.handle();
    let reads = runtime.spawn(async {
        let (word, back) = receive::<(&str, std::sync::mpsc::Sender<&str>)>().await;
        back.send(word).unwrap();
    });
    let thread = std::thread::spawn(move || {
        handle.register("reader", reads).unwrap();
        assert_eq!(handle.whereis("reader"), Some(reads));
        let (sender, receiver) = std::sync::mpsc::channel();
        let sent = handle.send_named("reader", ("word", sender));
        assert!(sent.is_ok());
        assert_eq!(receiver.recv(), Ok("word"));
        until_free(&handle);
        assert!(handle.send_named("reader", ()).is_err());
    });
    thread.join().unwrap();

    fn until_free(handle: &Handle) {
        while handle.whereis("reader").is_some() {
            std::thread::yield_now();
        }
    }
}
