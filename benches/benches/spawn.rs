//! Processes that begin and end: plain, linked, in a tree, under a supervisor, all at once.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use regrow::Runtime;
use regrow_benches::{bounded, servers, spawning};

fn spawn(criterion: &mut Criterion) {
    let runtime = Runtime::builder()
        .workers(2)
        .build()
        .expect("the runtime starts");
    let mut group = criterion.benchmark_group("spawn");
    group.bench_function("spawn + exit", |bencher| {
        bencher.iter_custom(|count| {
            bounded("spawn + exit", || {
                runtime.block_on(spawning::spawn_exit(count))
            })
        });
    });
    group.bench_function("spawn_link + exit, trapped", |bencher| {
        bencher.iter_custom(|count| {
            bounded("spawn_link", || {
                runtime.block_on(spawning::spawn_link_exit(count))
            })
        });
    });
    group.bench_function("start_child + terminate_child", |bencher| {
        bencher.iter_custom(|count| {
            bounded("start_child", || {
                runtime.block_on(servers::start_terminate_child(count))
            })
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("many");
    group.sample_size(10);
    group.throughput(Throughput::Elements(111_111));
    group.bench_function("skynet 100k", |bencher| {
        bencher.iter_custom(|trees| {
            let trees = async move {
                let mut time = std::time::Duration::ZERO;
                for _ in 0..trees {
                    time += spawning::skynet(100_000).await.0;
                }
                time
            };
            bounded("skynet", || runtime.block_on(trees))
        });
    });
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("100k linked die", |bencher| {
        bencher.iter_custom(|times| {
            let deaths = async move {
                let mut time = std::time::Duration::ZERO;
                for _ in 0..times {
                    time += spawning::linked_die(100_000).await;
                }
                time
            };
            bounded("linked die", || runtime.block_on(deaths))
        });
    });
    group.finish();
}

criterion_group!(benches, spawn);
criterion_main!(benches);
