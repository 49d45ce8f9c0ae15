//! A simulation is closed: what is outside does not get in, and what is inside not out.

use std::future::pending;
use std::future::poll_fn;
use std::io;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use regrow_runtime::net::{TcpListener, TcpStream};
use regrow_runtime::simulation::{Simulation, SimulationErrorKind, random_below, seed};
use regrow_runtime::{
    Down, ExitReason, Handle, MailboxPolicy, Pid, Reply, ReplyError, Runtime, SpawnError,
    SpawnOptions, blocking, exit, is_alive, link, monitor, monotonic_time, receive, reply_channel,
    self_pid, send, send_after, simulate, sleep, spawn_monitor, try_send, yield_now,
};

/// Does something on another thread, which is over when this returns.
fn on_another_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(work).join().unwrap()
}

#[test]
fn a_wake_from_another_thread_is_lost_and_named_at_the_standstill() {
    let error = Simulation::new(1).run(async {
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            on_another_thread(move || waker.wake());
            Poll::<()>::Pending
        })
        .await;
    });
    let error = error.unwrap_err();
    let SimulationErrorKind::Deadlock(standstill) = &error.kind else {
        panic!("{error}");
    };
    assert!(standstill.processes[0].tried_from_outside >= 1);
    let wanted = "a thread outside the simulation tried to reach <0.1.1>";
    assert!(error.to_string().contains(wanted), "{error}");
}

#[test]
fn a_message_from_another_thread_is_lost_and_a_call_in_it_told_so() {
    let error = Simulation::new(1).run(async {
        let me = self_pid();
        let answer = on_another_thread(move || {
            let (reply_to, mut reply) = reply_channel::<()>();
            send(me, reply_to);
            exit(me, ExitReason::Kill);
            poll_once(&mut reply)
        });
        assert_eq!(answer, Some(Err(ReplyError::Exit(ExitReason::NoProc))));
        receive::<()>().await;
    });
    let error = error.unwrap_err();
    let SimulationErrorKind::Deadlock(standstill) = &error.kind else {
        panic!("{error}");
    };
    // Tests beside this one may add theirs: all simulations number alike.
    assert!(standstill.processes[0].tried_from_outside >= 2, "{error}");
}

fn poll_once(reply: &mut Reply<()>) -> Option<Result<(), ReplyError>> {
    futures_lite::future::block_on(futures_lite::future::poll_once(reply))
}

#[test]
fn another_thread_can_neither_spawn_nor_arm_timers_through_a_handle() {
    simulate(1, async {
        let (handle, me) = (Handle::current(), self_pid());
        let refused = on_another_thread(move || {
            handle.send_after(Duration::ZERO, me, "too late");
            assert!(handle.register("name", me).is_err());
            let local = handle.spawn_local_with(SpawnOptions::new(), pending::<()>);
            assert_eq!(local.unwrap_err(), SpawnError::Simulation);
            handle
                .spawn_with(SpawnOptions::new(), async {})
                .unwrap_err()
        });
        assert_eq!(refused, SpawnError::Simulation);
        assert_eq!(Handle::current().system_info().timers, 0);
        assert!(
            receive::<&str>()
                .timeout(Duration::from_secs(1))
                .await
                .is_err()
        );
        assert_eq!(Handle::current().system_info().spawned, 1);
        // From within it works.
        let inside = Handle::current();
        inside.spawn(async move { send(me, "inside") });
        inside.send_after(Duration::ZERO, me, 5_u8);
        assert_eq!(receive::<&str>().await, "inside");
        assert_eq!(receive::<u8>().await, 5);
    });
}

#[test]
fn a_simulated_process_that_signals_one_outside_ends_with_a_panic_that_says_so() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let outside = runtime.spawn(async {
        let message = receive::<&str>().await;
        panic!("nothing comes out of a simulation, not even {message}");
    });
    type Act = (&'static str, fn(Pid));
    let acts: [Act; 5] = [
        ("send", |to| send(to, "hello")),
        ("link", link),
        ("monitor", |to| _ = monitor(to)),
        ("exit", |to| exit(to, ExitReason::Kill)),
        ("send_after", |to| {
            _ = send_after(Duration::ZERO, to, "hello")
        }),
    ];
    for (name, act) in acts {
        let reason = simulate(1, async move {
            spawn_monitor(async move { act(outside) });
            receive::<Down>().await.reason
        });
        let text = reason.to_string();
        assert!(text.contains("is not of this simulation"), "{name}: {text}");
        assert!(text.contains(&outside.to_string()), "{name}: {text}");
    }
    let reason = simulate(1, async move {
        spawn_monitor(async move { assert!(is_alive(outside).await) });
        receive::<Down>().await.reason
    });
    let text = reason.to_string();
    assert!(
        text.contains("is not of this simulation"),
        "is_alive: {text}"
    );
    let handle = runtime.handle();
    let refused = simulate(1, async move {
        handle
            .spawn_with(SpawnOptions::new(), async {})
            .unwrap_err()
    });
    assert_eq!(refused, SpawnError::Simulation);
    assert!(runtime.block_on(is_alive(outside)));
}

