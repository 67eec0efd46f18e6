//! A run's numbers as text, in OpenMetrics or in Prometheus's older format. Pure.
//!
//! Owns the names. No label has a value from outside (no host, no URL), so the number of series is bounded.

use std::fmt;
use std::sync::Arc;

use haul::config::Rate;
use haul::engine::{Bottleneck, Estimate, LiveLimits, Snapshot};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::job_stats::{BOUNDS, JobStats};

/// A run at one moment.
#[derive(Clone, Debug)]
pub(super) struct MetricsSnapshot {
    pub(super) now: Snapshot,
    pub(super) limits: LiveLimits,
    /// `None` until the run has looked for the first time.
    pub(super) estimate: Option<Estimate>,
    pub(super) tally: JobStats,
}

/// The two formats. They differ in how counters are announced and in how the text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// The media type.
    pub(super) const fn media(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// All of it.
pub(super) fn page(facts: MetricsSnapshot, format: Format) -> String {
    let mut registry = Registry::with_prefix("haul");
    registry.register_collector(Box::new(Arc::new(facts)));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("writing to a string doesn't fail");
    match format {
        Format::OpenMetrics => page,
        Format::Prometheus => classic(&page),
    }
}

/// The older format announces a counter under the name that its samples have, and knows neither units nor an end.
fn classic(page: &str) -> String {
    let mut counter = "";
    // A counter's help stands before its type: it is looked for once for each line of help.
    let is_counter =
        |name: &str| page.lines().any(|line| line.strip_prefix("# TYPE ") == Some(&format!("{name} counter")));
    let mut classic = String::with_capacity(page.len());
    for line in page.lines().filter(|line| *line != "# EOF" && !line.starts_with("# UNIT ")) {
        let announced = ["# HELP ", "# TYPE "].iter().find_map(|word| Some((word, line.strip_prefix(word)?)));
        match announced.and_then(|(word, rest)| Some((word, rest.split_once(' ')?))) {
            Some((word, (name, rest))) if name == counter || is_counter(name) => {
                counter = name;
                classic.extend([*word, name, "_total ", rest]);
            }
            _ => classic.push_str(line),
        }
        classic.push('\n');
    }
    classic
}

impl Collector for MetricsSnapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(encoder);
        self.jobs(&mut writer)?;
        self.work(&mut writer)?;
        self.state(&mut writer)?;
        self.limits(&mut writer)?;
        self.durations(&mut writer)
    }
}

impl MetricsSnapshot {
    /// What became of the input.
    fn jobs(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = &self.now;
        writer.counter("urls_read", "Input lines read: URLs, and lines that are none", now.accepted)?;
        writer.counter(
            "urls_rejected",
            "Input lines that are no URL to fetch; they are among the failed",
            now.rejected,
        )?;
        let results = [("succeeded", now.succeeded), ("failed", now.failed), ("cancelled", now.cancelled)];
        let help = "URLs done by result: succeeded with a response of any status, failed, or cancelled by a stop";
        writer.counters("urls_done", help, results.map(|(result, count)| (vec![("result", result)], count)))?;
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(&now.status[1..]);
        let classes = classes.map(|(class, count)| (vec![("class", class)], *count));
        writer.counters("responses", "Responses delivered by the class of their status", classes)?;
        let failures = self.tally.failures.iter();
        let failures =
            failures.map(|((phase, kind), count)| (vec![("phase", phase.name()), ("kind", kind.name())], *count));
        writer.counters("failures", "URLs failed by phase and kind, rejected lines included", failures)
    }

    /// What it took.
    fn work(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = &self.now;
        writer.counter("retries", "Attempts beyond the first", now.retries)?;
        writer.counter("redirects", "Redirects followed", now.redirects)?;
        writer.counter("connections_opened", "Connections opened", now.connections_opened)?;
        let help = "Requests sent on a connection that had served one before";
        writer.counter("connections_reused", help, now.connections_reused)?;
        let bytes = Some(&Unit::Bytes);
        writer.with_unit("received", "Body bytes received, before decoding", bytes, now.wire_bytes)?;
        writer.with_unit("decoded", "Body bytes of responses delivered, after decoding", bytes, now.body_bytes)
    }

    /// Where the run is.
    fn state(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = &self.now;
        writer.gauge("in_flight", "Requests in flight", None, now.in_flight as f64)?;
        writer.gauge("queued", "URLs read that wait to be started", None, now.queued as f64)?;
        writer.gauge("hosts", "Hosts known", None, now.hosts as f64)?;
        if let Some(estimate) = &self.estimate {
            let help = "Hosts with URLs waiting or in flight; as of a second ago or so";
            writer.gauge("hosts_left", help, None, estimate.hosts_left as f64)?;
            writer.gauge("retrying", "URLs that wait for the time of their retry", None, estimate.retrying as f64)?;
        }
        let paused = self.estimate.as_ref().is_some_and(|estimate| estimate.bound == Bottleneck::Paused);
        writer.gauge("paused", "1 while the user holds the run, else 0", None, f64::from(u8::from(paused)))?;
        writer.gauge("elapsed", "Time since the run's start", Some(&Unit::Seconds), now.elapsed.as_secs_f64())
    }

    /// What holds it. A limit that is not set has no series.
    fn limits(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let limits = &self.limits;
        let help = "Limit on requests in flight over all hosts";
        writer.gauge("limit_in_flight", help, None, limits.concurrency.get().into())?;
        let help = "Limit on requests in flight per host";
        writer.gauge("limit_host_in_flight", help, None, limits.per_host.get().into())?;
        let rates = [
            ("limit_starts_per_second", "Limit on starts per second over all hosts", limits.rate),
            ("limit_host_starts_per_second", "Limit on starts per second per host", limits.host_rate),
        ];
        for (name, help, rate) in rates {
            if let Some(rate) = rate.map(Rate::per_second) {
                writer.gauge(name, help, None, rate)?;
            }
        }
        let help = "Least time between two starts on a host";
        writer.gauge("limit_host_delay", help, Some(&Unit::Seconds), limits.delay.as_secs_f64())
    }

