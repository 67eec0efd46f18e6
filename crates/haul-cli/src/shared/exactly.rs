//! What tests hold percentiles against: the times of real requests, and percentiles as they are exactly. Pure.

/// Nanoseconds, in the order in which the requests ended: tests/data/README.md.
pub(crate) fn recorded() -> Vec<u64> {
    let lines = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/latencies.txt")).lines();
    let times: Vec<u64> = lines.map(|micros| micros.parse::<u64>().expect("a number") * 1000).collect();
    assert_eq!(times.len(), 5000);
    times
}

/// Asserts that these percentiles, each with how many in a thousand take no longer, in microseconds, are those of `times`, in
/// nanoseconds: none below the exact one, which is the smallest time that so many do not exceed, and none more than 0.1 % above.
pub(crate) fn hold(times: &[u64], percentiles: impl IntoIterator<Item = (usize, f64)>) {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    for (per_mille, micros) in percentiles {
        let rank = (sorted.len() * per_mille).div_ceil(1000).max(1);
        let exact = sorted[rank - 1] as f64 / 1e3;
        assert!(micros >= exact && micros <= exact * 1.001, "{per_mille} of 1000: {micros} us, exactly {exact} us");
    }
}
