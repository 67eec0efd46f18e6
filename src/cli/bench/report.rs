//! What a load came to: figures, as text and as JSON (docs/BENCH.md). Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use haul::engine::RunReport;
use hdrhistogram::Histogram;
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::LoadArgs;
use super::load::Target;
use super::tally::Tally;
use crate::cli::exit::Exit;
use crate::cli::status::clock;
use crate::cli::summary::short;

/// From which part of its threads' time on the client itself is taken for the bottleneck.
const BUSY: f64 = 0.9;

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Asked {
    /// The first URL.
    pub(super) url: String,
    pub(super) urls: usize,
    pub(super) connections: u32,
    /// Requests at once on each.
    pub(super) streams: u32,
    pub(super) warm_up_s: f64,
}

impl Asked {
    /// `targets`: at least one.
    pub(super) fn new(targets: &[Target], load: &LoadArgs) -> Self {
        Self {
            url: targets[0].url.as_str().to_owned(),
            urls: targets.len(),
            connections: load.connections().get(),
            streams: load.streams().get(),
            warm_up_s: load.warm_up.unwrap_or_default().as_secs_f64(),
        }
    }
}

/// The figures. The fields' names are those of the JSON object; times are in the unit of their name.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    asked: Asked,
    stopped: bool,
    requests: u64,
    answered: u64,
    failed: u64,
    elapsed_s: f64,
    requests_per_s: f64,
    received_bytes: u64,
    latency_us: Latency,
    status: BTreeMap<u16, u64>,
    failures: Vec<Failures>,
    connections_opened: u64,
    requests_on_new_connections: u64,
    left_out: u64,
    cpu: Processor,
}

/// From the start of a request, without the time it waited for its turn, to the end of its body.
#[derive(Debug, Serialize)]
struct Latency {
    mean: f64,
    stddev: f64,
    min: f64,
    p50: f64,
    p75: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct Failures {
    phase: &'static str,
    kind: &'static str,
    count: u64,
}

/// What the whole process took, warm-up included.
#[derive(Debug, Serialize)]
struct Processor {
    seconds: f64,
    us_per_request: f64,
    /// Seconds of processor time per second.
    cores: f64,
    /// Whether the threads that fetch had no time left: the server may be able to do more than it was asked for.
    client_bound: bool,
}

/// How the client's process fared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) processor: Duration,
    pub(super) elapsed: Duration,
    /// Threads that fetched.
    pub(super) shards: usize,
}

impl Report {
    pub(super) fn new(asked: Asked, tally: &Tally, run: &RunReport, spent: Spent) -> Self {
        let requests = tally.answered() + tally.failed();
        let elapsed = tally.elapsed().as_secs_f64();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            asked,
            stopped: run.stopped,
            requests,
            answered: tally.answered(),
            failed: tally.failed(),
            elapsed_s: elapsed,
            requests_per_s: (ratio(requests, elapsed) * 1e3).round() / 1e3,
            received_bytes: tally.wire_bytes,
            latency_us: Latency::of(&tally.latency),
            status: tally.statuses.clone(),
            failures: failures(tally),
            connections_opened: run.totals.connections_opened,
            requests_on_new_connections: tally.on_new_connections,
            left_out: tally.left_out,
            cpu: Processor::of(spent, requests + tally.left_out),
        }
    }

    /// How the command ends.
    pub(super) const fn exit(&self) -> Exit {
        match (self.stopped, self.failed) {
            (true, _) => Exit::Interrupted,
            (false, 0) => Exit::Complete,
            (false, _) => Exit::SomeFailed,
        }
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers and text can be written")
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let lines = [
            Some(self.headline()),
            (self.answered > 0).then(|| format!("  latency      {}", self.latency_us.text())),
            (self.answered > 0).then(|| format!("  status       {}", counts(&self.status))),
            (self.failed > 0).then(|| format!("  failed       {}", self.failed_text())),
            Some(format!("  connections  {}", self.connections_text())),
            (self.received_bytes > 0).then(|| format!("  bodies       {}", self.bytes_text())),
            (self.left_out > 0).then(|| format!("  warm-up      {} requests left out", HumanCount(self.left_out))),
            Some(format!("  processor    {}", self.cpu.text())),
            self.cpu.client_bound.then(|| format!("\n{CLIENT_BOUND}")),
        ];
        lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }

    fn headline(&self) -> String {
        format!(
            "{} requests in {}: {}/s, {} failed",
            HumanCount(self.requests),
            clock(Duration::try_from_secs_f64(self.elapsed_s).unwrap_or_default()),
            HumanCount(whole(self.requests_per_s)),
            HumanCount(self.failed),
        )
    }

    fn failed_text(&self) -> String {
        let one = |failures: &Failures| {
            let Failures { phase, kind, count } = failures;
            format!("{phase} {kind} {}", HumanCount(*count))
        };
        self.failures.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn connections_text(&self) -> String {
        let (asked, opened) = (self.asked.connections, self.connections_opened);
        let surplus = match opened > u64::from(asked) {
            true => ": some were closed, or opened for each request",
            false => "",
        };
        format!("{} opened, {} wanted{surplus}", HumanCount(opened), HumanCount(asked.into()))
    }

    fn bytes_text(&self) -> String {
        let rate = self.received_bytes as f64 / self.elapsed_s.max(1e-9);
        format!("{} received, {}/s", HumanBytes(self.received_bytes), HumanBytes(whole(rate)))
    }
}

