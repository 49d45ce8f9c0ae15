//! Simulation: the same seed is the same way, time is virtual, and what comes to nothing
//! says why.

use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::panic::catch_unwind;
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use regrow_runtime::simulation::{Simulation, TraceEventKind, random_below, seed};
use regrow_runtime::{
    Down, Exit, ExitReason, Handle, ReplyTo, Runtime, cancel_timer, exit, link, monitor,
    monotonic_time, process_info, processes, read_timer, receive, register, reply_channel,
    self_pid, send, send_after, simulate, simulate_seeds, sleep, spawn, spawn_link, spawn_monitor,
    trap_exit, whereis, yield_now,
};

const SECOND: Duration = Duration::from_secs(1);

const HOUR: Duration = Duration::from_secs(3600);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Polls its children only when their own wakers are woken, in the order of the wakes.
struct Nested {
    children: Vec<Pin<Box<dyn Future<Output = u32> + Send>>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken {
    numbers: Mutex<VecDeque<usize>>,
    outer: Mutex<Option<Waker>>,
}

struct ChildWaker(usize, Arc<Woken>);

impl Wake for ChildWaker {
    fn wake(self: Arc<Self>) {
        self.1.numbers.lock().unwrap().push_back(self.0);
        if let Some(outer) = self.1.outer.lock().unwrap().take() {
            outer.wake();
        }
    }
}

impl Nested {
    fn new(children: Vec<Pin<Box<dyn Future<Output = u32> + Send>>>) -> Self {
        let woken = Woken::default();
        *woken.numbers.lock().unwrap() = (0..children.len()).collect();
        Nested {
            children,
            woken: Arc::new(woken),
        }
    }

    /// The first output, of whichever child.
    fn poll_any(&mut self, cx: &mut Context<'_>) -> Poll<u32> {
        *self.woken.outer.lock().unwrap() = Some(cx.waker().clone());
        loop {
            let Some(number) = self.woken.numbers.lock().unwrap().pop_front() else {
                return Poll::Pending;
            };
            let waker = Waker::from(Arc::new(ChildWaker(number, self.woken.clone())));
            let child = self.children[number].as_mut();
            if let Poll::Ready(output) = child.poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(output * 100 + number as u32);
            }
        }
    }
}

/// A bit of everything: births, ends, links, monitors, names, timers, calls, nested
/// wakers. What it returns depends on the order of things.
async fn busy() -> Vec<String> {
    struct Ask(u64, ReplyTo<u64>);
    trap_exit(true);
    let me = self_pid();
    let server = spawn_link(async {
        register("server", self_pid()).unwrap();
        for count in 0.. {
            let Ask(n, reply) = receive::<Ask>().await;
            if n % 7 == 3 {
                exit(
                    self_pid(),
                    ExitReason::error(format!("asked for {n} as {count}")),
                );
            }
            reply.send(n * 1000 + count);
        }
    });
    for n in 0..20_u64 {
        let (client, _) = spawn_monitor(async move {
            sleep(ms(random_below(4))).await;
            let (reply_to, reply) = reply_channel();
            match whereis("server") {
                Some(server) => send(server, Ask(n, reply_to)),
                None => reply_to.fail(ExitReason::NoProc),
            }
            match reply.timeout(ms(2)).await {
                Ok(answer) => send(me, format!("{n}: {answer}")),
                Err(error) => panic!("{n}: {error}"),
            }
        });
        if n % 3 == 0 {
            link(client);
            send_after(ms(n % 2), client, n);
        }
    }
    let nested = spawn(async move {
        let child = || Box::pin(receive::<u32>()) as Pin<Box<dyn Future<Output = u32> + Send>>;
        let mut nested = Nested::new((0..8).map(|_| child()).collect());
        for _ in 0..8 {
            let output = poll_fn(|cx| nested.poll_any(cx)).await;
            send(me, format!("nested {output}"));
            let number = (output % 100) as usize;
            nested.children[number] = child();
            nested.woken.numbers.lock().unwrap().push_back(number);
        }
    });
    for n in 0..8_u32 {
        spawn(async move {
            yield_now().await;
            send(nested, n);
        });
    }
    let mut seen = vec![format!("{server}")];
    while let Ok(text) = receive::<String>().timeout(SECOND).await {
        seen.push(text);
    }
    while let Ok(down) = receive::<Down>().timeout(SECOND).await {
        seen.push(format!("{:?} {} {}", down.reference, down.pid, down.reason));
    }
    while let Ok(exit) = receive::<Exit>().timeout(SECOND).await {
        seen.push(format!("{} {}", exit.pid, exit.reason));
    }
    seen
}

