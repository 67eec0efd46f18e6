//! The summary at the end of a run.

use std::fmt::Write;
use std::time::Duration;

use haul::engine::{Bottleneck, HostSummary, Latency, RunReport, Snapshot};
use indicatif::{HumanBytes, HumanCount};

use super::bound;
use super::progress::BoundDurations;
use super::times::{clock, per_second, short};

/// How many kinds of failure are named; the others are counted together.
const KINDS: usize = 5;

/// How many of the hosts that ended last are named.
const LATEST: usize = 3;

/// How many bounds are named, and for how many hundredths of the time at least they held.
const BOUNDS: usize = 2;
const LITTLE: f64 = 5.0;

/// To the next line, below the text of this one.
const NEXT_LINE: &str = "\n               ";

/// What a run came to, in a few lines. A line is left out when there is nothing to say.
pub(crate) fn summary(report: &RunReport, bounds: &BoundDurations) -> String {
    let totals = &report.totals;
    let lines = [
        Some(headline(totals)),
        left(report),
        (totals.succeeded > 0).then(|| format!("  status       {}", statuses(totals))),
        (totals.failed > 0).then(|| format!("  failed       {}", failures(report))),
        (totals.succeeded > 0).then(|| format!("  time         {}", latency(&report.latency))),
        (totals.connections_opened > 0).then(|| format!("  connections  {}", connections(totals))),
        (totals.wire_bytes > 0).then(|| format!("  bodies       {}", bytes(totals))),
        (totals.retries + totals.redirects > 0).then(|| {
            format!("  extra        {} retries, {} redirects", HumanCount(totals.retries), HumanCount(totals.redirects))
        }),
        several(report).then(|| slowest(&report.slowest)).flatten(),
        several(report).then(|| format!("  ended last   {}", latest(&report.latest))),
        bounded(bounds, totals.elapsed),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn headline(totals: &Snapshot) -> String {
    let done = totals.succeeded + totals.failed;
    format!(
        "{} in {}: {} responses, {} failed, {}/s",
        urls(done),
        clock(totals.elapsed),
        HumanCount(totals.succeeded),
        HumanCount(totals.failed),
        HumanCount(per_second(done, totals.elapsed)),
    )
}

fn left(report: &RunReport) -> Option<String> {
    report.stopped.then(|| format!("  stopped      {} already read left without a record", urls(report.left)))
}

/// Whether there is more than one host to tell of.
fn several(report: &RunReport) -> bool {
    report.latest.len() > 1
}

/// The slowest hosts, a line each.
fn slowest(hosts: &[HostSummary]) -> Option<String> {
    let line = |host: &HostSummary| {
        let failed =
            if host.failed > 0 { format!(", {} failed", HumanCount(host.failed.into())) } else { String::new() };
        format!("{} mean of {}{failed}: {}", short(host.mean), HumanCount(host.attempts.into()), host.origin)
    };
    let lines: Vec<_> = hosts.iter().map(line).collect();
    (!lines.is_empty()).then(|| format!("  slowest      {}", lines.join(NEXT_LINE)))
}

/// The hosts that ended last, and when, a line each.
fn latest(hosts: &[HostSummary]) -> String {
    let line = |host: &HostSummary| format!("at {}: {}", clock(host.ended), host.origin);
    hosts.iter().take(LATEST).map(line).collect::<Vec<_>>().join(NEXT_LINE)
}

/// What bounded the run for longest, and for how much of its time.
fn bounded(bounds: &BoundDurations, elapsed: Duration) -> Option<String> {
    let share = |time: Duration| (time.as_secs_f64() / elapsed.as_secs_f64().max(1e-9) * 100.0).round().min(100.0);
    let one = |(bound, time): &(Bottleneck, Duration)| format!("{} {} %", bound::general(*bound), share(*time));
    let named: Vec<_> = bounds.iter().take(BOUNDS).filter(|(_, time)| share(*time) >= LITTLE).map(one).collect();
    let (first, others) = named.split_first()?;
    let others: String = others.iter().map(|other| format!(", {other}")).collect();
    Some(format!("  bound by     {first} of the time{others}"))
}

/// So many URLs.
fn urls(count: u64) -> String {
    format!("{} URL{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

fn statuses(totals: &Snapshot) -> String {
    let classes = totals.status.iter().enumerate().filter(|(_, count)| **count > 0);
    classes.map(|(class, count)| format!("{class}xx {}", HumanCount(*count))).collect::<Vec<_>>().join(", ")
}

fn failures(report: &RunReport) -> String {
    let mut kinds: Vec<_> = report.failures.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let (named, others) = kinds.split_at(kinds.len().min(KINDS));
    let named = named.iter().map(|((phase, kind), count)| format!("{phase} {kind} {}", HumanCount(**count)));
    let mut text = named.collect::<Vec<_>>().join(", ");
    if !others.is_empty() {
        let count = others.iter().map(|(_, count)| **count).sum();
        // Writing to a string can't fail.
        let _ = write!(text, ", {} of other kinds", HumanCount(count));
    }
    text
}

fn latency(latency: &Latency) -> String {
    let Latency { p50, p90, p99, max } = *latency;
    format!("p50 {}, p90 {}, p99 {}, longest {}", short(p50), short(p90), short(p99), short(max))
}

fn connections(totals: &Snapshot) -> String {
    let (opened, reused) = (totals.connections_opened, totals.connections_reused);
    let tenths = reused * 1000 / (reused + opened).max(1);
    format!("{} opened, {}.{} % of requests used one already open", HumanCount(opened), tenths / 10, tenths % 10)
}

fn bytes(totals: &Snapshot) -> String {
    format!("{} received, {} decoded", HumanBytes(totals.wire_bytes), HumanBytes(totals.body_bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use haul::model::{FailureKind, Phase};
    use haul::sched::HostBottleneck;

    use super::*;

    pub(crate) fn bounds() -> BoundDurations {
        let seconds = Duration::from_secs;
        vec![
            (Bottleneck::Concurrency, seconds(40)),
            (Bottleneck::Hosts(HostBottleneck::Delay), seconds(20)),
            (Bottleneck::Names, Duration::from_millis(100)),
        ]
    }

    fn host(origin: &str, attempts: u32, failed: u32, mean: u64, ended: u64) -> HostSummary {
        let (mean, ended) = (Duration::from_micros(mean), Duration::from_millis(ended));
        HostSummary { origin: origin.into(), attempts, failed, mean, ended }
    }

    /// A run with something of everything.
    pub(crate) fn report() -> RunReport {
        let millis = Duration::from_millis;
        RunReport {
            totals: Snapshot {
                accepted: 1_000_000,
                succeeded: 998_210,
                failed: 1_790,
                connections_opened: 12_034,
                connections_reused: 990_000,
                retries: 301,
                redirects: 20_001,
                wire_bytes: 5 << 30,
                body_bytes: 9 << 30,
                elapsed: Duration::from_secs(62),
                status: [0, 0, 990_000, 10, 8_000, 200],
                ..Snapshot::default()
            },
            failures: BTreeMap::from([
                ((Phase::Dns, FailureKind::NameNotFound), 1200),
                ((Phase::Connect, FailureKind::Refused), 500),
                ((Phase::Head, FailureKind::Timeout), 60),
                ((Phase::Body, FailureKind::Timeout), 15),
                ((Phase::Input, FailureKind::BadUrl), 9),
                ((Phase::Tls, FailureKind::Handshake), 4),
                ((Phase::Tls, FailureKind::CertificateName), 2),
            ]),
            latency: Latency { p50: millis(12), p90: millis(80), p99: millis(1410), max: Duration::from_micros(9_123) },
            slowest: vec![
                host("https://slow.example", 24, 3, 4_120_000, 59_000),
                host("http://second.example:8080", 1_200, 0, 812_000, 31_000),
            ],
            latest: vec![
                host("https://slow.example", 24, 3, 4_120_000, 59_000),
                host("https://b.example", 2, 0, 40_000, 40_100),
            ],
            stopped: false,
            stopped_after: None,
            left: 0,
            cut_off: 0,
            unwritten: 0,
            source_error: None,
            sink_error: None,
        }
    }

    #[test]
    fn a_summary_says_what_matters() {
        let expected = "\
1,000,000 URLs in 1m02s: 998,210 responses, 1,790 failed, 16,129/s
  status       2xx 990,000, 3xx 10, 4xx 8,000, 5xx 200
  failed       dns nxdomain 1,200, connect refused 500, head timeout 60, body timeout 15, input bad_url 9, 6 of other kinds
  time         p50 12ms, p90 80ms, p99 1.4s, longest 9.12ms
  connections  12,034 opened, 98.7 % of requests used one already open
  bodies       5.00 GiB received, 9.00 GiB decoded
  extra        301 retries, 20,001 redirects
  slowest      4.1s mean of 24, 3 failed: https://slow.example
               812ms mean of 1,200: http://second.example:8080
  ended last   at 59.0s: https://slow.example
               at 40.1s: https://b.example
  bound by     --concurrency 65 % of the time, hosts (delay) 32 %";
        assert_eq!(summary(&report(), &bounds()), expected);
    }

    #[test]
    fn a_stopped_run_says_how_many_were_left_and_an_empty_one_little() {
        let mut run = report();
        (run.stopped, run.left) = (true, 12_300);
        assert!(
            summary(&run, &Vec::new()).contains("\n  stopped      12,300 URLs already read left without a record\n")
        );
        run.totals = Snapshot { elapsed: Duration::from_millis(3), ..Snapshot::default() };
        run.stopped = false;
        (run.slowest, run.latest) = (Vec::new(), Vec::new());
        assert_eq!(summary(&run, &Vec::new()), "0 URLs in 3ms: 0 responses, 0 failed, 0/s");
    }
}
