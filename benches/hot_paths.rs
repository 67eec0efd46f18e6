//! What the paths take that every request goes through. crates/haul-cli/tests/cost.rs counts the instructions of the same.
//!
//! The scheduler at more sizes and in other situations is in `scheduler`, more forms of lines and records are in `records`.

mod hot;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn hot_paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hot");
    group.bench_function("line", |bench| bench.iter(hot::line()));
    for hosts in [1, 1_000] {
        group.bench_function(BenchmarkId::new("decision", hosts), |bench| bench.iter(hot::decision(hosts)));
    }
    for hosts in [1, 1_000, 10_000] {
        group.bench_function(BenchmarkId::new("take_and_park", hosts), |bench| bench.iter(hot::take_and_park(hosts)));
    }
    group.bench_function("record", |bench| bench.iter(hot::record()));
    group.finish();
}

criterion_group!(benches, hot_paths);
criterion_main!(benches);
