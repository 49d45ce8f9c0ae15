//! Elixir's Registry: one file for each of its nouns.

mod duplicate;
mod failure;
mod listeners;
mod locks;
mod meta;
mod outside;
mod owners;
mod races;
mod selecting;
mod unique;
mod via;

use regrow_runtime::{ExitReason, Pid, exit, process_info, receive, self_pid, send, sleep, spawn};
use regrow_supervisor::{Duplicate, RegisterKeyError, Registry, StartError, SupervisorRef};

use crate::common::*;

const ROOMS: Registry<&'static str, u32> = Registry::unique("rooms");
const TOPICS: Registry<&'static str, u32, Duplicate> = Registry::duplicate("topics");

/// What an owner is told to do.
enum Order {
    Register(&'static str, u32),
    Unregister(&'static str),
    Update(&'static str),
}

/// What came of it.
struct Registered(Result<(), RegisterKeyError>);
struct Unregistered;
struct Updated(bool);

/// A process that registers rooms, and nothing else.
fn owner() -> Pid {
    let test = self_pid();
    spawn(async move {
        loop {
            match receive().await {
                Order::Register(key, value) => send(test, Registered(ROOMS.register(key, value))),
                Order::Unregister(key) => {
                    ROOMS.unregister(key);
                    send(test, Unregistered);
                }
                Order::Update(key) => {
                    let updated = ROOMS.update_value(key, |value| value + 1);
                    send(test, Updated(updated.is_ok()));
                }
            }
        }
    })
}

/// Has an owner register a room.
async fn register(owner: Pid, key: &'static str, value: u32) -> Result<(), RegisterKeyError> {
    send(owner, Order::Register(key, value));
    receive::<Registered>().await.0
}

/// A process that has registered a topic.
async fn subscriber(key: &'static str, value: u32) -> Pid {
    let test = self_pid();
    let pid = spawn(async move {
        send(test, Registered(TOPICS.register(key, value)));
        std::future::pending::<()>().await;
    });
    assert_eq!(receive::<Registered>().await.0, Ok(()));
    pid
}

async fn kill(pid: Pid) {
    exit(pid, ExitReason::Kill);
    down(pid).await;
}

/// The processes of the partitions.
async fn partitions(registry: &SupervisorRef) -> Vec<Pid> {
    let children = registry.which_children().await.unwrap();
    let pids = children.iter().rev().map(|child| child.state.pid());
    pids.collect::<Option<_>>().unwrap()
}

/// Those partitions that a process is linked to.
async fn links(pid: Pid, registry: &SupervisorRef) -> Vec<Pid> {
    let links = process_info(pid).await.unwrap().links;
    let partitions = partitions(registry).await;
    let of_it = links.into_iter().filter(|pid| partitions.contains(pid));
    of_it.collect()
}

/// Waits until the registry has so many entries: owners that have died are taken out when their
/// partition has its turn.
async fn count_becomes(count: impl Fn() -> usize, expected: usize) {
    while count() != expected {
        sleep(millis(1)).await;
    }
}