const CLIENT_BOUND: &str = "\
This client had no processor time left, so the server may be able to do more than this. More threads (--shards) help when
there is more than one host; so does a client on another machine.";

impl Latency {
    fn of(nanoseconds: &Histogram<u64>) -> Self {
        let at = |quantile| nanoseconds.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            mean: nanoseconds.mean().round() / 1e3,
            stddev: nanoseconds.stdev().round() / 1e3,
            min: nanoseconds.min() as f64 / 1e3,
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: nanoseconds.max() as f64 / 1e3,
        }
    }

    fn text(&self) -> String {
        let time = |microseconds: f64| short(Duration::try_from_secs_f64(microseconds / 1e6).unwrap_or_default());
        format!(
            "mean {}, p50 {}, p90 {}, p99 {}, p99.9 {}, longest {}",
            time(self.mean),
            time(self.p50),
            time(self.p90),
            time(self.p99),
            time(self.p99_9),
            time(self.max),
        )
    }
}

impl Processor {
    fn of(spent: Spent, requests: u64) -> Self {
        let seconds = spent.processor.as_secs_f64();
        let cores = seconds / spent.elapsed.as_secs_f64().max(1e-9);
        Self {
            seconds,
            us_per_request: (seconds * 1e9 / requests.max(1) as f64).round() / 1e3,
            cores: (cores * 1e4).round() / 1e4,
            client_bound: cores >= BUSY * spent.shards as f64,
        }
    }

    fn text(&self) -> String {
        format!("{:.1}us a request, {:.0} % of a core", self.us_per_request, self.cores * 100.0)
    }
}

fn failures(tally: &Tally) -> Vec<Failures> {
    let one = |((phase, kind), count): (&(haul::model::Phase, haul::model::FailureKind), &u64)| Failures {
        phase: phase.name(),
        kind: kind.name(),
        count: *count,
    };
    let mut failures: Vec<_> = tally.failures.iter().map(one).collect();
    failures.sort_by_key(|failures| std::cmp::Reverse(failures.count));
    failures
}

fn counts(statuses: &BTreeMap<u16, u64>) -> String {
    statuses.iter().map(|(status, count)| format!("{status} {}", HumanCount(*count))).collect::<Vec<_>>().join(", ")
}

fn ratio(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// To the whole number below.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is shown here is never that large, nor negative"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use haul::model::{Attempt, Failure, FailureKind, Job, Outcome, Phase, Record, Response, Sink, Time, WebUrl};

    use super::*;
    use crate::cli::bench::tally::Counting;
    use crate::cli::summary;
    use crate::cli::summary_json::tests::{first_column, paths};

    const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/BENCH.md"));

    fn record(at: u64, took: Duration, result: Result<Response, Failure>) -> Record {
        let job = Job::new(at, WebUrl::parse("http://a.test/").expect("a URL").0, Time::ZERO);
        let mut last = Attempt::unsent(Failure::new(Phase::Head, FailureKind::Timeout, "late"));
        last.result = result;
        last.timings.total = took;
        last.wire_bytes = 1000;
        Record::Fetched(Outcome { job, attempts: 1, last })
    }

    fn response(status: u16) -> Response {
        Response {
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

    /// 998 responses that took 1 to 998 ms, one of 503 after a second, one failure.
    fn report(stopped: bool) -> Report {
        let tally = std::sync::Arc::new(std::sync::Mutex::new(Tally::new(Duration::ZERO)));
        let millis = Duration::from_millis;
        let failure = Failure::new(Phase::Head, FailureKind::Timeout, "late");
        let mut records: Vec<_> = (1..=998).map(|n| record(n, millis(n), Ok(response(200)))).collect();
        records.push(record(0, millis(1000), Ok(response(503))));
        records.push(record(999, millis(2000), Err(failure)));
        Counting(std::sync::Arc::clone(&tally)).write(&mut records, &mut Vec::new()).expect("can't fail");
        let mut run = summary::tests::report();
        run.stopped = stopped;
        run.totals.connections_opened = 70;
        let asked = Asked { url: "http://a.test/".into(), urls: 1, connections: 64, streams: 1, warm_up_s: 0.0 };
        let spent = Spent { processor: millis(1950), elapsed: millis(2000), shards: 1 };
        Report::new(asked, &tally.lock().expect("unharmed"), &run, spent)
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
1,000 requests in 2.0s: 500/s, 1 failed
  latency      mean 500ms, p50 500ms, p90 900ms, p99 990ms, p99.9 1.0s, longest 1.0s
  status       200 998, 503 1
  failed       head timeout 1
  connections  70 opened, 64 wanted: some were closed, or opened for each request
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
    fn the_page_names_every_field_and_no_other() {
        let value = serde_json::from_str(&report(false).json()).expect("JSON");
        let mut fields = BTreeSet::new();
        paths(&value, "", &mut fields);
        fields.remove("status.503");
        assert_eq!(first_column(PAGE), fields);
    }
}
