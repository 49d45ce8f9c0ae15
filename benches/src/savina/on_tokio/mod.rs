//! The suite on tokio, as its users write actors: a task is the actor, an unbounded channel its mailbox, an
//! `enum` what it understands, a oneshot a reply.

mod bank_transaction;
mod big;
mod chameneos;
mod concurrent_dictionary;
mod counting;
mod fork_join_create;
mod fork_join_throughput;
mod philosophers;
mod ping_pong;
mod producer_consumer;
mod quicksort;
mod sieve;
mod sleeping_barber;
mod thread_ring;

use std::io;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::{Outcome, Size, Workload};

/// Runs a workload once in each of these sizes, one after the other, in a task of a runtime of its own.
///
/// # Errors
///
/// When tokio cannot start, and when a task has failed.
pub fn run(workload: Workload, sizes: Vec<Size>, workers: usize) -> io::Result<Vec<Outcome>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .build()?;
    let root = runtime.spawn(async move {
        let mut outcomes = Vec::new();
        for size in sizes {
            outcomes.push(once(workload, size).await);
        }
        outcomes
    });
    runtime.block_on(root).map_err(io::Error::other)
}

async fn once(workload: Workload, size: Size) -> Outcome {
    match workload {
        Workload::PingPong => ping_pong::run(size).await,
        Workload::Counting => counting::run(size).await,
        Workload::ForkJoinCreate => fork_join_create::run(size).await,
        Workload::ForkJoinThroughput => fork_join_throughput::run(size).await,
        Workload::ThreadRing => thread_ring::run(size).await,
        Workload::Chameneos => chameneos::run(size).await,
        Workload::Big => big::run(size).await,
        Workload::ProducerConsumer => producer_consumer::run(size).await,
        Workload::ConcurrentDictionary => concurrent_dictionary::run(size).await,
        Workload::Philosophers => philosophers::run(size).await,
        Workload::SleepingBarber => sleeping_barber::run(size).await,
        Workload::BankTransaction => bank_transaction::run(size).await,
        Workload::Sieve => sieve::run(size).await,
        Workload::Quicksort => quicksort::run(size).await,
    }
}

/// Sends to an actor that must be there.
fn send<M>(to: &UnboundedSender<M>, message: M) {
    assert!(to.send(message).is_ok(), "the actor is gone");
}

/// The next message of a mailbox that somebody still writes to.
async fn receive<M>(inbox: &mut UnboundedReceiver<M>) -> M {
    inbox.recv().await.expect("somebody still sends")
}

/// Work that takes long, where it holds up no task.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let value = tokio::task::spawn_blocking(work).await;
    value.expect("it does not panic")
}

/// The sum of so many reports.
async fn reports(inbox: &mut UnboundedReceiver<u64>, count: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..count {
        sum += receive(inbox).await;
    }
    sum
}
