//! Who runs before whom.

mod common;

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::run;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::{TcpListener, TcpStream};
use regrow_runtime::{
    Down, ExitReason, Handle, Pid, Priority, SpawnOptions, exit, monitor, process_info, receive,
    self_pid, send, send_after, set_priority, sleep, spawn, spawn_monitor, yield_now,
};

const ALL: [Priority; 4] = [
    Priority::Low,
    Priority::Normal,
    Priority::High,
    Priority::Max,
];
const PATIENCE: Duration = Duration::from_secs(20);

fn spawn_at(priority: Priority, body: impl Future<Output = ()> + Send + 'static) -> Pid {
    let options = SpawnOptions::new().priority(priority);
    options.spawn(body).unwrap().pid
}

async fn ends(pids: impl IntoIterator<Item = Pid>) {
    for pid in pids {
        let reference = monitor(pid);
        let of_it = move |down: &Down| down.reference == reference;
        receive::<Down>().matching(of_it).await;
    }
}

/// What happened, in its order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn max_runs_before_high_and_high_before_the_rest() {
    run(1, async {
        let log = Log::default();
        // Born in the wrong order; this one is normal, and so comes first in nothing.
        let pids = [
            ("low", Priority::Low),
            ("normal", Priority::Normal),
            ("high", Priority::High),
            ("max", Priority::Max),
        ]
        .map(|(name, priority)| {
            let log = log.clone();
            spawn_at(priority, async move {
                for _ in 0..2 {
                    log.note(name);
                    yield_now().await;
                }
            })
        });
        ends(pids).await;
        let order = log.take();
        assert_eq!(order[..4], ["max", "max", "high", "high"]);
        assert_eq!(order.len(), 8);
    });
}

#[test]
fn as_long_as_a_high_process_has_something_to_do_no_normal_one_runs() {
    for priority in [Priority::High, Priority::Max] {
        run(1, async move {
            let turns = Arc::new(AtomicU32::new(0));
            let seen = turns.clone();
            let normal = spawn(async move {
                assert_eq!(seen.load(Ordering::SeqCst), 1_000);
            });
            let reference = monitor(normal);
            let above = turns.clone();
            spawn_at(priority, async move {
                for _ in 0..1_000 {
                    above.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                }
            });
            let down = receive::<Down>().await;
            assert_eq!(
                (down.reference, down.reason),
                (reference, ExitReason::Normal)
            );
        });
    }
}

#[test]
fn no_high_process_runs_as_long_as_a_max_one_has_something_to_do() {
    run(1, async {
        let turns = Arc::new(AtomicU32::new(0));
        let seen = turns.clone();
        let (high, max) = (Priority::High, Priority::Max);
        let below = spawn_at(high, async move {
            assert_eq!(seen.load(Ordering::SeqCst), 1_000);
        });
        let reference = monitor(below);
        let above = spawn_at(max, async move {
            for _ in 0..1_000 {
                turns.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
            }
        });
        let down = receive::<Down>().await;
        assert_eq!(
            (down.reference, down.reason),
            (reference, ExitReason::Normal)
        );
        ends([above]).await;
    });
}

#[test]
fn a_woken_high_process_runs_before_everything_that_waited_before_it() {
    run(1, async {
        let log = Log::default();
        let noted = log.clone();
        let high = spawn_at(Priority::High, async move {
            receive::<()>().await;
            noted.note("high");
        });
        // It waits for its message now.
        yield_now().await;
        let mut pids = Vec::new();
        for _ in 0..10 {
            let log = log.clone();
            pids.push(spawn(async move { log.note("normal") }));
        }
        let woken = spawn({
            let log = log.clone();
            async move {
                receive::<()>().await;
                log.note("woken");
            }
        });
        yield_now().await;
        log.take();
        let mut later = Vec::new();
        for _ in 0..3 {
            let log = log.clone();
            later.push(spawn(async move { log.note("normal") }));
        }
        send(woken, ());
        send(high, ());
        ends(pids.into_iter().chain(later).chain([woken, high])).await;
        let order = log.take();
        assert_eq!(order[..2], ["high", "woken"], "{order:?}");
        assert_eq!(order.len(), 5);
    });
}

