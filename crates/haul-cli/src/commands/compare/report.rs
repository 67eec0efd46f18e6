//! The answer: what each way of fetching came to, as plain data, and as JSON (docs/guide/COMPARE.md). Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::round_stats::RoundStats;
use super::stats::{self, Finding, Interval, MedianEstimate};
use crate::shared::exit::Exit;

/// The figures. The fields' names are those of the JSON object; times are in the unit of their name.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ComparisonReport {
    pub(super) version: &'static str,
    pub(super) list: List,
    /// Complete rounds, without the warm-up.
    pub(super) rounds: usize,
    /// Those asked for.
    pub(super) rounds_asked: usize,
    pub(super) seed: u64,
    pub(super) workers: u32,
    pub(super) limit: u32,
    pub(super) batch: u32,
    /// How sure each interval is; `None`: there are too few rounds for any.
    pub(super) confidence: Option<f64>,
    pub(super) stopped: bool,
    /// In the order asked for; the first that has figures is what the others are held against.
    pub(super) modes: Vec<WayReport>,
    pub(super) steps: Vec<SpeedComparison>,
}

/// What was fetched.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct List {
    /// The first URL.
    pub(super) url: String,
    pub(super) urls: usize,
    pub(super) hosts: usize,
    pub(super) built_in: bool,
}

/// What a way of fetching is.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Way {
    pub(super) name: &'static str,
    /// What it does.
    pub(super) about: String,
    /// Who fetches: haul, or a Python package with its version.
    pub(super) by: String,
}

/// What a way of fetching came to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct WayReport {
    #[serde(flatten)]
    pub(super) way: Way,
    /// Why there are no figures.
    pub(super) missing: Option<String>,
    pub(super) measured: Option<WayFigures>,
}

/// The figures of one way of fetching.
#[derive(Clone, Debug, Serialize)]
pub(super) struct WayFigures {
    /// Of each round.
    pub(super) rounds_s: Vec<f64>,
    pub(super) time_s: MedianInterval,
    pub(super) requests_per_s: f64,
    /// How many times as fast as the first; `None` if requests failed.
    pub(super) speed_up: Option<MedianInterval>,
    /// Connections opened in a round.
    pub(super) connections: Option<f64>,
    pub(super) tls_handshakes: Option<f64>,
    pub(super) latency_us: Latency,
    pub(super) cpu_us_per_request: f64,
    pub(super) phases_us: Option<Phases>,
    pub(super) failed: u64,
    pub(super) failures: BTreeMap<String, u64>,
}

/// A median with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct MedianInterval {
    pub(super) median: f64,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
}

/// From a request's turn to the end of its body, over all rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

/// Where a request's time went, on average over all requests.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Phases {
    pub(super) waiting: f64,
    pub(super) dns: f64,
    pub(super) connect: f64,
    pub(super) tls: f64,
    pub(super) first_byte: f64,
    pub(super) body: f64,
    pub(super) other: f64,
}

/// What one way has over another.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SpeedComparison {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// What is different.
    pub(super) change: &'static str,
    /// Whether that is how many requests are under way at once.
    #[serde(skip)]
    pub(super) at_once: bool,
    pub(super) finding: &'static str,
    /// By which factor it is faster or slower.
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
}

/// Ways of which the second has something that the first has not, what that is, and whether it is how many requests are under
/// way at once: if it is not, the wait for a slot differs only because all requests before do.
const STEPS: [(&str, &str, &str, bool); 13] = [
    ("serial", "serial-reuse", "keeping connections", false),
    ("serial", "threads", "threads", true),
    ("serial-reuse", "threads-reuse", "threads", true),
    ("threads", "threads-reuse", "keeping connections", false),
    ("batches", "limited", "not waiting for the batch", true),
    ("limited", "gather", "no limit", true),
    ("gather", "pooled", "haul's defaults: 8 a host at once, HTTP/2 where spoken, every core", true),
    ("gather", "h2", "HTTP/2, one connection a host", false),
    ("requests", "serial", "haul instead of requests", false),
    ("requests-session", "serial-reuse", "haul instead of requests", false),
    ("requests-threads", "threads", "haul instead of requests", false),
    ("aiohttp", "gather", "haul instead of aiohttp", false),
    ("httpx", "gather", "haul instead of httpx", false),
];

