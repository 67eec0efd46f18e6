//! What a report tells of a run, gathered outcome by outcome. Pure.
//!
//! Owns: the series, histograms, counts and samples, all of bounded size: about 1.3 MB however long the run is (histograms
//! 0.5 MB, hosts 0.5 MB, series and samples 0.2 MB), and about 1,200 instructions an outcome (docs/guide/REPORT.md). Must not know:
//! sinks, files, HTML.

use std::collections::BTreeMap;
use std::time::Duration;

use haul::model::{FailureKind, Outcome, Phase, Record, Time};
use hdrhistogram::Histogram;

use super::hosts::{HostRow, HostTable};
use super::parts::{Part, Parts};
use super::sample::{Samples, cut, shown};
use super::series::{RequestSpan, Series, nanoseconds};
use crate::shared::setting_names::with_flags;
use crate::shared::since::Since;

/// The longest time that is told apart: longer ones count as that.
const LONGEST: Duration = Duration::from_secs(3600);
/// Bytes of a failure's message that are kept.
const MESSAGE: usize = 200;

/// Failures of one phase and kind.
#[derive(Clone, Debug)]
pub(super) struct FailureGroup {
    pub(super) count: u64,
    /// What the first one said, and of what.
    pub(super) message: String,
    pub(super) of: String,
}

