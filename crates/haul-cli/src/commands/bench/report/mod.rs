//! What a load came to: the figures, which as they stand are its JSON (docs/guide/BENCH.md). Pure.
//!
//! [`text`] tells them to people, [`page`] to a page.

mod page;
mod text;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::against::{Earlier, EarlierComparison};
use super::client::{Lack, cores};
use super::figures::{Times, per_second, thousandths};
use super::load_spec::LoadSpec;
use super::load_stats::{DrainCounts, LoadStats};
use super::series::Second;
use super::steps::StepReport;
use super::trial::{ClientUsage, LoadResult};
use crate::shared::exit::Exit;

/// The figures. The fields' names are those of the JSON object; times are in the unit of their name.
#[derive(Debug, Serialize)]
pub(super) struct BenchReport {
    version: &'static str,
    asked: LoadSpec,
    stopped: bool,
    requests: u64,
    answered: u64,
    failed: u64,
    /// In flight when the load was over and its grace, too.
    cut_off: u64,
    elapsed_s: f64,
    /// In which load was made, and the requests that ended after that.
    load_s: f64,
    drained: u64,
    requests_per_s: f64,
    received_bytes: u64,
    /// From the start of a request to the end of its body.
    latency_us: Times,
    open: Option<OpenLoopReport>,
    steps: Vec<StepReport>,
    status: BTreeMap<u16, u64>,
    failures: Vec<FailureCount>,
    connections_opened: u64,
    requests_on_new_connections: u64,
    left_out: u64,
    cpu: CpuUsage,
    client_lacked: Vec<&'static str>,
    seconds: Vec<Second>,
    against: Option<EarlierComparison>,
    #[serde(skip)]
    rates: Rates,
    #[serde(skip)]
    lacks: Vec<Lack>,
}

/// Per second in which load was made. Requests that failed are no throughput: a server that refuses everything does so fast.
#[derive(Debug)]
struct Rates {
    answered: f64,
    bytes: f64,
}

/// What an open loop has besides.
#[derive(Debug, Serialize)]
struct OpenLoopReport {
    planned: u64,
    unfinished: u64,
    /// Those that started more than a millisecond after their time.
    sent_late: u64,
    /// From when a request was due to the end of its body.
    response_us: Times,
    /// From when a request was due to its start.
    late_us: Times,
}

#[derive(Debug, Serialize)]
struct FailureCount {
    phase: &'static str,
    kind: &'static str,
    count: u64,
}

/// What the whole process took, warm-up included.
#[derive(Debug, Serialize)]
struct CpuUsage {
    seconds: f64,
    us_per_request: f64,
    /// Seconds of processor time per second.
    cores: f64,
    /// Whether the threads that fetch had no time left: the server may be able to do more than it was asked for.
    client_bound: bool,
    /// The thread that was busiest while requests counted, and which part of its time it ran.
    busiest_thread: Option<String>,
    busiest_share: Option<f64>,
}

impl BenchReport {
    pub(super) fn new(asked: LoadSpec, mut done: LoadResult) -> Self {
        let (seconds, counted) = done.tally.finish();
        let lacks = Lack::of(&done, asked.connections.into());
        let tally = &done.tally;
        let requests = tally.answered() + tally.failed();
        let load = done.lasted.as_secs_f64();
        let DrainCounts { requests: drained, failed: drained_failed, wire_bytes: drained_bytes } = tally.drained;
        let service = tally.open.as_ref().map_or(&counted, |open| &open.service);
        let is_ramp = asked.rates_per_s.len() > 1;
        let steps = done.schedule.as_ref().filter(|_| is_ramp);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            stopped: done.run.stopped,
            requests,
            answered: tally.answered(),
            failed: tally.failed(),
            cut_off: done.run.cut_off,
            elapsed_s: tally.elapsed().as_secs_f64(),
            load_s: load,
            drained,
            requests_per_s: per_second(requests - drained, load),
            rates: Rates {
                answered: per_second(tally.answered() - (drained - drained_failed), load),
                bytes: per_second(tally.wire_bytes - drained_bytes, load),
            },
            received_bytes: tally.wire_bytes,
            latency_us: Times::of(service),
            open: OpenLoopReport::of(&done, &counted),
            steps: steps.map(|plan| StepReport::of_ramp(&done, plan, &asked.rates_per_s)).unwrap_or_default(),
            status: tally.statuses.clone(),
            failures: failures(tally),
            connections_opened: done.run.totals.connections_opened,
            requests_on_new_connections: tally.on_new_connections,
            left_out: tally.left_out,
            cpu: CpuUsage::of(&done, &lacks, requests + tally.left_out),
            client_lacked: lacks.iter().map(|lack| lack.name()).collect(),
            seconds,
            against: None,
            lacks,
            asked,
        }
    }

    /// How the command ends.
    pub(super) fn exit(&self) -> Exit {
        match self.stopped {
            true => Exit::Interrupted,
            false if self.failed + self.unfinished() == 0 => Exit::Complete,
            false => Exit::SomeFailed,
        }
    }

    /// The load second by second.
    pub(super) fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    /// Adds what a comparison shows.
    pub(super) fn compare(&mut self, earlier: Earlier) {
        self.against = Some(EarlierComparison::new(earlier, &self.asked, self.load_s, &self.seconds));
    }

    /// Requests that belong to the load and have no end.
    fn unfinished(&self) -> u64 {
        self.open.as_ref().map_or(self.cut_off, |open| open.unfinished)
    }

    pub(super) fn told(&self, json: bool) -> String {
        if json { self.json() } else { self.text() }
    }

    /// One JSON object.
    fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers and text can be written")
    }
}