#[test]
fn the_same_seed_goes_the_same_way_and_others_go_others() {
    let run = |seed| Simulation::new(seed).trace(true).run(busy()).unwrap();
    let first = run(5);
    assert!(first.trace.events().len() > 100, "{}", first.trace);
    // What else the OS process does makes no difference: neither births nor other simulations.
    let runtime = Runtime::builder().workers(2).build().unwrap();
    runtime.block_on(async {
        for _ in 0..500 {
            spawn_monitor(async {});
            receive::<Down>().await;
        }
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(run(5), first));
        }
    });
    let mut hashes: Vec<u64> = (0..100).map(|seed| run(seed).trace.hash()).collect();
    assert_eq!(hashes[5], first.trace.hash());
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 100);
}

/// Runs one test of this file in another OS process, and gives what it printed.
fn in_another_os_process(test: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command
        .env("IN_ANOTHER_OS_PROCESS", "1")
        .envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn is_the_other_os_process() -> bool {
    std::env::var_os("IN_ANOTHER_OS_PROCESS").is_some()
}

#[test]
fn the_same_seed_goes_the_same_way_in_another_os_process() {
    let outcome = Simulation::new(11).trace(true).run(busy()).unwrap();
    let told = format!("<<{:?}\n{}>>", outcome.value, outcome.trace);
    if is_the_other_os_process() {
        println!("{told}");
        return;
    }
    let me = "the_same_seed_goes_the_same_way_in_another_os_process";
    for _ in 0..3 {
        let (passed, printed) = in_another_os_process(me, &[]);
        assert!(
            passed && printed.contains(&told),
            "{told}\n--- but\n{printed}"
        );
    }
}

/// A check and an act with a wait between them: wrong in some orders only.
async fn racy() {
    let balance = Arc::new(AtomicUsize::new(10));
    for _ in 0..2 {
        let balance = balance.clone();
        spawn_monitor(async move {
            if balance.load(Ordering::Relaxed) >= 10 {
                yield_now().await;
                balance.fetch_sub(10, Ordering::Relaxed);
            }
        });
    }
    for _ in 0..2 {
        receive::<Down>().await;
    }
    assert_eq!(balance.load(Ordering::Relaxed), 0, "spent twice");
}

#[test]
fn a_race_that_only_some_orders_show_is_found_and_its_seed_repeats_it() {
    if is_the_other_os_process() {
        simulate_seeds(0..1000, racy);
        return;
    }
    let fails = |seed| Simulation::new(seed).run(racy()).is_err();
    let failing = (0..1000)
        .find(|seed| fails(*seed))
        .expect("some order shows it");
    let passing = (0..1000)
        .find(|seed| !fails(*seed))
        .expect("some order hides it");
    let panic = catch_unwind(|| simulate_seeds(0..1000, racy)).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("spent twice"), "{text}");
    assert!(
        text.contains(&format!("REGROW_SEED={failing} cargo test a_race")),
        "{text}"
    );

    let me = "a_race_that_only_some_orders_show_is_found_and_its_seed_repeats_it";
    let (passed, _) = in_another_os_process(me, &[("REGROW_SEED", &passing.to_string())]);
    assert!(passed, "one seed alone");
    let (passed, printed) = in_another_os_process(me, &[("REGROW_SEED", &failing.to_string())]);
    assert!(!passed && printed.contains("spent twice"), "{printed}");
    assert!(
        printed.contains("<0.1.1> spawns <0.2.1>"),
        "with its trace: {printed}"
    );
    let (passed, printed) = in_another_os_process(me, &[("REGROW_SEED", "x")]);
    assert!(
        !passed && printed.contains("REGROW_SEED must be a number"),
        "{printed}"
    );
}

