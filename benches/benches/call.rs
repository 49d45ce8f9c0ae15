//! Calls to a gen_server, and the timers that calls and others use.

use criterion::{Criterion, criterion_group, criterion_main};
use regrow::Runtime;
use regrow_benches::{bounded, messages, servers, timers};

fn call(criterion: &mut Criterion) {
    let runtime = Runtime::builder()
        .workers(2)
        .build()
        .expect("the runtime starts");
    let mut group = criterion.benchmark_group("call");
    group.bench_function("5 s timeout", |bencher| {
        bencher.iter_custom(|count| bounded("call", || runtime.block_on(servers::calls(count))));
    });
    group.bench_function("500k messages waiting", |bencher| {
        bencher.iter_custom(|count| {
            let queued = async move {
                messages::fill_mailbox(500_000);
                servers::calls(count).await
            };
            bounded("call, queued", || runtime.block_on(queued))
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("timers");
    group.bench_function("send_after + cancel_timer", |bencher| {
        bencher.iter_custom(|count| {
            bounded("arm and cancel", || {
                runtime.block_on(async move { timers::arm_and_cancel(count) })
            })
        });
    });
    // A fixed number at a time: what is measured is the wheel, not the milliseconds themselves.
    group.sample_size(10);
    group.throughput(criterion::Throughput::Elements(1_000_000));
    group.bench_function("1M send_after", |bencher| {
        bencher.iter_custom(|times| {
            let storms = async move {
                let mut time = std::time::Duration::ZERO;
                for _ in 0..times {
                    time += timers::send_after(1_000_000).await;
                }
                time
            };
            bounded("send_after", || runtime.block_on(storms))
        });
    });
    group.throughput(criterion::Throughput::Elements(100_000));
    group.bench_function("100k sleepers", |bencher| {
        bencher.iter_custom(|times| {
            let sleepers = async move {
                let mut time = std::time::Duration::ZERO;
                for _ in 0..times {
                    time += timers::sleepers(100_000).await;
                }
                time
            };
            bounded("sleepers", || runtime.block_on(sleepers))
        });
    });
    group.finish();
}

criterion_group!(benches, call);
criterion_main!(benches);