impl OpenLoopReport {
    fn of(done: &LoadResult, response: &Histogram<u64>) -> Option<Self> {
        let (open, schedule) = (done.tally.open.as_ref()?, done.schedule.as_ref()?);
        let warm_up = schedule.steps() - open.steps.len();
        let planned = (warm_up..schedule.steps()).map(|step| schedule.planned(step)).sum::<u64>();
        Some(Self {
            planned,
            unfinished: planned.saturating_sub(done.tally.answered() + done.tally.failed()),
            sent_late: open.sent_late,
            response_us: Times::of(response),
            late_us: Times::of(&open.late),
        })
    }
}

impl CpuUsage {
    fn of(done: &LoadResult, lacks: &[Lack], requests: u64) -> Self {
        let ClientUsage { processor, busiest, .. } = &done.spent;
        let seconds = processor.as_secs_f64();
        Self {
            seconds,
            us_per_request: thousandths(seconds * 1e6 / requests.max(1) as f64),
            cores: (cores(done) * 1e4).round() / 1e4,
            client_bound: lacks.contains(&Lack::Processor),
            busiest_thread: busiest.as_ref().map(|busiest| busiest.name.clone()),
            busiest_share: busiest.as_ref().map(|busiest| (busiest.share * 1e4).round() / 1e4),
        }
    }
}

