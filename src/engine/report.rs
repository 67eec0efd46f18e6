//! What a run came to.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::handle::Snapshot;
use super::top_hosts::HostSummary;
use crate::model::{FailureKind, Phase};

/// What a run came to.
///
/// ```
/// use haul::{config::Config, engine::Engine, sink::Null, source::Urls};
///
/// let mut config = Config::default();
/// config.retries.retries = 0;
/// let report = Engine::new(config)?.run(Box::new(Urls::new(["http://127.0.0.1:1/"])), Box::new(Null));
/// for ((phase, kind), count) in &report.failures {
///     println!("{phase} {kind}: {count}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RunReport {
    /// The final counts: accepted = succeeded + failed + cancelled.
    pub totals: Snapshot,
    /// Failures by where and why, rejected lines included.
    pub failures: BTreeMap<(Phase, FailureKind), u64>,
    /// How long attempts with a response took.
    pub latency: Latency,
    /// The hosts with at least three attempts that took longest on average, slowest first; at most five.
    pub slowest: Vec<HostSummary>,
    /// The hosts whose last attempt ended last, latest first; at most five.
    pub latest: Vec<HostSummary>,
    /// Whether the run was stopped before its end.
    pub stopped: bool,
    /// How long the run had lasted then.
    pub stopped_after: Option<Duration>,
    /// Jobs read and not finished: they have no record. Input that was never read is not counted.
    pub left: u64,
    /// Those of them that were in flight when the run was ended at once, or when its grace was over.
    pub cut_off: u64,
    /// Records that could not be written.
    pub unwritten: u64,
    /// Why the input could not be read to its end.
    pub source_error: Option<io::Error>,
    /// Why records could not be written.
    pub sink_error: Option<io::Error>,
}

/// Percentiles of the attempts' total time, within 0.1 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half were faster.
    pub p50: Duration,
    /// Nine in ten were faster.
    pub p90: Duration,
    /// 99 in 100 were faster.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

impl Latency {
    pub(super) fn of(micros: &Histogram<u64>) -> Self {
        let at = |quantile| Duration::from_micros(micros.value_at_quantile(quantile));
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: Duration::from_micros(micros.max()) }
    }
}