#[test]
fn pids_references_and_names_begin_afresh_in_each_simulation() {
    let run = || {
        simulate(1, async {
            assert_eq!(self_pid().to_string(), "<0.1.1>");
            let (child, reference) = spawn_monitor(pending::<()>());
            register("child", child).unwrap();
            exit(child, ExitReason::Kill);
            receive::<Down>().await;
            let heir = spawn(pending::<()>());
            assert_eq!(whereis("child"), None);
            assert_eq!(processes(), [self_pid(), heir]);
            assert_eq!(Handle::current().system_info().processes, 2);
            format!("{child} {reference:?} {heir} {:?}", seed())
        })
    };
    assert_eq!(run(), "<0.2.1> #Monitor<1> <0.2.2> Some(1)");
    assert_eq!(run(), run());
}

#[test]
fn hours_of_timers_and_timeouts_take_no_time_and_none_is_early() {
    let outcome = Simulation::new(3).run(async {
        assert!(monotonic_time() < ms(1));
        let me = self_pid();
        let tick = send_after(HOUR, me, "tick");
        let never = send_after(2 * HOUR, me, "never");
        assert!(read_timer(tick).unwrap() > HOUR - ms(2));
        assert!(receive::<u8>().timeout(HOUR / 2).await.is_err());
        assert!(monotonic_time() >= HOUR / 2 && monotonic_time() < HOUR / 2 + ms(2));
        assert_eq!(receive::<&str>().await, "tick");
        assert!(monotonic_time() >= HOUR && monotonic_time() < HOUR + ms(2));
        let left = cancel_timer(never).unwrap();
        assert!(left <= HOUR && left > HOUR - ms(2), "{left:?}");
        let (_reply_to, reply) = reply_channel::<()>();
        assert!(reply.timeout(HOUR).await.is_err());
        for after in (1..=100_u64).rev() {
            send_after(ms(after), me, after);
        }
        for wanted in 1..=100_u64 {
            assert_eq!(receive::<u64>().await, wanted);
        }
        sleep(1000 * HOUR).await;
    });
    let outcome = outcome.unwrap();
    assert!(outcome.virtual_time >= 1002 * HOUR);
    assert!(outcome.turns < 1000, "{}", outcome.turns);
}

#[test]
fn who_waits_by_yielding_comes_to_the_time_he_waits_for() {
    let turns = Simulation::new(3).max_turns(100_000).run(async {
        let flag = Arc::new(AtomicUsize::new(0));
        let setter = flag.clone();
        spawn(async move {
            sleep(ms(20)).await;
            setter.store(1, Ordering::Relaxed);
        });
        while flag.load(Ordering::Relaxed) == 0 {
            yield_now().await;
        }
        assert!(monotonic_time() >= ms(20) && monotonic_time() < ms(22));
    });
    assert!(turns.unwrap().turns > 1000);
}

#[test]
fn the_trace_has_what_happened_in_its_order() {
    let outcome = Simulation::new(4).trace(true).run(async {
        let (child, _) = spawn_monitor(async {
            sleep(ms(7)).await;
            Err::<(), _>(ExitReason::error("tired"))
        });
        let info = process_info(child).await.unwrap();
        assert_eq!(info.parent, Some(self_pid()));
        monitor(child);
        receive::<Down>().await;
        child
    });
    let outcome = outcome.unwrap();
    let child = outcome.value;
    let events = outcome.trace.events();
    assert!(events.is_sorted_by_key(|event| event.at));
    let place = |wanted: &TraceEventKind| events.iter().position(|event| event.kind == *wanted);
    let places = [
        TraceEventKind::Spawn {
            pid: child,
            parent: Some(main_of(events)),
        },
        TraceEventKind::Turn { pid: child },
        TraceEventKind::Timers { fired: 1 },
        TraceEventKind::Exit {
            pid: child,
            reason: "tired".into(),
        },
    ]
    .map(|wanted| place(&wanted).unwrap_or_else(|| panic!("{wanted:?}:\n{}", outcome.trace)));
    assert!(places.is_sorted(), "{places:?}\n{}", outcome.trace);
    let silent = Simulation::new(4).run(async {}).unwrap();
    assert!(silent.trace.events().is_empty());
}

/// The main process of a trace.
fn main_of(events: &[regrow_runtime::simulation::TraceEvent]) -> regrow_runtime::Pid {
    let TraceEventKind::Spawn { pid, parent: None } = events[0].kind else {
        panic!("the first is the birth of the main process");
    };
    pid
}