fn failures(tally: &LoadStats) -> Vec<FailureCount> {
    let one = |((phase, kind), count): (&(haul::model::Phase, haul::model::FailureKind), &u64)| FailureCount {
        phase: phase.name(),
        kind: kind.name(),
        count: *count,
    };
    let mut failures: Vec<_> = tally.failures.iter().map(one).collect();
    failures.sort_by_key(|failures| std::cmp::Reverse(failures.count));
    failures
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use haul::config::Rate;
    use haul::model::{
        Attempt, CompleteResponse, Failure, FailureKind, Job, Outcome, Phase, Record, Sink, Time, WebUrl,
    };

    use super::*;
    use crate::commands::bench::against;
    use crate::commands::bench::args::OpenLoopPlan;
    use crate::commands::bench::load_spec::BodyDigest;
    use crate::commands::bench::load_stats::StatsSink;
    use crate::commands::bench::schedule::{Arrivals, BEGIN};
    use crate::shared::summary;
    use crate::shared::summary_json::tests::{first_column, paths};

    const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/BENCH.md"));

    /// A record of a request that was read or due at `at`, started `late` after it and took `took`.
    pub(in crate::commands::bench) fn record(
        at: Time,
        late: Duration,
        took: Duration,
        result: Result<CompleteResponse, Failure>,
    ) -> Record {
        let job = Job::new(0, WebUrl::parse("http://a.test/").expect("a URL").0, at);
        let mut last = Attempt::unsent(Failure::new(Phase::Head, FailureKind::Timeout, "late"));
        last.result = result;
        (last.timings.queued, last.timings.total) = (late, took);
        last.wire_bytes = 1000;
        Record::Fetched(Outcome { job, attempts: 1, last })
    }

    pub(in crate::commands::bench) fn response(status: u16) -> CompleteResponse {
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

    fn late() -> Failure {
        Failure::new(Phase::Head, FailureKind::Timeout, "late")
    }

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    pub(in crate::commands::bench) fn done(tally: LoadStats, mut records: Vec<Record>) -> LoadResult {
        let tally = Arc::new(Mutex::new(tally));
        StatsSink(Arc::clone(&tally)).write(&mut records, &mut Vec::new()).expect("can't fail");
        let mut run = summary::tests::report();
        (run.stopped, run.totals.connections_opened) = (false, 70);
        let mut tally = std::mem::replace(&mut *tally.lock().expect("unharmed"), LoadStats::new(Duration::ZERO));
        let lasted = tally.lasted(true);
        let spent =
            ClientUsage { processor: ms(1950), busiest: None, elapsed: ms(2000), shards: 1, descriptors_allow: None };
        LoadResult { tally, run, spent, schedule: None, lasted, page_run: None }
    }

    fn asked() -> LoadSpec {
        LoadSpec {
            url: "http://a.test/".into(),
            body: Some(BodyDigest::of(b"text")),
            connections: 64,
            ..LoadSpec::default()
        }
    }

    /// 998 responses that took 1 to 998 ms, one of 503 after a second, one failure.
    fn report(stopped: bool) -> BenchReport {
        let at = Time::ZERO;
        let mut records: Vec<_> = (1..=998).map(|n| record(at, Duration::ZERO, ms(n), Ok(response(200)))).collect();
        records.push(record(at, Duration::ZERO, ms(1000), Ok(response(503))));
        records.push(record(at, Duration::ZERO, ms(2000), Err(late())));
        let mut done = done(LoadStats::new(Duration::ZERO), records);
        done.run.stopped = stopped;
        BenchReport::new(asked(), done)
    }

    /// A ramp of two steps of a second at 10/s and 20/s: the last request of each is missing, one is late, one has failed.
    pub(in crate::commands::bench) fn ramp() -> BenchReport {
        let plan = OpenLoopPlan {
            rates: [10.0, 20.0].map(|rate| Rate::new(rate).expect("a rate")).into(),
            step: Some(ms(1000)),
            requests: None,
            warm_up: Duration::ZERO,
            arrivals: Arrivals::Constant,
            seed: 0,
        };
        let mut records: Vec<_> =
            (0..9).map(|n| record(BEGIN + ms(n * 100), Duration::ZERO, ms(5), Ok(response(200)))).collect();
        records.extend((0..18).map(|n| record(BEGIN + ms(1000 + n * 50), ms(n), ms(5), Ok(response(200)))));
        records.push(record(BEGIN + ms(1950), Duration::ZERO, ms(5), Err(late())));
        let mut done = done(LoadStats::open(Duration::ZERO, 2, ms(1000), Duration::MAX), records);
        done.schedule = Some(plan.schedule());
        BenchReport::new(
            LoadSpec { rates_per_s: vec![10.0, 20.0], arrivals: Some("constant"), seed: Some(0), ..asked() },
            done,
        )
    }

    impl BenchReport {
        pub(in crate::commands::bench) fn parts(self) -> (LoadSpec, Vec<StepReport>) {
            (self.asked, self.steps)
        }
    }

    #[test]
    fn percentiles_are_within_a_thousandth_of_the_exact_ones() {
        let latency = report(false).latency_us;
        let exact = [(latency.p50, 500e3), (latency.p75, 750e3), (latency.p90, 900e3), (latency.p99, 990e3)];
        assert!(exact.iter().all(|(got, exact)| (got / exact - 1.0).abs() <= 1e-3), "{exact:?}");
        assert!((latency.mean / 500e3 - 1.0).abs() < 2e-3 && (latency.max / 1e6 - 1.0).abs() < 1e-3, "{latency:?}");
    }

    #[test]
    fn the_text_says_what_happened_and_that_the_client_was_the_bottleneck() {
        let text = report(false).text();
        let expected = "\
1,000 requests in 2.0s: 500/s answered, 1 failed
                mean    p50    p90    p99  p99.9  longest
  latency      500ms  500ms  900ms  990ms   1.0s     1.0s
               latency: of the 999 answered, without the 1 failed
  status       200 998, 503 1
  failed       head timeout 1
  connections  70 opened, 64 in use at once
  bodies       976.56 KiB received, 488.28 KiB/s
  processor    1950.0us a request, 98 % of a core
";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("had no processor time left"));
    }

    #[test]
    fn the_exit_code_tells_failures_and_interruptions() {
        assert_eq!((report(false).exit(), report(true).exit()), (Exit::SomeFailed, Exit::Interrupted));
    }

    #[test]
    fn an_open_loop_shows_its_times_apart_and_its_steps() {
        let expected = "\
28 requests in 2.0s: 14/s answered, asked for 10/s to 20/s, 1 failed
                 mean     p50     p90     p99   p99.9  longest
  response       11ms  9.00ms    20ms    22ms    22ms     22ms
  service      5.00ms  5.00ms  5.00ms  5.00ms  5.00ms   5.00ms
  late         5.46ms  3.00ms    15ms    17ms    17ms     17ms
               response and service: of the 27 answered, without the 1 failed
  status       200 27
  failed       head timeout 1
  unfinished   2 were due and had not ended when the load was over: these times
               leave them out, and would be longer with them
  connections  70 opened, up to 64 at once
  bodies       27.34 KiB received, 13.99 KiB/s
  processor    69642.9us a request, 98 % of a core

  asked    got     p50     p99  longest  late p99  failed  unfinished
   10/s  9.0/s  5.00ms  5.00ms   5.00ms       0us       0           1
   20/s   18/s    13ms    22ms     22ms      17ms       1           1
";
        let text = ramp().text();
        assert!(text.starts_with(expected), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(ramp().exit(), Exit::SomeFailed);
    }

    #[test]
    fn the_page_names_every_field_and_no_other() {
        let mut fields = BTreeSet::new();
        let mut compared = report(false);
        compared.compare(against::tests::earlier());
        for report in [report(false), ramp(), compared] {
            let value = serde_json::from_str(&report.told(true)).expect("JSON");
            paths(&value, "", &mut fields);
        }
        fields.remove("status.503");
        let page = PAGE.split("## JSON of --find-max").next().expect("a table");
        assert_eq!(first_column(page.split("## JSON").nth(1).expect("a section")), fields);
    }
}
