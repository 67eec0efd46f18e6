//! The whole engine over a network in memory, from the source to the sink: what haul itself takes of a request.
//!
//! Starting and ending the threads is in it, a few hundred microseconds for 50,000 requests.

mod instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use haul::sink::Null;

const REQUESTS: usize = 50_000;

fn in_memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("in_memory");
    group.sample_size(10).throughput(Throughput::Elements(REQUESTS as u64));
    for hosts in [1, 1_000, 10_000] {
        group.bench_function(BenchmarkId::new("one_shard", hosts), |bench| {
            bench.iter(|| instant::run(hosts, 1, REQUESTS, Null));
        });
    }
    group.bench_function(BenchmarkId::new("two_shards", 1_000), |bench| {
        bench.iter(|| instant::run(1_000, 2, REQUESTS, Null));
    });
    group.finish();
}

criterion_group!(benches, in_memory);
criterion_main!(benches);