impl ComparisonReport {
    /// How the command ends.
    pub(super) fn exit(&self) -> Exit {
        let failed = |figures: &WayReport| figures.measured.as_ref().is_some_and(|measured| measured.failed > 0);
        match self.stopped {
            true => Exit::Interrupted,
            false if self.modes.iter().any(failed) => Exit::SomeFailed,
            false => Exit::Complete,
        }
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers and text can be written")
    }

    /// Those that can be held against each other: measured, and without a failure.
    pub(super) fn sound(&self) -> impl Iterator<Item = (&'static str, &WayFigures)> {
        self.modes
            .iter()
            .filter_map(|figures| Some((figures.way.name, figures.measured.as_ref()?)))
            .filter(|(_, measured)| measured.failed == 0)
    }

    /// What the rounds show of these two.
    pub(super) fn find(&self, from: &str, to: &str) -> Option<Finding> {
        let of = |name| self.sound().find(|(other, _)| *other == name).map(|(_, measured)| &measured.rounds_s);
        Some(stats::find(of(from)?, of(to)?))
    }

    /// Works out what depends on all modes together: speed-ups and steps.
    pub(super) fn compare(mut self) -> Self {
        let first = self.sound().next().map(|(_, measured)| measured.rounds_s.clone());
        for measured in self.modes.iter_mut().filter_map(|figures| figures.measured.as_mut()) {
            let first = first.as_ref().filter(|_| measured.failed == 0);
            measured.speed_up =
                first.and_then(|first| stats::speed_up(first, &measured.rounds_s)).map(MedianInterval::from);
        }
        let step = |(from, to, change, at_once)| {
            let step = SpeedComparison::new(from, to, change, self.find(from, to)?);
            Some(SpeedComparison { at_once, ..step })
        };
        self.steps = STEPS.into_iter().filter_map(step).collect();
        self
    }
}

impl SpeedComparison {
    fn new(from: &'static str, to: &'static str, change: &'static str, finding: Finding) -> Self {
        let (finding, interval) = match finding {
            Finding::Faster(interval) => ("faster", Some(interval)),
            Finding::Slower(interval) => ("slower", Some(interval)),
            Finding::NoDifference => ("no difference shown", None),
            Finding::Unknown => ("too few rounds", None),
        };
        Self {
            from,
            to,
            change,
            at_once: false,
            finding,
            low: interval.map(|interval| rounded(interval.low)),
            high: interval.map(|interval| rounded(interval.high)),
        }
    }
}

impl WayFigures {
    /// `urls`: of the list. `None`: there is no complete round.
    pub(super) fn of(tally: &RoundStats, urls: usize) -> Option<Self> {
        let time = stats::estimate(tally.rounds_s.iter().copied())?;
        let opened = tally.opened();
        let at = |quantile| tally.latency.value_at_quantile(quantile) as f64 / 1e3;
        Some(Self {
            rounds_s: tally.rounds_s.clone(),
            time_s: time.into(),
            requests_per_s: rounded(urls as f64 / time.median.max(1e-9)),
            speed_up: None,
            connections: opened.map(|(connections, _)| connections),
            tls_handshakes: opened.map(|(_, handshakes)| handshakes),
            latency_us: Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0) },
            cpu_us_per_request: tally.processor_us().round(),
            phases_us: tally.spent_us().map(|spent| Phases {
                waiting: spent.waiting.round(),
                dns: spent.dns.round(),
                connect: spent.connect.round(),
                tls: spent.tls.round(),
                first_byte: spent.first_byte.round(),
                body: spent.body.round(),
                other: spent.other.round(),
            }),
            failed: tally.failed(),
            failures: tally.failures.clone(),
        })
    }
}

impl From<MedianEstimate> for MedianInterval {
    fn from(MedianEstimate { median, interval }: MedianEstimate) -> Self {
        let bound = |of: fn(Interval) -> f64| interval.map(of).map(rounded);
        Self { median: rounded(median), low: bound(|interval| interval.low), high: bound(|interval| interval.high) }
    }
}

