//! One hop of a token in a ring of 503 processes.

use criterion::{Criterion, criterion_group, criterion_main};
use regrow::Runtime;
use regrow_benches::{bounded, messages};

fn ring(criterion: &mut Criterion) {
    let runtime = Runtime::builder()
        .workers(2)
        .build()
        .expect("the runtime starts");
    criterion.bench_function("ring/hop", |bencher| {
        bencher.iter_custom(|hops| bounded("ring", || runtime.block_on(messages::ring(hops))));
    });
}

criterion_group!(benches, ring);
criterion_main!(benches);