/// What was seen of a run.
#[derive(Debug)]
pub(crate) struct Recorder {
    warm_up: Duration,
    /// When the first request was started.
    begin: Option<Time>,
    /// When the last one ended.
    pub(super) end: Time,
    pub(super) series: Series,
    /// From when latencies count.
    since: Since,
    /// Nanoseconds to the end of last attempts that brought a response; within 0.1 %.
    pub(super) latency: Histogram<u64>,
    /// Nanoseconds of each part, where there was one; within 1 %.
    pub(super) parts: [Histogram<u64>; Part::ALL.len()],
    /// The same, added up.
    pub(super) sums: Parts,
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) failures: BTreeMap<(Phase, FailureKind), FailureGroup>,
    pub(super) hosts: HostTable,
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
    /// Records what is started after `warm_up`; the series has all. Latencies count `since` then. `seed` chooses
    /// the samples.
    pub(crate) fn new(warm_up: Duration, since: Since, seed: u64) -> Self {
        let histogram =
            |digits| Histogram::new_with_bounds(1, nanoseconds(LONGEST), digits).expect("bounds that make sense");
        Self {
            warm_up,
            since,
            begin: None,
            end: Time::ZERO,
            series: Series::default(),
            latency: histogram(3),
            parts: Part::ALL.map(|_| histogram(2)),
            sums: Parts::default(),
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            hosts: HostTable::default(),
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

    pub(crate) fn record(&mut self, record: &Record) {
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
        let request = RequestSpan { start, end, failed: last.result.is_err(), wire_bytes: last.wire_bytes, parts };
        self.end = self.end.max(end);
        self.series.add(&request);
        // A plan's warm-up is over for what is due then, however late it starts.
        let came = if self.since == Since::Due { outcome.job.accepted } else { start };
        let begin = self.begin.map_or(came, |begin| begin.min(came));
        self.begin = Some(begin);
        if came < begin + self.warm_up {
            self.left_out += 1;
            return;
        }
        self.count(outcome, &request);
    }

    fn count(&mut self, outcome: &Outcome, request: &RequestSpan) {
        let last = &outcome.last;
        let row = HostRow::of(request, outcome.attempts, last.reused);
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
                self.latency.saturating_record(nanoseconds(self.since.time(outcome)));
            }
            Err(failure) => {
                self.count_failure((failure.phase, failure.kind), &failure.message, outcome.job.url.as_str())
            }
        }
    }

    fn count_failure(&mut self, key: (Phase, FailureKind), message: &str, of: &str) {
        let first = || FailureGroup { count: 0, message: cut(&with_flags(message), MESSAGE), of: shown(of) };
        self.failures.entry(key).or_insert_with(first).count += 1;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use haul::model::{Attempt, CompleteResponse, Failure, Job, Rejected, WebUrl};

    use super::*;
    use crate::shared::exactly::{hold, recorded};

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn response(status: u16) -> CompleteResponse {
        CompleteResponse {
            status,
            version: http::Version::HTTP_11,
            headers: None,
            body: None,
            body_bytes: 1000,
            sha256: None,
            saved: None,
            close_delimited: false,
        }
    }

    /// Request `n`, started after `queued` milliseconds and ended after `n % 100` more; each tenth failed.
    fn record(n: u64, queued: u64) -> Record {
        let url = format!("http://h{}.test/</script>?key=s3cret", n % 7);
        let mut last = Attempt::unsent(Failure::new(Phase::Head, FailureKind::Timeout, "<b>late"));
        if !n.is_multiple_of(10) {
            last.result = Ok(response(200));
        }
        last.timings.queued = ms(queued);
        last.timings.connect = (n < 8).then_some(ms(1));
        last.timings.first_byte = Some(ms(n % 100));
        last.timings.total = ms(n % 100) + last.timings.connect.unwrap_or_default();
        last.reused = n >= 8;
        last.wire_bytes = 1000;
        let job = Job::new(n, WebUrl::parse(&url).expect("a URL").0, Time::ZERO);
        Record::Fetched(Outcome { job, attempts: 1 + u32::from(n.is_multiple_of(5)), last })
    }

    /// What is seen of this many requests, one each millisecond, and of a line that is none.
    pub(crate) fn seen(requests: u64, warm_up: Duration) -> Recorder {
        let mut recorder = Recorder::new(warm_up, Since::Sent, 0);
        (0..requests).for_each(|n| recorder.record(&record(n, n)));
        let failure = Failure::new(Phase::Input, FailureKind::BadUrl, "not an absolute URL");
        let line = Rejected { seq: requests, line: 1, given: "<i>line</i>".into(), id: None, failure };
        recorder.record(&Record::Rejected(line));
        recorder
    }

    #[test]
    fn everything_is_counted_once() {
        let seen = seen(1000, Duration::ZERO);
        assert_eq!((seen.requests, seen.failed, seen.rejected, seen.left_out), (1000, 100, 1, 0));
        assert_eq!((seen.again, seen.reused, seen.wire_bytes), (200, 992, 1_000_000));
        assert_eq!(seen.statuses, BTreeMap::from([(200, 900)]));
        let failures: Vec<_> = seen.failures.values().map(|failures| (failures.count, &*failures.of)).collect();
        assert_eq!(failures, [(1, "<i>line</i>"), (100, "http://h0.test/%3C/script%3E?…")]);
        let ended: u64 = seen.series.stretches(seen.end).iter().map(|stretch| stretch.bin.ended).sum();
        assert_eq!((ended, seen.end), (1000, Time::from_millis(999 + 99)));
    }

    #[test]
    fn percentiles_are_within_a_thousandth_above_those_that_were_recorded() {
        let times = recorded();
        let mut recorder = Recorder::new(Duration::ZERO, Since::Sent, 0);
        for time in &times {
            // Not one of those that failed.
            let Record::Fetched(mut outcome) = record(1, 0) else { unreachable!("it is one") };
            outcome.last.timings.total = Duration::from_nanos(*time);
            recorder.record(&Record::Fetched(outcome));
        }
        let found =
            |per_mille: usize| (per_mille, recorder.latency.value_at_quantile(per_mille as f64 / 1e3) as f64 / 1e3);
        hold(&times, [500, 900, 990, 999, 1000].map(found));
    }

    #[test]
    fn the_warm_up_is_in_the_series_alone() {
        let seen = seen(1000, ms(400));
        assert_eq!((seen.requests, seen.left_out, seen.latency.len()), (600, 400, 540));
        let ended: u64 = seen.series.stretches(seen.end).iter().map(|stretch| stretch.bin.ended).sum();
        assert_eq!(ended, 1000);
    }

    /// `cargo test --release --bin haul cost_of_a_record -- --ignored --nocapture`
    #[test]
    #[ignore = "measures, and asserts nothing"]
    #[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
    fn cost_of_a_record() {
        let records: Vec<Record> = (0..100_000).map(|n| record(n, n / 20)).collect();
        for _ in 0..5 {
            let mut recorder = Recorder::new(Duration::ZERO, Since::Sent, 0);
            let begin = std::time::Instant::now();
            records.iter().for_each(|record| recorder.record(record));
            eprintln!("{:.0} ns a record", begin.elapsed().as_nanos() as f64 / records.len() as f64);
        }
    }
}