/// To the sixth place: microseconds.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::commands::compare::round_stats::tests::sample;
    use crate::commands::compare::sample::Sample;
    use crate::shared::exactly::{hold, recorded};
    use crate::shared::summary_json::tests::{first_column, paths};

    const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/COMPARE.md"));

    /// Of a way with these rounds in milliseconds, in each of which so many of ten requests failed.
    fn figures(name: &'static str, rounds_ms: &[u64], failed: usize) -> WayReport {
        let mut tally = RoundStats::new();
        rounds_ms.iter().for_each(|millis| tally.add(&sample(Duration::from_millis(*millis), failed)));
        let way = Way { name, about: "as its name says".to_owned(), by: "haul".to_owned() };
        WayReport { way, missing: None, measured: WayFigures::of(&tally, 10) }
    }

    /// Of these ways.
    fn of(modes: Vec<WayReport>, rounds: usize) -> ComparisonReport {
        let list = List { url: "http://a.test/".to_owned(), urls: 10, hosts: 1, built_in: false };
        let confidence = stats::confidence(rounds);
        let (seed, workers, limit, batch) = (1, 8, 5, 5);
        let version = "0.0.0";
        let stopped = false;
        let steps = Vec::new();
        let rounds_asked = rounds;
        ComparisonReport {
            version,
            list,
            rounds,
            rounds_asked,
            seed,
            workers,
            limit,
            batch,
            confidence,
            stopped,
            modes,
            steps,
        }
        .compare()
    }

    /// Six rounds: serial, five times as fast with threads, a little faster or not with kept connections, and two that can't
    /// be used.
    pub(in crate::commands::compare) fn report() -> ComparisonReport {
        let serial = [1000, 1010, 1005, 1000, 1020, 1000];
        let reuse = [1000, 1000, 1010, 1001, 1000, 1001];
        let threads = [200, 202, 201, 200, 204, 250];
        let missing = Some("httpx is not installed".to_owned());
        let modes = vec![
            figures("serial", &serial, 0),
            figures("serial-reuse", &reuse, 0),
            figures("threads", &threads, 0),
            figures("gather", &[10; 6], 1),
            WayReport { missing, measured: None, ..figures("httpx", &[], 0) },
        ];
        of(modes, 6)
    }

    #[test]
    fn speed_ups_are_against_the_first_that_did_not_fail() {
        let report = report();
        let speed_up = |mode: usize| report.modes[mode].measured.as_ref().and_then(|measured| measured.speed_up);
        assert_eq!(speed_up(0), Some(MedianInterval { median: 1.0, low: Some(1.0), high: Some(1.0) }));
        assert_eq!(speed_up(2), Some(MedianInterval { median: 5.0, low: Some(4.0), high: Some(5.0) }));
        assert_eq!(speed_up(3), None, "it failed");
        let failed_first = of(vec![figures("serial", &[5; 6], 1), figures("threads", &[9; 6], 0)], 6);
        let threads = failed_first.modes[1].measured.as_ref().and_then(|measured| measured.speed_up);
        assert_eq!(threads.map(|bounds| bounds.median), Some(1.0));
    }

    #[test]
    fn steps_are_told_only_of_ways_that_did_not_fail() {
        let steps = report().steps;
        let told: Vec<_> = steps.iter().map(|step| (step.from, step.to, step.finding, step.low)).collect();
        assert_eq!(
            told,
            [("serial", "serial-reuse", "no difference shown", None), ("serial", "threads", "faster", Some(4.0))]
        );
        let back = of(vec![figures("limited", &[5; 6], 0), figures("batches", &[4; 6], 0)], 6).steps;
        assert_eq!((back[0].from, back[0].finding, back[0].low), ("batches", "slower", Some(1.25)));
        let few = of(vec![figures("serial", &[9; 5], 0), figures("threads", &[3; 5], 0)], 5).steps;
        assert_eq!((few[0].finding, few[0].low), ("too few rounds", None));
    }

    #[test]
    fn the_exit_code_tells_failures_and_interruptions() {
        let mut report = report();
        assert_eq!(report.exit(), Exit::SomeFailed);
        report.modes.remove(3);
        assert_eq!(report.exit(), Exit::Complete, "who is missing has not failed");
        report.stopped = true;
        assert_eq!(report.exit(), Exit::Interrupted);
    }

    #[test]
    fn percentiles_are_within_a_thousandth_above_those_that_were_recorded() {
        let (times, mut tally) = (recorded(), RoundStats::new());
        let latencies = times.iter().map(|time| Duration::from_nanos(*time)).collect();
        tally.add(&Sample { latencies, ..Sample::default() });
        let Latency { p50, p90, p99, max } = WayFigures::of(&tally, 5000).expect("a round").latency_us;
        hold(&times, [(500, p50), (900, p90), (990, p99), (1000, max)]);
    }

    #[test]
    fn the_page_names_every_field_and_no_other() {
        let value = serde_json::from_str(&report().json()).expect("JSON");
        let mut fields = BTreeSet::new();
        paths(&value, "", &mut fields);
        assert_eq!(first_column(PAGE), fields);
    }
}