#[test]
fn a_process_outside_takes_a_simulated_one_for_dead() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let simulated = simulate(1, async { self_pid() });
    runtime.block_on(async move {
        monitor(simulated);
        let down = receive::<Down>().await;
        assert_eq!((down.pid, down.reason), (simulated, ExitReason::NoProc));
        assert!(!is_alive(simulated).await);
    });
}

#[test]
fn sockets_and_runtimes_are_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    simulate(1, async move {
        let bound = TcpListener::bind("127.0.0.1:0").unwrap_err();
        let connected = TcpStream::connect(address).await.unwrap_err();
        let started = Runtime::new().unwrap_err();
        for error in [bound, connected, started] {
            assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("simulation"), "{error}");
        }
    });
}

#[test]
fn outside_a_simulation_there_is_no_seed_and_time_is_real() {
    assert_eq!(seed(), None);
    let panic = std::panic::catch_unwind(|| random_below(5)).unwrap_err();
    let text = panic.downcast_ref::<&str>().unwrap();
    assert!(
        text.contains("must be called inside a simulation"),
        "{text}"
    );
    let before = monotonic_time();
    simulate(1, sleep(Duration::from_secs(1000)));
    let runtime = Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(sleep(Duration::from_millis(3)));
    let elapsed = monotonic_time() - before;
    assert!(elapsed >= Duration::from_millis(3) && elapsed < Duration::from_secs(500));
}

#[test]
fn blocking_work_is_done_on_the_only_thread_and_in_no_time() {
    simulate(1, async {
        let before = monotonic_time();
        let thread = blocking(|| std::thread::current().id()).await;
        assert_eq!(thread, std::thread::current().id());
        assert!(monotonic_time() - before < Duration::from_millis(1));
        spawn_monitor(async { blocking(|| panic!("on the way")).await });
        let reason = receive::<Down>().await.reason;
        assert!(reason.to_string().contains("on the way"), "{reason}");
        assert_eq!(Handle::current().system_info().blocking.threads, 0);
    });
}

#[test]
fn simulations_nest_and_know_nothing_of_each_other() {
    let inner = || {
        simulate(2, async {
            (self_pid(), monotonic_time(), random_below(1000))
        })
    };
    let alone = inner();
    simulate(1, async move {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(inner(), alone);
        assert!(monotonic_time() >= Duration::from_secs(1));
    });
}

#[test]
fn limits_of_simulations_side_by_side_are_not_mixed_up() {
    std::thread::scope(|scope| {
        for limit in 1..=4_usize {
            let work = move || {
                for seed in 0..50 {
                    simulate(seed, async move {
                        let options = SpawnOptions::new()
                            .mailbox_limit(limit, MailboxPolicy::Refuse)
                            .monitor();
                        let full = options.spawn(pending::<()>()).unwrap().pid;
                        for sent in 0..10 {
                            assert_eq!(try_send(full, sent).is_ok(), sent < limit);
                            yield_now().await;
                        }
                        exit(full, ExitReason::Kill);
                        receive::<Down>().await;
                    });
                }
            };
            scope.spawn(work);
        }
    });
}

#[test]
fn a_runtime_and_simulations_run_side_by_side() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let (told, telling) = mpsc::channel();
    runtime.spawn(async move {
        let inside = simulate(3, async {
            let (child, _) = spawn_monitor(pending::<()>());
            exit(child, ExitReason::Kill);
            receive::<Down>().await.reason
        });
        spawn_monitor(async {});
        receive::<Down>().await;
        told.send(inside).unwrap();
    });
    assert_eq!(
        telling.recv_timeout(Duration::from_secs(30)),
        Ok(ExitReason::Killed)
    );
}
