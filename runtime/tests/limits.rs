//! How many processes a runtime may have.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use regrow_runtime::{
    Down, ExitReason, Handle, Pid, Runtime, SpawnError, SpawnOptions, Spawned, catch_panic, exit,
    receive, reply_channel, spawn, spawn_link, spawn_monitor, system_info,
};

fn runtime_with(max: usize) -> Runtime {
    let builder = Runtime::builder().workers(2).max_processes(max);
    builder.build().unwrap()
}

fn try_spawn() -> Result<Spawned, SpawnError> {
    SpawnOptions::new().monitor().spawn(pending::<()>())
}

/// Spawns until there is no room.
fn fill() -> Vec<Pid> {
    let mut all = Vec::new();
    loop {
        match try_spawn() {
            Ok(child) => all.push(child.pid),
            Err(error) => {
                assert_eq!(error, SpawnError::SystemLimit);
                return all;
            }
        }
    }
}

#[test]
fn beyond_the_limit_is_an_error_and_room_comes_back_with_each_end() {
    for max in [1, 2, 10, 100] {
        runtime_with(max).block_on(async move {
            let mut children = fill();
            assert_eq!(children.len(), max - 1, "one is this process");
            assert_eq!(system_info().processes, max as u64);
            assert_eq!(system_info().max_processes, max as u64);
            for _ in 0..200 {
                let Some(child) = children.pop() else { break };
                assert!(try_spawn().is_err());
                exit(child, ExitReason::Kill);
                receive::<Down>().await;
                // Whoever hears of an end finds room.
                children.push(try_spawn().unwrap().pid);
            }
        });
    }
}

/// Spawns when it is woken.
struct Spawns {
    handle: Handle,
    spawned: Mutex<Option<Result<Spawned, SpawnError>>>,
}

impl Wake for Spawns {
    fn wake(self: Arc<Self>) {
        let spawned = self.handle.spawn_with(SpawnOptions::new(), async {});
        *self.spawned.lock().unwrap() = Some(spawned);
    }
}

#[test]
fn the_first_to_hear_of_an_end_finds_room() {
    runtime_with(2).block_on(async {
        let (reply_to, mut reply) = reply_channel::<()>();
        let spawns = Arc::new(Spawns {
            handle: Handle::current(),
            spawned: Mutex::default(),
        });
        let waker = Waker::from(spawns.clone());
        let polled = Pin::new(&mut reply).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        spawn_monitor(async move {
            let _held = reply_to;
            panic!("and this is told before anything else");
        });
        receive::<Down>().await;
        let spawned = spawns.spawned.lock().unwrap().take();
        spawned.expect("woken").unwrap();
    });
}

#[test]
fn a_large_limit_is_reached_by_a_lone_spawner() {
    let runtime = runtime_with(10_000);
    runtime.block_on(async {
        assert_eq!(fill().len(), 9_999);
    });
}

#[test]
fn what_is_refused_is_dropped_and_leaves_nothing_behind() {
    runtime_with(2).block_on(async {
        fill();
        let held = Arc::new(());
        let body = {
            let held = held.clone();
            async move { drop(held) }
        };
        let options = SpawnOptions::new().name("refused").label("refused").link();
        let refused = options.monitor().spawn(body);
        assert_eq!(refused, Err(SpawnError::SystemLimit));
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(regrow_runtime::whereis("refused"), None);
        let info = regrow_runtime::process_info(regrow_runtime::self_pid()).await;
        let info = info.unwrap();
        assert_eq!((info.links.len(), info.monitors.len()), (0, 1));
        assert_eq!(system_info().spawned, 2);
    });
}

#[test]
fn a_birth_that_fails_for_its_name_uses_up_no_room() {
    runtime_with(2).block_on(async {
        for _ in 0..100 {
            let nameless = SpawnOptions::new().name("").spawn(async {});
            assert_eq!(nameless, Err(SpawnError::EmptyName));
        }
        assert_eq!(fill().len(), 1);
    });
}

#[test]
fn the_functions_without_an_error_panic_with_a_clear_text() {
    runtime_with(2).block_on(async {
        fill();
        type Spawn = fn();
        let all: [Spawn; 3] = [
            || _ = spawn(async {}),
            || _ = spawn_link(async {}),
            || _ = spawn_monitor(async {}),
        ];
        for spawns in all {
            let reason = catch_panic(async move { spawns() }).await.unwrap_err();
            let ExitReason::Panic(info) = reason else {
                panic!("{reason}");
            };
            let expected = "cannot spawn: there is no room for another process";
            assert!(info.message().starts_with(expected), "{}", info.message());
            assert!(info.file().unwrap().ends_with("limits.rs"), "of the caller");
        }
    });
}

#[test]
fn a_thread_is_refused_in_the_same_way() {
    let runtime = runtime_with(3);
    let handle = runtime.handle();
    let spawn = || handle.spawn_with(SpawnOptions::new(), pending::<()>());
    let first = spawn().unwrap().pid;
    spawn().unwrap();
    spawn().unwrap();
    assert_eq!(spawn().unwrap_err(), SpawnError::SystemLimit);
    exit(first, ExitReason::Kill);
    while handle.system_info().processes > 2 {
        std::thread::yield_now();
    }
    spawn().unwrap();
}

#[test]
fn runtimes_have_limits_of_their_own() {
    let (small, other) = (runtime_with(1), runtime_with(50));
    small.spawn(pending::<()>());
    let other_has = other.block_on(async { fill().len() });
    assert_eq!(other_has, 49);
    let refused = small.handle().spawn_with(SpawnOptions::new(), async {});
    assert_eq!(refused, Err(SpawnError::SystemLimit));
}

#[test]
#[should_panic = "a runtime needs room for at least one process"]
fn no_room_at_all_is_a_mistake() {
    drop(Runtime::builder().max_processes(0));
}
