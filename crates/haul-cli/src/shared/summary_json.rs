//! The summary as one JSON object, for programs. docs/reference/SUMMARY.md describes it, and a test holds the two together.

use std::collections::BTreeMap;
use std::time::Duration;

use haul::engine::{HostSummary, RunReport};
use serde::Serialize;

use super::bound;
use super::exit::Exit;
use super::progress::BoundDurations;

#[derive(Serialize)]
struct Summary<'a> {
    version: &'static str,
    exit_code: u8,
    stopped: bool,
    elapsed_us: u64,
    urls: Urls,
    status: BTreeMap<String, u64>,
    failures: Vec<FailureTotal>,
    attempt_us: Attempts,
    connections: Connections,
    bytes: Bytes,
    retries: u64,
    redirects: u64,
    slowest: Vec<HostFigures<'a>>,
    latest: Vec<HostFigures<'a>>,
    bounds: Vec<BoundEntry>,
    input_error: Option<String>,
    output_error: Option<String>,
}

#[derive(Serialize)]
struct Urls {
    accepted: u64,
    rejected: u64,
    succeeded: u64,
    failed: u64,
    left: u64,
    unwritten: u64,
    per_second: f64,
}

#[derive(Serialize)]
struct FailureTotal {
    phase: &'static str,
    kind: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct Attempts {
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

#[derive(Serialize)]
struct Connections {
    opened: u64,
    reused: u64,
    reuse_ratio: f64,
}

#[derive(Serialize)]
struct Bytes {
    wire: u64,
    body: u64,
}

#[derive(Serialize)]
struct HostFigures<'a> {
    origin: &'a str,
    attempts: u32,
    failed: u32,
    mean_us: u64,
    ended_us: u64,
}

#[derive(Serialize)]
struct BoundEntry {
    by: &'static str,
    seconds: f64,
}

/// The summary of a run, on one line.
pub(crate) fn summary(report: &RunReport, bounds: &BoundDurations) -> String {
    let totals = &report.totals;
    let summary = Summary {
        version: env!("CARGO_PKG_VERSION"),
        exit_code: Exit::of(report).code(),
        stopped: report.stopped,
        elapsed_us: micros(totals.elapsed),
        urls: Urls {
            accepted: totals.accepted,
            rejected: totals.rejected,
            succeeded: totals.succeeded,
            failed: totals.failed,
            left: report.left,
            unwritten: report.unwritten,
            per_second: ratio(totals.done() as f64, totals.elapsed.as_secs_f64()),
        },
        status: (1..).zip(&totals.status[1..]).map(|(class, count)| (format!("{class}xx"), *count)).collect(),
        failures: failures(report),
        attempt_us: Attempts {
            p50: micros(report.latency.p50),
            p90: micros(report.latency.p90),
            p99: micros(report.latency.p99),
            max: micros(report.latency.max),
        },
        connections: Connections {
            opened: totals.connections_opened,
            reused: totals.connections_reused,
            reuse_ratio: ratio(
                totals.connections_reused as f64,
                (totals.connections_reused + totals.connections_opened) as f64,
            ),
        },
        bytes: Bytes { wire: totals.wire_bytes, body: totals.body_bytes },
        retries: totals.retries,
        redirects: totals.redirects,
        slowest: report.slowest.iter().map(host).collect(),
        latest: report.latest.iter().map(host).collect(),
        bounds: bounds
            .iter()
            .map(|(by, time)| BoundEntry { by: bound::name(*by), seconds: time.as_secs_f64() })
            .collect(),
        input_error: report.source_error.as_ref().map(ToString::to_string),
        output_error: report.sink_error.as_ref().map(ToString::to_string),
    };
    serde_json::to_string(&summary).expect("numbers and texts can be written as JSON")
}

/// Most frequent first.
fn failures(report: &RunReport) -> Vec<FailureTotal> {
    let one = |(&(phase, kind), &count): (&(haul::model::Phase, haul::model::FailureKind), &u64)| FailureTotal {
        phase: phase.name(),
        kind: kind.name(),
        count,
    };
    let mut failures: Vec<_> = report.failures.iter().map(one).collect();
    failures.sort_by_key(|failures| std::cmp::Reverse(failures.count));
    failures
}

fn host(host: &HostSummary) -> HostFigures<'_> {
    HostFigures {
        origin: &host.origin,
        attempts: host.attempts,
        failed: host.failed,
        mean_us: micros(host.mean),
        ended_us: micros(host.ended),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// `part` of `whole`, with four digits after the point; 0 of nothing.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole * 1e4).round() / 1e4 } else { 0.0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use haul::engine::Bottleneck;
    use haul::sched::HostBottleneck;
    use serde_json::Value;

    use super::*;
    use crate::shared::summary::tests::{bounds, report};

    const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/SUMMARY.md"));

    fn value() -> Value {
        serde_json::from_str(&summary(&report(), &bounds())).expect("JSON")
    }

    /// The paths of all fields: `urls.failed`, `slowest[].origin`.
    pub(crate) fn paths(value: &Value, prefix: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    into.insert(path.clone());
                    paths(field, &path, into);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{prefix}[]"), into)),
            _ => {}
        }
    }

    pub(crate) fn first_column(section: &str) -> BTreeSet<String> {
        let name = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
        section.lines().filter_map(name).collect()
    }

    #[test]
    fn the_page_names_every_field_and_no_other() {
        let mut fields = BTreeSet::new();
        paths(&value(), "", &mut fields);
        let fields: BTreeSet<_> =
            fields.into_iter().filter(|path| !path.starts_with("status.") || path == "status.2xx").collect();
        let page = PAGE.split("## What bounds a run").next().expect("a table");
        assert_eq!(first_column(page), fields);
    }

    #[test]
    fn the_page_names_every_bound() {
        let page = first_column(PAGE.split("## What bounds a run").nth(1).expect("a second table"));
        let causes = [
            HostBottleneck::BackOff,
            HostBottleneck::Delay,
            HostBottleneck::Rate,
            HostBottleneck::Concurrency,
            HostBottleneck::Connections,
            HostBottleneck::Adaptive,
            HostBottleneck::Throttle,
            HostBottleneck::Probe,
            HostBottleneck::Group,
            HostBottleneck::Address,
        ];
        let general = [
            Bottleneck::Paused,
            Bottleneck::Output,
            Bottleneck::Input,
            Bottleneck::Window,
            Bottleneck::Concurrency,
            Bottleneck::Rate,
            Bottleneck::Sockets,
            Bottleneck::Names,
            Bottleneck::Servers,
        ];
        let all = general.into_iter().chain(causes.map(Bottleneck::Hosts));
        assert_eq!(page, all.map(|bound| bound::name(bound).to_owned()).collect());
    }

    #[test]
    fn the_numbers_arrive() {
        let value = value();
        assert_eq!((&value["exit_code"], &value["urls"]["succeeded"]), (&1.into(), &998_210.into()));
        assert_eq!((&value["status"]["2xx"], &value["status"]["1xx"]), (&990_000.into(), &0.into()));
        assert_eq!((&value["failures"][0]["kind"], &value["failures"][0]["count"]), (&"nxdomain".into(), &1200.into()));
        assert_eq!(
            (&value["connections"]["reuse_ratio"], &value["attempt_us"]["p50"]),
            (&0.988.into(), &12_000.into())
        );
        assert_eq!(
            (&value["slowest"][0]["mean_us"], &value["bounds"][0]["by"]),
            (&4_120_000.into(), &"concurrency".into())
        );
    }
}