    /// How long responses took.
    fn durations(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let bounds = BOUNDS.map(|micros| micros as f64 / 1e6).into_iter().chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(self.tally.buckets).collect();
        let count = self.tally.buckets.iter().sum();
        let help = "Time of attempts that brought the response delivered: from dispatch (of a plan: from when due) to the end of the body";
        let mut metric = writer.announce("request_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(self.tally.sum.as_secs_f64(), count, &buckets, None)
    }
}

/// Writes one metric after the other.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn announce<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        unit: Option<&'s Unit>,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, unit, kind)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.with_unit(name, help, None, value)
    }

    fn with_unit(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
        self.announce(name, help, unit, MetricType::Counter)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, u64)>,
    ) -> fmt::Result {
        let mut metric = self.announce(name, help, None, MetricType::Counter)?;
        for (labels, value) in series {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: f64) -> fmt::Result {
        self.announce(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haul::config::Limits;
    use haul::model::{FailureKind, Phase};
    use haul::sched::HostBottleneck;
    use prometheus_parse::{Scrape, Value};

    use super::*;
    use crate::shared::bound::tests::estimate;
    use crate::shared::metrics::job_stats::tests::failed;
    use crate::shared::since::Since;

    fn facts() -> MetricsSnapshot {
        let mut tally = JobStats::default();
        tally.count(
            &[failed(Phase::Dns, FailureKind::NameNotFound), failed(Phase::Dns, FailureKind::NameNotFound)],
            Since::Sent,
        );
        tally.buckets[1] = 3;
        tally.buckets[16] = 1;
        tally.sum = Duration::from_millis(61_500);
        MetricsSnapshot {
            now: Snapshot {
                accepted: 10,
                succeeded: 4,
                failed: 2,
                in_flight: 3,
                wire_bytes: 1 << 40,
                status: [0, 0, 3, 0, 1, 0],
                elapsed: Duration::from_millis(1500),
                ..Snapshot::default()
            },
            limits: LiveLimits::from(&Limits { rate: Rate::new(0.5), ..Limits::default() }),
            estimate: Some(estimate(Bottleneck::Paused, 1, HostBottleneck::Delay)),
            tally,
        }
    }

    #[test]
    fn a_parser_reads_what_was_meant() {
        let page = page(facts(), Format::Prometheus);
        let scrape = Scrape::parse(page.lines().map(|line| Ok(line.to_owned()))).expect("text");
        let value = |metric: &str, labels: &[(&str, &str)]| {
            let has = |sample: &&prometheus_parse::Sample| {
                sample.metric == metric && labels.iter().all(|(name, value)| sample.labels.get(name) == Some(value))
            };
            scrape.samples.iter().find(has).unwrap_or_else(|| panic!("{metric}: {page}")).value.clone()
        };
        assert_eq!(value("haul_urls_read_total", &[]), Value::Counter(10.0));
        assert_eq!(value("haul_urls_done_total", &[("result", "failed")]), Value::Counter(2.0));
        assert_eq!(value("haul_responses_total", &[("class", "4xx")]), Value::Counter(1.0));
        assert_eq!(value("haul_failures_total", &[("phase", "dns"), ("kind", "nxdomain")]), Value::Counter(2.0));
        assert_eq!(value("haul_received_bytes_total", &[]), Value::Counter((1_u64 << 40) as f64));
        assert_eq!(value("haul_in_flight", &[]), Value::Gauge(3.0));
        assert_eq!(value("haul_limit_in_flight", &[]), Value::Gauge(256.0));
        assert_eq!(value("haul_limit_starts_per_second", &[]), Value::Gauge(0.5));
        assert_eq!(value("haul_paused", &[]), Value::Gauge(1.0));
        assert_eq!(value("haul_elapsed_seconds", &[]), Value::Gauge(1.5));
        assert_eq!(value("haul_request_duration_seconds_sum", &[]), Value::Untyped(61.5));
        let Value::Histogram(buckets) = value("haul_request_duration_seconds", &[]) else { panic!("{page}") };
        let counts: Vec<_> = buckets.iter().map(|bucket| (bucket.less_than, bucket.count)).collect();
        assert_eq!((counts.len(), counts[0], counts[1]), (17, (0.0005, 0.0), (0.001, 3.0)), "cumulative");
        assert_eq!(counts[16], (f64::INFINITY, 4.0));
        assert!(!page.contains("limit_host_starts"), "a limit that is not set has no series");
    }

    #[test]
    fn every_metric_says_what_it_is_in_both_formats() {
        for (format, suffix) in [(Format::Prometheus, ""), (Format::OpenMetrics, "_total")] {
            let page = page(facts(), format);
            let announced =
                |word: &str, name: &str| page.lines().any(|line| line.starts_with(&format!("# {word} {name} ")));
            for line in page.lines().filter(|line| !line.starts_with('#')) {
                let sample = line.split(['{', ' ']).next().expect("a name");
                let parts = ["_bucket", "_sum", "_count"];
                let histogram = parts.iter().find_map(|part| sample.strip_suffix(part)).unwrap_or(sample);
                let name = histogram.strip_suffix(suffix).unwrap_or(histogram);
                assert!(announced("HELP", name) && announced("TYPE", name), "{format:?}: {line}\n{page}");
            }
            assert_eq!(page.ends_with("# EOF\n"), format == Format::OpenMetrics);
        }
    }
}