/// Counts the turns of processes that do nothing but yield, until the first of
/// them has had `until`.
async fn shares<const N: usize>(levels: [Priority; N], until: u32) -> [u32; N] {
    let turns: [Arc<AtomicU32>; N] = std::array::from_fn(|_| Arc::default());
    let over = Arc::new(AtomicBool::new(false));
    let pids: Vec<Pid> = turns
        .iter()
        .zip(levels)
        .enumerate()
        .map(|(at, (turns, level))| {
            let (turns, over) = (turns.clone(), over.clone());
            spawn_at(level, async move {
                while !over.load(Ordering::SeqCst) {
                    if turns.fetch_add(1, Ordering::SeqCst) == until && at == 0 {
                        over.store(true, Ordering::SeqCst);
                    }
                    yield_now().await;
                }
            })
        })
        .collect();
    ends(pids).await;
    turns.map(|turns| turns.load(Ordering::SeqCst))
}

#[test]
fn a_low_process_has_one_turn_of_eight_and_is_not_starved() {
    run(1, async {
        let [low, first, second] =
            shares([Priority::Low, Priority::Normal, Priority::Normal], 1_000).await;
        let normal = first + second;
        assert!((6 * low..=9 * low).contains(&normal), "{low} {normal}");
        assert!(first.abs_diff(second) <= low, "{first} {second}");
        // However many there are, they share their part.
        let [one, other, normal] =
            shares([Priority::Low, Priority::Low, Priority::Normal], 1_000).await;
        assert!(one.abs_diff(other) <= 2, "{one} {other}");
        let low = one + other;
        assert!((6 * low..=9 * low).contains(&normal), "{low} {normal}");
    });
}

#[test]
fn low_processes_that_are_alone_have_the_worker_for_themselves() {
    run(2, async {
        let turns = || {
            let workers = Handle::current().system_info().workers;
            workers.iter().map(|worker| worker.turns).sum::<u64>()
        };
        let before = turns();
        let [one, other] = shares([Priority::Low, Priority::Low], 10_000).await;
        let turns = turns() - before;
        assert!(u64::from(one + other) * 2 > turns, "{one} {other} {turns}");
    });
}

#[test]
fn messages_and_exits_reach_low_processes() {
    run(2, async {
        let me = self_pid();
        for number in 0..200_u32 {
            let low = spawn_at(Priority::Low, async move {
                let number: u32 = receive().await;
                send(me, number + 1);
                pending::<()>().await;
            });
            send(low, number);
            assert_eq!(receive::<u32>().await, number + 1);
            monitor(low);
            exit(low, ExitReason::Kill);
            assert_eq!(receive::<Down>().await.reason, ExitReason::Killed);
        }
    });
}

#[test]
fn a_process_changes_its_priority_from_its_next_turn_on() {
    run(1, async {
        let log = Log::default();
        let noted = log.clone();
        let changes = spawn_at(Priority::High, async move {
            noted.note("first");
            yield_now().await;
            noted.note("second");
            assert_eq!(set_priority(Priority::Low), Priority::High);
            yield_now().await;
            noted.note("low");
            assert_eq!(set_priority(Priority::Max), Priority::Low);
            assert_eq!(set_priority(Priority::Max), Priority::Max);
            for _ in 0..100 {
                yield_now().await;
            }
            noted.note("max");
        });
        let noted = log.clone();
        let normal = spawn(async move {
            for _ in 0..50 {
                noted.note("normal");
                yield_now().await;
            }
        });
        ends([changes, normal]).await;
        let order = log.take();
        assert_eq!(order[..3], ["first", "second", "normal"]);
        let low = order.iter().position(|it| *it == "low").unwrap();
        assert!((4..20).contains(&low), "{order:?}");
        assert_eq!(order[low + 1], "max", "nobody comes between");
        assert_eq!(order.len(), 54);
    });
}

