//! A message there and one back: one pair, and 64 pairs at a time.

use criterion::{Criterion, criterion_group, criterion_main};
use regrow::Runtime;
use regrow_benches::{bounded, messages};

fn ping_pong(criterion: &mut Criterion) {
    let runtime = Runtime::builder()
        .workers(2)
        .build()
        .expect("the runtime starts");
    let mut group = criterion.benchmark_group("ping_pong");
    for pairs in [1, 64] {
        let name = if pairs == 1 {
            "1 pair".to_owned()
        } else {
            format!("{pairs} pairs")
        };
        group.bench_function(&name, |bencher| {
            bencher.iter_custom(|trips| {
                bounded(&name, || {
                    runtime.block_on(messages::ping_pong(pairs, trips))
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ping_pong);
criterion_main!(benches);
