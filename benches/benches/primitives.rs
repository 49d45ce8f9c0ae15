//! Each primitive alone. Spawning, calls and timers are in `spawn` and `call`.

use std::future::Future;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use regrow::Runtime;
use regrow_benches::{bounded, lookup, messages, signals, tasks};

fn primitives(criterion: &mut Criterion) {
    let runtime = Runtime::builder()
        .workers(2)
        .build()
        .expect("the runtime starts");

    let mut group = criterion.benchmark_group("message");
    row(&mut group, &runtime, "send", signals::send);
    row(&mut group, &runtime, "receive", signals::receive_waiting);
    row(
        &mut group,
        &runtime,
        "receive!, three arms",
        signals::receive_arms,
    );
    row(
        &mut group,
        &runtime,
        "send + receive",
        messages::selective_receive,
    );
    row(&mut group, &runtime, "send + receive behind 10", behind_10);
    row(&mut group, &runtime, "reply", signals::replies);
    row(&mut group, &runtime, "yield_now", signals::yields);
    group.finish();

    let mut group = criterion.benchmark_group("relation");
    row(
        &mut group,
        &runtime,
        "monitor + exit + Down",
        signals::monitor_down,
    );
    row(
        &mut group,
        &runtime,
        "monitor + demonitor",
        signals::monitor_demonitor,
    );
    row(&mut group, &runtime, "link + unlink", signals::link_unlink);
    row(&mut group, &runtime, "exit, trapped", signals::exit_trapped);
    group.finish();

    let mut group = criterion.benchmark_group("lookup");
    row(&mut group, &runtime, "whereis", lookup::by_name);
    row(&mut group, &runtime, "Registry::lookup", lookup::by_key);
    group.throughput(Throughput::Elements(lookup::MEMBERS));
    row(
        &mut group,
        &runtime,
        "pg, 100 members asked and heard",
        lookup::broadcast,
    );
    group.finish();

    let mut group = criterion.benchmark_group("task");
    row(
        &mut group,
        &runtime,
        "Task::spawn + await",
        tasks::spawn_await,
    );
    group.finish();
}

async fn behind_10(count: u64) -> Duration {
    messages::fill_mailbox(10);
    messages::selective_receive(count).await
}

fn row<F>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    name: &str,
    work: impl Fn(u64) -> F,
) where
    F: Future<Output = Duration> + Send + 'static,
{
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| bounded(name, || runtime.block_on(work(count))));
    });
}

criterion_group!(benches, primitives);
criterion_main!(benches);