#[test]
fn a_flood_of_high_processes_starves_normal_ones_but_neither_timers_nor_sockets() {
    run(1, async {
        let me = self_pid();
        set_priority(Priority::High);
        let over = Arc::new(AtomicBool::new(false));
        let mut floods = Vec::new();
        for _ in 0..3 {
            let over = over.clone();
            floods.push(spawn_at(Priority::High, async move {
                while !over.load(Ordering::SeqCst) {
                    yield_now().await;
                }
            }));
        }
        let ran = Arc::new(AtomicBool::new(false));
        let normal = spawn({
            let ran = ran.clone();
            async move { ran.store(true, Ordering::SeqCst) }
        });
        send_after(Duration::from_millis(2), me, "time");
        assert_eq!(receive::<&str>().await, "time");
        sleep(Duration::from_millis(1)).await;

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let echo = spawn_at(Priority::High, async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            stream.write_all(&byte).await.unwrap();
        });
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"x");
        assert!(!ran.load(Ordering::SeqCst), "this is what high means");
        over.store(true, Ordering::SeqCst);
        ends(floods.into_iter().chain([echo, normal])).await;
        assert!(ran.load(Ordering::SeqCst));
    });
}

#[test]
fn one_busy_high_process_leaves_the_other_worker_to_the_rest() {
    run(2, async {
        let over = Arc::new(AtomicBool::new(false));
        let flood = spawn_at(Priority::High, {
            let over = over.clone();
            async move {
                while !over.load(Ordering::SeqCst) {
                    yield_now().await;
                }
            }
        });
        for _ in 0..1_000 {
            let (pid, _) = spawn_monitor(yield_now());
            assert_eq!(receive::<Down>().await.pid, pid);
        }
        over.store(true, Ordering::SeqCst);
        ends([flood]).await;
    });
}

#[test]
fn sleeping_workers_are_woken_for_every_priority_and_from_everywhere() {
    run(2, async {
        let me = self_pid();
        let others = ALL.map(|level| {
            spawn_at(level, async move {
                loop {
                    let number: u32 = receive().await;
                    send(me, number);
                }
            })
        });
        for number in 0..300_u32 {
            for other in others {
                match number % 3 {
                    0 => send(other, number),
                    1 => drop(send_after(Duration::from_micros(10), other, number)),
                    _ => regrow_runtime::blocking(move || send(other, number)).await,
                }
            }
            for _ in others {
                assert_eq!(receive::<u32>().await, number);
            }
        }
    });
}

#[test]
fn a_thread_that_is_no_worker_wakes_a_sleeping_one_for_every_priority() {
    let runtime = regrow_runtime::Runtime::builder()
        .workers(2)
        .build()
        .unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    for level in ALL {
        let options = SpawnOptions::new().priority(level);
        let sender = sender.clone();
        let echo = async move {
            loop {
                let number: u32 = receive().await;
                sender.send(number).unwrap();
            }
        };
        let echo = runtime.handle().spawn_with(options, echo).unwrap().pid;
        for number in 0..200 {
            // Between two of them both workers may fall asleep, and nobody else
            // will wake them.
            send(echo, number);
            assert_eq!(receiver.recv_timeout(PATIENCE), Ok(number));
        }
    }
}

#[test]
fn a_runtime_ends_processes_of_every_priority() {
    let runtime = regrow_runtime::Runtime::builder()
        .workers(2)
        .build()
        .unwrap();
    let handle = runtime.handle();
    for level in ALL {
        for busy in [true, false] {
            let options = SpawnOptions::new().priority(level);
            let born = handle.spawn_with(options, async move {
                if !busy {
                    pending::<()>().await;
                }
                loop {
                    yield_now().await;
                }
            });
            born.unwrap();
        }
    }
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < PATIENCE / 3);
    assert_eq!(handle.system_info().processes, 0);
}

#[test]
fn priority_is_not_inherited_and_is_told() {
    run(1, async {
        set_priority(Priority::Max);
        let child = spawn(pending::<()>());
        let info = process_info(child).await.unwrap();
        assert_eq!(info.priority, Priority::Normal);
        let info = process_info(self_pid()).await.unwrap();
        assert_eq!(info.priority, Priority::Max);
        // The next tenant of a place is born anew.
        for level in ALL {
            let pid = spawn_at(level, pending());
            let info = process_info(pid).await.unwrap();
            assert_eq!(info.priority, level);
            exit(pid, ExitReason::Kill);
            ends([pid]).await;
        }
        assert_eq!(
            process_info(spawn(pending::<()>())).await.unwrap().priority,
            Priority::Normal
        );
    });
}

#[test]
#[should_panic(expected = "`set_priority` must be called inside a regrow process; \
    `SpawnOptions::priority` gives one a priority at its birth")]
fn outside_a_process_there_is_no_priority_to_set() {
    set_priority(Priority::High);
}
