//! Eight processes send to one: plain messages, casts to a gen_server, and a selective receive.

use criterion::{Criterion, criterion_group, criterion_main};
use regrow::Runtime;
use regrow_benches::{bounded, messages, servers};

fn fan_in(criterion: &mut Criterion) {
    let runtime = Runtime::builder()
        .workers(2)
        .build()
        .expect("the runtime starts");
    let mut group = criterion.benchmark_group("fan_in");
    group.bench_function("send", |bencher| {
        bencher.iter_custom(|count| bounded("send", || runtime.block_on(messages::fan_in(count))));
    });
    group.bench_function("cast", |bencher| {
        bencher.iter_custom(|count| bounded("cast", || runtime.block_on(servers::casts(count))));
    });
    group.finish();
    criterion.bench_function("receive/behind 10k", |bencher| {
        bencher.iter_custom(|count| {
            let behind = async move {
                messages::fill_mailbox(10_000);
                messages::selective_receive(count).await
            };
            bounded("behind 10k", || runtime.block_on(behind))
        });
    });
}

criterion_group!(benches, fan_in);
criterion_main!(benches);
