//! What a report tells of a run, gathered outcome by outcome. Pure.
//!
//! Owns: the series, histograms, counts and samples, all of bounded size: about 1.3 MB however long the run is (histograms
//! 0.5 MB, hosts 0.5 MB, series and samples 0.1 MB), and one to two tenths of a microsecond an outcome (docs/REPORT.md). Must not
//! know: sinks, files, HTML.

use std::collections::BTreeMap;
use std::time::Duration;

use haul::model::{FailureKind, Outcome, Phase, Record, Time};
use hdrhistogram::Histogram;

use super::hosts::{Hosts, Row};
use super::parts::{Part, Parts};
use super::sample::{Samples, cut, shown};
use super::series::{Ended, Series, nanoseconds};

/// The longest time that is told apart: longer ones count as that.
const LONGEST: Duration = Duration::from_secs(3600);
/// Bytes of a failure's message that are kept.
const MESSAGE: usize = 200;

/// Failures of one phase and kind.
#[derive(Clone, Debug)]
pub(super) struct Failures {
    pub(super) count: u64,
    /// What the first one said, and of what.
    pub(super) message: String,
    pub(super) of: String,
}

/// What was seen of a run.
#[derive(Debug)]
pub(in crate::cli) struct Recorder {
    warm_up: Duration,
    /// When the first request was started.
    begin: Option<Time>,
    /// When the last one ended.
    pub(super) end: Time,
    pub(super) series: Series,
    /// Nanoseconds from dispatch to end of last attempts that brought a response; within 0.1 %.
    pub(super) latency: Histogram<u64>,
    /// Nanoseconds of each part, where there was one; within 1 %.
    pub(super) parts: [Histogram<u64>; Part::ALL.len()],
    /// The same, added up.
    pub(super) sums: Parts,
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) failures: BTreeMap<(Phase, FailureKind), Failures>,
    pub(super) hosts: Hosts,
    pub(super) samples: Samples,
    /// Requests that ended, those of the warm-up left out.
    pub(super) requests: u64,
    pub(super) failed: u64,
    /// Attempts beyond the first.
    pub(super) again: u64,
    pub(super) reused: u64,
    pub(super) wire_bytes: u64,
    /// Requests of the warm-up.
    pub(super) left_out: u64,
    /// Lines that never became a request; they are among the failures.
    pub(super) rejected: u64,
}

impl Recorder {
    /// Records what is started after `warm_up`; the series has all. `seed` chooses the samples.
    pub(in crate::cli) fn new(warm_up: Duration, seed: u64) -> Self {
        let histogram = |digits| Histogram::new_with_bounds(1, nanoseconds(LONGEST), digits).expect("bounds that make sense");
        Self {
            warm_up,
            begin: None,
            end: Time::ZERO,
            series: Series::default(),
            latency: histogram(3),
            parts: Part::ALL.map(|_| histogram(2)),
            sums: Parts::default(),
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            hosts: Hosts::default(),
            samples: Samples::new(seed),
            requests: 0,
            failed: 0,
            again: 0,
            reused: 0,
            wire_bytes: 0,
            left_out: 0,
            rejected: 0,
        }
    }

    pub(in crate::cli) fn record(&mut self, record: &Record) {
        match record {
            Record::Fetched(outcome) => self.fetched(outcome),
            Record::Rejected(rejected) => {
                self.rejected += 1;
                let key = (rejected.failure.phase, rejected.failure.kind);
                self.count_failure(key, &rejected.failure.message, &rejected.given);
            }
        }
    }

    fn fetched(&mut self, outcome: &Outcome) {
        let last = &outcome.last;
        let start = outcome.job.accepted + last.timings.queued;
        let end = start + last.timings.total;
        let parts = Parts::of(&last.timings);
        let request = Ended { start, end, failed: last.result.is_err(), wire_bytes: last.wire_bytes, parts };
        self.end = self.end.max(end);
        self.series.add(&request);
        let begin = self.begin.map_or(start, |begin| begin.min(start));
        self.begin = Some(begin);
        if start < begin + self.warm_up {
            self.left_out += 1;
            return;
        }
        self.count(outcome, &request);
    }

    fn count(&mut self, outcome: &Outcome, request: &Ended) {
        let last = &outcome.last;
        let row = Row::of(request, outcome.attempts, last.reused);
        self.hosts.add(outcome.job.url.origin(), &row);
        self.samples.add(outcome);
        self.requests += 1;
        self.failed += row.failed;
        self.again += row.again;
        self.reused += row.reused;
        self.wire_bytes += row.wire_bytes;
        self.sums.add(&request.parts);
        for part in Part::ALL {
            let time = request.parts.get(part);
            if time > 0 {
                self.parts[part as usize].saturating_record(time);
            }
        }
        match &last.result {
            Ok(response) => {
                *self.statuses.entry(response.status).or_default() += 1;
                self.latency.saturating_record(row.total);
            }
            Err(failure) => self.count_failure((failure.phase, failure.kind), &failure.message, outcome.job.url.as_str()),
        }
    }

    fn count_failure(&mut self, key: (Phase, FailureKind), message: &str, of: &str) {
        let first = || Failures { count: 0, message: cut(message, MESSAGE), of: shown(of) };
        self.failures.entry(key).or_insert_with(first).count += 1;
    }
}
